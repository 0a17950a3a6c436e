import assert from "node:assert/strict";
import { LruTtlCache, type LruTtlCacheOptions, type RemoveReason } from "../../lib/cache/lru_ttl_cache.ts";

type Removal = [key: string, value: unknown, reason: RemoveReason];

/** A cache with a clock in the test's hand and a list of what was told. */
function setUp<V = number>(options: Partial<LruTtlCacheOptions<V>> = {}) {
  const clock = { timeMs: 1_000, readings: 0 };
  const removals: Removal[] = [];
  const cache = new LruTtlCache<V>({
    entriesMax: 3,
    ttlMs: 100,
    nowMs: () => {
      clock.readings++;
      return clock.timeMs;
    },
    onRemove: (...removal) => removals.push(removal),
    ...options,
  });
  return { cache, clock, removals };
}

Deno.test("LruTtlCache: the least recently used item goes first", () => {
  const { cache, removals } = setUp();
  for (const key of ["a", "b", "c"]) cache.set(key, key.charCodeAt(0));
  assert.equal(cache.get("a"), 97);
  cache.set("d", 100);
  assert.deepEqual(removals, [["b", 98, "evicted"]]);
  assert.deepEqual([...cache].map(([key]) => key), ["d", "a", "c"]);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: peek, has, remainingMs and iteration leave the order alone", () => {
  const { cache } = setUp();
  for (const key of ["a", "b", "c"]) cache.set(key, 1);
  assert.equal(cache.peek("a"), 1);
  assert.equal(cache.has("a"), true);
  assert.equal(cache.remainingMs("a"), 100);
  assert.equal([...cache].length, 3);
  cache.set("d", 1);
  assert.equal(cache.has("a"), false);
});

Deno.test("LruTtlCache: an item is dead at its deadline and not before", () => {
  const { cache, clock, removals } = setUp();
  cache.set("a", 1);
  cache.set("b", 2, { ttlMs: 0.5 });
  clock.timeMs = 1_000.25;
  assert.equal(cache.get("b"), 2);
  clock.timeMs = 1_000.5;
  assert.equal(cache.peek("b"), undefined);
  assert.equal(cache.has("b"), false);
  assert.equal(cache.remainingMs("b"), undefined);
  assert.equal(cache.size, 2, "peek does not remove");
  assert.equal(cache.get("b"), undefined);
  assert.equal(cache.size, 1);
  clock.timeMs = 1_099.999;
  assert.equal(cache.get("a"), 1);
  clock.timeMs = 1_100;
  assert.equal(cache.get("a"), undefined);
  assert.deepEqual(removals, [["b", 2, "expired"], ["a", 1, "expired"]]);
});

Deno.test("LruTtlCache: reading does not move the deadline", () => {
  const { cache, clock } = setUp();
  cache.set("a", 1);
  for (clock.timeMs = 1_000; clock.timeMs < 1_100; clock.timeMs += 10) assert.equal(cache.get("a"), 1);
  assert.equal(cache.get("a"), undefined);
});

Deno.test("LruTtlCache: set replaces value, deadline and bytes", () => {
  const { cache, clock, removals } = setUp({ bytesMax: 100 });
  cache.set("a", 1, { bytes: 60 });
  cache.set("a", 2, { bytes: 50, ttlMs: 1_000 });
  assert.equal(cache.bytes, 50);
  assert.equal(cache.size, 1);
  clock.timeMs += 500;
  assert.equal(cache.get("a"), 2);
  assert.equal(cache.remainingMs("a"), 500);
  cache.set("a", 3, { ttlMs: 10 });
  assert.equal(cache.remainingMs("a"), 10);
  assert.equal(cache.bytes, 0);
  assert.deepEqual(removals, [["a", 1, "replaced"], ["a", 2, "replaced"]]);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: what was dead when it was replaced or deleted is told as expired", () => {
  const { cache, clock, removals } = setUp({ entriesMax: 50 });
  for (let i = 0; i < 40; i++) cache.set(`key ${i}`, i);
  clock.timeMs += 100;
  cache.set("key 30", -1);
  assert.equal(cache.delete("key 31"), false);
  assert.deepEqual(new Set(removals.map(([, , reason]) => reason)), new Set(["expired"]));
  assert.ok(removals.some(([key, value]) => key === "key 30" && value === 30));
  assert.ok(removals.some(([key]) => key === "key 31"));
});

Deno.test("LruTtlCache: delete tells whether a live item was there", () => {
  const { cache, removals } = setUp();
  cache.set("a", 1);
  assert.equal(cache.delete("a"), true);
  assert.equal(cache.delete("a"), false);
  assert.equal(cache.get("a"), undefined);
  assert.deepEqual(removals, [["a", 1, "deleted"]]);
});

Deno.test("LruTtlCache: dead items make room before live ones, whatever their TTL", () => {
  const { cache, clock, removals } = setUp();
  cache.set("long", 1, { ttlMs: 5_000 });
  cache.set("short", 2, { ttlMs: 150 });
  cache.set("newest", 3, { ttlMs: 90 });
  clock.timeMs += 95;
  cache.set("d", 4);
  clock.timeMs += 60;
  cache.set("e", 5, { ttlMs: 3 });
  assert.deepEqual(removals, [["newest", 3, "expired"], ["short", 2, "expired"]]);
  clock.timeMs += 3.5;
  cache.set("f", 6);
  assert.deepEqual(removals.at(-1), ["e", 5, "expired"]);
  assert.deepEqual([...cache], [["f", 6], ["d", 4], ["long", 1]]);
});

Deno.test("LruTtlCache: bytes are bounded; the least recently used items make room, never the item itself", () => {
  const { cache, removals } = setUp({ entriesMax: 100, bytesMax: 10 });
  for (let i = 0; i < 10; i++) cache.set(`key ${i}`, i, { bytes: 1 });
  assert.equal(cache.set("large", -1, { bytes: 7 }), true);
  assert.equal(cache.bytes, 10);
  assert.deepEqual(removals.map(([key]) => key), [0, 1, 2, 3, 4, 5, 6].map((i) => `key ${i}`));
  assert.equal(cache.set("key 7", 70, { bytes: 10 }), true);
  assert.deepEqual([...cache], [["key 7", 70]]);
  assert.equal(cache.bytes, 10);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: an item larger than bytesMax is not kept, and its key is absent", () => {
  const { cache, removals } = setUp({ bytesMax: 10 });
  cache.set("a", 1, { bytes: 3 });
  cache.set("b", 2, { bytes: 3 });
  assert.equal(cache.set("a", 9, { bytes: 11 }), false);
  assert.equal(cache.set("c", 9, { bytes: 11 }), false);
  assert.deepEqual([...cache], [["b", 2]]);
  assert.equal(cache.bytes, 3);
  assert.deepEqual(removals, [["a", 1, "replaced"]]);
});

Deno.test("LruTtlCache: without bytesMax bytes are counted all the same", () => {
  const { cache } = setUp({ entriesMax: 40_000, onRemove: undefined });
  for (let i = 0; i < 20_000; i++) cache.set(`key ${i}`, i);
  cache.set("a", 1, { bytes: 5 });
  cache.set("b", 1, { bytes: 7 });
  cache.delete("a");
  cache.delete("key 5");
  assert.equal(cache.bytes, 7);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: clear tells each item once, with or without room for more afterwards", () => {
  const { cache, removals } = setUp({ bytesMax: 10 });
  cache.set("a", 1, { bytes: 1 });
  cache.set("b", 2, { ttlMs: 500 });
  cache.clear();
  assert.deepEqual(removals, [["b", 2, "cleared"], ["a", 1, "cleared"]]);
  assert.equal(cache.size, 0);
  assert.equal(cache.bytes, 0);
  assert.deepEqual([...cache], []);
  cache.set("a", 3);
  assert.equal(cache.get("a"), 3);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: expire removes dead items only, at most its budget", () => {
  const { cache, clock } = setUp({ entriesMax: 1_000 });
  for (let i = 0; i < 50; i++) cache.set(`queue ${i}`, i);
  for (let i = 0; i < 50; i++) cache.set(`wheel ${i}`, i, { ttlMs: 1 + i });
  cache.set("live", 1, { ttlMs: 1_000 });
  assert.equal(cache.expire(), 0);
  clock.timeMs += 100;
  assert.equal(cache.expire(0), 0);
  assert.equal(cache.expire(30), 30);
  assert.equal(cache.size, 71);
  assert.equal(cache.expire(), 70);
  assert.equal(cache.expire(Infinity), 0);
  assert.deepEqual([...cache], [["live", 1]]);
});

Deno.test("LruTtlCache: TTLs of 1 ms, 2^40 ms and beyond end when they should", () => {
  for (const ttlMs of [0.001, 1, 1.5, 63, 64, 65, 4_095, 4_096, 2 ** 30, 2 ** 31, 2 ** 40, 2 ** 51]) {
    for (const startMs of [0, 1_000.5, 1_700_000_000_000]) {
      const { cache, clock } = setUp({ ttlMs: 0.0001 });
      clock.timeMs = startMs;
      cache.set("a", 1, { ttlMs });
      const deadlineMs = startMs + ttlMs;
      clock.timeMs = deadlineMs - Math.min(ttlMs, 0.5) / 2;
      // Far from zero a double cannot hold the moment between start and deadline.
      if (clock.timeMs < deadlineMs) {
        assert.equal(cache.expire(), 0);
        assert.equal(cache.get("a"), 1);
      }
      clock.timeMs = deadlineMs;
      assert.equal(cache.peek("a"), undefined);
      assert.equal(cache.expire(), 1, `ttlMs ${ttlMs} from ${startMs}`);
      cache.checkInvariants();
    }
  }
  const { cache, clock } = setUp();
  cache.set("a", 1, { ttlMs: Number.MAX_SAFE_INTEGER });
  cache.set("b", 1, { ttlMs: Number.MAX_VALUE });
  clock.timeMs = 2 ** 52;
  assert.equal(cache.expire(), 0);
  assert.equal(cache.get("a"), 1);
  clock.timeMs = 2 ** 54;
  assert.equal(cache.expire(), 1);
  assert.equal(cache.get("b"), 1);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: while the clock stands still nothing dies, and then all at once", () => {
  const { cache, clock, removals } = setUp({ entriesMax: 1_000 });
  for (let i = 0; i < 3_000; i++) {
    cache.set(`key ${i % 900}`, i);
    assert.equal(cache.expire(), 0);
    assert.equal(cache.remainingMs(`key ${i % 900}`), 100);
  }
  assert.ok(removals.every(([, , reason]) => reason === "replaced"));
  clock.timeMs += 99.999;
  assert.equal(cache.expire(), 0);
  clock.timeMs = 1_100;
  assert.equal(cache.expire(Infinity), 900);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: a clock that goes back an hour or jumps ahead", () => {
  const { cache, clock } = setUp({ entriesMax: 1_000 });
  const hourMs = 3_600_000;
  for (let i = 0; i < 100; i++) cache.set(`first ${i}`, i, { ttlMs: 1_000 + i * 50_000 });
  clock.timeMs += 2 * hourMs / 3;
  cache.expire();
  cache.checkInvariants();
  const left = cache.size;
  clock.timeMs -= hourMs;
  for (let i = 0; i < 100; i++) cache.set(`second ${i}`, i, { ttlMs: 1 + i });
  cache.checkInvariants();
  assert.equal(cache.size, left + 100);
  clock.timeMs += 50;
  assert.equal(cache.expire(), 50);
  assert.equal(cache.get("second 50"), 50);
  assert.equal(cache.get("second 49"), undefined);
  clock.timeMs += 10 * hourMs;
  assert.equal(cache.expire(), left + 50);
  assert.equal(cache.size, 0);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: the clock goes back while a ring of the wheel is half drained", () => {
  for (const backMs of [1, 10, 100, 1_000, 4_000, 3_600_000]) {
    const { cache, clock } = setUp({ entriesMax: 10_000, ttlMs: 1 });
    clock.timeMs = 0;
    for (let i = 0; i < 4_000; i++) cache.set(`key ${i}`, i, { ttlMs: 5_000 + i % 1_000 });
    clock.timeMs = 4_990;
    assert.equal(cache.expire(1), 0);
    cache.checkInvariants();
    clock.timeMs -= backMs;
    cache.set("sooner", 1, { ttlMs: 2 });
    cache.checkInvariants();
    clock.timeMs += 2;
    assert.equal(cache.expire(10_000), 1, `back by ${backMs} ms`);
    cache.checkInvariants();
    clock.timeMs = 5_500;
    assert.equal(cache.expire(10_000), 2_004);
    cache.checkInvariants();
    assert.equal([...cache].length, 1_996);
  }
});

Deno.test("LruTtlCache: within one millisecond the dead are found behind the live", () => {
  const { cache, clock } = setUp({ entriesMax: 10 });
  cache.set("later", 1, { ttlMs: 500.75 });
  cache.set("later still", 1, { ttlMs: 500.9 });
  cache.set("sooner", 1, { ttlMs: 500.25 });
  clock.timeMs += 500.5;
  assert.equal(cache.expire(), 1);
  assert.deepEqual([...cache].map(([key]) => key), ["later still", "later"]);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: times below zero are times like others", () => {
  const { cache, clock } = setUp();
  clock.timeMs = -7_200_000.5;
  cache.set("a", 1, { ttlMs: 3_600_000 });
  cache.set("b", 2, { ttlMs: 7_200_001 });
  clock.timeMs = -3_600_000.5;
  assert.equal(cache.expire(), 1);
  assert.equal(cache.get("b"), 2);
  clock.timeMs = 0.5;
  assert.equal(cache.expire(), 1);
});

Deno.test("LruTtlCache: onRemove sees a finished operation and may use the cache", () => {
  const seen: string[] = [];
  let timeMs = 0;
  const cache: LruTtlCache<number> = new LruTtlCache<number>({
    entriesMax: 2,
    ttlMs: 10,
    nowMs: () => timeMs,
    onRemove: (key, value, reason) => {
      cache.checkInvariants();
      seen.push(`${key} ${reason}`);
      assert.ok(cache.size <= 2);
      assert.notEqual(cache.peek(key), value);
      if (reason === "evicted" && key !== "log") cache.set("log", value);
      if (reason === "expired") cache.clear();
      if (reason === "deleted") cache.set(key, value + 1);
    },
  });
  cache.set("a", 1);
  cache.set("b", 2);
  cache.set("c", 3);
  assert.deepEqual(seen, ["a evicted", "b evicted", "log replaced"]);
  assert.deepEqual([...cache], [["log", 2], ["c", 3]]);
  cache.delete("c");
  assert.equal(cache.get("c"), 4);
  timeMs = 10;
  assert.equal(cache.get("c"), undefined);
  assert.equal(cache.size, 0);
  assert.deepEqual(seen.slice(3), ["c deleted", "c expired", "log cleared"]);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: an error from onRemove reaches the caller after all removals were told", () => {
  const told: string[] = [];
  const cache = new LruTtlCache<number>({
    entriesMax: 10,
    ttlMs: 10,
    bytesMax: 10,
    onRemove: (key) => {
      told.push(key);
      throw new Error(`no ${key}`);
    },
  });
  cache.set("a", 1, { bytes: 5 });
  cache.set("b", 1, { bytes: 5 });
  assert.throws(() => cache.set("c", 1, { bytes: 10 }), /no a/);
  assert.deepEqual(told, ["a", "b"]);
  assert.equal(cache.peek("c"), 1);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: any string is a key", () => {
  const keys = [
    "",
    "__proto__",
    "constructor",
    "toString",
    "\0",
    "\ud800",
    "\udc00",
    "\ud800\udc00",
    "0",
    "-0",
    "ÿ",
    "汉",
  ];
  keys.push("x".repeat(100_000), `${"x".repeat(99_999)}y`);
  const { cache } = setUp<string>({ entriesMax: 100 });
  for (const key of keys) cache.set(key, `value of ${key}`);
  for (const key of keys) assert.equal(cache.get(key), `value of ${key}`);
  assert.equal(cache.size, keys.length);
  cache.checkInvariants();
  for (const key of keys) assert.equal(cache.delete(key), true);
  assert.equal(cache.size, 0);
});

Deno.test("LruTtlCache: keys that samples do not tell apart are hashed whole, and chains stay short", () => {
  const { cache } = setUp({ entriesMax: 20_000, onRemove: undefined });
  // Of equal length, and different only where no sample is taken.
  const keyOf = (i: number) => `${String(i).padStart(8, "0")}, and what all of them have in common`;
  const plain = Array.from({ length: 1_000 }, (_, i) => `user:${i}`);
  plain.forEach((key, i) => cache.set(key, i));
  assert.equal(cache.checkInvariants().hashesWhole, false);
  let mixed = 0;
  for (let i = 0; i < 10_000; i++) {
    assert.equal(cache.get(keyOf(i)), undefined);
    cache.set(keyOf(i), i);
    assert.equal(cache.get(keyOf(i)), i);
    if (i < 100 || i % 1_000 === 0) {
      const state = cache.checkInvariants();
      if (state.hasMixedHashes) mixed++;
      assert.ok(state.chainMax <= 16, `a chain of ${state.chainMax} after ${i} keys`);
      assert.equal(state.hashesWhole, i >= 4);
    }
  }
  assert.ok(mixed > 0);
  assert.equal(cache.checkInvariants().hasMixedHashes, false);
  for (let i = 0; i < 10_000; i++) assert.equal(cache.peek(keyOf(i)), i);
  plain.forEach((key, i) => assert.equal(cache.peek(key), i));
  for (let i = 0; i < 10_000; i++) assert.equal(cache.delete(keyOf(i)), true);
  assert.equal(cache.size, plain.length);
  cache.clear();
  assert.equal(cache.checkInvariants().hashesWhole, false);
});

Deno.test("LruTtlCache: samples fail in the middle of a move, and the next move makes hashes whole", () => {
  const { cache } = setUp({ entriesMax: 20_000, onRemove: undefined });
  const twinOf = (i: number) => `${i}, and what all of them have in common`;
  let count = 0;
  for (; count < 10_000 && !cache.checkInvariants().movesBuckets || count < 1_000; count++) {
    cache.set(`user:${count}`, count);
  }
  for (let i = 0; i < 8; i++) cache.set(twinOf(i), i);
  const state = cache.checkInvariants();
  assert.ok(state.movesBuckets && state.hashesWhole && state.hasMixedHashes);
  for (let i = 0; i < 8; i++) assert.equal(cache.peek(twinOf(i)), i);
  let gets = 0;
  for (; cache.checkInvariants().hasMixedHashes; gets++) {
    assert.ok(gets < 10_000, "the move gets nowhere");
    assert.equal(cache.get(`user:${gets % count}`), gets % count);
  }
  for (let i = 0; i < 8; i++) assert.equal(cache.get(twinOf(i)), i);
  assert.equal([...cache].length, count + 8);
});

Deno.test("LruTtlCache: reading finishes a move that writing began", () => {
  const { cache } = setUp({ entriesMax: 20_000, onRemove: undefined });
  let count = 0;
  let state = cache.checkInvariants();
  while (count < 5_000 || !(state.movesRecords || state.movesBuckets)) {
    cache.set(`user:${count}`, count);
    count++;
    if (count >= 5_000) state = cache.checkInvariants();
  }
  for (let i = 0; i < count; i++) assert.equal(cache.get(`user:${i}`), i);
  state = cache.checkInvariants();
  assert.ok(!state.movesRecords && !state.movesBuckets);
  assert.deepEqual([...cache].map(([, value]) => value), Array.from({ length: count }, (_, i) => count - 1 - i));
});

Deno.test("LruTtlCache: falsy values are values", () => {
  const { cache } = setUp<unknown>({ entriesMax: 10 });
  for (const value of [null, false, 0, "", NaN]) {
    cache.set("key", value);
    assert.equal(cache.has("key"), true);
    assert.deepEqual(cache.get("key"), value);
  }
});

Deno.test("LruTtlCache: 60,000 integer-like keys, over several chunks, come, are found and go", () => {
  const { cache, clock } = setUp({ entriesMax: 60_000, onRemove: undefined });
  for (let i = 0; i < 70_000; i++) cache.set(String(i), i);
  cache.checkInvariants();
  for (let i = 0; i < 10_000; i++) assert.equal(cache.get(String(i)), undefined);
  for (let i = 10_000; i < 70_000; i++) assert.equal(cache.get(String(i)), i);
  for (let i = 10_000; i < 70_000; i++) if (i % 100 !== 0) assert.equal(cache.delete(String(i)), true);
  cache.checkInvariants();
  for (let i = 10_000; i < 70_000; i += 100) assert.equal(cache.get(String(i)), i);
  assert.equal([...cache].length, 600);
  clock.timeMs += 100;
  assert.equal(cache.expire(), 600);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: where no address space is left it grows in usual memory", () => {
  const { Memory } = WebAssembly;
  let tried = 0;
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      tried++;
      throw new RangeError("could not allocate memory");
    }
  };
  try {
    const { cache } = setUp({ entriesMax: 60_000 });
    for (let i = 0; i < 60_000; i++) cache.set(`key ${i}`, i);
    for (let i = 0; i < 60_000; i++) assert.equal(cache.get(`key ${i}`), i);
    cache.checkInvariants();
    assert.ok(tried > 0);
  } finally {
    WebAssembly.Memory = Memory;
  }
});

Deno.test("LruTtlCache: 100,000 items dead at one instant cost each operation no more than its bound", () => {
  for (const ttlMs of [50, 150]) { // By the queue, by the wheel.
    const { cache, clock, removals } = setUp({ entriesMax: 100_000 });
    for (let i = 0; i < 100_000; i++) cache.set(`key ${i}`, i, { ttlMs });
    clock.timeMs += 500;
    for (let i = 0; i < 1_000; i++) {
      removals.length = 0;
      cache.set(`new ${i}`, i, { ttlMs: 10_000 });
      assert.ok(removals.length >= 1 && removals.length <= 9, `a set removed ${removals.length}`);
      removals.length = 0;
      assert.equal(cache.get(`key ${99_999 - i}`), undefined);
      assert.ok(removals.length <= 1, `a get removed ${removals.length}`);
    }
    removals.length = 0;
    assert.equal(cache.expire(100), 100);
    assert.equal(removals.length, 100);
    for (let i = 0; cache.size > 1_000; i++) {
      assert.ok(i < 13_000, "sets alone sweep what is dead");
      cache.set(`new ${i % 1_000}`, i, { ttlMs: 10_000 });
    }
    assert.ok(!removals.some(([, , reason]) => reason === "evicted"));
    cache.checkInvariants();
  }
});

Deno.test("LruTtlCache: the clock is read once an operation at most", () => {
  const { cache, clock } = setUp();
  for (
    const operation of [
      () => cache.set("a", 1),
      () => cache.get("a"),
      () => cache.peek("a"),
      () => cache.has("a"),
      () => cache.remainingMs("a"),
      () => cache.expire(),
      () => cache.delete("a"),
    ]
  ) {
    clock.readings = 0;
    operation();
    assert.equal(clock.readings, 1);
  }
});

Deno.test("LruTtlCache: iteration is safe while the cache changes", () => {
  const { cache } = setUp({ entriesMax: 4 });
  for (const key of ["a", "b", "c", "d"]) cache.set(key, 1);
  const seen: string[] = [];
  for (const [key] of cache) {
    seen.push(key);
    cache.get("a");
    cache.delete("c");
    cache.set(`after ${key}`, 2);
    assert.ok(seen.length <= 4);
  }
  assert.deepEqual(seen.slice(0, 1), ["d"]);
  assert.ok(!seen.includes("c"));
  assert.equal(new Set(seen).size, seen.length);
});

Deno.test("LruTtlCache: a large bound costs nothing until it is used", () => {
  const cache = new LruTtlCache<number>({ entriesMax: Number.MAX_SAFE_INTEGER, ttlMs: 1 });
  cache.set("a", 1, { ttlMs: 1_000_000 });
  assert.equal(cache.get("a"), 1);
  cache.checkInvariants();
});

Deno.test("LruTtlCache: options that cannot be used are refused by name", () => {
  const bad = (options: unknown) => () => new LruTtlCache(options as LruTtlCacheOptions<number>);
  for (const entriesMax of [0, -1, 1.5, NaN, Infinity, "3", undefined, null]) {
    assert.throws(bad({ entriesMax, ttlMs: 1 }), { name: "RangeError", message: /entriesMax is needed: received/ });
  }
  for (const ttlMs of [0, -1, NaN, Infinity, "3", undefined, null]) {
    assert.throws(bad({ entriesMax: 1, ttlMs }), { name: "RangeError", message: /ttlMs is needed: received/ });
  }
  for (const bytesMax of [0, -1, 1.5, NaN, Infinity, "3", null]) {
    assert.throws(bad({ entriesMax: 1, ttlMs: 1, bytesMax }), { name: "RangeError", message: /bytesMax is needed/ });
  }
});

Deno.test("LruTtlCache: what cannot be set is refused and leaves the cache as it was", () => {
  const { cache, clock } = setUp();
  cache.set("a", 1);
  for (const ttlMs of [0, -1, NaN, Infinity, "3", null]) {
    assert.throws(() => cache.set("a", 2, { ttlMs: ttlMs as number }), {
      name: "RangeError",
      message: /ttlMs is needed/,
    });
  }
  for (const bytes of [-1, 1.5, NaN, Infinity, "3", null]) {
    assert.throws(() => cache.set("a", 2, { bytes: bytes as number }), {
      name: "RangeError",
      message: /bytes is needed/,
    });
  }
  assert.throws(() => cache.set("a", undefined as unknown as number), {
    name: "TypeError",
    message: /value is needed/,
  });
  assert.throws(() => cache.set(1 as unknown as string, 1), { name: "TypeError", message: /string key is needed/ });
  for (const budget of [-1, NaN]) assert.throws(() => cache.expire(budget), { name: "RangeError" });
  clock.timeMs = NaN;
  assert.throws(() => cache.set("a", 2), { name: "RangeError", message: /number from nowMs is needed: received NaN/ });
  clock.timeMs = 1_000;
  assert.deepEqual([...cache], [["a", 1]]);
  cache.checkInvariants();
});
