/**
 * The time as the proxy sees it: monotonic milliseconds, read once a request.
 *
 * Reading the system's clock costs about as much as a whole cache operation, so the front door reads it once when a
 * request arrives (`tick`) and everything below uses that reading (`nowMs`). Between two ticks time stands still; code
 * that runs outside a request (timers, replies from Redis) ticks by itself before it uses the time.
 */
export class Clock {
  readonly #readMs: () => number;

  /** Milliseconds at the last tick; only differences mean anything. */
  nowMs: number;

  /** Makes a clock over `readMs`, by default the runtime's monotonic clock, which never jumps with the wall clock. */
  constructor(readMs: () => number = () => performance.now()) {
    this.#readMs = readMs;
    this.nowMs = readMs();
  }

  /** Reads the time, keeps it in `nowMs` and returns it. Cost: one system clock reading. */
  tick(): number {
    return this.nowMs = this.#readMs();
  }
}
