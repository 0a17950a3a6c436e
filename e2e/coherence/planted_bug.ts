/**
 * Bugs that the proof must find, planted between the source and the read-through, so that the product has no switches.
 */

import type { Key } from "../../lib/protocol/key.ts";
import type { KeyReply, Source, SourceListener } from "../../lib/read_through/source.ts";

/**
 * - `deaf to null`: FLUSHALL and the like are not heard.
 * - `stores overtaken`: an invalidation drops what is held, but not the read under way.
 * - `joins overtaken`: an invalidation is heard only once the reads under way have landed; nothing stale stays, but a
 *   request in between gets an older value than it may.
 * - `deaf to loss`: a tracked connection is taken for one that never was, so what is held outlives its loss.
 */
export type PlantedBug = "deaf to null" | "stores overtaken" | "joins overtaken" | "deaf to loss";

/** A source that has one bug. */
export class BugSource implements Source {
  readonly #source: Source;
  readonly #bug: PlantedBug;
  /** Reads under way, by key. */
  readonly #underWay = new Map<Key, number>();
  #delayed: (() => void)[] = [];

  constructor(source: Source, bug: PlantedBug) {
    this.#source = source;
    this.#bug = bug;
  }

  async read(keys: readonly Key[]): Promise<KeyReply[]> {
    for (const key of keys) this.#underWay.set(key, (this.#underWay.get(key) ?? 0) + 1);
    try {
      return await this.#source.read(keys);
    } finally {
      for (const key of keys) {
        const left = this.#underWay.get(key)! - 1;
        if (left === 0) this.#underWay.delete(key);
        else this.#underWay.set(key, left);
      }
      // Later than the continuation of whoever waits for this read.
      if (this.#underWay.size === 0 && this.#delayed.length > 0) setTimeout(() => this.#hear());
    }
  }

  caughtUp(): Promise<void> {
    return this.#source.caughtUp();
  }

  /** Returns what the source must tell in place of `listener`. */
  listener(listener: SourceListener): SourceListener {
    const bug = this.#bug;
    return {
      connected: (link) => listener.connected(bug === "deaf to loss" ? { tracked: false } : link),
      disconnected: () => listener.disconnected(),
      unavailable: (outage) => listener.unavailable(outage),
      invalidated: (key) => {
        if (bug === "stores overtaken" && this.#underWay.has(key)) return;
        if (bug === "joins overtaken" && this.#underWay.has(key)) this.#delayed.push(() => listener.invalidated(key));
        else listener.invalidated(key);
      },
      invalidatedAll: () => {
        if (bug !== "deaf to null") listener.invalidatedAll();
      },
    };
  }

  #hear(): void {
    for (const tell of this.#delayed.splice(0)) tell();
  }
}
