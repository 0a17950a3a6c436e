import assert from "node:assert/strict";
import { HitSampler } from "../../lib/stats/hit_sampler.ts";
import { HotKeys } from "../../lib/stats/hot_keys.ts";
import { RecentDurations } from "../../lib/stats/recent_durations.ts";
import { HandTime, settled } from "../support/hand_time.ts";

/** A sampler that looks at 100 hits a second, and a front door that is hit. */
class Scene implements Disposable {
  readonly time = new HandTime();
  readonly durations = new RecentDurations(1);
  readonly hotKeys = new HotKeys({ countersMax: 100, keyBytesMax: 100 });
  readonly sampler: HitSampler;
  samples = 0;

  constructor(random: () => number = Math.random) {
    this.sampler = new HitSampler({
      clock: this.time.clock,
      samplesPerSecond: 100,
      durations: this.durations,
      hotKeys: this.hotKeys,
      random,
    });
  }

  /** Hits as the read-through does. */
  hit(key: string, times = 1): void {
    for (let i = 0; i < times; i++) {
      if (--this.sampler.countdown !== 0) continue;
      this.samples++;
      this.sampler.sample(key);
    }
  }

  [Symbol.dispose](): void {
    this.time[Symbol.dispose]();
  }
}

Deno.test("while there are few hits every one is looked at", () => {
  using scene = new Scene();
  for (let second = 0; second < 5; second++) {
    scene.hit("/a", 80);
    scene.sampler.look(80);
  }
  assert.equal(scene.samples, 400);
  assert.equal(scene.sampler.gap, 1);
});

Deno.test("while there are many, about as many are looked at as was said, and each stands for the others", () => {
  using scene = new Scene();
  scene.sampler.look(100_000);
  assert.equal(scene.sampler.gap, 1_000);
  for (let second = 0; second < 20; second++) {
    // By turns, so that an even gap would see one of them only.
    for (let i = 0; i < 25_000; i++) for (const key of ["/a", "/b", "/c", "/d"]) scene.hit(key);
    scene.sampler.look(100_000);
  }
  assert.ok(scene.samples > 1_500 && scene.samples < 2_500, `${scene.samples} samples in 20 s`);
  const shares = scene.hotKeys.hottest(10).map(({ share }) => share);
  assert.equal(shares.length, 4);
  for (const share of shares) assert.ok(share > 0.15 && share < 0.35, `shares of ${shares}`);
});

Deno.test("a burst after a quiet time costs a few hundred samples, not one for each hit", () => {
  using scene = new Scene();
  scene.sampler.look(0);
  scene.hit("/a", 1_000_000);
  assert.ok(scene.samples < 2_000, `${scene.samples} samples`);
});

Deno.test("after a busy time the next hit of a quiet one is looked at soon", () => {
  // The longest gaps there are.
  using scene = new Scene(() => 0.999999);
  scene.sampler.look(10_000_000);
  scene.hit("/a", 200_000);
  scene.sampler.look(3);
  const before = scene.samples;
  scene.hit("/b", 3);
  assert.equal(scene.samples - before, 3);
});

Deno.test("the time of a hit ends when its front door is done", async () => {
  using scene = new Scene();
  scene.time.clock.tick();
  scene.hit("/a");
  scene.time.nowMs += 0.5; // What else there is to do for the answer.
  await settled();
  scene.durations.turn();
  assert.equal(scene.durations.quantileMs(1)?.toFixed(1), "0.5");
});

Deno.test("without hot keys it only takes the time", async () => {
  using time = new HandTime();
  const durations = new RecentDurations(1);
  const sampler = new HitSampler({ clock: time.clock, samplesPerSecond: 1, durations, hotKeys: null });
  sampler.sample("/a");
  await settled();
  durations.turn();
  assert.notEqual(durations.quantileMs(1), null);
});
