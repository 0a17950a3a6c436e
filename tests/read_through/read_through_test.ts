/**
 * The read-through over a source and a time that the test drives: what is asked of Redis, what is answered, what is kept.
 *
 * The races of the header of `read_through.ts` are forced here one by one, by their numbers; `read_through_race_test.ts`
 * looks for those that nobody thought of.
 */

import assert from "node:assert/strict";
import { ITEM_OVERHEAD_BYTES } from "../../lib/limits.ts";
import { newCounters } from "../../lib/metrics/counters.ts";
import type { Key } from "../../lib/protocol/key.ts";
import { ReadThrough } from "../../lib/read_through/read_through.ts";
import type { KeyReply, Outage } from "../../lib/read_through/source.ts";
import { ABSENT, REFUSED, value, WRONG_TYPE } from "../support/hand_source.ts";
import { settled } from "../support/hand_time.ts";
import { Asked, key, Rig, textOf } from "../support/read_through_rig.ts";

const UNREACHABLE: Outage = { kind: "unreachable", code: "UNREACHABLE" };
const LOADING: Outage = { kind: "loading", code: "LOADING" };
const NOAUTH: Outage = { kind: "refused", code: "NOAUTH" };

/** The keys of each trip so far, as names. */
function trips(rig: Rig): string[] {
  return rig.source.keys.map((keys) => keys.map((one: Key) => one.slice(1)).join(" "));
}

function wordsOf(asked: Asked[]): string[] {
  return asked.map((one) => one.words);
}

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

// The races of the header, by their numbers

Deno.test("race 1: an invalidation before the reply: the value is served and not kept", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = [rig.ask("k"), rig.ask("k")];
  await settled();
  rig.readThrough.invalidated(key("k"));
  await settled();
  rig.source.last.reply(value("new"));
  await settled();
  assert.deepEqual(wordsOf(asked), ["fill new", "fill new collapsed"]);
  assert.equal(rig.counters.fillsOvertaken, 1);
  assert.equal((await rig.fill("k", value("new"))).words, "fill new stored");
});

Deno.test("race 2: an invalidation after the reply has landed: the item is gone", async () => {
  using rig = new Rig();
  rig.connect();
  await rig.fill("k", value("old"));
  assert.equal(rig.ask("k").words, "hit old");
  rig.readThrough.invalidated(key("k"));
  assert.equal(rig.cache.size, 0);
  assert.equal((await rig.fill("k", value("new"))).words, "fill new stored");
});

Deno.test("race 3: reply and invalidation in one chunk: the invalidation is heard before the reply continues", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = rig.ask("k");
  await settled();
  rig.source.last.reply(value("old"));
  rig.readThrough.invalidated(key("k"));
  assert.equal(asked.words, "waiting", "the reply has not continued");
  await settled();
  assert.equal(asked.words, "fill old");
  assert.equal(rig.cache.size, 0);
});

Deno.test("race 3: the same for absence, which is not remembered", async () => {
  using rig = new Rig({ negativeTtlMs: 60_000 });
  rig.connect();
  const asked = rig.ask("k");
  await settled();
  rig.source.last.reply(ABSENT);
  rig.readThrough.invalidated(key("k"));
  await settled();
  assert.equal(asked.words, "absent");
  assert.equal((await rig.fill("k", value("v"))).words, "fill v stored");
});

Deno.test("race 4: a write between GET and PTTL drops this key of the batch, and no other", async () => {
  for (const inOneChunk of [false, true]) {
    using rig = new Rig();
    rig.connect();
    const asked = ["a", "b", "c"].map((name) => rig.ask(name));
    await settled();
    // The trip's promise is settled by its last PTTL: the invalidation comes before that, or in the same chunk.
    if (inOneChunk) rig.source.last.replyAll(() => value("old", 50_000));
    rig.readThrough.invalidated(key("b"));
    if (!inOneChunk) rig.source.last.replyAll(() => value("old", 50_000));
    await settled();
    assert.deepEqual(wordsOf(asked), ["fill old stored", "fill old", "fill old stored"]);
    assert.deepEqual([...rig.cache].map(([one]) => one).toSorted(), [key("a"), key("c")]);
  }
});

Deno.test("race 5: who asks after the invalidation does not join the read that came before it", async () => {
  using rig = new Rig();
  rig.connect();
  const before = rig.ask("k");
  await settled();
  rig.readThrough.invalidated(key("k"));
  const after = rig.ask("k");
  const afterToo = rig.ask("k");
  await settled();
  assert.deepEqual(trips(rig), ["k"], "one round trip at a time");
  rig.source.last.reply(value("old"));
  await settled();
  assert.deepEqual(wordsOf([before, after, afterToo]), ["fill old", "waiting", "waiting"]);
  assert.deepEqual(trips(rig), ["k", "k"]);
  rig.source.last.reply(value("new"));
  await settled();
  assert.deepEqual(wordsOf([after, afterToo]), ["fill new stored", "fill new collapsed stored"]);
  assert.equal(rig.ask("k").words, "hit new");
});

Deno.test("race 5: with both reads in flight, the older neither answers nor replaces the newer", async () => {
  using rig = new Rig({ parallelMax: 2 });
  rig.connect();
  const before = rig.ask("k");
  await settled();
  rig.readThrough.invalidated(key("k"));
  const after = rig.ask("k");
  await settled();
  assert.deepEqual(trips(rig), ["k", "k"]);
  rig.source.trips[0].reply(value("old"));
  rig.source.trips[1].reply(value("new"));
  await settled();
  assert.deepEqual(wordsOf([before, after]), ["fill old", "fill new stored"]);
  assert.equal(rig.ask("k").words, "hit new");
});

Deno.test("race 5: an invalidation of the newer read leaves the older as it was", async () => {
  using rig = new Rig({ parallelMax: 3 });
  rig.connect();
  const asked: Asked[] = [];
  for (let i = 0; i < 3; i++) {
    asked.push(rig.ask("k"));
    await settled();
    if (i < 2) rig.readThrough.invalidated(key("k"));
  }
  rig.source.trips.forEach((trip, i) => trip.reply(value(`v${i}`)));
  await settled();
  assert.deepEqual(wordsOf(asked), ["fill v0", "fill v1", "fill v2 stored"]);
});

Deno.test("race 6: an invalidation while a read is queued: it goes on, can be joined, and is kept", async () => {
  using rig = new Rig();
  rig.connect();
  rig.ask("busy");
  await settled();
  const first = rig.ask("k");
  rig.readThrough.invalidated(key("k"));
  const joined = rig.ask("k");
  rig.source.last.reply(value("v"));
  await settled();
  assert.deepEqual(trips(rig), ["busy", "k"]);
  rig.source.last.reply(value("new"));
  await settled();
  assert.deepEqual(wordsOf([first, joined]), ["fill new stored", "fill new collapsed stored"]);
  assert.equal(rig.counters.fillsOvertaken, 0);
});

Deno.test("race 6: between the question and its sending, in one turn, nothing is overtaken", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = rig.ask("k");
  rig.readThrough.invalidated(key("k"));
  await settled();
  rig.source.last.reply(value("new"));
  await settled();
  assert.equal(asked.words, "fill new stored");
});

Deno.test("race 6: an invalidation while a read waits to be sent again: it goes on, can be joined, and is kept", async () => {
  using rig = new Rig();
  rig.connect();
  const first = rig.ask("k");
  await settled();
  rig.disconnect(rig.source.last);
  await settled();
  rig.readThrough.invalidated(key("k"));
  rig.readThrough.invalidatedAll();
  const joined = rig.ask("k");
  rig.connect();
  await settled();
  assert.deepEqual(trips(rig), ["k", "k"]);
  rig.source.last.reply(value("v"));
  await settled();
  assert.deepEqual(wordsOf([first, joined]), ["fill v stored", "fill v collapsed stored"]);
});

Deno.test("race 7: an invalidation of all drops all that is held and overtakes all that was sent, and no more", async () => {
  using rig = new Rig({ batchKeysMax: 2, parallelMax: 2, negativeTtlMs: 60_000 });
  rig.connect();
  await rig.fill("held", value("v"));
  await rig.fill("gone", ABSENT);
  const asked = ["a", "b", "c", "d", "e"].map((name) => rig.ask(name));
  await settled();
  assert.deepEqual(trips(rig).slice(2), ["a b", "c d"]);
  rig.source.trips[2].replyAll(() => value("old"));
  rig.readThrough.invalidatedAll();
  assert.equal(rig.ask("a").words, "waiting", "the overtaken cannot be joined");
  rig.source.trips[3].replyAll(() => ABSENT);
  await settled();
  assert.deepEqual(wordsOf(asked), ["fill old", "fill old", "absent", "absent", "waiting"]);
  assert.equal(rig.cache.size, 0);
  assert.deepEqual(trips(rig).slice(4), ["e a"]);
  rig.source.last.replyAll(() => value("new"));
  await settled();
  assert.equal(asked[4].words, "fill new stored");
  assert.equal(rig.ask("a").words, "hit new");
  assert.equal((await rig.fill("held", ABSENT)).words, "absent stored");
  assert.equal((await rig.fill("gone", value("v"))).words, "fill v stored");
  assert.equal(rig.counters.invalidatedAll, 1);
});

Deno.test("race 8: a reply that came just before the loss is served and not kept", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = rig.ask("k");
  await settled();
  rig.source.last.reply(value("v"));
  rig.readThrough.disconnected();
  assert.equal(asked.words, "waiting", "the reply has not continued");
  await settled();
  assert.equal(asked.words, "fill v");
  assert.equal(rig.cache.size, 0);
});

Deno.test("race 8: a read that the loss cut off is sent again over the next connection, and kept", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = rig.ask("k");
  await settled();
  rig.disconnect(rig.source.last);
  await settled();
  assert.equal(asked.words, "waiting");
  rig.connect();
  await settled();
  rig.source.last.reply(value("v"));
  await settled();
  assert.equal(asked.words, "fill v stored");
  assert.deepEqual(trips(rig), ["k", "k"]);
});

Deno.test("race 8: a read whose loss is noticed after the next connection is there is sent again, and kept", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = rig.ask("k");
  await settled();
  rig.readThrough.disconnected();
  rig.connect();
  rig.source.last.lose();
  await settled();
  assert.deepEqual(trips(rig), ["k", "k"]);
  rig.source.last.reply(value("v"));
  await settled();
  assert.equal(asked.words, "fill v stored");
});

Deno.test("race 8: from the loss to the next connection nothing is fresh, and what was held before is dropped then", async () => {
  for (const staleTtlMs of [0, 60_000]) {
    using rig = new Rig({ staleTtlMs, negativeTtlMs: 60_000 });
    rig.connect();
    await rig.fill("k", value("old"));
    await rig.fill("gone", ABSENT);
    rig.disconnect();
    const asked = [rig.ask("k"), rig.ask("gone")];
    assert.deepEqual(wordsOf(asked), ["waiting", "waiting"]);
    rig.connect();
    assert.equal(rig.cache.size, 0);
    await settled();
    rig.source.last.replyAll(() => value("new"));
    await settled();
    assert.deepEqual(wordsOf(asked), ["fill new stored", "fill new stored"]);
  }
});

Deno.test("race 9: nothing is read but over the connection whose invalidations are heard", async () => {
  using rig = new Rig({ parallelMax: 4 });
  rig.ask("a");
  await settled();
  assert.deepEqual(trips(rig), []);
  rig.connect();
  await settled();
  assert.deepEqual(trips(rig), ["a"]);
  rig.disconnect(rig.source.last);
  rig.ask("b");
  await settled();
  assert.deepEqual(trips(rig), ["a"]);
  rig.readThrough.unavailable(UNREACHABLE);
  rig.ask("c");
  await settled();
  assert.deepEqual(trips(rig), ["a"]);
});

// The link

Deno.test("what was asked before the connection is sent when it is there, together and in order", async () => {
  using rig = new Rig();
  const asked = ["b", "a"].map((name) => rig.ask(name));
  await rig.time.pass(10);
  asked.push(rig.ask("c"));
  rig.connect();
  await settled();
  assert.deepEqual(trips(rig), ["b a c"]);
  rig.source.last.replyAll(() => value("v"));
  await settled();
  assert.deepEqual(new Set(wordsOf(asked)), new Set(["fill v stored"]));
});

for (const outage of [UNREACHABLE, LOADING, NOAUTH]) {
  Deno.test(`once Redis is known to be away (${outage.kind}), who waits and who comes is answered at once`, async () => {
    using rig = new Rig();
    const waiting = [rig.ask("a"), rig.ask("a"), rig.ask("b")];
    await settled();
    rig.readThrough.unavailable(outage);
    await settled();
    const failed = { kind: "failed", failure: outage.kind, code: outage.code };
    for (const { answer } of waiting) assert.deepEqual(answer, failed);
    assert.deepEqual(rig.ask("c").answer, failed, "without a promise");
    assert.equal(rig.readThrough.flights, 0);
    rig.readThrough.unavailable(outage);
    rig.connect();
    assert.equal((await rig.fill("a", value("v"))).words, "fill v stored");
    assert.deepEqual(trips(rig), ["a"], "those that were answered are not sent");
  });
}

Deno.test("a loss alone answers nobody: the next connection may be quick", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = rig.ask("k");
  await settled();
  rig.disconnect(rig.source.last);
  const meanwhile = rig.ask("other");
  await rig.time.pass(999);
  assert.deepEqual(wordsOf([asked, meanwhile]), ["waiting", "waiting"]);
  rig.readThrough.unavailable(UNREACHABLE);
  await settled();
  assert.deepEqual(wordsOf([asked, meanwhile]), ["failed unreachable", "failed unreachable"]);
});

Deno.test("a read whose rejection comes when Redis is already known to be away is answered at once", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = rig.ask("k");
  await settled();
  rig.readThrough.disconnected();
  rig.readThrough.unavailable(LOADING);
  rig.source.last.lose();
  await settled();
  assert.equal(asked.words, "failed loading");
  assert.equal(rig.readThrough.flights, 0);
});

Deno.test("a read is repeated exactly once for each loss", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = [rig.ask("k"), rig.ask("k")];
  for (let losses = 1; losses <= 5; losses++) {
    await settled();
    rig.disconnect(rig.source.last);
    await settled();
    assert.equal(rig.source.trips.length, losses);
    assert.equal(rig.counters.flightsRepeated, losses);
    rig.connect();
    await settled();
    assert.equal(rig.source.trips.length, losses + 1);
  }
  rig.source.last.reply(value("v"));
  await settled();
  assert.deepEqual(wordsOf(asked), ["fill v stored", "fill v collapsed stored"]);
});

Deno.test("a repeated read and a newer one of the same key become one", async () => {
  using rig = new Rig({ parallelMax: 2 });
  rig.connect();
  const before = rig.ask("k");
  await settled();
  rig.readThrough.invalidated(key("k"));
  const after = rig.ask("k");
  await settled();
  assert.deepEqual(trips(rig), ["k", "k"]);
  rig.disconnect(...rig.source.trips);
  await settled();
  const last = rig.ask("k");
  rig.connect();
  await settled();
  assert.deepEqual(trips(rig), ["k", "k", "k"]);
  rig.source.last.reply(value("v"));
  await settled();
  assert.deepEqual([before, after, last].map(({ answer }) => answer?.kind), ["fill", "fill", "fill"]);
  assert.equal(rig.ask("k").words, "hit v");
  assert.equal(rig.readThrough.flights, 0);
});

Deno.test("a read that the loss cut off joins the one that somebody began since", async () => {
  using rig = new Rig();
  rig.connect();
  const before = rig.ask("k");
  await settled();
  rig.readThrough.disconnected();
  const since = rig.ask("k");
  rig.source.last.lose();
  await settled();
  rig.connect();
  await settled();
  assert.deepEqual(trips(rig), ["k", "k"]);
  rig.source.last.reply(value("v"));
  await settled();
  assert.deepEqual([before, since].map(({ answer }) => answer?.kind), ["fill", "fill"]);
});

Deno.test("a read that joined a newer one keeps its own deadline", async () => {
  using rig = new Rig();
  rig.connect();
  const before = rig.ask("k");
  await settled();
  await rig.time.pass(600);
  rig.readThrough.disconnected();
  const since = rig.ask("k");
  rig.source.last.lose();
  await rig.time.pass(400);
  assert.deepEqual(wordsOf([before, since]), ["failed timeout", "waiting"]);
  await rig.time.pass(600);
  assert.deepEqual(wordsOf([before, since]), ["failed timeout", "failed timeout"]);
});

Deno.test("a read that nobody waits for any more is not repeated", async () => {
  using rig = new Rig();
  rig.connect();
  const asked = rig.ask("k");
  await rig.time.pass(1_000);
  assert.equal(asked.words, "failed timeout");
  rig.disconnect(rig.source.last);
  await settled();
  rig.connect();
  await settled();
  assert.deepEqual(trips(rig), ["k"]);
  assert.equal(rig.counters.flightsRepeated, 0);
});

Deno.test("the state can be seen: link, coherence, flights, time without tracking", async () => {
  using rig = new Rig();
  const { readThrough, time } = rig;
  const state = (): unknown[] => [readThrough.isUp, readThrough.coherence, readThrough.untrackedMs];
  await time.pass(5);
  assert.deepEqual(state(), [false, "ttl", 5]);
  rig.connect({ tracked: false });
  await time.pass(5);
  assert.deepEqual(state(), [true, "ttl", 10]);
  readThrough.disconnected();
  rig.connect({ tracked: true });
  await time.pass(5);
  assert.deepEqual(state(), [true, "tracking", 10]);
  readThrough.disconnected();
  await time.pass(5);
  assert.equal(readThrough.isUp, false);
  assert.equal(readThrough.untrackedMs, 15);
  readThrough.unavailable(UNREACHABLE);
  assert.equal(readThrough.isUp, false);
  rig.connect({ tracked: true });
  await time.pass(5);
  assert.deepEqual(state(), [true, "tracking", 15]);
  const { connects, disconnects, connectFailures } = rig.counters;
  assert.deepEqual({ connects, disconnects, connectFailures }, { connects: 3, disconnects: 2, connectFailures: 1 });
});

// Kept by time alone

Deno.test("without tracking, items outlive a loss: time alone keeps them true", async () => {
  using rig = new Rig({ ttlMs: 1_000, negativeTtlMs: 1_000 });
  rig.connect({ tracked: false });
  await rig.fill("k", value("v"));
  await rig.fill("gone", ABSENT);
  rig.disconnect();
  assert.deepEqual(wordsOf([rig.ask("k"), rig.ask("gone")]), ["hit v", "absent remembered"]);
  rig.readThrough.unavailable(UNREACHABLE);
  assert.equal(rig.ask("k").words, "hit v");
  rig.connect({ tracked: false });
  await rig.time.pass(999);
  assert.deepEqual(wordsOf([rig.ask("k"), rig.ask("gone")]), ["hit v", "absent remembered"]);
  await rig.time.pass(1);
  assert.equal((await rig.fill("k", value("w"))).words, "fill w stored");
});

for (const [from, to] of [[true, false], [false, true], [true, true]]) {
  Deno.test(`what a connection with tracking ${from} brought is not kept by one with tracking ${to}`, async () => {
    using rig = new Rig({ negativeTtlMs: 60_000, staleTtlMs: 60_000 });
    rig.connect({ tracked: from });
    await rig.fill("k", value("v"));
    await rig.fill("gone", ABSENT);
    rig.disconnect();
    rig.connect({ tracked: to });
    assert.deepEqual([rig.cache.size, rig.absent?.size], [0, 0]);
    assert.equal(rig.readThrough.coherence, to ? "tracking" : "ttl");
  });
}

// Stale

const STALE = { ttlMs: 1_000, staleTtlMs: 5_000 };

Deno.test("stale, without tracking: from the item's end, while Redis is away, to the end of the window", async () => {
  using rig = new Rig(STALE);
  rig.connect({ tracked: false });
  await rig.fill("k", value("v"));
  rig.disconnect();
  rig.readThrough.unavailable(UNREACHABLE);
  await rig.time.pass(999);
  assert.equal(rig.ask("k").words, "hit v");
  await rig.time.pass(1);
  assert.equal(rig.ask("k").words, "stale v unreachable");
  await rig.time.pass(4_999);
  assert.equal(rig.ask("k").words, "stale v unreachable");
  await rig.time.pass(1);
  assert.equal(rig.ask("k").words, "failed unreachable");
});

Deno.test("stale, with tracking: from the moment of the loss", async () => {
  using rig = new Rig({ ...STALE, ttlMs: 60_000 });
  rig.connect();
  await rig.fill("k", value("v"));
  await rig.time.pass(100);
  rig.disconnect();
  rig.readThrough.unavailable(LOADING);
  assert.equal(rig.ask("k").words, "stale v loading");
  await rig.time.pass(4_999);
  assert.equal(rig.ask("k").words, "stale v loading");
  await rig.time.pass(1);
  assert.equal(rig.ask("k").words, "failed loading", "though its own time is not over");
});

Deno.test("stale, with tracking: from its deadline when that came before the loss", async () => {
  using rig = new Rig(STALE);
  rig.connect();
  await rig.fill("k", value("v"));
  await rig.time.pass(3_000);
  rig.disconnect();
  rig.readThrough.unavailable(UNREACHABLE);
  await rig.time.pass(2_999);
  assert.equal(rig.ask("k").words, "stale v unreachable");
  await rig.time.pass(1);
  assert.equal(rig.ask("k").words, "failed unreachable");
});

Deno.test("stale: who waits for a connection that does not come gets it instead of an error", async () => {
  using rig = new Rig(STALE);
  rig.connect();
  await rig.fill("k", value("v"));
  rig.disconnect();
  const byDeadline = rig.ask("k");
  assert.equal(byDeadline.words, "waiting");
  await rig.time.pass(1_000);
  assert.equal(byDeadline.words, "stale v timeout");
  const byOutage = rig.ask("k");
  rig.readThrough.unavailable(UNREACHABLE);
  await settled();
  assert.equal(byOutage.words, "stale v unreachable");
});

Deno.test("stale: while Redis can be reached, Redis is asked", async () => {
  using rig = new Rig(STALE);
  rig.connect();
  await rig.fill("k", value("v"));
  await rig.time.pass(1_500);
  const asked = rig.ask("k");
  assert.equal(asked.words, "waiting");
  await settled();
  rig.source.last.reply(value("w"));
  await settled();
  assert.equal(asked.words, "fill w stored");
});

Deno.test("stale: a request whose read was cut off gets it once Redis is known to be away", async () => {
  using rig = new Rig(STALE);
  rig.connect({ tracked: false });
  await rig.fill("k", value("v"));
  await rig.time.pass(1_500);
  const asked = rig.ask("k");
  await settled();
  rig.readThrough.disconnected();
  rig.readThrough.unavailable(UNREACHABLE);
  rig.source.last.lose();
  await settled();
  assert.equal(asked.words, "stale v unreachable");
});

Deno.test("stale: never when Redis refuses us, and never for want of room in the queue", async () => {
  using rig = new Rig({ ...STALE, queueFlightsMax: 1 });
  rig.connect();
  await rig.fill("k", value("v"));
  await rig.time.pass(1_500);
  assert.equal((await rig.fill("k", REFUSED)).words, "failed refused");
  rig.disconnect();
  rig.ask("fills the queue");
  assert.equal(rig.ask("k").words, "failed overloaded");
  rig.readThrough.unavailable(NOAUTH);
  assert.equal(rig.ask("k").words, "failed refused");
});

Deno.test("stale: never after an invalidation", async () => {
  for (const all of [false, true]) {
    using rig = new Rig(STALE);
    rig.connect();
    await rig.fill("k", value("v"));
    if (all) rig.readThrough.invalidatedAll();
    else rig.readThrough.invalidated(key("k"));
    rig.disconnect();
    rig.readThrough.unavailable(UNREACHABLE);
    assert.equal(rig.ask("k").words, "failed unreachable");
  }
});

Deno.test("stale: never without CACHE_STALE_TTL", async () => {
  using rig = new Rig();
  rig.connect();
  await rig.fill("k", value("v"));
  rig.disconnect();
  assert.equal(rig.cache.size, 0, "what cannot be used is not held");
  rig.readThrough.unavailable(UNREACHABLE);
  assert.equal(rig.ask("k").words, "failed unreachable");
});

Deno.test("stale: nothing from before the last connection comes back with the next loss", async () => {
  using rig = new Rig(STALE);
  rig.connect();
  await rig.fill("k", value("v"));
  rig.disconnect();
  rig.connect();
  rig.disconnect();
  rig.readThrough.unavailable(UNREACHABLE);
  assert.equal(rig.ask("k").words, "failed unreachable");
});

// What Redis said last before it went is the last word, though it could not be kept.
for (
  const [name, reply, answered] of [
    ["another value", value("new"), "fill new"],
    ["that there is no such key", ABSENT, "absent"],
    ["that it holds no string", WRONG_TYPE, "wrong_type"],
  ] as const
) {
  Deno.test(`stale: never after Redis said ${name} just before the loss`, async () => {
    for (const tracked of [false, true]) {
      using rig = new Rig(STALE);
      rig.connect({ tracked });
      await rig.fill("k", value("old"));
      await rig.time.pass(1_500);
      const asked = rig.ask("k");
      await settled();
      rig.source.last.reply(reply);
      rig.readThrough.disconnected();
      rig.readThrough.unavailable(UNREACHABLE);
      await settled();
      assert.equal(asked.words, answered);
      assert.equal(rig.ask("k").words, "failed unreachable", `tracked: ${tracked}`);
    }
  });
}

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
