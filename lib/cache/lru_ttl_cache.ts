/** Why an item left. `replaced` is told also when the new value was too large to be kept. */
export type RemoveReason = "expired" | "evicted" | "deleted" | "replaced" | "cleared";

/** What a cache is made with; see the class. */
export interface LruTtlCacheOptions<V> {
  /** Most items held. A positive integer. */
  entriesMax: number;
  /** How long an item lives, in milliseconds, when `set` does not say. Positive and finite. */
  ttlMs: number;
  /** Most bytes held, as counted by the `bytes` given to `set`. A positive integer; by default as good as none. */
  bytesMax?: number;
  /** The time in milliseconds; may stand still, jump, go backwards. By default `performance.now`. */
  nowMs?: () => number;
  /** Told of each item that left, after the operation that removed it is complete. It may use the cache. */
  onRemove?: (key: string, value: V, reason: RemoveReason) => void;
}

const CHUNK_BITS = 12;
const CHUNK_SLOTS = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_SLOTS - 1;
const FIRST_CHUNK_SLOTS = 16;

const RECENCY = 0;
const QUEUE = 1;
const FREE = 2;
const WHEEL = 3;

const PREV = 0;
const NEXT = 1;
const SOONER = 2;
const LATER = 3;

const DIGIT_BITS = 6;
const DIGITS = 1 << DIGIT_BITS;
const LOW_LEVELS = 5;
const LOW_BITS = DIGIT_BITS * LOW_LEVELS;
const LOW = 2 ** LOW_BITS;
const LEVELS = 9;
const TICK_OFFSET = 2 ** 52;
const TICK_MAX = Number.MAX_SAFE_INTEGER;

const SWEPT_PER_SET = 8;
const STEPS_PER_SET = 16;
const EXPIRE_BUDGET = 1024;

function tickOf(timeMs: number): number {
  const tick = Math.floor(timeMs) + TICK_OFFSET;
  return tick < 0 ? 0 : tick > TICK_MAX ? TICK_MAX : tick;
}

/** A cache that forgets what is old and what was not used for long. */
export class LruTtlCache<V> {
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  readonly #ttlMs: number;
  readonly #nowMs: () => number;
  readonly #onRemove: ((key: string, value: V, reason: RemoveReason) => void) | undefined;

  #index = new Map<string, number>();
  #links: Int32Array[] = [];
  #deadlines: Float64Array[] = [];
  #sizes: Float64Array[] = [];
  #items: unknown[][] = [];
  #slotsEnd = CHUNK_SLOTS;
  #slotsMade = CHUNK_SLOTS;
  #size = 0;
  #bytes = 0;

  #nextDueMs = Infinity;
  #queueDueMs = Infinity;
  #wheelDueMs = Infinity;
  #cursorHigh = 0;
  #cursorLow = 0;
  #open = -1;
  #marks = new Int32Array(LEVELS * 2);
  #removed: unknown[] = [];

  constructor(options: LruTtlCacheOptions<V>) {
    const { entriesMax, ttlMs, bytesMax = Number.MAX_SAFE_INTEGER, nowMs = () => performance.now(), onRemove } = options;
    if (!Number.isSafeInteger(entriesMax) || entriesMax < 1) {
      throw new RangeError(`Cannot make a cache: a positive integer entriesMax is needed: received ${entriesMax}`);
    }
    if (!Number.isSafeInteger(bytesMax) || bytesMax < 1) {
      throw new RangeError(`Cannot make a cache: a positive integer bytesMax is needed: received ${bytesMax}`);
    }
    if (!Number.isFinite(ttlMs) || ttlMs <= 0) {
      throw new RangeError(`Cannot make a cache: a positive finite ttlMs is needed: received ${ttlMs}`);
    }
    this.#entriesMax = entriesMax;
    this.#bytesMax = bytesMax;
    this.#ttlMs = ttlMs;
    this.#nowMs = nowMs;
    this.#onRemove = onRemove;
    this.#reset();
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): V | undefined {
    const slot = this.#index.get(key);
    if (slot === undefined) return undefined;
    if (this.#nowMs() >= this.#deadlines[slot >>> CHUNK_BITS][slot & CHUNK_MASK]) {
      this.#remove(slot, "expired");
      this.#tell();
      return undefined;
    }
    this.#touch(slot);
    return this.#items[slot >>> CHUNK_BITS][(slot & CHUNK_MASK) * 2 + 1] as V;
  }

  peek(key: string): V | undefined {
    const slot = this.#index.get(key);
    if (slot === undefined) return undefined;
    if (this.#nowMs() >= this.#deadlines[slot >>> CHUNK_BITS][slot & CHUNK_MASK]) return undefined;
    return this.#items[slot >>> CHUNK_BITS][(slot & CHUNK_MASK) * 2 + 1] as V;
  }

  has(key: string): boolean {
    return this.peek(key) !== undefined;
  }

  remainingMs(key: string): number | undefined {
    const slot = this.#index.get(key);
    if (slot === undefined) return undefined;
    const remainingMs = this.#deadlines[slot >>> CHUNK_BITS][slot & CHUNK_MASK] - this.#nowMs();
    return remainingMs > 0 ? remainingMs : undefined;
  }

  set(key: string, value: V, options?: { ttlMs?: number; bytes?: number }): boolean {
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
        throw new RangeError(`Cannot set: an integer of 0 or more bytes is needed: received ${bytes}`);
      }
    }
    const nowMs = this.#nowMs();
    const deadlineMs = nowMs + ttlMs;
    if (Number.isNaN(deadlineMs)) throw new RangeError(`Cannot set: a number from nowMs is needed: received ${nowMs}`);

    if (nowMs >= this.#nextDueMs) this.#sweep(nowMs, SWEPT_PER_SET, STEPS_PER_SET);
    let slot = this.#index.get(key);
    if (bytes > this.#bytesMax) {
      if (slot !== undefined) this.#remove(slot, this.#isDead(slot, nowMs) ? "expired" : "replaced");
      this.#tell();
      return false;
    }
    if (slot === undefined) {
      if (this.#size >= this.#entriesMax) this.#evict(nowMs);
      while (this.#bytes > this.#bytesMax - bytes) this.#evict(nowMs);
      slot = this.#take();
      this.#index.set(key, slot);
      this.#items[slot >>> CHUNK_BITS][(slot & CHUNK_MASK) * 2] = key;
      this.#size++;
    } else {
      this.#note(slot, this.#isDead(slot, nowMs) ? "expired" : "replaced");
      this.#detach(slot);
      while (this.#bytes > this.#bytesMax - bytes) this.#evict(nowMs);
    }
    this.#items[slot >>> CHUNK_BITS][(slot & CHUNK_MASK) * 2 + 1] = value;
    this.#deadlines[slot >>> CHUNK_BITS][slot & CHUNK_MASK] = deadlineMs;
    this.#sizes[slot >>> CHUNK_BITS][slot & CHUNK_MASK] = bytes;
    this.#bytes += bytes;
    this.#insert(slot, RECENCY, this.#links[0][NEXT], PREV);
    this.#schedule(slot, deadlineMs, ttlMs, nowMs);
    this.#tell();
    return true;
  }

  delete(key: string): boolean {
    const slot = this.#index.get(key);
    if (slot === undefined) return false;
    const isDead = this.#isDead(slot, this.#nowMs());
    this.#remove(slot, isDead ? "expired" : "deleted");
    this.#tell();
    return !isDead;
  }

  clear(): void {
    if (this.#onRemove !== undefined) {
      for (let slot = this.#links[0][NEXT]; slot !== RECENCY; slot = this.#link(slot, NEXT)) this.#note(slot, "cleared");
    }
    this.#reset();
    this.#tell();
  }

  expire(budget = EXPIRE_BUDGET): number {
    const nowMs = this.#nowMs();
    const count = nowMs >= this.#nextDueMs ? this.#sweep(nowMs, budget, budget + STEPS_PER_SET) : 0;
    this.#tell();
    return count;
  }

  *[Symbol.iterator](): IterableIterator<[string, V]> {
    const keys: string[] = [];
    for (let slot = this.#links[0][NEXT]; slot !== RECENCY; slot = this.#link(slot, NEXT)) {
      keys.push(this.#items[slot >>> CHUNK_BITS][(slot & CHUNK_MASK) * 2] as string);
    }
    for (const key of keys) {
      const value = this.peek(key);
      if (value !== undefined) yield [key, value];
    }
  }

  // Slots

  #reset(): void {
    const anchors = new Int32Array((WHEEL + LEVELS * DIGITS) * 4);
    for (let anchor = 0; anchor < anchors.length / 4; anchor++) anchors.fill(anchor, anchor * 4, anchor * 4 + 4);
    this.#index = new Map();
    this.#links = [anchors];
    this.#deadlines = [new Float64Array(0)];
    this.#sizes = [new Float64Array(0)];
    this.#items = [[]];
    this.#slotsEnd = CHUNK_SLOTS;
    this.#slotsMade = CHUNK_SLOTS;
    this.#size = 0;
    this.#bytes = 0;
    this.#nextDueMs = this.#queueDueMs = this.#wheelDueMs = Infinity;
    this.#cursorHigh = 0;
    this.#cursorLow = 0;
    this.#open = -1;
    this.#marks.fill(0);
  }

  #take(): number {
    const free = this.#links[0][FREE * 4 + NEXT];
    if (free !== FREE) {
      this.#unlink(free, PREV);
      return free;
    }
    if (this.#slotsEnd === this.#slotsMade) this.#grow();
    return this.#slotsEnd++;
  }

  #grow(): void {
    const made = this.#slotsMade - CHUNK_SLOTS;
    if (made > 0 && made < CHUNK_SLOTS) {
      const links = new Int32Array(made * 8);
      const deadlines = new Float64Array(made * 2);
      const sizes = new Float64Array(made * 2);
      const items = new Array(made * 4).fill(undefined);
      links.set(this.#links[1]);
      deadlines.set(this.#deadlines[1]);
      sizes.set(this.#sizes[1]);
      for (let i = 0; i < made * 2; i++) items[i] = this.#items[1][i];
      this.#links[1] = links;
      this.#deadlines[1] = deadlines;
      this.#sizes[1] = sizes;
      this.#items[1] = items;
      this.#slotsMade += made;
      return;
    }
    const slots = made === 0 ? FIRST_CHUNK_SLOTS : CHUNK_SLOTS;
    this.#links.push(new Int32Array(slots * 4));
    this.#deadlines.push(new Float64Array(slots));
    this.#sizes.push(new Float64Array(slots));
    this.#items.push(new Array(slots * 2).fill(undefined));
    this.#slotsMade += slots;
  }

  #link(slot: number, which: number): number {
    return this.#links[slot >>> CHUNK_BITS][(slot & CHUNK_MASK) * 4 + which];
  }

  #insert(slot: number, before: number, after: number, which: number): void {
    const links = this.#links[slot >>> CHUNK_BITS];
    const at = (slot & CHUNK_MASK) * 4 + which;
    links[at] = before;
    links[at + 1] = after;
    this.#links[before >>> CHUNK_BITS][(before & CHUNK_MASK) * 4 + which + 1] = slot;
    this.#links[after >>> CHUNK_BITS][(after & CHUNK_MASK) * 4 + which] = slot;
  }

  #unlink(slot: number, which: number): void {
    const links = this.#links[slot >>> CHUNK_BITS];
    const at = (slot & CHUNK_MASK) * 4 + which;
    const before = links[at];
    const after = links[at + 1];
    this.#links[before >>> CHUNK_BITS][(before & CHUNK_MASK) * 4 + which + 1] = after;
    this.#links[after >>> CHUNK_BITS][(after & CHUNK_MASK) * 4 + which] = before;
  }

  #touch(slot: number): void {
    const links = this.#links[slot >>> CHUNK_BITS];
    if (links[(slot & CHUNK_MASK) * 4 + PREV] === RECENCY) return;
    this.#unlink(slot, PREV);
    this.#insert(slot, RECENCY, this.#links[0][NEXT], PREV);
  }

  #isDead(slot: number, nowMs: number): boolean {
    return nowMs >= this.#deadlines[slot >>> CHUNK_BITS][slot & CHUNK_MASK];
  }

  #detach(slot: number): void {
    this.#unlink(slot, PREV);
    this.#unlink(slot, SOONER);
    this.#bytes -= this.#sizes[slot >>> CHUNK_BITS][slot & CHUNK_MASK];
  }

  #remove(slot: number, reason: RemoveReason): void {
    this.#note(slot, reason);
    this.#detach(slot);
    const items = this.#items[slot >>> CHUNK_BITS];
    const at = (slot & CHUNK_MASK) * 2;
    this.#index.delete(items[at] as string);
    items[at] = items[at + 1] = undefined;
    this.#size--;
    this.#insert(slot, FREE, this.#links[0][FREE * 4 + NEXT], PREV);
  }

  #evict(nowMs: number): void {
    if (nowMs >= this.#nextDueMs && this.#sweep(nowMs, 1, STEPS_PER_SET) > 0) return;
    const slot = this.#links[0][PREV];
    this.#remove(slot, this.#isDead(slot, nowMs) ? "expired" : "evicted");
  }

  #note(slot: number, reason: RemoveReason): void {
    if (this.#onRemove === undefined) return;
    const items = this.#items[slot >>> CHUNK_BITS];
    const at = (slot & CHUNK_MASK) * 2;
    this.#removed.push(items[at], items[at + 1], reason);
  }

  #tell(): void {
    if (this.#removed.length === 0) return;
    const removed = this.#removed;
    this.#removed = [];
    for (let i = 0; i < removed.length; i += 3) {
      this.#onRemove!(removed[i] as string, removed[i + 1] as V, removed[i + 2] as RemoveReason);
    }
  }

  // Expiry

  #schedule(slot: number, deadlineMs: number, ttlMs: number, nowMs: number): void {
    const last = this.#links[0][QUEUE * 4 + SOONER];
    if (ttlMs <= this.#ttlMs && (last === QUEUE || deadlineMs >= this.#deadlines[last >>> CHUNK_BITS][last & CHUNK_MASK])) {
      this.#insert(slot, last, QUEUE, SOONER);
      if (last === QUEUE) this.#queueDueMs = deadlineMs;
      if (deadlineMs < this.#nextDueMs) this.#nextDueMs = deadlineMs;
      return;
    }
    const nowTick = tickOf(nowMs);
    if (nowTick < this.#cursorHigh * LOW + this.#cursorLow) this.#rewind(nowTick);
    else if (this.#open < 0 && nowMs < this.#wheelDueMs) this.#moveCursor(nowTick);
    this.#place(slot, deadlineMs);
  }

  #moveCursor(tick: number): void {
    this.#cursorHigh = Math.floor(tick / LOW);
    this.#cursorLow = tick - this.#cursorHigh * LOW;
  }

  #place(slot: number, deadlineMs: number): void {
    const tick = tickOf(deadlineMs);
    const high = Math.floor(tick / LOW);
    const low = tick - high * LOW;
    let level: number, digit: number, start: number;
    const highDiff = high ^ this.#cursorHigh;
    if (highDiff !== 0) {
      const highLevel = ((31 - Math.clz32(highDiff)) / DIGIT_BITS) | 0;
      level = LOW_LEVELS + highLevel;
      digit = (high >>> (highLevel * DIGIT_BITS)) & (DIGITS - 1);
      start = ((high >>> (highLevel * DIGIT_BITS)) << (highLevel * DIGIT_BITS)) * LOW;
    } else {
      const lowDiff = low ^ this.#cursorLow;
      level = lowDiff === 0 ? 0 : ((31 - Math.clz32(lowDiff)) / DIGIT_BITS) | 0;
      digit = (low >>> (level * DIGIT_BITS)) & (DIGITS - 1);
      start = high * LOW + ((low >>> (level * DIGIT_BITS)) << (level * DIGIT_BITS));
    }
    const anchor = WHEEL + level * DIGITS + digit;
    this.#insert(slot, this.#links[0][anchor * 4 + SOONER], anchor, SOONER);
    this.#marks[level * 2 + (digit >>> 5)] |= 1 << (digit & 31);
    const dueMs = start - TICK_OFFSET;
    if (dueMs < this.#wheelDueMs) this.#wheelDueMs = dueMs;
    if (dueMs < this.#nextDueMs) this.#nextDueMs = dueMs;
  }

  #rewind(tick: number): void {
    const high = Math.floor(tick / LOW);
    const low = tick - high * LOW;
    const highDiff = high ^ this.#cursorHigh;
    let level: number, digit: number;
    if (highDiff !== 0) {
      const highLevel = ((31 - Math.clz32(highDiff)) / DIGIT_BITS) | 0;
      level = LOW_LEVELS + highLevel;
      digit = (this.#cursorHigh >>> (highLevel * DIGIT_BITS)) & (DIGITS - 1);
    } else {
      level = ((31 - Math.clz32(low ^ this.#cursorLow)) / DIGIT_BITS) | 0;
      digit = (this.#cursorLow >>> (level * DIGIT_BITS)) & (DIGITS - 1);
    }
    const links = this.#links[0];
    const target = WHEEL + level * DIGITS + digit;
    for (let i = WHEEL; i < WHEEL + level * DIGITS; i++) {
      const first = links[i * 4 + LATER];
      if (first === i) continue;
      const last = links[i * 4 + SOONER];
      links[i * 4 + SOONER] = links[i * 4 + LATER] = i;
      const tail = links[target * 4 + SOONER];
      this.#links[tail >>> CHUNK_BITS][(tail & CHUNK_MASK) * 4 + LATER] = first;
      this.#links[first >>> CHUNK_BITS][(first & CHUNK_MASK) * 4 + SOONER] = tail;
      this.#links[last >>> CHUNK_BITS][(last & CHUNK_MASK) * 4 + LATER] = target;
      links[target * 4 + SOONER] = last;
    }
    this.#marks.fill(0, 0, level * 2);
    this.#marks[level * 2 + (digit >>> 5)] |= 1 << (digit & 31);
    this.#open = -1;
    this.#moveCursor(tick);
    this.#wheelDueMs = this.#nextDueMs = -Infinity;
  }

  #sweep(nowMs: number, budget: number, steps: number): number {
    let count = 0;
    if (nowMs >= this.#queueDueMs) {
      this.#queueDueMs = Infinity;
      for (let slot = this.#links[0][QUEUE * 4 + LATER]; slot !== QUEUE; slot = this.#links[0][QUEUE * 4 + LATER]) {
        const deadlineMs = this.#deadlines[slot >>> CHUNK_BITS][slot & CHUNK_MASK];
        if (deadlineMs > nowMs || count >= budget) {
          this.#queueDueMs = deadlineMs;
          break;
        }
        this.#remove(slot, "expired");
        count++;
      }
    }
    if (nowMs >= this.#wheelDueMs) count += this.#sweepWheel(nowMs, budget - count, steps);
    this.#nextDueMs = Math.min(this.#queueDueMs, this.#wheelDueMs);
    return count;
  }

  #sweepWheel(nowMs: number, budget: number, steps: number): number {
    const links = this.#links[0];
    const nowTick = tickOf(nowMs);
    let count = 0;
    let firstKept = -1;
    while (count < budget && steps-- > 0) {
      if (this.#open < 0) {
        const at = this.#earliest();
        if (at < 0) {
          this.#wheelDueMs = Infinity;
          break;
        }
        const startTick = this.#startOf(at);
        this.#wheelDueMs = startTick - TICK_OFFSET;
        if (startTick > nowTick) break;
        this.#moveCursor(startTick);
        if (at >= DIGITS) this.#open = at;
        else {
          const anchor = WHEEL + at;
          const slot = links[anchor * 4 + LATER];
          if (slot === anchor) {
            this.#marks[at >>> 5] &= ~(1 << (at & 31));
          } else if (this.#isDead(slot, nowMs)) {
            this.#remove(slot, "expired");
            count++;
          } else {
            if (slot === firstKept) break;
            if (firstKept < 0) firstKept = slot;
            this.#unlink(slot, SOONER);
            this.#insert(slot, links[anchor * 4 + SOONER], anchor, SOONER);
          }
          continue;
        }
      }
      if (this.#cursorHigh * LOW + this.#cursorLow > nowTick) break;
      const anchor = WHEEL + this.#open;
      const slot = links[anchor * 4 + LATER];
      if (slot === anchor) {
        this.#marks[this.#open >>> 5] &= ~(1 << (this.#open & 31));
        this.#open = -1;
      } else if (this.#isDead(slot, nowMs)) {
        this.#remove(slot, "expired");
        count++;
      } else {
        this.#unlink(slot, SOONER);
        this.#place(slot, this.#deadlines[slot >>> CHUNK_BITS][slot & CHUNK_MASK]);
      }
    }
    return count;
  }

  #earliest(): number {
    for (let word = 0; word < LEVELS * 2; word++) {
      const bits = this.#marks[word];
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits & -bits);
    }
    return -1;
  }

  #startOf(at: number): number {
    const level = at >>> DIGIT_BITS;
    const digit = at & (DIGITS - 1);
    if (level < LOW_LEVELS) {
      const shift = level * DIGIT_BITS;
      return this.#cursorHigh * LOW + (((this.#cursorLow >>> shift) >>> DIGIT_BITS << DIGIT_BITS | digit) << shift);
    }
    const shift = (level - LOW_LEVELS) * DIGIT_BITS;
    return ((((this.#cursorHigh >>> shift) >>> DIGIT_BITS) << DIGIT_BITS | digit) << shift) * LOW;
  }
}
