/**
 * The cache in lockstep with the simplest model that is obviously right: an array from the most to the least recently
 * used item, walked from end to end at each step.
 *
 *     MODEL_SEED=1 MODEL_OPERATIONS=10000000 deno test --allow-env tests/cache/lru_ttl_cache_model_test.ts
 *
 * When the clock goes back, dead items live again unless they were removed before, and how many a sweep removed is the
 * cache's own business; so removals come to the model from `onRemove`, and each is judged: was it allowed, was it due?
 *
 * The cache moves its records and its index step by step. The invariants are checked after each operation in any case;
 * all items are read only now and then while a move is on, because reading a key finishes the part of the move that
 * concerns it. At the end the run must have been in each of these states.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { LruTtlCache, type LruTtlCacheState, type RemoveReason } from "../../lib/cache/lru_ttl_cache.ts";

const SEED = Number(Deno.env.get("MODEL_SEED") ?? Date.now() % 2 ** 31);
const OPERATIONS = Number(Deno.env.get("MODEL_OPERATIONS") ?? 200_000);
const OPERATIONS_PER_RUN = 5_000;
const SWEPT_PER_SET = 8;

/** Pseudo-random numbers from 0 up to 1, the same for the same seed (xorshift32). */
function randomFrom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

interface ModelItem {
  key: string;
  value: number;
  deadlineMs: number;
  bytes: number;
}

/** How the keys of a run look; of the last the cache sees by samples only that they are alike. */
const KEY_KINDS: ((number: number) => string)[] = [
  (number) => `key ${number}`,
  (number) => `a key of some length: ${number}`,
  (number) => `${String(number).padStart(3, "0")}, and so on for all`,
];

/** How often each of the rarer states was seen. */
type Seen = Record<Exclude<keyof LruTtlCacheState, "chainMax">, number>;

/** One run: a cache with random bounds, random weights for its operations, and the model beside it. */
class Lockstep {
  readonly #random: () => number;
  readonly #entriesMax: number;
  readonly #bytesMax: number | undefined;
  readonly #ttlMs: number;
  readonly #keys: number;
  readonly #keyOf: (number: number) => string;
  readonly #goesBack: boolean;
  readonly #weights: number[];
  readonly #cache: LruTtlCache<number>;
  readonly #removals: [key: string, value: number, reason: RemoveReason][] = [];
  #items: ModelItem[] = [];
  #timeMs: number;
  #count = 0;

  constructor(random: () => number) {
    this.#random = random;
    this.#entriesMax = 1 + this.#below(random() < 0.3 ? 4 : 50);
    this.#bytesMax = random() < 0.5 ? undefined : 1 + this.#below(200);
    this.#ttlMs = 1 + this.#below(1_000);
    this.#keys = 1 + this.#below(2 * this.#entriesMax);
    this.#keyOf = KEY_KINDS[this.#below(KEY_KINDS.length)];
    this.#goesBack = random() < 0.4;
    this.#timeMs = random() < 0.3 ? 1_700_000_000_000 : this.#below(100_000) - 50_000;
    this.#weights = [5, 8, 2, 1, 0.5, 3, 0.02].map((weight) => weight * random());
    this.#cache = new LruTtlCache<number>({
      entriesMax: this.#entriesMax,
      ttlMs: this.#ttlMs,
      bytesMax: this.#bytesMax,
      nowMs: () => this.#timeMs,
      onRemove: (...removal) => this.#removals.push(removal),
    });
  }

  step(seen: Seen): void {
    this.#count++;
    const key = this.#keyOf(this.#below(this.#keys));
    const operations = [this.#get, this.#set, this.#peek, this.#delete, this.#expire, this.#tick, this.#clear];
    let pick = this.#random() * this.#weights.reduce((sum, weight) => sum + weight);
    const at = this.#weights.findIndex((weight) => (pick -= weight) < 0);
    operations[Math.max(at, 0)].call(this, key);
    assert.equal(this.#removals.length, 0, "a removal nobody expected");
    const state = this.#cache.checkInvariants();
    for (const name of Object.keys(seen) as (keyof Seen)[]) if (state[name]) seen[name]++;
    if (!state.movesBuckets || this.#random() < 0.05) {
      const live = this.#items.filter((item) => this.#isLive(item));
      assert.deepEqual([...this.#cache], live.map(({ key, value }) => [key, value]));
    }
    assert.equal(this.#cache.size, this.#items.length);
    assert.equal(this.#cache.bytes, this.#items.reduce((sum, item) => sum + item.bytes, 0));
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #isLive(item: ModelItem): boolean {
    return this.#timeMs < item.deadlineMs;
  }

  #find(key: string): ModelItem | undefined {
    return this.#items.find((item) => item.key === key);
  }

  /** Takes the next removal that was told and the item that it is about out of the model. */
  #removed(): [ModelItem, RemoveReason] {
    const [key, value, reason] = this.#removals.shift()!;
    const item = this.#find(key);
    assert.ok(item !== undefined && item.value === value, `${key} was told as removed and is not held`);
    assert.equal(reason === "expired", reason !== "cleared" && !this.#isLive(item), `${key}: ${reason}`);
    this.#items.splice(this.#items.indexOf(item), 1);
    return [item, reason];
  }

  #get(key: string): void {
    const item = this.#find(key);
    const isLive = item !== undefined && this.#isLive(item);
    assert.equal(this.#cache.get(key), isLive ? item.value : undefined);
    if (item !== undefined && !isLive) assert.equal(this.#removed()[0], item);
    if (isLive) this.#items.unshift(...this.#items.splice(this.#items.indexOf(item), 1));
  }

  #peek(key: string): void {
    const item = this.#find(key);
    const isLive = item !== undefined && this.#isLive(item);
    assert.equal(this.#cache.peek(key), isLive ? item.value : undefined);
    assert.equal(this.#cache.has(key), isLive);
    assert.equal(this.#cache.remainingMs(key), isLive ? item.deadlineMs - this.#timeMs : undefined);
  }

  #set(key: string): void {
    const kind = this.#random();
    const ttlMs = kind < 0.4
      ? undefined
      : kind < 0.6
      ? this.#random() * this.#ttlMs + 0.01
      : kind < 0.9
      ? 1 + this.#below(5_000)
      : 1 + Math.floor(2 ** (this.#random() * 42));
    const bytes = this.#bytesMax === undefined ? 0 : this.#below(1 + this.#bytesMax / (this.#random() < 0.9 ? 5 : 0.9));
    const isKept = this.#cache.set(key, this.#count, { ttlMs, bytes });
    const bytesMax = this.#bytesMax ?? Infinity;
    assert.equal(isKept, bytes <= bytesMax);
    let swept = 0;
    while (this.#removals.length > 0) {
      const size = this.#items.length;
      const held = this.#items.reduce((sum, item) => sum + item.bytes, 0);
      const isFull = held > bytesMax - bytes || (size >= this.#entriesMax && this.#find(key) === undefined);
      const last = this.#items.at(-1);
      const [item, reason] = this.#removed();
      if (reason === "evicted") {
        assert.ok(isKept && isFull, "evicted without need");
        assert.equal(item, last, "evicted, and not the least recently used");
        const isExact = this.#entriesMax <= 4 && !this.#goesBack;
        if (isExact) assert.ok(this.#items.every((other) => this.#isLive(other)), "evicted before the dead");
      } else if (reason === "replaced") assert.equal(item.key, key);
      else {
        assert.equal(reason, "expired");
        if (!isFull && item.key !== key) swept++;
      }
    }
    assert.ok(swept <= SWEPT_PER_SET, `a set swept ${swept}`);
    assert.equal(this.#find(key), undefined);
    if (isKept) {
      this.#items.unshift({ key, value: this.#count, deadlineMs: this.#timeMs + (ttlMs ?? this.#ttlMs), bytes });
    }
  }

  #delete(key: string): void {
    const item = this.#find(key);
    const isLive = item !== undefined && this.#isLive(item);
    assert.equal(this.#cache.delete(key), isLive);
    if (item !== undefined) assert.equal(this.#removed()[0], item);
  }

  #expire(): void {
    const budget = this.#below(20);
    const count = this.#cache.expire(budget);
    assert.ok(count <= budget);
    assert.equal(this.#removals.length, count);
    while (this.#removals.length > 0) assert.equal(this.#removed()[1], "expired");
  }

  #tick(): void {
    const kind = this.#random();
    const byMs = kind < 0.3
      ? this.#random()
      : kind < 0.9
      ? this.#below(100)
      : kind < 0.99
      ? this.#below(5_000)
      : this.#below(3_600_000);
    this.#timeMs += this.#goesBack && this.#random() < 0.4 ? -byMs : byMs;
  }

  #clear(): void {
    this.#cache.clear();
    while (this.#removals.length > 0) assert.equal(this.#removed()[1], "cleared");
    assert.equal(this.#items.length, 0);
  }
}

Deno.test(`LruTtlCache does as the model does, ${OPERATIONS} operations, MODEL_SEED=${SEED}`, () => {
  console.log(`MODEL_SEED=${SEED} MODEL_OPERATIONS=${OPERATIONS}`);
  const random = randomFrom(SEED);
  const seen: Seen = { movesRecords: 0, movesBuckets: 0, hashesWhole: 0, hasMixedHashes: 0 };
  for (let done = 0; done < OPERATIONS; done += OPERATIONS_PER_RUN) {
    const run = new Lockstep(random);
    for (let i = 0; i < Math.min(OPERATIONS_PER_RUN, OPERATIONS - done); i++) run.step(seen);
  }
  console.log(seen);
  if (OPERATIONS >= 200_000) {
    for (const [name, count] of Object.entries(seen)) {
      assert.ok(count > 0, `never ${name}`);
    }
  }
});

Deno.test(`LruTtlCache holds its invariants while onRemove uses it at random, MODEL_SEED=${SEED}`, () => {
  const random = randomFrom(SEED + 2);
  for (let run = 0; run < 20; run++) {
    let timeMs = 0;
    let depth = 0;
    let nested = 0;
    let told = 0;
    let values = 0;
    let kept = 0;
    const entriesMax = 1 + Math.floor(random() * 60);
    const operate = (): void => {
      const key = KEY_KINDS[run % KEY_KINDS.length](Math.floor(random() * 100));
      const kind = random();
      if (kind < 0.6) {
        const ttlMs = 1 + Math.floor(random() * 200);
        if (cache.set(key, ++values, { ttlMs, bytes: Math.floor(random() * 4) })) kept++;
      } else if (kind < 0.75) cache.get(key);
      else if (kind < 0.9) cache.delete(key);
      else if (kind < 0.995) cache.expire(Math.floor(random() * 5));
      else cache.clear();
      if (random() < 0.3) timeMs += random() * 20;
    };
    const cache: LruTtlCache<number> = new LruTtlCache<number>({
      entriesMax,
      ttlMs: 50,
      bytesMax: 1 + Math.floor(random() * 100),
      nowMs: () => timeMs,
      onRemove: (key, value) => {
        told++;
        cache.checkInvariants();
        assert.notEqual(cache.peek(key), value, "told of an item that is still there");
        if (depth >= 3) return;
        depth++;
        nested++;
        operate();
        depth--;
      },
    });
    for (let i = 0; i < 1_000; i++) {
      operate();
      cache.checkInvariants();
    }
    assert.ok(nested > 0);
    assert.equal(told, kept - cache.size, "each item that was kept is told once, or is there");
  }
});

Deno.test(`LruTtlCache does as a Map in order of use does, over several chunks, MODEL_SEED=${SEED}`, () => {
  const random = randomFrom(SEED + 1);
  const entriesMax = 40_000;
  const cache = new LruTtlCache<number>({ entriesMax, ttlMs: 1, nowMs: () => 0 });
  const model = new Map<string, number>();
  for (let i = 1; i <= 400_000; i++) {
    // Grows beyond its bound, shrinks to a few, grows again: by how many keys there are, and by deletes.
    const isShrinking = i % 200_000 > 120_000;
    const key = `key ${Math.floor(random() * 60_000)}`;
    const value = model.get(key);
    if (isShrinking) {
      assert.equal(cache.delete(key), model.delete(key));
    } else if (random() < 0.5) {
      assert.equal(cache.get(key), value);
      if (value !== undefined) model.delete(key), model.set(key, value);
    } else {
      cache.set(key, i);
      model.delete(key);
      if (model.size === entriesMax) model.delete(model.keys().next().value!);
      model.set(key, i);
    }
    if (i % 40_000 === 0) {
      cache.checkInvariants();
      assert.deepEqual([...cache], [...model].reverse());
    }
  }
});

Deno.test("LruTtlCache, property: whatever strings the keys are, it holds what a Map holds", () => {
  const key = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) });
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.boolean())), (steps) => {
      const cache = new LruTtlCache<number>({ entriesMax: 1_000, ttlMs: 1, nowMs: () => 0 });
      const map = new Map<string, number>();
      steps.forEach(([key, isSet], i) => {
        if (!isSet) assert.equal(cache.delete(key), map.delete(key));
        else {
          cache.set(key, i);
          map.set(key, i);
        }
      });
      cache.checkInvariants();
      assert.deepEqual(new Map(cache), map);
    }),
    { seed: SEED },
  );
});

Deno.test("LruTtlCache, property: it ends at start + TTL to the last bit, and expire finds it then", () => {
  const startMs = fc.double({ min: -1e12, max: 1e13, noNaN: true });
  const ttlMs = fc.oneof(
    fc.double({ min: 1e-3, max: 2 ** 45, noNaN: true }),
    fc.integer({ min: 1, max: 10_000 }),
    fc.integer({ min: 0, max: 45 }).map((power) => 2 ** power),
  );
  fc.assert(
    fc.property(startMs, ttlMs, fc.array(fc.double({ min: 0, max: 1, noNaN: true })), (startMs, ttlMs, parts) => {
      let timeMs = startMs;
      const cache = new LruTtlCache<number>({ entriesMax: 10, ttlMs: 1e-6, nowMs: () => timeMs });
      cache.set("key", 1, { ttlMs });
      const deadlineMs = startMs + ttlMs;
      for (const part of parts.sort((a, b) => a - b)) {
        timeMs = startMs + part * ttlMs;
        if (timeMs >= deadlineMs) break;
        assert.equal(cache.expire(), 0);
        assert.equal(cache.get("key"), 1);
        cache.checkInvariants();
      }
      timeMs = deadlineMs;
      assert.equal(cache.peek("key"), undefined);
      assert.equal(cache.expire(), 1);
    }),
    { seed: SEED },
  );
});

Deno.test("LruTtlCache, property: sweeping finds every dead item in the end and never a live one", () => {
  const item = fc.tuple(fc.integer({ min: 1, max: 2 ** 24 }), fc.integer({ min: -10_000, max: 100_000 }));
  fc.assert(
    fc.property(fc.array(item, { maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (items, budget) => {
      let timeMs = 0;
      const cache = new LruTtlCache<number>({ entriesMax: 1_000, ttlMs: 1, nowMs: () => timeMs });
      items.forEach(([ttlMs, byMs], i) => {
        cache.set(`key ${i}`, i, { ttlMs });
        timeMs += byMs;
        cache.checkInvariants();
      });
      const live = [...cache];
      for (let calls = 0; cache.size > live.length; calls++) {
        assert.ok(calls < 10_000, "the sweep gets nowhere");
        assert.ok(cache.expire(budget) <= budget);
      }
      cache.checkInvariants();
      assert.deepEqual([...cache], live);
      timeMs += 2 ** 41;
      while (cache.size > 0) assert.ok(cache.expire(budget) > 0);
    }),
    { seed: SEED },
  );
});
