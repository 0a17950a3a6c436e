/**
 * What a read-through shows of itself: a key that is looked at, one that is dropped by hand, hits and waits as they are told.
 */

import assert from "node:assert/strict";
import type { HitWatch } from "../../lib/read_through/hit_watch.ts";
import type { Holding } from "../../lib/read_through/holding.ts";
import { ABSENT, value, WRONG_TYPE } from "../support/hand_source.ts";
import { settled } from "../support/hand_time.ts";
import { key, Rig } from "../support/read_through_rig.ts";

/** A holding in a few words. */
function held({ item, isFresh, absentForMs, flight }: Holding): string {
  const words = [];
  if (item !== null) words.push(isFresh ? "fresh" : "old", String(item.body));
  if (absentForMs !== null) words.push(`absent for ${absentForMs}`);
  if (flight !== null) words.push(flight.isSent ? "sent" : "queued", `for ${flight.waiters}`);
  return words.join(" ");
}

Deno.test("a key is shown in each of its states", async () => {
  using rig = new Rig({ negativeTtlMs: 500, staleTtlMs: 60_000, ttlMs: 1_000 });
  const look = (name: string): string => held(rig.readThrough.inspect(key(name)));
  rig.connect({ tracked: false });
  assert.equal(look("k"), "");
  rig.ask("k");
  assert.equal(look("k"), "queued for 1");
  await settled();
  rig.ask("k");
  assert.equal(look("k"), "sent for 2");
  rig.source.last.reply(value("v"));
  await settled();
  assert.equal(look("k"), "fresh v");
  await rig.fill("gone", ABSENT);
  rig.time.nowMs += 100;
  assert.equal(look("gone"), "absent for 400");
  rig.time.nowMs += 900;
  assert.equal(look("k"), "old v");
  assert.equal(look("gone"), "");
  rig.time.nowMs += 60_000;
  assert.equal(look("k"), "");
});

Deno.test("what is held of a connection that was lost is not fresh", async () => {
  using rig = new Rig({ staleTtlMs: 60_000 });
  rig.connect();
  await rig.fill("k", value("v"));
  rig.disconnect();
  assert.equal(held(rig.readThrough.inspect(key("k"))), "old v");
});

Deno.test("a look changes nothing: no order, no count, no time", async () => {
  using rig = new Rig({ entriesMax: 2 });
  rig.connect();
  await rig.fill("a", value("1"));
  await rig.fill("b", value("2"));
  const before = structuredClone(rig.counters);
  rig.time.nowMs += 10;
  const { item, nowMs } = rig.readThrough.inspect(key("a"));
  assert.equal(item!.hits, 0);
  assert.equal(nowMs - item!.readAtMs, 10);
  await rig.fill("c", value("3"));
  assert.equal(rig.readThrough.inspect(key("a")).item, null, "the least recently used went");
  assert.equal(rig.counters.http.hit, before.http.hit);
});

Deno.test("an item's age counts from when its read was sent", async () => {
  using rig = new Rig();
  rig.connect();
  rig.ask("k");
  await settled();
  rig.time.nowMs += 30;
  rig.source.last.reply(value("v"));
  await settled();
  const { item, nowMs } = rig.readThrough.inspect(key("k"));
  assert.equal(nowMs - item!.readAtMs, 30);
});

Deno.test("dropped by hand: gone at once, a read that was sent is not kept, one that waits goes on", async () => {
  using rig = new Rig({ parallelMax: 1, batchKeysMax: 1 });
  rig.connect();
  await rig.fill("held", value("v"));
  rig.readThrough.drop(key("held"));
  assert.equal(rig.readThrough.inspect(key("held")).item, null);
  const [sent, queued] = [rig.ask("sent"), rig.ask("queued")];
  await settled();
  for (const name of ["sent", "queued", "nothing"]) rig.readThrough.drop(key(name));
  rig.source.last.reply(value("v"));
  await settled();
  rig.source.last.reply(value("w"));
  await settled();
  assert.deepEqual([sent.words, queued.words], ["fill v", "fill w stored"]);
  assert.equal(rig.counters.keysDropped, 4);
  assert.equal(rig.counters.invalidatedKeys, 0);
  assert.equal(rig.counters.fillsOvertaken, 1);
});

Deno.test("every hit counts for its item, and the watch is shown the one that it waits for", async () => {
  const shown: string[] = [];
  const hitWatch: HitWatch = {
    countdown: 3,
    sample(key) {
      shown.push(key);
      this.countdown = 2;
    },
  };
  using rig = new Rig({ hitWatch });
  rig.connect();
  await rig.fill("a", value("1"));
  await rig.fill("b", value("2"));
  for (const name of ["a", "a", "b", "b", "a", "missing", "a"]) rig.ask(name);
  assert.deepEqual(shown, ["/b", "/a"]);
  assert.equal(rig.readThrough.inspect(key("a")).item!.hits, 4);
  assert.equal(rig.readThrough.inspect(key("b")).item!.hits, 2);
});

Deno.test("what is past its end is no hit for the watch", async () => {
  const hitWatch: HitWatch = { countdown: 1, sample: () => assert.fail("no hit") };
  using rig = new Rig({ hitWatch, ttlMs: 100 });
  rig.connect();
  await rig.fill("k", value("v"));
  rig.time.nowMs += 100;
  assert.equal(rig.ask("k").words, "waiting");
});

Deno.test("every wait is told with its length, whatever comes of it", async () => {
  const waits: number[] = [];
  using rig = new Rig({ timeoutMs: 1_000, onWaited: (ms) => waits.push(ms) });
  rig.connect();
  rig.ask("a");
  await settled();
  rig.time.nowMs += 5;
  rig.ask("a");
  rig.time.nowMs += 20;
  rig.source.last.reply(value("v"));
  await settled();
  assert.deepEqual(waits.splice(0), [25, 20]);
  rig.ask("a"); // A hit, which waits for nothing.
  await rig.fill("list", WRONG_TYPE);
  assert.deepEqual(waits.splice(0), [0]);
  rig.ask("slow");
  await rig.time.pass(1_000);
  assert.deepEqual(waits, [1_000], "a timeout is the longest wait of all");
  rig.source.last.reply(ABSENT);
  await settled();
  assert.deepEqual(waits, [1_000]);
});
