import assert from "node:assert/strict";
import fc from "fast-check";
import { HotKeys } from "../../lib/stats/hot_keys.ts";
import { SEED } from "../support/seed.ts";

Deno.test("Space-Saving's bounds hold: never too low, too high by a part at most, and no frequent key is missed", () => {
  // Few keys or many, of which some come again and again.
  const key = fc.oneof(fc.constantFrom("/a", "/b", "/c"), fc.integer({ min: 0, max: 60 }).map((n) => `/${n}`));
  const hit = fc.record({ key, weight: fc.integer({ min: 1, max: 9 }) });
  fc.assert(
    fc.property(
      fc.array(hit, { minLength: 1, maxLength: 400 }),
      fc.integer({ min: 1, max: 20 }),
      (hits, countersMax) => {
        const sketch = new HotKeys({ countersMax, keyBytesMax: 100 });
        const exact = new Map<string, number>();
        let total = 0;
        for (const { key, weight } of hits) {
          sketch.add(key, weight);
          exact.set(key, (exact.get(key) ?? 0) + weight);
          total += weight;
        }
        const found = sketch.hottest(Infinity);
        assert.equal(found.length, Math.min(countersMax, exact.size));
        for (const { key, share, error } of found) {
          const count = share * total;
          const rest = 1e-9 * total;
          assert.ok(count >= exact.get(key)! - rest, "never too low");
          assert.ok(count - error * total <= exact.get(key)! + rest, "the error covers what is too high");
          assert.ok(error <= 1 / countersMax + 1e-9, "and is bounded");
        }
        for (const [key, count] of exact) {
          if (count > total / countersMax) assert.ok(found.some((hot) => hot.key === key), `${key} is frequent`);
        }
        for (let i = 1; i < found.length; i++) assert.ok(found[i - 1].share >= found[i].share, "the hottest first");
      },
    ),
    { seed: SEED },
  );
});

Deno.test("old hits fade, and a key that nobody asks for any more is forgotten", () => {
  const sketch = new HotKeys({ countersMax: 10, keyBytesMax: 100 });
  sketch.add("/old", 100);
  for (let i = 0; i < 3; i++) sketch.fade(0.5);
  sketch.add("/new", 100);
  const shares = sketch.hottest(2).map(({ key, share }) => [key, Math.round(1000 * share)]);
  assert.deepEqual(shares, [["/new", 889], ["/old", 111]]);
  for (let i = 0; i < 20; i++) sketch.fade(0.5);
  assert.deepEqual(sketch.hottest(2), []);
  sketch.add("/next", 1);
  assert.deepEqual(sketch.hottest(2), [{ key: "/next", share: 1, error: 0 }]);
});

Deno.test("fading keeps the order in which counters are given up", () => {
  const sketch = new HotKeys({ countersMax: 3, keyBytesMax: 100 });
  for (const [key, weight] of [["/a", 8], ["/b", 2], ["/c", 4]] as const) sketch.add(key, weight);
  sketch.fade(0.2); // /b fades away: 0.4.
  sketch.add("/d", 100);
  sketch.add("/e", 1); // Takes over the smallest, /c.
  assert.deepEqual(sketch.hottest(3).map(({ key }) => key), ["/d", "/e", "/a"]);
});

Deno.test("a long key counts among all hits and is not named", () => {
  const sketch = new HotKeys({ countersMax: 3, keyBytesMax: 4 });
  sketch.add("/long!", 3);
  sketch.add("/four", 1);
  assert.deepEqual(sketch.hottest(3), [{ key: "/four", share: 0.25, error: 0 }]);
});
