/**
 * The line of waiting requests, in the order of their deadlines, and the one timer that ends the wait.
 *
 * Every waiter gets the same time, so the order of arrival is the order of deadlines: a linked line, O(1) to join and to
 * leave at the head. A timer per waiter would cost more than the rest of a miss. A waiter that was answered stays in the
 * line until those before it are gone; its time is bounded by its deadline.
 */

import type { Clock } from "../clock.ts";
import type { Waiter } from "./flight.ts";

/** Holds waiters until they are answered or their deadline passes. */
export class WaitingLine {
  readonly #clock: Clock;
  readonly #onDeadline: (waiter: Waiter) => void;
  #head: Waiter | null = null;
  #tail: Waiter | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** Makes an empty line. `onDeadline` is called once for each waiter that was not answered in time. */
  constructor(clock: Clock, onDeadline: (waiter: Waiter) => void) {
    this.#clock = clock;
    this.#onDeadline = onDeadline;
  }

  /** Adds `waiter`, whose deadline is not before that of anyone in the line. Cost: O(1). */
  join(waiter: Waiter): void {
    if (this.#tail === null) this.#head = waiter;
    else this.#tail.next = waiter;
    this.#tail = waiter;
    this.#timer ??= setTimeout(this.#expire, waiter.deadlineMs - this.#clock.nowMs);
  }

  /** Lets go of the answered ones at the head. Call it when a waiter was answered. Cost: O(1) amortised. */
  trim(): void {
    while (this.#head !== null && this.#head.resolve === null) this.#head = this.#head.next;
    if (this.#head === null) this.#tail = null;
  }

  /** Stops the timer; whoever still waits is not told. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  // The timer is not cleared when the line empties, only when it finds nobody: a lone client that misses again and
  // again would otherwise pay for a timer each time.
  readonly #expire = (): void => {
    this.#timer = null;
    const nowMs = this.#clock.tick();
    while (this.#head !== null && (this.#head.resolve === null || this.#head.deadlineMs <= nowMs)) {
      const waiter = this.#head;
      this.#head = waiter.next;
      if (this.#head === null) this.#tail = null;
      if (waiter.resolve !== null) this.#onDeadline(waiter);
    }
    if (this.#head !== null) this.#timer ??= setTimeout(this.#expire, this.#head.deadlineMs - nowMs);
  };
}
