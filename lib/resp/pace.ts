/**
 * Keeps those who always have more to do from keeping the event loop to themselves.
 *
 * The runtime's loop asks the kernel what has arrived when it has nothing to do, and else once in 61 turns. A client whose
 * next bytes are always there gives it something to do always: with four of them everybody else was answered after 260 ms,
 * and the link to Redis seemed lost. So whoever reads a full buffer counts its time here, and when
 * `BUSY_MS_MAX` is spent all of them rest together before they go on; any that went on would keep the loop from looking.
 * Who asks and waits for the answer never rests.
 */

import type { Clock } from "../clock.ts";
import { BUSY_MS_MAX } from "../limits.ts";

const NOTHING = new Uint8Array(0);

/** The time that those who have more to do have taken, all together. */
export class Pace {
  readonly #clock: Clock;
  #busyMs = 0;
  #resting: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Reads the clock at the beginning of a turn, for `spentSince`. */
  begin(): number {
    return this.#clock.tick();
  }

  /** Counts a turn, behind which there is more. */
  spentSince(beganAtMs: number): void {
    this.#busyMs += this.#clock.tick() - beganAtMs;
  }

  /** True when it is time to `rest` before going on. */
  get isRestDue(): boolean {
    return this.#busyMs >= BUSY_MS_MAX || this.#resting !== null;
  }

  /**
   * Fulfilled when the loop has looked for what has arrived; the same promise for all who rest.
   *
   * It is the round trip of a task to another thread (a hash of nothing): meanwhile the loop has nothing to do. It takes
   * 15 us, where the shortest timer takes 2 ms and `setImmediate` does not let the loop look.
   */
  rest(): Promise<void> {
    return this.#resting ??= crypto.subtle.digest("SHA-1", NOTHING).then(() => {
      this.#busyMs = 0;
      this.#resting = null;
    });
  }
}
