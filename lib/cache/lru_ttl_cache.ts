/**
 * A cache in memory: least recently used items leave first, every item has a deadline, and bytes are bounded as well.
 * Every operation is O(1) in the worst case, also when a million items expire at one instant. No timers, no imports.
 *
 *   key ─hash─▶ buckets ──▶ slot ──▶ record, 32 bytes: newer │ older │ sooner │ later │ chain │ hash │ deadline
 *                                    item, 2 pointers: key │ value
 *
 *   recency   one ring of all items through newer/older: its two ends are the most and the least recently used
 *   expiry    rings through sooner/later: one queue, and the slots of a timing wheel
 *   free      one ring of unused slots, last freed first taken
 *
 * **Slots.** An item is a number. What belongs to it lies at that number in chunks of typed arrays, so a hit touches
 * few cache lines, allocates nothing, and the garbage collector has no objects to follow. Chunks, not one array that
 * doubles: copying 16 MB took 25 to 50 ms. Only the first chunk grows by doubling, so a small cache stays small
 * whatever its bound. Where fewer than half of the slots are used, each removal moves up to two items out of the last
 * chunk.
 *
 * **Index.** Linear hashing (Litwin, 1980): two buckets are split when an item comes, so the table never stops to
 * rehash. A `Map` does: at 1 M items one `set` took 50 to 130 ms, again and again as keys come and go, and one that
 * held 9 M threw `Map maximum size exceeded` when 8 M more had come and gone. The price is that each key is hashed
 * here, about 1.3 ns a character, where `Map` keeps the hash in the string, so that hits in a small cache are somewhat
 * slower than its. The hash is seeded per process but not cryptographic: chosen collisions are made hard, not ruled
 * out. 'O(1)' counts the steps of an operation, where the length of the key and of a chain (about 1.3) are given.
 *
 * **Expiry.** An item that lives for the default time or less, and ends no sooner than the last in the queue, goes to
 * the end of the queue: with one TTL that is all items, in exact order. The others go to a hierarchical timing wheel
 * (Varghese and Lauck, 1987): 9 levels of 64 rings, a level's ring 64 times as wide as the one below, from 1 ms up to
 * 2^53 ms. An item lies at the level of the highest base-64 digit in which its deadline differs from the wheel's
 * cursor. When the time reaches a ring above the lowest level, the ring is opened: item by item it is drained to lower
 * levels, within a budget, and the cursor waits. So a burst costs the same per operation as a trickle. When the clock
 * goes back behind the cursor, all rings below the level in question are joined into one: at most 512 joins, whatever
 * they hold.
 *
 * Whether an item is dead is decided by its own deadline alone, to the fraction of a millisecond, never by the wheel.
 * The wheel only finds dead items before somebody asks for them: *dead items leave before live ones* holds for the
 * queue without exception, and for the wheel as long as a sweep is not behind: a `set` removes at most 8 dead items
 * beyond what it needs, in at most 24 steps; an item causes at most 18 in its life, so sets alone keep up on average.
 *
 * Rejected: a heap (O(log n), and all levels are cold); a timer per item (memory, overflow at 2^31 ms); expiry on
 * reading only (dead items push out live ones); rounding deadlines to ticks (inexact).
 *
 * **Costs.** get, peek, has, delete, remainingMs: constant. `set`: constant, and beyond that one step for each item
 * that it must push out; each of those was paid for by the `set` that brought it. The first `bytes` in a cache without
 * `bytesMax` cost a step for every 4,096 items. `expire`: proportional to its budget. `clear`: constant without
 * `onRemove`, else one call an item. Iteration and `checkInvariants`: all items. Memory without key and value: see
 * `bench/results/cache.txt`; 57 bytes an item, 8 more when bytes are counted, and some 20 KB a cache.
 *
 * **Invariants** (`checkInvariants`): each item is in the recency ring, in one expiry ring and in the chain of its
 * hash; the queue is in order of deadlines; no deadline in the wheel lies before the cursor; only the open ring can
 * begin at the cursor above level 0; `nextDueMs` is not later than any deadline; the bytes are the sum of the items'
 * bytes.
 */

/** Why an item left. `replaced` is told also when the new value was too large to be kept. */
export type RemoveReason = "expired" | "evicted" | "deleted" | "replaced" | "cleared";

/** What a cache is made with. */
export interface LruTtlCacheOptions<V> {
  /** Most items held: a positive integer. Nothing is allocated for items that never come. */
  entriesMax: number;
  /** How long an item lives when `set` does not say, in milliseconds: positive, finite. */
  ttlMs: number;
  /** Most bytes held, in the unit of `bytes` at `set`: a positive integer. Without it bytes are only counted. */
  bytesMax?: number;
  /**
   * The time in milliseconds, read once an operation; it may stand still, jump and go back (which revives dead items
   * that were not yet removed). By default `performance.now`, which costs more than the rest of a hit: an owner that
   * has many operations to do in one turn reads the time once and hands that in.
   */
  nowMs?: () => number;
  /**
   * Told of each item that left, once the operation that removed it is complete and before it returns. It may use the
   * cache. If it throws, the other removals are told all the same and the first error goes to the operation's caller.
   */
  onRemove?: (key: string, value: V, reason: RemoveReason) => void;
}

/** What one item may have of its own. */
export interface LruTtlCacheSetOptions {
  /** How long this item lives, in milliseconds: positive, finite. */
  ttlMs?: number;
  /** What this item takes of `bytesMax`: an integer, 0 or more; 0 by default. */
  bytes?: number;
}

// Chunks of 2^12 slots, 128 KiB of records: made in 0.1 ms. At 2^14 making one took up to 2.7 ms and filling a cache of
// 1 M items twice as long, because such arrays wake the garbage collector.
const CHUNK_BITS = 12;
const CHUNK_SLOTS = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_SLOTS - 1;
const FIRST_CHUNK_SLOTS = 16;

// Chunk 0 holds no items but the anchors, one for each ring; a slot number below CHUNK_SLOTS is an anchor.
const RECENCY = 0;
const QUEUE = 1;
const FREE = 2;
const WHEEL = 3;

// A record: seven fields of 32 bits, where the deadline takes two (as the fourth number of 64 bits).
const RECORD_BITS = 3;
const NEWER = 0;
const OLDER = 1;
const SOONER = 2;
const LATER = 3;
const CHAIN = 4;
const HASH = 5;
const DEADLINE_BITS = 2;
const DEADLINE = 3;

// Two buckets an item keep chains short (4 bytes each); they are given back above four.
const BUCKETS_MIN = 16;
const BUCKETS_PER_ITEM = 2;
const BUCKETS_PER_ITEM_MAX = 4;

// The wheel: a tick is a millisecond, moved so that all are positive, and split in two parts that fit 32-bit
// operations.
const DIGIT_BITS = 6;
const DIGITS = 1 << DIGIT_BITS;
const LEVELS = 9;
const LOW_LEVELS = 5;
const LOW = 2 ** (DIGIT_BITS * LOW_LEVELS);
const TICK_OFFSET = 2 ** 52;
const TICK_MAX = Number.MAX_SAFE_INTEGER;

/** Most dead items that a `set` removes beyond what it needs, and most steps that it makes in the wheel. */
const SWEPT_PER_SET = 8;
const STEPS_PER_SET = 24;

/** Most dead items that `expire` removes when it is not told: well under a millisecond. */
const EXPIRE_BUDGET = 1_000;

const SEED = Math.floor(Math.random() * 2 ** 32) | 0;

/** Two lanes of two characters each, so that multiplications overlap; the last lines mix high bits into low ones. */
function hashOf(key: string): number {
  const length = key.length;
  let a = SEED ^ length;
  let b = ~SEED;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    a = Math.imul(a ^ (key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16)), 0x9e3779b1);
    b = Math.imul(b ^ (key.charCodeAt(i + 2) | (key.charCodeAt(i + 3) << 16)), 0x7feb352d);
    a ^= a >>> 15;
    b ^= b >>> 13;
  }
  for (; i < length; i++) a = Math.imul(a ^ key.charCodeAt(i), 0x846ca68b);
  a ^= Math.imul(b ^ (b >>> 15), 0x9e3779b1);
  a = Math.imul(a ^ (a >>> 16), 0x7feb352d);
  return a ^ (a >>> 15);
}

function tickOf(timeMs: number): number {
  return Math.min(Math.max(Math.floor(timeMs) + TICK_OFFSET, 0), TICK_MAX);
}

/** The place of the highest base-64 digit in which two numbers differ that are not the same. */
function digitOf(difference: number): number {
  return ((31 - Math.clz32(difference)) / DIGIT_BITS) | 0;
}

/**
 * Holds at most `entriesMax` items, and `bytesMax` bytes, each until its deadline.
 *
 * Keys are any strings; values are anything but undefined. An item is dead when `nowMs() >= deadline`, and reading it
 * never moves its deadline. See the head of this file for the structure and for what each operation costs.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { LruTtlCache } from "./lru_ttl_cache.ts";
 *
 * let timeMs = 0;
 * const cache = new LruTtlCache<number>({ entriesMax: 2, ttlMs: 1_000, nowMs: () => timeMs });
 * cache.set("a", 1);
 * cache.set("b", 2, { ttlMs: 10 });
 * timeMs = 10;
 * assert.equal(cache.get("b"), undefined);
 * assert.equal(cache.get("a"), 1);
 * ```
 */
export class LruTtlCache<V> {
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  readonly #ttlMs: number;
  readonly #nowMs: () => number;
  /** How many items have left, by reason, since the cache was made. Counted here, so that nobody needs `onRemove` for it. */
  readonly removals: Record<RemoveReason, number> = { expired: 0, evicted: 0, deleted: 0, replaced: 0, cleared: 0 };

  readonly #onRemove: ((key: string, value: V, reason: RemoveReason) => void) | undefined;

  #records: Int32Array[] = [];
  #deadlines: Float64Array[] = [];
  #items: unknown[][] = [];
  #sizes: Float64Array[] = [];
  #countsBytes: boolean;
  #slotsEnd = CHUNK_SLOTS;
  #slotsMade = CHUNK_SLOTS;
  #compactions = 0;
  #size = 0;
  #bytes = 0;

  #buckets: Int32Array[] = [];
  #bucketsEnd = BUCKETS_MIN;
  #bucketMask = BUCKETS_MIN - 1;

  // A miss is often followed by a set of the same key: the hash need not be computed again.
  #missedKey = "";
  #missedHash = hashOf("");
  #nextDueMs = Infinity;
  #queueDueMs = Infinity;
  #wheelDueMs = Infinity;
  #cursorHigh = 0;
  #cursorLow = 0;
  #open = -1;
  readonly #marks = new Int32Array(LEVELS * 2);
  #removed: unknown[] = [];

  /**
   * Makes an empty cache.
   *
   * @throws {RangeError} when `entriesMax` or `bytesMax` is not a positive integer or `ttlMs` not positive and finite.
   */
  constructor(options: LruTtlCacheOptions<V>) {
    const { entriesMax, ttlMs, bytesMax, nowMs = () => performance.now(), onRemove } = options;
    if (!Number.isSafeInteger(entriesMax) || entriesMax < 1) {
      throw new RangeError(`Cannot make a cache: a positive integer entriesMax is needed: received ${entriesMax}`);
    }
    if (bytesMax !== undefined && (!Number.isSafeInteger(bytesMax) || bytesMax < 1)) {
      throw new RangeError(`Cannot make a cache: a positive integer bytesMax is needed: received ${bytesMax}`);
    }
    if (!Number.isFinite(ttlMs) || ttlMs <= 0) {
      throw new RangeError(`Cannot make a cache: a positive finite ttlMs is needed: received ${ttlMs}`);
    }
    this.#entriesMax = entriesMax;
    this.#bytesMax = bytesMax ?? Number.MAX_SAFE_INTEGER;
    this.#ttlMs = ttlMs;
    this.#nowMs = nowMs;
    this.#onRemove = onRemove;
    this.#countsBytes = bytesMax !== undefined;
    this.#reset();
  }

  /** Number of items held, counting dead ones that were not yet removed. */
  get size(): number {
    return this.#size;
  }

  /** Sum of the `bytes` of the items that `size` counts. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns the live value of `key` and makes it the most recently used; undefined when absent. Removes a dead one. */
  get(key: string): V | undefined {
    // The same steps as in #find, #unlink and #insert, written out: get and set take a tenth less time so.
    const hash = hashOf(key);
    const records = this.#records;
    let bucket = hash & this.#bucketMask;
    if (bucket >= this.#bucketsEnd) bucket &= this.#bucketMask >>> 1;
    let slot = this.#buckets[bucket >>> CHUNK_BITS][bucket & CHUNK_MASK];
    while (slot !== 0) {
      const chunk = slot >>> CHUNK_BITS;
      const record = records[chunk];
      const at = (slot & CHUNK_MASK) << RECORD_BITS;
      if (record[at + HASH] === hash) {
        const items = this.#items[chunk];
        const item = (slot & CHUNK_MASK) << 1;
        if (items[item] === key) {
          if (this.#nowMs() >= this.#deadlines[chunk][(at >> 1) + DEADLINE]) {
            this.#remove(slot, "expired");
            this.#finish();
            return undefined;
          }
          const newer = record[at];
          if (newer !== RECENCY) {
            const older = record[at + OLDER];
            records[newer >>> CHUNK_BITS][((newer & CHUNK_MASK) << RECORD_BITS) + OLDER] = older;
            records[older >>> CHUNK_BITS][(older & CHUNK_MASK) << RECORD_BITS] = newer;
            const anchor = records[0];
            const first = anchor[OLDER];
            record[at] = RECENCY;
            record[at + OLDER] = first;
            records[first >>> CHUNK_BITS][(first & CHUNK_MASK) << RECORD_BITS] = slot;
            anchor[OLDER] = slot;
          }
          return items[item + 1] as V;
        }
      }
      slot = record[at + CHAIN];
    }
    this.#missedKey = key;
    this.#missedHash = hash;
    return undefined;
  }

  /** Returns the live value of `key`, undefined when absent. Changes nothing. */
  peek(key: string): V | undefined {
    const slot = this.#find(key, hashOf(key));
    return slot === 0 || this.#nowMs() >= this.#deadline(slot) ? undefined : this.#value(slot);
  }

  /** Tells whether `key` has a live value. Changes nothing. */
  has(key: string): boolean {
    return this.peek(key) !== undefined;
  }

  /** Returns the milliseconds until `key` is dead, more than 0; undefined when absent. Changes nothing. */
  remainingMs(key: string): number | undefined {
    const slot = this.#find(key, hashOf(key));
    if (slot === 0) return undefined;
    const remainingMs = this.#deadline(slot) - this.#nowMs();
    return remainingMs > 0 ? remainingMs : undefined;
  }

  /**
   * Keeps `value` under `key` as the most recently used item, with a deadline of its own, instead of what was there.
   *
   * Where room is needed, dead items go first and then the least recently used; never the item itself.
   *
   * @returns true when it is kept; false when `bytes` alone are more than `bytesMax`, and then `key` is absent.
   * @throws {TypeError} when `key` is not a string or `value` is undefined.
   * @throws {RangeError} when `ttlMs` is not positive and finite, `bytes` not an integer of 0 or more, or the time no
   *   number.
   *
   * @example
   * ```ts
   * import assert from "node:assert/strict";
   * import { LruTtlCache } from "./lru_ttl_cache.ts";
   *
   * const cache = new LruTtlCache<string>({ entriesMax: 1_000, ttlMs: 60_000, bytesMax: 10 });
   * assert.equal(cache.set("a", "four", { bytes: 4 }), true);
   * assert.equal(cache.set("b", "eight", { bytes: 8, ttlMs: 500 }), true);
   * assert.deepEqual([...cache], [["b", "eight"]]);
   * assert.equal(cache.set("b", "eleven", { bytes: 11 }), false);
   * assert.equal(cache.has("b"), false);
   * ```
   */
  set(key: string, value: V, options?: LruTtlCacheSetOptions): boolean {
    if (typeof key !== "string") throw new TypeError(`Cannot set: a string key is needed: received ${typeof key}`);
    if (value === undefined) throw new TypeError("Cannot set: a value is needed: received undefined");
    let ttlMs = this.#ttlMs;
    let bytes = 0;
    if (options !== undefined) {
      if (options.ttlMs !== undefined) ttlMs = options.ttlMs;
      if (options.bytes !== undefined) bytes = options.bytes;
      if (!Number.isFinite(ttlMs) || ttlMs <= 0) {
        throw new RangeError(`Cannot set: a positive finite ttlMs is needed: received ${ttlMs}`);
      }
      if (!Number.isSafeInteger(bytes) || bytes < 0) {
        throw new RangeError(`Cannot set: a non-negative integer of bytes is needed: received ${bytes}`);
      }
    }
    const nowMs = this.#nowMs();
    const deadlineMs = nowMs + ttlMs;
    if (Number.isNaN(deadlineMs)) throw new RangeError(`Cannot set: a number from nowMs is needed: received ${nowMs}`);

    if (nowMs >= this.#nextDueMs) this.#sweep(nowMs, { removals: SWEPT_PER_SET, steps: STEPS_PER_SET });
    const hash = key === this.#missedKey ? this.#missedHash : hashOf(key);
    let slot = this.#find(key, hash);
    if (bytes > this.#bytesMax) {
      if (slot !== 0) this.#remove(slot, nowMs >= this.#deadline(slot) ? "expired" : "replaced");
      this.#finish();
      return false;
    }
    if (slot !== 0) {
      // It stays in its chain, but in no ring, so nothing below can remove it.
      this.#note(slot, nowMs >= this.#deadline(slot) ? "expired" : "replaced");
      this.#detach(slot);
      while (this.#bytes > this.#bytesMax - bytes) this.#evict(nowMs);
    } else {
      while (this.#bytes > this.#bytesMax - bytes) this.#evict(nowMs);
      slot = this.#claim(nowMs);
      this.#chain(slot, hash);
      this.#items[slot >>> CHUNK_BITS][(slot & CHUNK_MASK) << 1] = key;
    }
    this.#items[slot >>> CHUNK_BITS][((slot & CHUNK_MASK) << 1) + 1] = value;
    this.#deadlines[slot >>> CHUNK_BITS][((slot & CHUNK_MASK) << DEADLINE_BITS) + DEADLINE] = deadlineMs;
    if (bytes !== 0 && !this.#countsBytes) this.#countBytes();
    if (this.#countsBytes) {
      this.#sizes[slot >>> CHUNK_BITS][slot & CHUNK_MASK] = bytes;
      this.#bytes += bytes;
    }
    const anchors = this.#records[0];
    this.#insert(slot, NEWER, RECENCY, anchors[OLDER]);
    const last = anchors[(QUEUE << RECORD_BITS) + SOONER];
    if (ttlMs <= this.#ttlMs && (last === QUEUE || deadlineMs >= this.#deadline(last))) {
      this.#insert(slot, SOONER, last, QUEUE);
      if (last === QUEUE) this.#queueDueMs = deadlineMs;
      if (deadlineMs < this.#nextDueMs) this.#nextDueMs = deadlineMs;
    } else this.#schedule(slot, deadlineMs, nowMs);
    if (this.#compactions > 0 || this.#removed.length > 0) this.#finish();
    return true;
  }

  /** Removes `key`; true when a live item was there. */
  delete(key: string): boolean {
    const slot = this.#find(key, hashOf(key));
    if (slot === 0) return false;
    const isLive = this.#nowMs() < this.#deadline(slot);
    this.#remove(slot, isLive ? "deleted" : "expired");
    this.#finish();
    return isLive;
  }

  /** Removes everything and gives all memory back, in constant time; with `onRemove`, one call for each item. */
  clear(): void {
    if (this.#onRemove !== undefined) {
      for (let slot = this.#field(RECENCY, OLDER); slot !== RECENCY; slot = this.#field(slot, OLDER)) {
        this.#note(slot, "cleared");
      }
    } else this.removals.cleared += this.#size;
    this.#reset();
    this.#finish();
  }

  /**
   * Removes at most `budget` dead items and returns how many. To be called now and then while nobody writes.
   *
   * Less than `budget` does not mean that none is left: live items that have to be moved within the wheel count too, at
   * most 64 and twice the budget.
   *
   * @throws {RangeError} when `budget` is not a number of 0 or more.
   *
   * @example
   * ```ts
   * import assert from "node:assert/strict";
   * import { LruTtlCache } from "./lru_ttl_cache.ts";
   *
   * let timeMs = 0;
   * const cache = new LruTtlCache<number>({ entriesMax: 100, ttlMs: 50, nowMs: () => timeMs });
   * for (let i = 0; i < 30; i++) cache.set(`key ${i}`, i);
   * timeMs = 50;
   * assert.equal(cache.expire(20), 20);
   * assert.equal(cache.expire(20), 10);
   * ```
   */
  expire(budget: number = EXPIRE_BUDGET): number {
    if (!(budget >= 0)) throw new RangeError(`Cannot expire: a budget of 0 or more is needed: received ${budget}`);
    const nowMs = this.#nowMs();
    if (!(nowMs >= this.#nextDueMs)) return 0;
    const count = this.#sweep(nowMs, { removals: budget, steps: 64 + 2 * budget });
    this.#finish();
    return count;
  }

  /**
   * Walks from the most to the least recently used item without changing their order. Takes note of the keys when it
   * begins (so it costs all items at once) and yields each that is still live when its turn comes, with its value then.
   */
  *[Symbol.iterator](): IterableIterator<[string, V]> {
    const keys: string[] = [];
    for (let slot = this.#field(RECENCY, OLDER); slot !== RECENCY; slot = this.#field(slot, OLDER)) {
      keys.push(this.#key(slot));
    }
    for (const key of keys) {
      const value = this.peek(key);
      if (value !== undefined) yield [key, value];
    }
  }

  /** Throws an Error when an invariant of the head of this file is broken. For tests: it looks at all items. */
  checkInvariants(): void {
    const check = (holds: boolean, invariant: string): void => {
      if (!holds) throw new Error(`Broken invariant: ${invariant}`);
    };
    const cursor = this.#cursorHigh * LOW + this.#cursorLow;
    const ring = (anchor: number, field: number): number[] => {
      const slots: number[] = [];
      for (let last = anchor, slot = this.#field(anchor, field + 1); slot !== anchor;) {
        check(this.#field(slot, field) === last, "a ring is linked both ways");
        check(slot >= CHUNK_SLOTS && slot < this.#slotsEnd, "a ring holds slots in use");
        slots.push(slot);
        check(slots.length <= this.#slotsEnd, "a ring ends");
        last = slot;
        slot = this.#field(slot, field + 1);
      }
      return slots;
    };
    const items = new Set(ring(RECENCY, NEWER));
    check(
      items.size === this.#size && this.#size <= this.#entriesMax,
      "the recency ring holds `size` items, at most entriesMax",
    );
    const free = ring(FREE, NEWER);
    check(items.size + free.length === this.#slotsEnd - CHUNK_SLOTS, "each slot is used or free");
    check(this.#slotsEnd - CHUNK_SLOTS <= 2 * this.#size + 2 * CHUNK_SLOTS, "slots are given back");
    check(this.#bucketsEnd <= BUCKETS_PER_ITEM_MAX * this.#size + BUCKETS_MIN, "buckets are given back");
    let bytes = 0;
    for (const slot of items) {
      check(this.#find(this.#key(slot), hashOf(this.#key(slot))) === slot, "each item is found by its key");
      check(this.#field(slot, HASH) === hashOf(this.#key(slot)), "each record holds the hash of its key");
      check(this.#value(slot) !== undefined, "each item has a value");
      check(this.#nextDueMs <= this.#deadline(slot), "nextDueMs is not later than any deadline");
      if (this.#countsBytes) bytes += this.#sizes[slot >>> CHUNK_BITS][slot & CHUNK_MASK];
    }
    check(bytes === this.#bytes && bytes <= this.#bytesMax, "bytes are the sum of the items' bytes, at most bytesMax");
    for (const slot of free) {
      check(this.#key(slot) === undefined && this.#value(slot) === undefined, "free slots hold nothing");
    }
    const queue = ring(QUEUE, SOONER);
    queue.forEach((slot, i) => {
      check(items.has(slot), "the queue holds items");
      check(i === 0 || this.#deadline(queue[i - 1]) <= this.#deadline(slot), "the queue is in order");
    });
    let scheduled = queue.length;
    for (let at = 0; at < LEVELS * DIGITS; at++) {
      const slots = ring(WHEEL + at, SOONER);
      scheduled += slots.length;
      if (slots.length > 0) {
        check((this.#marks[at >>> 5] & (1 << (at & 31))) !== 0, "a ring that holds items is marked");
      }
      if (slots.length > 0 && at >= DIGITS && at !== this.#open) {
        check(this.#startOf(at) > cursor, "only the open ring begins at the cursor");
      }
      for (const slot of slots) {
        check(items.has(slot), "the wheel holds items");
        const tick = tickOf(this.#deadline(slot));
        const start = this.#startOf(at);
        const shift = (at >>> DIGIT_BITS) * DIGIT_BITS;
        check(tick >= cursor, "no deadline lies before the cursor");
        check(tick >= start && tick < start + 2 ** shift, "an item lies in the ring of its deadline");
      }
    }
    check(scheduled === this.#size, "each item is in one expiry ring");
    check(this.#removed.length === 0, "each removal was told");
  }

  // Slots

  #reset(): void {
    const anchors = new Int32Array((WHEEL + LEVELS * DIGITS) << RECORD_BITS);
    for (let anchor = 0; anchor < WHEEL + LEVELS * DIGITS; anchor++) {
      anchors.fill(anchor, anchor << RECORD_BITS, (anchor << RECORD_BITS) + CHAIN);
    }
    this.#records = [anchors];
    this.#deadlines = [new Float64Array(0)];
    this.#items = [[]];
    this.#sizes = [new Float64Array(0)];
    this.#slotsEnd = this.#slotsMade = CHUNK_SLOTS;
    this.#compactions = this.#size = this.#bytes = 0;
    this.#buckets = [new Int32Array(BUCKETS_MIN)];
    this.#bucketsEnd = BUCKETS_MIN;
    this.#bucketMask = BUCKETS_MIN - 1;
    this.#nextDueMs = this.#queueDueMs = this.#wheelDueMs = Infinity;
    this.#cursorHigh = this.#cursorLow = 0;
    this.#open = -1;
    this.#marks.fill(0);
    this.#missedKey = "";
    this.#missedHash = hashOf("");
  }

  #field(slot: number, field: number): number {
    return this.#records[slot >>> CHUNK_BITS][((slot & CHUNK_MASK) << RECORD_BITS) + field];
  }

  #setField(slot: number, field: number, value: number): void {
    this.#records[slot >>> CHUNK_BITS][((slot & CHUNK_MASK) << RECORD_BITS) + field] = value;
  }

  #deadline(slot: number): number {
    return this.#deadlines[slot >>> CHUNK_BITS][((slot & CHUNK_MASK) << DEADLINE_BITS) + DEADLINE];
  }

  #key(slot: number): string {
    return this.#items[slot >>> CHUNK_BITS][(slot & CHUNK_MASK) << 1] as string;
  }

  #value(slot: number): V {
    return this.#items[slot >>> CHUNK_BITS][((slot & CHUNK_MASK) << 1) + 1] as V;
  }

  /** Puts `slot` between two neighbours of a ring; `field` is NEWER or SOONER. */
  #insert(slot: number, field: number, before: number, after: number): void {
    const record = this.#records[slot >>> CHUNK_BITS];
    const at = ((slot & CHUNK_MASK) << RECORD_BITS) + field;
    record[at] = before;
    record[at + 1] = after;
    this.#setField(before, field + 1, slot);
    this.#setField(after, field, slot);
  }

  #unlink(slot: number, field: number): void {
    const record = this.#records[slot >>> CHUNK_BITS];
    const at = ((slot & CHUNK_MASK) << RECORD_BITS) + field;
    const before = record[at];
    const after = record[at + 1];
    this.#setField(before, field + 1, after);
    this.#setField(after, field, before);
  }

  #take(): number {
    const slot = this.#records[0][(FREE << RECORD_BITS) + OLDER];
    if (slot !== FREE) {
      this.#unlink(slot, NEWER);
      return slot;
    }
    if (this.#slotsEnd === this.#slotsMade) this.#grow();
    return this.#slotsEnd++;
  }

  /** Doubles the first chunk until it is full size, then adds chunks: never a copy of more than half a chunk. */
  #grow(): void {
    const made = this.#slotsMade - CHUNK_SLOTS;
    const chunk = made < CHUNK_SLOTS ? 1 : this.#records.length;
    const slots = made === 0 ? FIRST_CHUNK_SLOTS : made < CHUNK_SLOTS ? made * 2 : CHUNK_SLOTS;
    const records = new Int32Array(slots << RECORD_BITS);
    const items = new Array(slots * 2).fill(undefined);
    const sizes = new Float64Array(this.#countsBytes ? slots : 0);
    if (chunk < this.#records.length) {
      records.set(this.#records[chunk]);
      sizes.set(this.#sizes[chunk]);
      for (let i = 0; i < made * 2; i++) items[i] = this.#items[chunk][i];
    }
    this.#records[chunk] = records;
    this.#deadlines[chunk] = new Float64Array(records.buffer);
    this.#items[chunk] = items;
    this.#sizes[chunk] = sizes;
    this.#slotsMade = chunk * CHUNK_SLOTS + slots;
  }

  /** Begins to count when `bytes` come without `bytesMax`: once, a step for each chunk. */
  #countBytes(): void {
    this.#countsBytes = true;
    this.#sizes = this.#records.map((records) => new Float64Array(records.length >>> RECORD_BITS));
  }

  /** Takes an item out of the rings of recency and expiry, and its bytes out of the sum. */
  #detach(slot: number): void {
    const records = this.#records;
    const record = records[slot >>> CHUNK_BITS];
    const at = (slot & CHUNK_MASK) << RECORD_BITS;
    const newer = record[at];
    const older = record[at + OLDER];
    const sooner = record[at + SOONER];
    const later = record[at + LATER];
    records[newer >>> CHUNK_BITS][((newer & CHUNK_MASK) << RECORD_BITS) + OLDER] = older;
    records[older >>> CHUNK_BITS][(older & CHUNK_MASK) << RECORD_BITS] = newer;
    records[sooner >>> CHUNK_BITS][((sooner & CHUNK_MASK) << RECORD_BITS) + LATER] = later;
    records[later >>> CHUNK_BITS][((later & CHUNK_MASK) << RECORD_BITS) + SOONER] = sooner;
    if (this.#countsBytes) this.#bytes -= this.#sizes[slot >>> CHUNK_BITS][slot & CHUNK_MASK];
  }

  #remove(slot: number, reason: RemoveReason): void {
    this.#note(slot, reason);
    this.#detach(slot);
    this.#unchain(slot);
    const items = this.#items[slot >>> CHUNK_BITS];
    const at = (slot & CHUNK_MASK) << 1;
    items[at] = undefined;
    items[at + 1] = undefined;
    this.#insert(slot, NEWER, FREE, this.#records[0][(FREE << RECORD_BITS) + OLDER]);
    this.#compactions += 2;
    this.#size--;
    while (this.#bucketsEnd > BUCKETS_PER_ITEM_MAX * this.#size + BUCKETS_MIN) this.#dropBucket();
  }

  /** A slot for a new item: in a full cache that of the least recently used one, without a detour by the free ring. */
  #claim(nowMs: number): number {
    if (this.#size >= this.#entriesMax && !this.#sweepOne(nowMs)) {
      const slot = this.#records[0][NEWER];
      this.#note(slot, nowMs >= this.#deadline(slot) ? "expired" : "evicted");
      this.#detach(slot);
      this.#unchain(slot);
      return slot;
    }
    this.#size++;
    for (let i = 0; i < BUCKETS_PER_ITEM && this.#bucketsEnd < BUCKETS_PER_ITEM * this.#size; i++) this.#addBucket();
    return this.#take();
  }

  #sweepOne(nowMs: number): boolean {
    return nowMs >= this.#nextDueMs && this.#sweep(nowMs, { removals: 1, steps: STEPS_PER_SET }) > 0;
  }

  #evict(nowMs: number): void {
    if (this.#sweepOne(nowMs)) return;
    const slot = this.#records[0][NEWER];
    this.#remove(slot, nowMs >= this.#deadline(slot) ? "expired" : "evicted");
  }

  #note(slot: number, reason: RemoveReason): void {
    this.removals[reason]++;
    if (this.#onRemove !== undefined) this.#removed.push(this.#key(slot), this.#value(slot), reason);
  }

  /** Ends an operation: gives memory back by bounded steps, then tells what was removed. The last thing it does. */
  #finish(): void {
    if (this.#compactions > 0) {
      while (this.#compactions-- > 0 && this.#slotsEnd - CHUNK_SLOTS > 2 * this.#size + CHUNK_SLOTS) this.#compact();
      this.#compactions = 0;
    }
    if (this.#removed.length > 0) this.#tell();
  }

  /** Empties the last slot and forgets it; the last chunk goes when its last slot does. */
  #compact(): void {
    const last = --this.#slotsEnd;
    if (this.#key(last) === undefined) {
      this.#unlink(last, NEWER);
    } else {
      const slot = this.#take();
      const from = this.#records[last >>> CHUNK_BITS];
      const fromAt = (last & CHUNK_MASK) << RECORD_BITS;
      this.#unchain(last);
      this.#records[slot >>> CHUNK_BITS].set(
        from.subarray(fromAt, fromAt + (1 << RECORD_BITS)),
        (slot & CHUNK_MASK) << RECORD_BITS,
      );
      this.#chain(slot, this.#field(slot, HASH));
      for (const field of [NEWER, SOONER]) {
        this.#setField(this.#field(slot, field), field + 1, slot);
        this.#setField(this.#field(slot, field + 1), field, slot);
      }
      const items = this.#items[slot >>> CHUNK_BITS];
      items[(slot & CHUNK_MASK) << 1] = this.#key(last);
      items[((slot & CHUNK_MASK) << 1) + 1] = this.#value(last);
      if (this.#countsBytes) {
        this.#sizes[slot >>> CHUNK_BITS][slot & CHUNK_MASK] = this.#sizes[last >>> CHUNK_BITS][last & CHUNK_MASK];
      }
      const left = this.#items[last >>> CHUNK_BITS];
      left[(last & CHUNK_MASK) << 1] = left[((last & CHUNK_MASK) << 1) + 1] = undefined;
    }
    if ((last & CHUNK_MASK) === 0) {
      this.#records.pop();
      this.#deadlines.pop();
      this.#items.pop();
      this.#sizes.pop();
      this.#slotsMade = last;
    }
  }

  #tell(): void {
    const removed = this.#removed;
    const errors: unknown[] = [];
    this.#removed = [];
    for (let i = 0; i < removed.length; i += 3) {
      try {
        this.#onRemove!(removed[i] as string, removed[i + 1] as V, removed[i + 2] as RemoveReason);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  // Index

  /** The slot of `key`, or 0. */
  #find(key: string, hash: number): number {
    const records = this.#records;
    let at = hash & this.#bucketMask;
    if (at >= this.#bucketsEnd) at &= this.#bucketMask >>> 1;
    let slot = this.#buckets[at >>> CHUNK_BITS][at & CHUNK_MASK];
    while (slot !== 0) {
      const record = records[slot >>> CHUNK_BITS];
      const field = (slot & CHUNK_MASK) << RECORD_BITS;
      if (record[field + HASH] === hash && this.#items[slot >>> CHUNK_BITS][(slot & CHUNK_MASK) << 1] === key) break;
      slot = record[field + CHAIN];
    }
    return slot;
  }

  #bucketOf(hash: number): number {
    const at = hash & this.#bucketMask;
    return at < this.#bucketsEnd ? at : at & (this.#bucketMask >>> 1);
  }

  #bucket(at: number): number {
    return this.#buckets[at >>> CHUNK_BITS][at & CHUNK_MASK];
  }

  #setBucket(at: number, slot: number): void {
    this.#buckets[at >>> CHUNK_BITS][at & CHUNK_MASK] = slot;
  }

  /** Puts an item in front of the chain of its hash. */
  #chain(slot: number, hash: number): void {
    const bucket = this.#bucketOf(hash);
    const buckets = this.#buckets[bucket >>> CHUNK_BITS];
    const record = this.#records[slot >>> CHUNK_BITS];
    const at = (slot & CHUNK_MASK) << RECORD_BITS;
    record[at + HASH] = hash;
    record[at + CHAIN] = buckets[bucket & CHUNK_MASK];
    buckets[bucket & CHUNK_MASK] = slot;
  }

  #unchain(slot: number): void {
    const records = this.#records;
    const record = records[slot >>> CHUNK_BITS];
    const at = (slot & CHUNK_MASK) << RECORD_BITS;
    const bucket = this.#bucketOf(record[at + HASH]);
    let holder = this.#buckets[bucket >>> CHUNK_BITS];
    let link = bucket & CHUNK_MASK;
    for (let next = holder[link]; next !== slot; next = holder[link]) {
      holder = records[next >>> CHUNK_BITS];
      link = ((next & CHUNK_MASK) << RECORD_BITS) + CHAIN;
    }
    holder[link] = record[at + CHAIN];
  }

  /** Adds a bucket and moves to it what belongs there from the one bucket that held it until now. */
  #addBucket(): void {
    const added = this.#bucketsEnd++;
    if (added > this.#bucketMask) this.#bucketMask = this.#bucketMask * 2 + 1;
    const chunk = added >>> CHUNK_BITS;
    if (chunk === this.#buckets.length) this.#buckets.push(new Int32Array(CHUNK_SLOTS));
    else if (added === this.#buckets[chunk].length) {
      const buckets = new Int32Array(added * 2);
      buckets.set(this.#buckets[chunk]);
      this.#buckets[chunk] = buckets;
    }
    const from = added & (this.#bucketMask >>> 1);
    let kept = 0;
    let moved = 0;
    for (let slot = this.#bucket(from), next = 0; slot !== 0; slot = next) {
      next = this.#field(slot, CHAIN);
      if ((this.#field(slot, HASH) & this.#bucketMask) === added) {
        this.#setField(slot, CHAIN, moved);
        moved = slot;
      } else {
        this.#setField(slot, CHAIN, kept);
        kept = slot;
      }
    }
    this.#setBucket(from, kept);
    this.#setBucket(added, moved);
  }

  /** Drops the last bucket and moves what it held to the bucket that it came from. */
  #dropBucket(): void {
    const dropped = --this.#bucketsEnd;
    const to = dropped & (this.#bucketMask >>> 1);
    for (let slot = this.#bucket(dropped), next = 0; slot !== 0; slot = next) {
      next = this.#field(slot, CHAIN);
      this.#setField(slot, CHAIN, this.#bucket(to));
      this.#setBucket(to, slot);
    }
    this.#setBucket(dropped, 0);
    if ((dropped & CHUNK_MASK) === 0) this.#buckets.pop();
    if (dropped === (this.#bucketMask + 1) / 2) this.#bucketMask >>>= 1;
  }

  // Expiry

  #schedule(slot: number, deadlineMs: number, nowMs: number): void {
    const nowTick = tickOf(nowMs);
    if (nowTick < this.#cursorHigh * LOW + this.#cursorLow) this.#rewind(nowTick);
    else if (this.#open < 0 && nowMs < this.#wheelDueMs) this.#moveCursor(nowTick);
    this.#place(slot, deadlineMs);
  }

  #moveCursor(tick: number): void {
    this.#cursorHigh = Math.floor(tick / LOW);
    this.#cursorLow = tick - this.#cursorHigh * LOW;
  }

  /** Puts an item, whose deadline is not before the cursor, into its ring of the wheel. */
  #place(slot: number, deadlineMs: number): void {
    const tick = tickOf(deadlineMs);
    const high = Math.floor(tick / LOW);
    const low = tick - high * LOW;
    const isHigh = high !== this.#cursorHigh;
    const part = isHigh ? high : low;
    const digitAt = digitOf(isHigh ? high ^ this.#cursorHigh : low ^ this.#cursorLow);
    const digits = part >>> (digitAt * DIGIT_BITS);
    const at = (((isHigh ? LOW_LEVELS : 0) + digitAt) << DIGIT_BITS) | (digits & (DIGITS - 1));
    const anchor = WHEEL + at;
    this.#insert(slot, SOONER, this.#records[0][(anchor << RECORD_BITS) + SOONER], anchor);
    this.#marks[at >>> 5] |= 1 << (at & 31);
    const start = digits << (digitAt * DIGIT_BITS);
    const dueMs = (isHigh ? start * LOW : high * LOW + start) - TICK_OFFSET;
    if (dueMs < this.#wheelDueMs) this.#wheelDueMs = dueMs;
    if (dueMs < this.#nextDueMs) this.#nextDueMs = dueMs;
  }

  /**
   * Moves the cursor back. What lies at levels below the highest digit that changes belongs, seen from there, to one
   * ring: the one that the cursor is in. What lies at that level or above it stays where it is.
   */
  #rewind(tick: number): void {
    const high = Math.floor(tick / LOW);
    const isHigh = high !== this.#cursorHigh;
    const digitAt = digitOf(isHigh ? high ^ this.#cursorHigh : (tick - high * LOW) ^ this.#cursorLow);
    const digit = ((isHigh ? this.#cursorHigh : this.#cursorLow) >>> (digitAt * DIGIT_BITS)) & (DIGITS - 1);
    const level = (isHigh ? LOW_LEVELS : 0) + digitAt;
    const target = (level << DIGIT_BITS) | digit;
    for (let anchor = WHEEL; anchor < WHEEL + (level << DIGIT_BITS); anchor++) {
      const first = this.#field(anchor, LATER);
      if (first === anchor) continue;
      const last = this.#field(anchor, SOONER);
      const before = this.#field(WHEEL + target, SOONER);
      this.#setField(before, LATER, first);
      this.#setField(first, SOONER, before);
      this.#setField(last, LATER, WHEEL + target);
      this.#setField(WHEEL + target, SOONER, last);
      this.#setField(anchor, SOONER, anchor);
      this.#setField(anchor, LATER, anchor);
    }
    this.#marks.fill(0, 0, level * 2);
    this.#marks[target >>> 5] |= 1 << (target & 31);
    this.#open = -1;
    this.#moveCursor(tick);
    this.#wheelDueMs = this.#nextDueMs = -Infinity;
  }

  /** Removes dead items within a budget and finds out when it is worth coming back. */
  #sweep(nowMs: number, { removals, steps }: { removals: number; steps: number }): number {
    let count = 0;
    if (nowMs >= this.#queueDueMs) {
      for (;;) {
        const slot = this.#field(QUEUE, LATER);
        this.#queueDueMs = slot === QUEUE ? Infinity : this.#deadline(slot);
        if (nowMs < this.#queueDueMs || count >= removals) break;
        this.#remove(slot, "expired");
        count++;
      }
    }
    if (nowMs >= this.#wheelDueMs) count += this.#sweepWheel(nowMs, { removals: removals - count, steps });
    this.#nextDueMs = Math.min(this.#queueDueMs, this.#wheelDueMs);
    return count;
  }

  #sweepWheel(nowMs: number, { removals, steps }: { removals: number; steps: number }): number {
    const nowTick = tickOf(nowMs);
    let count = 0;
    let firstKept = 0;
    for (let step = 0; step < steps && count < removals; step++) {
      let at = this.#open;
      if (at < 0) {
        at = this.#earliest();
        const start = at < 0 ? Infinity : this.#startOf(at);
        this.#wheelDueMs = start - TICK_OFFSET;
        if (start > nowTick) break;
        this.#moveCursor(start);
        if (at >= DIGITS) this.#open = at;
      }
      const anchor = WHEEL + at;
      const slot = this.#field(anchor, LATER);
      if (slot === anchor) {
        this.#marks[at >>> 5] &= ~(1 << (at & 31));
        this.#open = -1;
      } else if (nowMs >= this.#deadline(slot)) {
        this.#remove(slot, "expired");
        count++;
      } else if (at >= DIGITS) {
        this.#unlink(slot, SOONER);
        this.#place(slot, this.#deadline(slot));
      } else {
        // Within the present millisecond some are dead and some not: look at each once, the live ones go to the back.
        if (slot === firstKept) break;
        if (firstKept === 0) firstKept = slot;
        this.#unlink(slot, SOONER);
        this.#insert(slot, SOONER, this.#field(anchor, SOONER), anchor);
      }
    }
    return count;
  }

  /** The marked ring that begins first, or -1: levels below hold nothing later than levels above. */
  #earliest(): number {
    for (let word = 0; word < LEVELS * 2; word++) {
      const bits = this.#marks[word];
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits & -bits);
    }
    return -1;
  }

  /** The tick with which a ring begins, seen from the cursor. */
  #startOf(at: number): number {
    const level = at >>> DIGIT_BITS;
    const isHigh = level >= LOW_LEVELS;
    const shift = (isHigh ? level - LOW_LEVELS : level) * DIGIT_BITS;
    const above = (isHigh ? this.#cursorHigh : this.#cursorLow) >>> shift >>> DIGIT_BITS;
    const start = ((above << DIGIT_BITS) | (at & (DIGITS - 1))) << shift;
    return isHigh ? start * LOW : this.#cursorHigh * LOW + start;
  }
}
