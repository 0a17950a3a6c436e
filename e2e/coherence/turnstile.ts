/** Lets many in at once, or one alone: for writes of single keys, and those of all keys. */
export class Turnstile {
  #inside = 0;
  #alone: Promise<void> | null = null;
  #onEmpty: (() => void) | null = null;

  /** Runs `work` while nobody is alone. */
  async together<T>(work: () => Promise<T>): Promise<T> {
    while (this.#alone !== null) await this.#alone;
    this.#inside++;
    try {
      return await work();
    } finally {
      if (--this.#inside === 0) this.#onEmpty?.();
    }
  }

  /** Runs `work` when everybody else has left; newcomers wait. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    while (this.#alone !== null) await this.#alone;
    const over = Promise.withResolvers<void>();
    this.#alone = over.promise;
    try {
      if (this.#inside > 0) await new Promise<void>((resolve) => this.#onEmpty = resolve);
      this.#onEmpty = null;
      return await work();
    } finally {
      this.#alone = null;
      over.resolve();
    }
  }
}
