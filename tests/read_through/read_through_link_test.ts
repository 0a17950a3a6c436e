/** What becomes of reads and of what is held when the connection to Redis is not yet there, is lost, and comes back. */

import assert from "node:assert/strict";
import { UNREACHABLE } from "../../lib/read_through/source.ts";
import { ABSENT, value } from "../support/hand_source.ts";
import { settled } from "../support/hand_time.ts";
import { key, LOADING, NOAUTH, Rig, trips, wordsOf } from "../support/read_through_rig.ts";

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
