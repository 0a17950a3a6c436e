/**
 * The read-through over a source and a time that the test drives: what is asked of Redis, what is answered, what is kept.
 *
 * Its races are in `read_through_race_test.ts`, what becomes of a lost connection in `read_through_link_test.ts`, and of
 * what is past its end in `read_through_stale_test.ts`.
 */

import assert from "node:assert/strict";
import { UNREACHABLE } from "../../lib/read_through/source.ts";
import { ITEM_OVERHEAD_BYTES } from "../../lib/limits.ts";
import { newCounters } from "../../lib/metrics/counters.ts";
import { ReadThrough } from "../../lib/read_through/read_through.ts";
import type { KeyReply } from "../../lib/read_through/source.ts";
import { ABSENT, REFUSED, value, WRONG_TYPE } from "../support/hand_source.ts";
import { settled } from "../support/hand_time.ts";
import { key, Rig, textOf, trips, wordsOf } from "../support/read_through_rig.ts";

// Hits, misses, single flight

Deno.test("a miss is read from Redis and kept; the next is a hit without a promise", async () => {
  using rig = new Rig();
  rig.connect();
  const first = rig.ask("k");
  assert.equal(first.words, "waiting");
  await settled();
  assert.deepEqual(trips(rig), ["k"]);
  rig.source.last.reply(value("v"));
  await settled();
  assert.equal(first.words, "fill v stored");
  assert.equal(rig.ask("k").words, "hit v");
  assert.deepEqual(trips(rig), ["k"]);
  assert.equal(rig.counters.fillsStored, 1);
});

Deno.test("however many ask for a key, one read serves them all", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = Array.from({ length: 1_000 }, () => rig.ask("k"));
  await settled();
  asked.push(rig.ask("k"));
  assert.deepEqual(trips(rig), ["k"]);
  rig.source.last.reply(value("v"));
  await settled();
  assert.equal(asked[0].words, "fill v stored");
  assert.deepEqual(new Set(wordsOf(asked.slice(1))), new Set(["fill v collapsed stored"]));
  assert.equal(rig.readThrough.flights, 0);
});

Deno.test("after a flight has landed without being kept the next asks Redis again", async () => {
  using rig = new Rig();
  rig.connect();
  assert.equal((await rig.fill("k", ABSENT)).words, "absent");
  assert.equal((await rig.fill("k", REFUSED)).words, "failed refused");
  assert.equal((await rig.fill("k", WRONG_TYPE)).words, "wrong_type");
  assert.equal((await rig.fill("k", value("v", 0))).words, "fill v");
  assert.deepEqual(trips(rig), ["k", "k", "k", "k"]);
});

// Batches

Deno.test("what is asked in one turn travels together, in order", async () => {
  using rig = new Rig();
  rig.connect();
  for (const name of ["c", "a", "b", "a"]) rig.ask(name);
  await settled();
  assert.deepEqual(trips(rig), ["c a b"]);
  rig.source.last.replyAll(() => ABSENT);
  await settled();
});

Deno.test("one round trip is in flight by default; what misses meanwhile travels in the next", async () => {
  using rig = new Rig();
  rig.connect();
  rig.ask("a");
  await settled();
  for (const name of ["b", "c", "d"]) {
    rig.ask(name);
    await settled();
  }
  assert.deepEqual(trips(rig), ["a"]);
  rig.source.last.reply(value("1"));
  await settled();
  assert.deepEqual(trips(rig), ["a", "b c d"]);
  rig.source.last.replyAll((one) => value(one));
  await settled();
  assert.deepEqual(["b", "c", "d"].map((name) => rig.ask(name).words), ["hit /b", "hit /c", "hit /d"]);
});

Deno.test("at most parallelMax round trips are in flight, each of at most batchKeysMax keys", async () => {
  using rig = new Rig({ parallelMax: 2, batchKeysMax: 3 });
  rig.connect();
  const asked = [..."abcdefghij"].map((name) => rig.ask(name));
  await settled();
  assert.deepEqual(trips(rig), ["a b c", "d e f"]);
  assert.equal(rig.readThrough.flights, 10);
  rig.source.trips[1].replyAll(() => value("v"));
  await settled();
  assert.deepEqual(trips(rig), ["a b c", "d e f", "g h i"]);
  rig.source.trips[0].replyAll(() => value("v"));
  await settled();
  assert.deepEqual(trips(rig), ["a b c", "d e f", "g h i", "j"]);
  for (const trip of rig.source.trips) trip.replyAll(() => value("v"));
  await settled();
  assert.deepEqual(new Set(wordsOf(asked)), new Set(["fill v stored"]));
  assert.equal(rig.counters.roundTrips, 4);
  assert.equal(rig.counters.keysRead, 10);
  assert.equal(rig.readThrough.flights, 0);
});

Deno.test("a long queue keeps its order and loses nobody", async () => {
  using rig = new Rig({ batchKeysMax: 7 });
  rig.connect();
  const names = Array.from({ length: 1_000 }, (_, i) => String(i));
  const asked = names.map((name) => rig.ask(name));
  for (let done = 0; done < 1_000;) {
    await settled();
    done += rig.source.last.keys.length;
    rig.source.last.replyAll((one) => value(one));
  }
  await settled();
  assert.deepEqual(trips(rig).join(" "), names.join(" "));
  assert.deepEqual(wordsOf(asked), names.map((name) => `fill /${name} stored`));
});

Deno.test("hits never wait for misses", async () => {
  using rig = new Rig();
  rig.connect();
  await rig.fill("held", value("v"));
  rig.ask("slow");
  await settled();
  for (let i = 0; i < 3; i++) assert.equal(rig.ask("held").words, "hit v");
  rig.source.last.reply(ABSENT);
  await settled();
});

Deno.test("a round trip is told with its time and its keys", async () => {
  using rig = new Rig();
  rig.connect();
  rig.ask("a");
  rig.ask("b");
  await settled();
  await rig.time.pass(7);
  rig.source.last.replyAll(() => ABSENT);
  await settled();
  assert.deepEqual(rig.roundTrips, [{ ms: 7, keys: 2 }]);
});

// The queue's bound

Deno.test("beyond queueFlightsMax a miss is turned away at once, and a known key can still be joined", async () => {
  using rig = new Rig({ queueFlightsMax: 2 });
  const [a, b] = [rig.ask("a"), rig.ask("b")];
  const c = rig.ask("c");
  assert.equal(c.words, "failed overloaded", "without a wait");
  assert.equal(rig.counters.readsTurnedAway, 1);
  const joined = rig.ask("a");
  assert.equal(joined.words, "waiting");
  rig.connect();
  await settled();
  assert.deepEqual(trips(rig), ["a b"]);
  const [d, e, f] = ["d", "e", "f"].map((name) => rig.ask(name));
  assert.deepEqual(wordsOf([d, e, f]), ["waiting", "waiting", "failed overloaded"], "what is sent waits no more");
  rig.source.last.replyAll(() => value("v"));
  await settled();
  rig.source.last.replyAll(() => value("v"));
  await settled();
  assert.deepEqual(wordsOf([a, b, joined, d, e]), [
    "fill v stored",
    "fill v stored",
    "fill v collapsed stored",
    "fill v stored",
    "fill v stored",
  ]);
});

// Deadlines

Deno.test("each request has a deadline of its own, and the reply still serves those who wait", async () => {
  using rig = new Rig({ timeoutMs: 1_000 });
  rig.connect();
  const early = rig.ask("k");
  await rig.time.pass(400);
  const late = rig.ask("k");
  await rig.time.pass(599);
  assert.deepEqual(wordsOf([early, late]), ["waiting", "waiting"]);
  await rig.time.pass(1);
  assert.deepEqual(wordsOf([early, late]), ["failed timeout", "waiting"]);
  await rig.time.pass(200);
  rig.source.last.reply(value("v"));
  await settled();
  assert.equal(late.words, "fill v collapsed stored");
  await rig.time.pass(1_000);
  assert.equal(early.words, "failed timeout", "an answer is final");
});

Deno.test("a reply that nobody waits for any more is kept for the next", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = rig.ask("k");
  await rig.time.pass(1_000);
  assert.equal(asked.words, "failed timeout");
  rig.source.last.reply(value("v"));
  await settled();
  assert.equal(rig.ask("k").words, "hit v");
});

Deno.test("while the first connection is awaited, requests wait to their deadline", async () => {
  using rig = new Rig();
  const asked = rig.ask("k");
  await rig.time.pass(999);
  assert.equal(asked.words, "waiting");
  await rig.time.pass(1);
  assert.equal(asked.words, "failed timeout");
  assert.deepEqual(trips(rig), []);
});

Deno.test("a flight that nobody waits for is not sent, and the next flight of its key is", async () => {
  using rig = new Rig();
  rig.ask("a");
  await rig.time.pass(500);
  const b = rig.ask("b");
  await rig.time.pass(500);
  rig.connect();
  await settled();
  assert.deepEqual(trips(rig), ["b"]);
  assert.equal(rig.counters.flightsAbandoned, 1);
  rig.source.last.reply(value("v"));
  assert.equal((await rig.fill("a", value("w"))).words, "fill w stored");
  assert.equal(b.words, "fill v stored");
});

Deno.test("a batch of nothing but abandoned flights holds nobody up", async () => {
  using rig = new Rig({ batchKeysMax: 2 });
  for (const name of ["a", "b", "c", "d"]) rig.ask(name);
  await rig.time.pass(1_000);
  rig.ask("e");
  rig.connect();
  await settled();
  assert.deepEqual(trips(rig), ["e"]);
  assert.equal(rig.counters.flightsAbandoned, 4);
  assert.equal(rig.readThrough.flights, 1);
  rig.source.last.reply(ABSENT);
  await settled();
});

Deno.test("a queued flight whose first asker gave up is sent for the one who joined it", async () => {
  using rig = new Rig();
  rig.ask("k");
  await rig.time.pass(600);
  const joined = rig.ask("k");
  await rig.time.pass(600);
  rig.connect();
  await settled();
  rig.source.last.reply(value("v"));
  await settled();
  assert.equal(joined.words, "fill v collapsed stored");
});

// Replies

Deno.test("an error goes to all who wait and is not remembered", async () => {
  using rig = new Rig({ negativeTtlMs: 60_000 });
  rig.connect();
  const asked = [rig.ask("k"), rig.ask("k"), rig.ask("k")];
  await settled();
  rig.source.last.reply({ kind: "refused", outage: { kind: "refused", code: "NOPERM" } });
  await settled();
  for (const { answer } of asked) assert.deepEqual(answer, { kind: "failed", failure: "refused", code: "NOPERM" });
  assert.equal((await rig.fill("k", value("v"))).words, "fill v stored");
});

Deno.test("one key's error is not its neighbour's", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = ["a", "b", "c", "d"].map((name) => rig.ask(name));
  await settled();
  rig.source.last.reply(REFUSED, value("v"), WRONG_TYPE, ABSENT);
  await settled();
  assert.deepEqual(wordsOf(asked), ["failed refused", "fill v stored", "wrong_type", "absent"]);
});

Deno.test("a wrong type is told to all who wait, those who joined included", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = [rig.ask("k"), rig.ask("k")];
  await settled();
  rig.source.last.reply(WRONG_TYPE);
  await settled();
  assert.deepEqual(wordsOf(asked), ["wrong_type", "wrong_type collapsed"]);
});

for (
  const [name, reply] of Object.entries({
    absent: ABSENT,
    wrong_type: WRONG_TYPE,
    large: value("x".repeat(2_000)),
    expired: value("w", 0),
  })
) {
  Deno.test(`an item that is past its time is gone once Redis said ${name}`, async () => {
    using rig = new Rig({ staleTtlMs: 60_000, ttlMs: 100, itemBytesMax: 2_000 });
    rig.connect({ tracked: false });
    await rig.fill("k", value("v"));
    await rig.time.pass(100);
    assert.equal(rig.cache.has(key("k")), true);
    await rig.fill("k", reply);
    assert.equal(rig.cache.has(key("k")), false);
    rig.disconnect();
    rig.readThrough.unavailable(UNREACHABLE);
    assert.equal(rig.ask("k").words, "failed unreachable");
  });
}

Deno.test("absence is remembered for negativeTtlMs, counted from when it was asked", async () => {
  using rig = new Rig({ negativeTtlMs: 1_000 });
  rig.connect();
  const asked = [rig.ask("k"), rig.ask("k")];
  await settled();
  await rig.time.pass(300);
  rig.source.last.reply(ABSENT);
  await settled();
  assert.deepEqual(wordsOf(asked), ["absent stored", "absent collapsed stored"]);
  await rig.time.pass(699);
  assert.equal(rig.ask("k").words, "absent remembered");
  await rig.time.pass(1);
  assert.equal((await rig.fill("k", value("v"))).words, "fill v stored");
  assert.equal(rig.ask("k").words, "hit v");
});

Deno.test("an absence whose time was over when it came is not remembered", async () => {
  using rig = new Rig({ negativeTtlMs: 500 });
  rig.connect();
  const asked = rig.ask("k");
  await settled();
  await rig.time.pass(500);
  rig.source.last.reply(ABSENT);
  await settled();
  assert.equal(asked.words, "absent");
  assert.equal(rig.ask("k").words, "waiting");
  await settled();
  rig.source.last.reply(ABSENT);
  await settled();
});

Deno.test("a remembered absence is invalidated like a value", async () => {
  using rig = new Rig({ negativeTtlMs: 60_000 });
  rig.connect();
  await rig.fill("a", ABSENT);
  await rig.fill("b", ABSENT);
  rig.readThrough.invalidated(key("a"));
  assert.equal((await rig.fill("a", value("v"))).words, "fill v stored");
  assert.equal(rig.ask("b").words, "absent remembered");
  rig.readThrough.invalidatedAll();
  assert.equal((await rig.fill("b", value("v"))).words, "fill v stored");
});

// Time

Deno.test("an item is fresh for ttlMs from when its read was sent, not a moment longer", async () => {
  using rig = new Rig({ ttlMs: 1_000 });
  rig.connect();
  rig.ask("k");
  await settled();
  await rig.time.pass(400);
  rig.source.last.reply(value("v"));
  await settled();
  await rig.time.pass(599);
  assert.equal(rig.ask("k").words, "hit v");
  await rig.time.pass(1);
  assert.equal((await rig.fill("k", value("w"))).words, "fill w stored");
});

Deno.test("the wait in the queue does not shorten an item's time", async () => {
  using rig = new Rig({ ttlMs: 1_000 });
  rig.ask("k");
  await rig.time.pass(900);
  rig.connect();
  await settled();
  rig.source.last.reply(value("v"));
  await settled();
  await rig.time.pass(999);
  assert.equal(rig.ask("k").words, "hit v");
});

Deno.test("an item never outlives its key's own time, nor ttlMs", async () => {
  for (
    const [remainingMs, freshMs] of [[null, 1_000], [1, 1], [300, 300], [999, 999], [1_001, 1_000], [2 ** 53, 1_000]]
  ) {
    using rig = new Rig({ ttlMs: 1_000 });
    rig.connect();
    await rig.fill("k", value("v", remainingMs));
    await rig.time.pass(freshMs! - 1);
    assert.equal(rig.ask("k").words, "hit v", String(remainingMs));
    await rig.time.pass(1);
    assert.equal((await rig.fill("k", ABSENT)).words, "absent", String(remainingMs));
  }
});

Deno.test("a value that has no time left is served and not kept", async () => {
  for (const [remainingMs, wayMs] of [[0, 0], [100, 100], [100, 500], [null, 1_000]] as const) {
    using rig = new Rig({ ttlMs: 1_000, timeoutMs: 5_000, staleTtlMs: 60_000 });
    rig.connect({ tracked: false });
    const asked = rig.ask("k");
    await settled();
    await rig.time.pass(wayMs);
    rig.source.last.reply(value("v", remainingMs));
    await settled();
    assert.equal(asked.words, "fill v");
    assert.equal(rig.cache.size, 0);
    assert.equal(rig.counters.fillsExpired, 1);
  }
});

// Size

Deno.test("an item of itemBytesMax is kept, one byte more is served and not kept", async () => {
  const itemBytesMax = ITEM_OVERHEAD_BYTES + 10 + 45;
  using rig = new Rig({ itemBytesMax });
  rig.connect();
  assert.match((await rig.fill("ten-bytes.", value("x".repeat(45)))).words, / stored$/);
  assert.equal(rig.cache.bytes, itemBytesMax);
  rig.readThrough.invalidatedAll();
  assert.match((await rig.fill("ten-bytes.", value("x".repeat(46)))).words, /^fill x+$/);
  assert.match((await rig.fill("eleven-byte", value("x".repeat(45)))).words, /^fill x+$/);
  assert.equal(rig.cache.size, 0);
  assert.equal(rig.counters.fillsTooLarge, 2);
});

// The rest

Deno.test("an invalidation of what is not held does nothing but count", () => {
  using rig = new Rig({ negativeTtlMs: 1_000 });
  rig.connect();
  rig.readThrough.invalidated(key("k"));
  rig.readThrough.invalidatedAll();
  assert.equal(rig.counters.invalidatedKeys, 1);
  assert.equal(rig.counters.invalidatedAll, 1);
  assert.equal(rig.readThrough.flights, 0);
});

Deno.test("a sweep removes what is over, at most as many as it is told", async () => {
  using rig = new Rig({ ttlMs: 100, negativeTtlMs: 100 });
  rig.connect();
  for (const name of ["a", "b", "c"]) await rig.fill(name, value("v"));
  await rig.fill("gone", ABSENT);
  assert.equal(rig.readThrough.sweep(10), 0);
  await rig.time.pass(200);
  const swept = rig.readThrough.sweep(2);
  assert.ok(swept >= 2 && swept <= 3, `${swept}: at most two items, and the absence`);
  rig.readThrough.sweep(10);
  assert.deepEqual([rig.cache.size, rig.absent?.size], [0, 0]);
});

Deno.test("keys that differ by one byte are two keys, all the way", async () => {
  using rig = new Rig();
  rig.connect();
  const [fe, ff] = ["/\u00fe", "/\u00ff"];
  const asked = [fe, ff].map((one) => rig.readThrough.read(one));
  await settled();
  assert.deepEqual(rig.source.last.keys, [fe, ff]);
  rig.source.last.reply(value("fe"), value("ff"));
  await Promise.all(asked);
  rig.readThrough.invalidated(fe);
  assert.equal(rig.readThrough.hit(fe), undefined);
  assert.equal(textOf(rig.readThrough.hit(ff)!), "ff");
});

Deno.test("a closed read-through leaves no timer", async () => {
  const rig = new Rig();
  rig.ask("k");
  await settled();
  assert.equal(rig.time.timers, 1);
  rig[Symbol.dispose]();
  assert.equal(rig.time.timers, 0);
});

// The last one, since what it guards against ends the process.
Deno.test("a source that fails although its connection is there is not asked again without end", async () => {
  using rig = new Rig();
  let reads = 0;
  const readThrough = new ReadThrough({
    clock: rig.time.clock,
    source: {
      // Gives up after a while, since a loop of promises alone would never let this test end.
      read: (): Promise<KeyReply[]> => ++reads < 1_000 ? Promise.reject(new Error("closing")) : new Promise(() => {}),
      caughtUp: () => Promise.reject(new Error("closing")),
    },
    counters: newCounters(),
    cache: rig.cache,
    absent: null,
    itemBytesMax: 2_000,
    ttlMs: 1_000,
    negativeTtlMs: 0,
    staleTtlMs: 0,
    timeoutMs: 1_000,
    parallelMax: 1,
  });
  readThrough.connected({ tracked: true });
  let answered = 0;
  for (let asked = 1; asked <= 3; asked++) {
    Promise.resolve(readThrough.read(key("k"))).then(() => answered++);
    await settled();
    assert.ok(reads <= asked * 2, `asked ${reads} times for ${asked} questions`);
    assert.equal(answered, asked, "who waited is told, and the next begins anew");
  }
  assert.equal(readThrough.flights, 0);
  readThrough.close();
});
