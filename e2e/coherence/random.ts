/** Numbers by chance that come again with the same seed. */
export class Random {
  #state: number;

  /** Makes a sequence of its own for each `seed`, any integer. */
  constructor(seed: number) {
    // Neighbouring seeds must not begin alike, and a state of zero would stay zero.
    this.#state = Math.imul(seed | 0, 0x9e3779b1) ^ 0x5bd1e995 || 1;
    for (let i = 0; i < 8; i++) this.#next();
  }

  /** Returns an integer from 0 to below `end`. */
  below(end: number): number {
    return this.#next() % end;
  }

  /** Returns true in `part` of all cases. */
  chance(part: number): boolean {
    return this.#next() < part * 2 ** 32;
  }

  /** Returns one of `items`. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** Returns `items` in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const order = [...items];
    for (let i = order.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /** A xorshift of 32 bits: short, and good enough to choose what a test does next. */
  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
}
