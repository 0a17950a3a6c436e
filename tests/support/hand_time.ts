/**
 * Time under a test's hand: the reading of a `Clock` and the runtime's timers, which move when the test says so.
 */

import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { Clock } from "../../lib/clock.ts";

/** Resolves when every promise that could continue has done so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Timer {
  readonly id: number;
  readonly atMs: number;
  readonly run: () => void;
}

/** Stands in for `setTimeout` and `clearTimeout` while it is in use, and fails when timers are left at its end. */
export class HandTime implements Disposable {
  readonly #setTimeout = globalThis.setTimeout;
  readonly #clearTimeout = globalThis.clearTimeout;
  #timers: Timer[] = [];
  #lastId = 0;

  /** The true time, in ms; a clock knows it once it ticks. */
  nowMs = 1_000_000;

  /** A clock of this time. */
  readonly clock = new Clock(() => this.nowMs);

  constructor() {
    const set = (run: () => void, ms = 0): number => {
      // What the runtime does with such times: 2^31 ms fire after 1 ms.
      assert.ok(ms < 2 ** 31, `a timer of ${ms} ms`);
      this.#timers.push({ id: ++this.#lastId, atMs: this.nowMs + Math.max(0, ms), run });
      return this.#lastId;
    };
    const clear = (id?: number): void => {
      this.#timers = this.#timers.filter((timer) => timer.id !== id);
    };
    globalThis.setTimeout = set as unknown as typeof globalThis.setTimeout;
    globalThis.clearTimeout = clear as unknown as typeof globalThis.clearTimeout;
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#timers.length;
  }

  /** How many timers were ever set. */
  get timersSet(): number {
    return this.#lastId;
  }

  /** Lets `ms` pass: timers that fall due run at their moment, in order, and all promises continue after each. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    await settled();
    while (true) {
      const due = this.#timers.filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs || a.id - b.id)[0];
      if (due === undefined) break;
      this.nowMs = Math.max(this.nowMs, due.atMs);
      this.fireNext();
      await settled();
    }
    this.nowMs = endMs;
    await settled();
  }

  /** Runs the first timer now, due or not: the runtime may be early by a fraction. */
  fireNext(): void {
    const [first] = this.#timers.sort((a, b) => a.atMs - b.atMs || a.id - b.id).splice(0, 1);
    assert.ok(first !== undefined, "no timer waits");
    first.run();
  }

  /** Gives the runtime's timers back. */
  [Symbol.dispose](): void {
    globalThis.setTimeout = this.#setTimeout;
    globalThis.clearTimeout = this.#clearTimeout;
    assert.equal(this.timers, 0, "timers were left");
  }
}
