import assert from "node:assert/strict";
import fc from "fast-check";
import { RecentDurations } from "../../lib/stats/recent_durations.ts";
import { SEED } from "../support/seed.ts";

function durationsOf(all: readonly number[], seconds = 1): RecentDurations {
  const durations = new RecentDurations(seconds);
  for (const ms of all) durations.add(ms);
  durations.turn();
  return durations;
}

Deno.test("a quantile is within 1/32 of the true one, or within half a unit of 0.1 us, at every size", () => {
  const ms = fc.oneof(fc.double({ min: 0, max: 0.01, noNaN: true }), fc.double({ min: 0, max: 400_000, noNaN: true }));
  fc.assert(
    fc.property(
      fc.array(ms, { minLength: 1, maxLength: 50 }),
      fc.constantFrom(0.01, 0.5, 0.9, 0.99, 1),
      (all, fraction) => {
        const sorted = [...all].sort((a, b) => a - b);
        const exact = sorted[Math.ceil(fraction * all.length) - 1];
        const found = durationsOf(all).quantileMs(fraction)!;
        assert.ok(Math.abs(found - exact) <= Math.max(exact / 32, 0.0001), `${found} for ${exact}`);
      },
    ),
    { seed: SEED },
  );
});

Deno.test("what a second brought is seen when it has ended, and forgotten when it is too old", () => {
  const durations = new RecentDurations(3);
  durations.add(1_000);
  assert.equal(durations.quantileMs(1), null, "the second has not ended");
  durations.turn();
  for (let second = 1; second <= 3; second++) {
    assert.ok(durations.quantileMs(1)! > 900, `after ${second} seconds`);
    durations.add(second);
    durations.turn();
  }
  const left = durations.quantileMs(1)!;
  assert.ok(left > 2.9 && left < 3.1, `the slow one is gone, ${left} is left`);
  for (let i = 0; i < 3; i++) durations.turn();
  assert.equal(durations.quantileMs(0.5), null);
});

Deno.test("what cannot be counted as it is goes to the ends", () => {
  assert.ok(durationsOf([-5]).quantileMs(1)! < 0.0002);
  const longest = durationsOf([1e12, Infinity]).quantileMs(1)!;
  assert.ok(longest > 400_000 && longest < 440_000, String(longest));
});
