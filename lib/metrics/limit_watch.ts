/**
 * Says in the log when a limit turns somebody away: the first time at once, then at most once in a while, with the sum.
 *
 * It looks at counters now and then, so that turning away costs nothing but its counter.
 */

import { getLogger } from "@logtape/logtape";
import type { CounterName, Counters } from "./counters.ts";

const logger = getLogger(["redis-proxy", "limits"]);

/** The counters that are watched, and what to do about them. */
const ADVICE = {
  clientsTurnedAway: "requests were turned away: MAX_CONNECTIONS are in progress",
  readsTurnedAway: "reads were turned away: too many wait for Redis",
  fillsTooLarge: "values were served and not kept: larger than 1/8 of CACHE_MAXBYTES",
} satisfies Partial<Record<CounterName, string>>;

type Watched = keyof typeof ADVICE;

/** Watches counters that should not rise. */
export class LimitWatch {
  readonly #counters: Counters;
  readonly #intervalMs: number;
  readonly #seen = new Map<Watched, { count: number; loggedAtMs: number }>();

  /** Watches `counters`, and logs each limit at most once in `intervalMs`. */
  constructor(counters: Counters, intervalMs: number) {
    this.#counters = counters;
    this.#intervalMs = intervalMs;
  }

  /** Logs what rose since it was last logged. */
  look(nowMs: number): void {
    for (const name of Object.keys(ADVICE) as Watched[]) {
      const last = this.#seen.get(name) ?? { count: 0, loggedAtMs: -Infinity };
      const times = this.#counters[name] - last.count;
      if (times === 0 || nowMs - last.loggedAtMs < this.#intervalMs) continue;
      logger.warn(ADVICE[name], { times });
      this.#seen.set(name, { count: this.#counters[name], loggedAtMs: nowMs });
    }
  }
}
