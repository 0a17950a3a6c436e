/**
 * The races of the header of `read_through.ts`, forced one by one, by their numbers; `read_through_history_test.ts` looks
 * for those that nobody thought of.
 */

import assert from "node:assert/strict";
import { UNREACHABLE } from "../../lib/read_through/source.ts";
import { ABSENT, value } from "../support/hand_source.ts";
import { settled } from "../support/hand_time.ts";
import { Asked, key, Rig, trips, wordsOf } from "../support/read_through_rig.ts";

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
