/**
 * How long things took of late: quantiles over the last few seconds, in bounded memory.
 *
 *   add ─▶ this second ─turn─▶ │ s │ s │ s │ … │ the last `seconds` of them      sum of these ─▶ quantile
 *
 * A histogram with buckets that grow with the value, 16 to an octave, so that a quantile is right to 3 % whatever its
 * size: the log-linear layout of HdrHistogram (G. Tene). It holds what an average hides, and costs one increment.
 */

/** Durations are counted in units of 0.1 us, as whole numbers of 32 bits: up to 429 s, longer ones count as that. */
const UNITS_PER_MS = 10_000;
const UNITS_MAX = 2 ** 32 - 1;

/** Below 2^5 units each has a bucket of its own; from there on each octave has 2^4. */
const OCTAVE_BITS = 4;
const OCTAVE_BUCKETS = 1 << OCTAVE_BITS;
const BUCKETS = (32 - OCTAVE_BITS + 1) * OCTAVE_BUCKETS;

/** Holds the durations of the last seconds. */
export class RecentDurations {
  readonly #current = new Uint32Array(BUCKETS);
  readonly #seconds: Uint32Array[];
  readonly #sum = new Float64Array(BUCKETS);
  #next = 0;

  /** Makes it empty. `seconds` is how many turns are remembered. Memory: 2 KB for each. */
  constructor(seconds: number) {
    this.#seconds = Array.from({ length: seconds }, () => new Uint32Array(BUCKETS));
  }

  /** Counts a duration in ms; one below zero counts as zero. Cost: about 5 ns. */
  add(ms: number): void {
    this.#current[bucketOf(ms)]++;
  }

  /** Ends the second: what was added in it can be seen from now on, and the oldest second is forgotten. Cost: about 1 us. */
  turn(): void {
    const oldest = this.#seconds[this.#next];
    this.#next = (this.#next + 1) % this.#seconds.length;
    for (let i = 0; i < BUCKETS; i++) {
      this.#sum[i] += this.#current[i] - oldest[i];
      oldest[i] = this.#current[i];
    }
    this.#current.fill(0);
  }

  /**
   * Returns in ms what a part `fraction` (above 0, at most 1) of the remembered durations did not exceed, to 3 %; `null`
   * when there are none.
   *
   * ```ts
   * import assert from "node:assert/strict";
   *
   * const durations = new RecentDurations(10);
   * for (let ms = 1; ms <= 100; ms++) durations.add(ms);
   * durations.turn();
   * assert.equal(Math.round(durations.quantileMs(0.5)!), 50);
   * ```
   */
  quantileMs(fraction: number): number | null {
    const total = this.#sum.reduce((sum, count) => sum + count, 0);
    if (total === 0) return null;
    let left = Math.ceil(fraction * total);
    let bucket = 0;
    while ((left -= this.#sum[bucket]) > 0) bucket++;
    return middleMs(bucket);
  }
}

function bucketOf(ms: number): number {
  const units = Math.min(Math.max(ms, 0) * UNITS_PER_MS, UNITS_MAX) >>> 0;
  const shift = Math.max(0, 31 - Math.clz32(units) - OCTAVE_BITS);
  return shift * OCTAVE_BUCKETS + (units >>> shift);
}

/** Returns the duration in the middle of a bucket. */
function middleMs(bucket: number): number {
  const shift = Math.max(0, (bucket >> OCTAVE_BITS) - 1);
  return (bucket - shift * OCTAVE_BUCKETS + 0.5) * 2 ** shift / UNITS_PER_MS;
}
