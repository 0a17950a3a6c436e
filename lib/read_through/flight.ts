/**
 * One read of Redis under way, and the requests that wait for it.
 */

import type { Key } from "../protocol/key.ts";
import type { Answer } from "./answer.ts";

/** A request that waits for a flight, until its own deadline. */
export interface Waiter {
  readonly flight: Flight;
  readonly deadlineMs: number;
  /** True when somebody else's flight was joined. */
  readonly collapsed: boolean;
  /** Called once, with the answer; `null` once that has happened. */
  resolve: ((answer: Answer) => void) | null;
  /** The waiter that came next, on the line of deadlines. */
  next: Waiter | null;
}

/**
 * A read of one key, from the first request that needs it to the reply.
 *
 * `sent` and `overtaken` are its token: a flight that was overtaken after it was sent still answers those who wait for
 * it, since they asked before the change was known here, but it stores nothing, and nobody can join it any more.
 */
export class Flight {
  readonly key: Key;
  readonly waiters: Waiter[] = [];

  /** True from the moment when the read is handed to the source. */
  sent = false;

  /**
   * What happened while the read was under way, if anything: the key changed, or may have, and what was held of it is
   * dropped already; or the connection was lost, and what is held may be older than the reply that came just before.
   */
  overtaken: "changed" | "lost" | null = null;

  constructor(key: Key) {
    this.key = key;
  }

  /** How many requests still wait. Cost: O(waiters). */
  get waitersLeft(): number {
    return this.waiters.reduce((sum, waiter) => waiter.resolve === null ? sum : sum + 1, 0);
  }

  /** True while somebody still waits. Cost: O(waiters). */
  get isWanted(): boolean {
    return this.waiters.some((waiter) => waiter.resolve !== null);
  }
}
