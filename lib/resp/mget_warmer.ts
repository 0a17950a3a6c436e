/**
 * What an MGET did not find in memory, and Redis answers, is read for the next one; unless that would be in vain.
 *
 * An MGET is answered from memory only as a whole. Where one of its keys holds no string, which is not remembered, it
 * never will be: then reading the others again each time would cost Redis more than the cache saves.
 */

import { LruTtlCache } from "../cache/lru_ttl_cache.ts";
import type { Clock } from "../clock.ts";
import { MGET_HINT_MS, MGET_HINTS_MAX } from "../limits.ts";
import type { Key } from "../protocol/key.ts";
import type { ReadThrough } from "../read_through/read_through.ts";

/** Reads what MGETs miss. */
export class MgetWarmer {
  readonly #readThrough: Pick<ReadThrough, "read">;
  /** Keys that held no string lately. No answer is made of it, so it may be wrong. */
  readonly #inVain: LruTtlCache<true>;

  constructor(readThrough: Pick<ReadThrough, "read">, clock: Clock) {
    this.#readThrough = readThrough;
    this.#inVain = new LruTtlCache({ entriesMax: MGET_HINTS_MAX, ttlMs: MGET_HINT_MS, nowMs: () => clock.nowMs });
  }

  /** Begins to read `keys`, which one MGET missed. Cost: a flight a key, or nothing. */
  warm(keys: readonly Key[]): void {
    if (keys.some((key) => this.#inVain.has(key))) return;
    for (const key of new Set(keys)) void this.#read(key);
  }

  async #read(key: Key): Promise<void> {
    const { kind } = await this.#readThrough.read(key);
    if (kind === "absent" || kind === "wrong_type") this.#inVain.set(key, true);
  }
}
