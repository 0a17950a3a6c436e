/**
 * A cache in memory: least recently used items leave first, every item has a deadline, and bytes are bounded as well.
 * Every operation is O(1) in the worst case, also when a million items expire at one instant. No timers, no imports.
 *
 *   key ─hash─▶ buckets ──▶ slot ──▶ record, 32 bytes: newer │ older │ chain │ hash │ deadline │ sooner │ later
 *                                    place, 2 pointers: key │ value
 *
 *   recency   one ring of all items through newer/older: its two ends are the most and the least recently used
 *   expiry    rings through sooner/later: one queue, and the rings of a timing wheel
 *   free      one ring of unused slots, last freed first taken
 *
 * **Slots.** An item is a number. Its record lies at that number in one typed array, so a hit touches few cache lines,
 * allocates nothing, and the garbage collector has no objects to follow. One array, because chunks, an indirection for
 * each neighbour, doubled the time of moving an item to the front. Copying 16 MB at once took 25 to 50 ms, so when the
 * array grows (by half) or shrinks (to a half), each operation moves 16 records until all are moved; meanwhile there
 * are two arrays, and a record is in the old one when its number is below a mark. Making a large one takes constant
 * time by a detour, see `zeros`. Where fewer than half of the slots are used, each removal moves up to two items out of
 * the last slots. Keys and values lie in chunks: an array of pointers cannot be made in constant time.
 *
 * **Index.** A table of chains. It is doubled and halved like the records, a few buckets with each operation; whoever
 * looks for a key moves its bucket first, and then only the new table counts. A `Map` is faster to ask, because it
 * keeps the hash in the string, but stops to rehash: at 1 M items one `set` took 50 to 130 ms, again and again as keys
 * come and go, and one that held 9 M threw `Map maximum size exceeded` when 8 M more had come and gone.
 *
 * **Hash.** Reading a character costs about 1 ns, so at first a hash looks at no more than eight of them. When five
 * keys have the same hash, the keys of this cache are such that samples do not tell them apart (or somebody chose
 * them): from then on, until `clear`, it hashes whole keys, and those that are there are hashed anew as their buckets
 * are moved. Hashes are seeded by numbers that the process draws; they are not cryptographic: chosen collisions are
 * made hard, not ruled out. 'O(1)' counts the steps of an operation, where the length of the key and of a chain (1.4
 * on average when it is fullest) are given.
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
 * `bench/results/cache.txt`; 57 bytes an item when a million fill a cache, 53 to 75 on the way there and twice the
 * records' 32 while they are moved; 8 more when bytes are counted; and some 20 KB a cache.
 *
 * **Invariants** (`checkInvariants`): each item is in the recency ring, in one expiry ring and in one chain, that of
 * its hash; the queue is in order of deadlines; no deadline in the wheel lies before the cursor; only the open ring can
 * begin at the cursor above level 0; `nextDueMs` is not later than any deadline; the bytes are the sum of the items'
 * bytes; records, buckets and places are no more than a constant times what the items need, except while moving.
 */

/** Why an item left. `replaced` is told also when the new value was too large to be kept. */
export type RemoveReason = "expired" | "evicted" | "deleted" | "replaced" | "cleared";

/** What a cache is made with. */
export interface LruTtlCacheOptions<V> {
  /**
   * Most items held: a positive integer; more than 2^27 counts as 2^27. Nothing is allocated for items that never come.
   */
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

/** What `checkInvariants` found a cache to be doing, so that a test can tell that it got there. */
export interface LruTtlCacheState {
  /** Records are being moved to an array of another size. */
  movesRecords: boolean;
  /** Buckets are being moved to a table of another size, or to whole hashes. */
  movesBuckets: boolean;
  /** Keys are hashed whole, since samples did not tell them apart. */
  hashesWhole: boolean;
  /** Some of the items have a whole and some still a sampled hash. */
  hasMixedHashes: boolean;
  /** Most items in one chain of the index. */
  chainMax: number;
}

// A record: eight numbers of 32 bits, of which two are the deadline (the third number of 64 bits). What a hit needs
// comes first: arrays begin at a multiple of 16 bytes and not of 32, so the halves of a record can be in two cache lines.
const RECORD_BITS = 3;
const NEWER = 0;
const OLDER = 1;
const CHAIN = 2;
const HASH = 3;
const DEADLINE_BITS = 2;
const DEADLINE = 2;
const SOONER = 6;
const LATER = 7;

// The wheel: a tick is a millisecond, moved so that all are positive, and split in two parts that fit 32-bit
// operations.
const DIGIT_BITS = 6;
const DIGITS = 1 << DIGIT_BITS;
const LEVELS = 9;
const LOW_LEVELS = 5;
const LOW = 2 ** (DIGIT_BITS * LOW_LEVELS);
const TICK_OFFSET = 2 ** 52;
const TICK_MAX = Number.MAX_SAFE_INTEGER;

// The first records are anchors, one for each ring; the slots of items come behind them.
const RECENCY = 0;
const QUEUE = 1;
const FREE = 2;
const WHEEL = 3;
const FIRST = WHEEL + LEVELS * DIGITS;

// Records are kept in one array that grows by half and shrinks to a half. 2^27 slots are 4 GiB of them.
const SLOTS_MIN = FIRST + 16;
const SLOTS_MAX = 2 ** 27;

// Keys and values lie in chunks of 2^12 slots, because an array of pointers cannot be made in constant time. Only the
// first chunk grows by doubling, so a small cache stays small whatever its bound.
const CHUNK_BITS = 12;
const CHUNK_SLOTS = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_SLOTS - 1;
const CHUNK_SLOTS_MIN = 16;

// Buckets, of 4 bytes, are doubled when three of four have an item on average, and halved at one of eight.
const BUCKETS_MIN = 16;
const MOVED = -1;

/** Unused slots that are kept beside as many as there are items. */
const SPARE_SLOTS = 16;

// What a step moves. All of n records or buckets are moved after n / 16 operations; until records have to grow again at
// least n / 2 items must come, and until buckets have to, three quarters as many.
const SLOTS_PER_STEP = 16;
const BUCKETS_PER_STEP = 16;

// Arrays above 256 KiB are made of pages: rounding up takes a fifth of them at most, a hundredth of large ones.
const PAGE_BYTES = 65_536;
const PAGES_MIN = 5;
const NO_NUMBERS: Int32Array = new Int32Array(0);
const NO_DEADLINES: Float64Array = new Float64Array(0);

/** Most keys of one sampled hash; the next makes the cache hash whole keys from then on. */
const TWINS_MAX = 4;

/** Most dead items that a `set` removes beyond what it needs, and most steps that it makes in the wheel. */
const SWEPT_PER_SET = 8;
const STEPS_PER_SET = 24;

/** Most dead items that `expire` removes when it is not told: well under a millisecond. */
const EXPIRE_BUDGET = 1_000;

// Odd numbers that nobody outside the process knows.
const [SEED, A, B, C, D] = Array.from({ length: 5 }, () => Math.floor(Math.random() * 2 ** 32) | 1);

/**
 * A hash of the length and eight characters: the last six, which tell `user:1` from `user:2`, the middle one and that
 * at a quarter. Shorter keys are taken whole.
 */
function sampledHash(key: string): number {
  const length = key.length;
  if (length < 8) return wholeHash(key);
  let hash = SEED ^ length ^ key.charCodeAt(length - 1) ^ (key.charCodeAt(length - 2) << 8) ^
    (key.charCodeAt(length - 3) << 16) ^ (key.charCodeAt(length - 4) << 24);
  hash = Math.imul(hash, A);
  hash ^= (hash >>> 15) ^ key.charCodeAt(length - 5) ^ (key.charCodeAt(length - 6) << 8) ^
    (key.charCodeAt(length >> 1) << 16) ^ (key.charCodeAt(length >> 2) << 24);
  hash = Math.imul(hash, B);
  return hash ^ (hash >>> 16);
}

/** A hash of all characters, in two lanes so that multiplications overlap. */
function wholeHash(key: string): number {
  const length = key.length;
  let a = SEED ^ length;
  let b = ~SEED;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    a = Math.imul(Math.imul(a ^ key.charCodeAt(i), A) ^ key.charCodeAt(i + 1), B);
    b = Math.imul(Math.imul(b ^ key.charCodeAt(i + 2), C) ^ key.charCodeAt(i + 3), D);
    a ^= a >>> 15;
    b ^= b >>> 13;
  }
  for (; i < length; i++) a = Math.imul(a ^ key.charCodeAt(i), C);
  return mixed(a, b);
}

/** Mixes high bits into the low ones, which choose the bucket. */
function mixed(a: number, b: number): number {
  a ^= Math.imul(b ^ (b >>> 15), 0x9e3779b1);
  a = Math.imul(a ^ (a >>> 16), 0x7feb352d);
  return a ^ (a >>> 15);
}

/**
 * As many zeros, made in a time that does not depend on their number.
 *
 * Memory for an array that the process has used before is cleared first, 32 MB in up to 2 ms; that of WebAssembly is
 * mapped anew, in 0.07 ms. It takes address space, which may be limited: then the array is a usual one.
 */
function zeros(count: number): Int32Array {
  const pages = Math.ceil(count * Int32Array.BYTES_PER_ELEMENT / PAGE_BYTES);
  if (pages < PAGES_MIN) return new Int32Array(count);
  try {
    return new Int32Array(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer, 0, count);
  } catch {
    return new Int32Array(count);
  }
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

  // While records are being moved, from the last to the first, those below #movedTo are still in the old arrays.
  #records = NO_NUMBERS;
  #deadlines = NO_DEADLINES;
  #oldRecords = NO_NUMBERS;
  #oldDeadlines = NO_DEADLINES;
  #movedTo = 0;
  #slotsEnd = FIRST;

  #items: unknown[][] = [];
  #sizes: Float64Array[] = [];
  #countsBytes: boolean;
  #placesMade = 0;
  #compactions = 0;
  #size = 0;
  #bytes = 0;

  // While buckets are being moved, an old one says MOVED or holds what is not yet in the new ones.
  #buckets = NO_NUMBERS;
  #oldBuckets = NO_NUMBERS;
  #bucketsMoved = 0;
  #isMoving = false;

  // Whole hashes: from when samples did not tell keys apart. Then items of both kinds are there until all are moved.
  #isWhole = false;
  #isMixed = false;
  #makesWhole = false;
  #twins = 0;

  // A miss is often followed by a set of the same key, which then need be neither hashed nor looked for.
  #isAbsent = false;
  #absentKey = "";
  #absentHash = 0;

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
    this.#entriesMax = Math.min(entriesMax, SLOTS_MAX - FIRST);
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
    if (this.#isMoving) return this.#getWhileMoving(key);
    // The same steps as in #getWhileMoving, written out for records that are all in one array.
    const hash = this.#isWhole ? wholeHash(key) : sampledHash(key);
    const records = this.#records;
    const buckets = this.#buckets;
    let twins = 0;
    let slot = buckets[hash & (buckets.length - 1)];
    while (slot !== 0) {
      const at = slot << RECORD_BITS;
      if (records[at + HASH] === hash) {
        const items = this.#items[(slot - FIRST) >>> CHUNK_BITS];
        const item = ((slot - FIRST) & CHUNK_MASK) << 1;
        if (items[item] === key) {
          const nowMs = this.#nowMs();
          if (nowMs >= this.#nextDueMs && nowMs >= this.#deadlines[(slot << DEADLINE_BITS) + DEADLINE]) {
            this.#remove(slot, "expired");
            this.#finish();
            return undefined;
          }
          const newer = records[at];
          if (newer !== RECENCY) {
            const older = records[at + OLDER];
            records[(newer << RECORD_BITS) + OLDER] = older;
            records[older << RECORD_BITS] = newer;
            const first = records[OLDER];
            records[at] = RECENCY;
            records[at + OLDER] = first;
            records[first << RECORD_BITS] = slot;
            records[OLDER] = slot;
          }
          return items[item + 1] as V;
        }
        twins++;
      }
      slot = records[at + CHAIN];
    }
    this.#isAbsent = twins === 0;
    this.#absentKey = key;
    this.#absentHash = hash;
    return undefined;
  }

  #getWhileMoving(key: string): V | undefined {
    this.#move();
    const slot = this.#find(key, this.#hashOf(key));
    if (slot === 0) return undefined;
    if (this.#nowMs() >= this.#deadline(slot)) {
      this.#remove(slot, "expired");
      this.#finish();
      return undefined;
    }
    this.#unlink(slot, NEWER);
    this.#insert(slot, NEWER, RECENCY, this.#field(RECENCY, OLDER));
    return this.#value(slot);
  }

  /** Returns the live value of `key`, undefined when absent. Changes nothing. */
  peek(key: string): V | undefined {
    const slot = this.#find(key, this.#hashOf(key));
    return slot === 0 || this.#nowMs() >= this.#deadline(slot) ? undefined : this.#value(slot);
  }

  /** Tells whether `key` has a live value. Changes nothing. */
  has(key: string): boolean {
    return this.peek(key) !== undefined;
  }

  /** Returns the milliseconds until `key` is dead, more than 0; undefined when absent. Changes nothing. */
  remainingMs(key: string): number | undefined {
    const slot = this.#find(key, this.#hashOf(key));
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
    if (this.#isMoving) this.#move();
    let slot = 0;
    let hash = this.#absentHash;
    if (this.#isAbsent && key === this.#absentKey) this.#isAbsent = false;
    else {
      hash = this.#hashOf(key);
      slot = this.#find(key, hash);
      if (slot === 0 && this.#twins >= TWINS_MAX && !this.#isWhole) {
        this.#hashWhole();
        hash = this.#hashOf(key);
      }
    }
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
    }
    this.#setItem(slot, key, value);
    this.#setDeadline(slot, deadlineMs);
    if (bytes !== 0 && !this.#countsBytes) this.#countBytes();
    this.#setBytes(slot, bytes);
    this.#bytes += bytes;
    this.#insert(slot, NEWER, RECENCY, this.#field(RECENCY, OLDER));
    const last = this.#field(QUEUE, SOONER);
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
    const slot = this.#find(key, this.#hashOf(key));
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

  /**
   * Throws an Error when an invariant of the head of this file is broken, and returns in which of its rarer states the
   * cache is. For tests: it looks at all items.
   */
  checkInvariants(): LruTtlCacheState {
    const check = (holds: boolean, invariant: string): void => {
      if (!holds) throw new Error(`Broken invariant: ${invariant}`);
    };
    const cursor = this.#cursorHigh * LOW + this.#cursorLow;
    const ring = (anchor: number, field: number): number[] => {
      const slots: number[] = [];
      for (let last = anchor, slot = this.#field(anchor, field + 1); slot !== anchor;) {
        check(this.#field(slot, field) === last, "a ring is linked both ways");
        check(slot >= FIRST && slot < this.#slotsEnd, "a ring holds slots in use");
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
    check(items.size + free.length === this.#slotsEnd - FIRST, "each slot is used or free");
    check(this.#slotsEnd - FIRST <= 2 * this.#size + SPARE_SLOTS + 2, "slots are given back");
    const slots = this.#records.length >>> RECORD_BITS;
    check(this.#slotsEnd <= slots && this.#movedTo <= slots, "there is a record for each slot");
    check(this.#slotsEnd - FIRST <= this.#placesMade, "there is a place for each slot");
    check(this.#isMoving === (this.#movedTo > 0 || this.#oldBuckets.length > 0), "isMoving tells whether a move is on");
    check(!this.#isMixed || this.#isMoving, "hashes are mixed only while a move is on");
    if (!this.#isMoving) {
      check(slots <= Math.max(SLOTS_MIN, 4 * this.#slotsEnd), "records are given back");
      check(this.#buckets.length <= Math.max(BUCKETS_MIN, 8 * this.#size), "buckets are given back");
    }
    const chained = new Set<number>();
    let chainMax = 0;
    for (const buckets of [this.#buckets, this.#oldBuckets]) {
      buckets.forEach((first, bucket) => {
        let length = 0;
        for (let slot = first; slot > 0; slot = this.#field(slot, CHAIN)) {
          check(items.has(slot) && !chained.has(slot), "each item is in one chain");
          check((this.#field(slot, HASH) & (buckets.length - 1)) === bucket, "an item is in the chain of its hash");
          chained.add(slot);
          chainMax = Math.max(chainMax, ++length);
        }
      });
    }
    check(chained.size === this.#size, "each item is in a chain");
    let bytes = 0;
    for (const slot of items) {
      const hash = this.#field(slot, HASH);
      const key = this.#key(slot);
      const isCurrent = hash === (this.#isWhole ? wholeHash(key) : sampledHash(key));
      check(isCurrent || (this.#isMixed && hash === sampledHash(key)), "each record holds the hash of its key");
      check(this.#value(slot) !== undefined, "each item has a value");
      check(this.#nextDueMs <= this.#deadline(slot), "nextDueMs is not later than any deadline");
      bytes += this.#bytesOf(slot);
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
    return {
      movesRecords: this.#movedTo > 0,
      movesBuckets: this.#oldBuckets.length > 0,
      hashesWhole: this.#isWhole,
      hasMixedHashes: this.#isMixed,
      chainMax,
    };
  }

  // Slots

  #reset(): void {
    const records = new Int32Array(SLOTS_MIN << RECORD_BITS);
    for (let anchor = 0; anchor < FIRST; anchor++) {
      for (const field of [NEWER, OLDER, SOONER, LATER]) records[(anchor << RECORD_BITS) + field] = anchor;
    }
    this.#records = records;
    this.#deadlines = new Float64Array(records.buffer);
    this.#forgetOldRecords();
    this.#slotsEnd = FIRST;
    this.#items = [];
    this.#sizes = [];
    this.#placesMade = 0;
    this.#compactions = 0;
    this.#size = 0;
    this.#bytes = 0;
    this.#buckets = new Int32Array(BUCKETS_MIN);
    this.#oldBuckets = NO_NUMBERS;
    this.#isMoving = false;
    this.#isWhole = false;
    this.#isMixed = false;
    this.#makesWhole = false;
    this.#isAbsent = false;
    this.#nextDueMs = this.#queueDueMs = this.#wheelDueMs = Infinity;
    this.#cursorHigh = this.#cursorLow = 0;
    this.#open = -1;
    this.#marks.fill(0);
  }

  #recordsOf(slot: number): Int32Array {
    return slot < this.#movedTo ? this.#oldRecords : this.#records;
  }

  #field(slot: number, field: number): number {
    return this.#recordsOf(slot)[(slot << RECORD_BITS) + field];
  }

  #setField(slot: number, field: number, value: number): void {
    this.#recordsOf(slot)[(slot << RECORD_BITS) + field] = value;
  }

  #deadline(slot: number): number {
    const deadlines = slot < this.#movedTo ? this.#oldDeadlines : this.#deadlines;
    return deadlines[(slot << DEADLINE_BITS) + DEADLINE];
  }

  #setDeadline(slot: number, deadlineMs: number): void {
    const deadlines = slot < this.#movedTo ? this.#oldDeadlines : this.#deadlines;
    deadlines[(slot << DEADLINE_BITS) + DEADLINE] = deadlineMs;
  }

  #key(slot: number): string {
    return this.#items[(slot - FIRST) >>> CHUNK_BITS][((slot - FIRST) & CHUNK_MASK) << 1] as string;
  }

  #value(slot: number): V {
    return this.#items[(slot - FIRST) >>> CHUNK_BITS][(((slot - FIRST) & CHUNK_MASK) << 1) + 1] as V;
  }

  #setItem(slot: number, key: string | undefined, value: V | undefined): void {
    const items = this.#items[(slot - FIRST) >>> CHUNK_BITS];
    const at = ((slot - FIRST) & CHUNK_MASK) << 1;
    items[at] = key;
    items[at + 1] = value;
  }

  #bytesOf(slot: number): number {
    return this.#countsBytes ? this.#sizes[(slot - FIRST) >>> CHUNK_BITS][(slot - FIRST) & CHUNK_MASK] : 0;
  }

  #setBytes(slot: number, bytes: number): void {
    if (this.#countsBytes) this.#sizes[(slot - FIRST) >>> CHUNK_BITS][(slot - FIRST) & CHUNK_MASK] = bytes;
  }

  /** Puts `slot` between two neighbours of a ring; `field` is NEWER or SOONER. */
  #insert(slot: number, field: number, before: number, after: number): void {
    const records = this.#recordsOf(slot);
    const at = (slot << RECORD_BITS) + field;
    records[at] = before;
    records[at + 1] = after;
    this.#setField(before, field + 1, slot);
    this.#setField(after, field, slot);
  }

  #unlink(slot: number, field: number): void {
    const records = this.#recordsOf(slot);
    const at = (slot << RECORD_BITS) + field;
    const before = records[at];
    const after = records[at + 1];
    this.#setField(before, field + 1, after);
    this.#setField(after, field, before);
  }

  #take(): number {
    const slot = this.#field(FREE, OLDER);
    if (slot !== FREE) {
      this.#unlink(slot, NEWER);
      return slot;
    }
    const end = this.#slotsEnd;
    if (end - FIRST === this.#placesMade) this.#addPlaces();
    if (end === this.#records.length >>> RECORD_BITS) {
      this.#moveRecords(Math.min(end + (end >>> 1), FIRST + this.#entriesMax));
    }
    this.#slotsEnd++;
    return end;
  }

  /** Makes places for keys and values: doubles the first chunk until it is of full size, then adds chunks. */
  #addPlaces(): void {
    const made = this.#placesMade;
    const chunk = made < CHUNK_SLOTS ? 0 : this.#items.length;
    const slots = made === 0 ? CHUNK_SLOTS_MIN : made < CHUNK_SLOTS ? made * 2 : CHUNK_SLOTS;
    const items = new Array(slots * 2).fill(undefined);
    const sizes = new Float64Array(this.#countsBytes ? slots : 0);
    if (chunk < this.#items.length) {
      for (let i = 0; i < made * 2; i++) items[i] = this.#items[chunk][i];
      sizes.set(this.#sizes[chunk]);
    }
    this.#items[chunk] = items;
    this.#sizes[chunk] = sizes;
    this.#placesMade = chunk * CHUNK_SLOTS + slots;
  }

  /** Begins to count when `bytes` come without `bytesMax`: once, a step for each chunk. */
  #countBytes(): void {
    this.#countsBytes = true;
    this.#sizes = this.#items.map((items) => new Float64Array(items.length / 2));
  }

  /** Takes an item out of the rings of recency and expiry, and its bytes out of the sum. */
  #detach(slot: number): void {
    this.#unlink(slot, NEWER);
    this.#unlink(slot, SOONER);
    this.#bytes -= this.#bytesOf(slot);
  }

  #remove(slot: number, reason: RemoveReason): void {
    this.#note(slot, reason);
    this.#detach(slot);
    this.#unchain(slot);
    this.#setItem(slot, undefined, undefined);
    this.#insert(slot, NEWER, FREE, this.#field(FREE, OLDER));
    this.#compactions += 2;
    this.#size--;
    if (this.#isMoving) this.#move();
    else this.#beginMove();
  }

  /** A slot for a new item: in a full cache that of the least recently used one, without a detour by the free ring. */
  #claim(nowMs: number): number {
    if (this.#size >= this.#entriesMax && !this.#sweepOne(nowMs)) {
      const slot = this.#field(RECENCY, NEWER);
      this.#note(slot, nowMs >= this.#deadline(slot) ? "expired" : "evicted");
      this.#detach(slot);
      this.#unchain(slot);
      return slot;
    }
    this.#size++;
    if (this.#oldBuckets.length === 0 && this.#size * 4 > this.#buckets.length * 3) {
      this.#moveBuckets(this.#buckets.length * 2);
    }
    return this.#take();
  }

  #sweepOne(nowMs: number): boolean {
    return nowMs >= this.#nextDueMs && this.#sweep(nowMs, { removals: 1, steps: STEPS_PER_SET }) > 0;
  }

  #evict(nowMs: number): void {
    if (this.#sweepOne(nowMs)) return;
    const slot = this.#field(RECENCY, NEWER);
    this.#remove(slot, nowMs >= this.#deadline(slot) ? "expired" : "evicted");
  }

  #note(slot: number, reason: RemoveReason): void {
    this.removals[reason]++;
    if (this.#onRemove !== undefined) this.#removed.push(this.#key(slot), this.#value(slot), reason);
  }

  /** Ends an operation: gives slots back by bounded steps, then tells what was removed. The last thing it does. */
  #finish(): void {
    if (this.#compactions > 0) {
      while (this.#compactions-- > 0 && this.#slotsEnd - FIRST > 2 * this.#size + SPARE_SLOTS) this.#compact();
      this.#compactions = 0;
      if (!this.#isMoving) this.#beginMove();
    }
    if (this.#removed.length > 0) this.#tell();
  }

  /** Empties the last slot and forgets it; the last chunk of places goes when its last slot does. */
  #compact(): void {
    const last = --this.#slotsEnd;
    if (this.#key(last) === undefined) {
      this.#unlink(last, NEWER);
    } else {
      const slot = this.#take();
      this.#unchain(last);
      for (const field of [NEWER, SOONER]) {
        this.#insert(slot, field, this.#field(last, field), this.#field(last, field + 1));
      }
      this.#setDeadline(slot, this.#deadline(last));
      this.#setItem(slot, this.#key(last), this.#value(last));
      this.#setBytes(slot, this.#bytesOf(last));
      this.#setItem(last, undefined, undefined);
      this.#chain(slot, this.#field(last, HASH));
    }
    if (((last - FIRST) & CHUNK_MASK) === 0 && last > FIRST) {
      this.#items.pop();
      this.#sizes.pop();
      this.#placesMade = last - FIRST;
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

  // Moving

  /** Begins to move the records to an array for `slots` of them. */
  #moveRecords(slots: number): void {
    this.#oldRecords = this.#records;
    this.#oldDeadlines = this.#deadlines;
    this.#movedTo = this.#slotsEnd;
    this.#records = zeros(slots << RECORD_BITS);
    this.#deadlines = new Float64Array(this.#records.buffer);
    this.#isMoving = true;
  }

  #forgetOldRecords(): void {
    this.#movedTo = 0;
    this.#oldRecords = NO_NUMBERS;
    this.#oldDeadlines = NO_DEADLINES;
  }

  /** Begins to move the index to `count` buckets. */
  #moveBuckets(count: number): void {
    this.#oldBuckets = this.#buckets;
    this.#buckets = zeros(count);
    this.#bucketsMoved = 0;
    this.#makesWhole = this.#isMixed;
    this.#isMoving = true;
  }

  /** Hashes whole keys from now on, and begins to do so with those that are there, at the latest after the move that is on. */
  #hashWhole(): void {
    this.#isWhole = this.#isMixed = true;
    this.#isAbsent = false;
    if (this.#oldBuckets.length === 0) this.#moveBuckets(this.#buckets.length);
  }

  /** Moves some records and some buckets: the step that each `get`, `set` and removal makes while there is something to move. */
  #move(): void {
    if (this.#movedTo > 0) {
      const records = this.#records;
      const old = this.#oldRecords;
      const to = Math.max(this.#movedTo - SLOTS_PER_STEP, 0);
      for (let i = to << RECORD_BITS; i < this.#movedTo << RECORD_BITS; i++) records[i] = old[i];
      this.#movedTo = to;
      if (to === 0) this.#forgetOldRecords();
    }
    const count = this.#oldBuckets.length;
    if (count > 0) {
      for (let i = 0; i < BUCKETS_PER_STEP && this.#bucketsMoved < count; i++) this.#moveBucket(this.#bucketsMoved++);
      if (this.#bucketsMoved === count) {
        this.#oldBuckets = NO_NUMBERS;
        if (this.#makesWhole) this.#isMixed = this.#makesWhole = false;
      }
    }
    this.#isMoving = this.#movedTo > 0 || this.#oldBuckets.length > 0;
    if (!this.#isMoving) this.#beginMove();
  }

  /** Begins the next move that is due, when none is on. */
  #beginMove(): void {
    const slots = this.#records.length >>> RECORD_BITS;
    const count = this.#buckets.length;
    if (this.#isMixed) this.#moveBuckets(count);
    else if (count > BUCKETS_MIN && this.#size * 8 < count) this.#moveBuckets(count / 2);
    if (slots > SLOTS_MIN && this.#slotsEnd * 4 < slots) this.#moveRecords(slots >>> 1);
  }

  /** Moves what an old bucket holds to the new ones, unless that was done before. */
  #moveBucket(bucket: number): void {
    let slot = this.#oldBuckets[bucket];
    if (slot === MOVED) return;
    this.#oldBuckets[bucket] = MOVED;
    while (slot !== 0) {
      const next = this.#field(slot, CHAIN);
      this.#chain(slot, this.#makesWhole ? wholeHash(this.#key(slot)) : this.#field(slot, HASH));
      slot = next;
    }
  }

  /** Moves the bucket of `hash`, so that an item of this hash can only be in the new ones. */
  #moveBucketOf(hash: number): void {
    if (this.#oldBuckets.length > 0) this.#moveBucket(hash & (this.#oldBuckets.length - 1));
  }

  // Index

  /** The hash of `key` for #find and #chain; an item of this key is in the new buckets afterwards. */
  #hashOf(key: string): number {
    if (!this.#isWhole || this.#isMixed) this.#moveBucketOf(sampledHash(key));
    if (!this.#isWhole) return sampledHash(key);
    const hash = wholeHash(key);
    this.#moveBucketOf(hash);
    return hash;
  }

  /** The slot of `key`, or 0. */
  #find(key: string, hash: number): number {
    const slot = this.#findBy(hash, key);
    return slot === 0 && this.#isMixed ? this.#findBy(sampledHash(key), key) : slot;
  }

  #findBy(hash: number, key: string): number {
    let slot = this.#buckets[hash & (this.#buckets.length - 1)];
    this.#twins = 0;
    while (slot !== 0) {
      const records = this.#recordsOf(slot);
      const at = slot << RECORD_BITS;
      if (records[at + HASH] === hash) {
        if (this.#key(slot) === key) break;
        this.#twins++;
      }
      slot = records[at + CHAIN];
    }
    return slot;
  }

  /** Puts an item in front of the chain of its hash. */
  #chain(slot: number, hash: number): void {
    const buckets = this.#buckets;
    const bucket = hash & (buckets.length - 1);
    const records = this.#recordsOf(slot);
    const at = slot << RECORD_BITS;
    records[at + HASH] = hash;
    records[at + CHAIN] = buckets[bucket];
    buckets[bucket] = slot;
  }

  #unchain(slot: number): void {
    this.#moveBucketOf(this.#field(slot, HASH));
    const buckets = this.#buckets;
    const bucket = this.#field(slot, HASH) & (buckets.length - 1);
    const next = this.#field(slot, CHAIN);
    let before = buckets[bucket];
    if (before === slot) buckets[bucket] = next;
    else {
      while (this.#field(before, CHAIN) !== slot) before = this.#field(before, CHAIN);
      this.#setField(before, CHAIN, next);
    }
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
    this.#insert(slot, SOONER, this.#field(anchor, SOONER), anchor);
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
