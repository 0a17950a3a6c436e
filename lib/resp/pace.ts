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
import { Loopback } from "./loopback.ts";

/** The time that those who have more to do have taken, all together. */
export class Pace {
  readonly #clock: Clock;
  readonly #loopback = new Loopback();
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
   * It is a byte's way to the kernel and back, 45 us. `setImmediate` does not make the loop look, nor for sure a task on
   * another thread (on one core it is often done before the loop would look: once in 12 times it did), and the shortest
   * timer takes 2 ms.
   */
  rest(): Promise<void> {
    return this.#resting ??= this.#loopback.roundTrip().then(() => {
      this.#busyMs = 0;
      this.#resting = null;
    });
  }

  /** Gives back what resting needs. */
  close(): void {
    this.#loopback.close();
  }
}
