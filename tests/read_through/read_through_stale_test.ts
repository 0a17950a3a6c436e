/** What is past its end and may be served all the same, since Redis is away: `staleTtlMs`. */

import assert from "node:assert/strict";
import { UNREACHABLE } from "../../lib/read_through/source.ts";
import { ABSENT, REFUSED, value, WRONG_TYPE } from "../support/hand_source.ts";
import { settled } from "../support/hand_time.ts";
import { key, LOADING, NOAUTH, Rig } from "../support/read_through_rig.ts";

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
