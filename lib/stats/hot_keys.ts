/**
 * The keys that are hit most, found in bounded memory from a sample of the hits.
 *
 * Space-Saving (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams, ICDT
 * 2005): a fixed number of counters; a key without one takes over the smallest, with its count. So a count is never too
 * low, and too high by at most the whole weight divided by the number of counters; and whatever has more than that part
 * of all hits is among them. A count-min sketch would need a heap beside it to name the keys, and gives the same bound
 * for more memory.
 *
 * The counters are a heap by count, so finding the smallest is O(1) and a change O(log counters). Old hits fade: every
 * count is multiplied now and then, which keeps the order of the heap.
 */

import { detachedKey, type Key, keyBytes } from "../protocol/key.ts";

interface Counter {
  key: Key;
  count: number;
  /** Most of `count` that may belong to keys that had the counter before. */
  error: number;
  /** Its place in the heap. */
  index: number;
}

/** A key that is hit often. */
export interface HotKey {
  readonly key: Key;
  /** Its part of all hits, 0 to 1: never too low. */
  readonly share: number;
  /** By how much `share` may be too high. */
  readonly error: number;
}

/** Counts below this weight are of hits that have faded: their counters are given up. */
const FADED = 0.5;

/** Holds at most `countersMax` keys. */
export class HotKeys {
  readonly #countersMax: number;
  readonly #keyBytesMax: number;
  readonly #counters = new Map<Key, Counter>();
  /** The smallest count first; children of i are at 2i + 1 and 2i + 2. */
  #heap: Counter[] = [];
  #weight = 0;

  /** Makes it empty. Keys of more than `keyBytesMax` bytes are never named: they bound the memory of the others. */
  constructor({ countersMax, keyBytesMax }: { countersMax: number; keyBytesMax: number }) {
    this.#countersMax = countersMax;
    this.#keyBytesMax = keyBytesMax;
  }

  /** Counts hits of `key`: one that stands for `weight`. Cost: O(log countersMax), 0.02 to 2 us. */
  add(key: Key, weight: number): void {
    this.#weight += weight;
    if (keyBytes(key) > this.#keyBytesMax) return;
    const counter = this.#counters.get(key);
    if (counter !== undefined) {
      counter.count += weight;
      this.#sink(counter);
    } else if (this.#heap.length < this.#countersMax) {
      this.#insert({ key: detachedKey(key), count: weight, error: 0, index: this.#heap.length });
    } else {
      const smallest = this.#heap[0];
      this.#counters.delete(smallest.key);
      smallest.key = detachedKey(key);
      smallest.error = smallest.count;
      smallest.count += weight;
      this.#counters.set(smallest.key, smallest);
      this.#sink(smallest);
    }
  }

  /** Lets all hits so far count `factor` times as much, and forgets what has faded. Cost: O(countersMax). */
  fade(factor: number): void {
    this.#weight *= factor;
    const kept: Counter[] = [];
    for (const counter of this.#heap) {
      counter.count *= factor;
      counter.error *= factor;
      if (counter.count >= FADED) kept.push(counter);
      else this.#counters.delete(counter.key);
    }
    if (kept.length === this.#heap.length) return;
    if (kept.length === 0) this.#weight = 0;
    this.#heap = kept.sort((a, b) => a.count - b.count);
    kept.forEach((counter, index) => counter.index = index);
  }

  /** Returns at most `count` keys, the hottest first. Cost: O(countersMax log countersMax). */
  hottest(count: number): HotKey[] {
    return [...this.#heap]
      .sort((a, b) => b.count - a.count)
      .slice(0, count)
      .map(({ key, count, error }) => ({ key, share: count / this.#weight, error: error / this.#weight }));
  }

  /** Puts a counter at the end of the heap and lets it rise to its place. */
  #insert(counter: Counter): void {
    this.#counters.set(counter.key, counter);
    this.#heap.push(counter);
    while (counter.index > 0) {
      const parent = this.#heap[(counter.index - 1) >> 1];
      if (parent.count <= counter.count) return;
      this.#swap(parent, counter);
    }
  }

  /** Lets a counter that has grown go down to its place. */
  #sink(counter: Counter): void {
    while (true) {
      const left = 2 * counter.index + 1;
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const isRightSmaller = right < this.#heap.length && this.#heap[right].count < this.#heap[left].count;
      const child = this.#heap[isRightSmaller ? right : left];
      if (child.count >= counter.count) return;
      this.#swap(counter, child);
    }
  }

  #swap(upper: Counter, lower: Counter): void {
    const index = upper.index;
    this.#heap[lower.index] = upper;
    this.#heap[index] = lower;
    upper.index = lower.index;
    lower.index = index;
  }
}
