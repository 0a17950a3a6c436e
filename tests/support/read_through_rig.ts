/**
 * A read-through whose time and whose Redis are under the test's hand.
 */

import { Buffer } from "node:buffer";
import { LruTtlCache } from "../../lib/cache/lru_ttl_cache.ts";
import { type Counters, newCounters } from "../../lib/metrics/counters.ts";
import { type Key, keyFromBytes } from "../../lib/protocol/key.ts";
import type { Answer } from "../../lib/read_through/answer.ts";
import type { Item } from "../../lib/read_through/item.ts";
import { ReadThrough, type ReadThroughOptions } from "../../lib/read_through/read_through.ts";
import type { Outage } from "../../lib/read_through/source.ts";
import { HandSource } from "./hand_source.ts";
import { HandTime, settled } from "./hand_time.ts";

export const LOADING: Outage = { kind: "loading", code: "LOADING" };
export const NOAUTH: Outage = { kind: "refused", code: "NOAUTH" };

/** The key of a name. */
export function key(name: string): Key {
  return keyFromBytes(Buffer.from(name));
}

/** The value of an item, which must be text. */
export function textOf({ body }: Item): string {
  return typeof body === "string" ? body : Buffer.from(body).toString();
}

/** Puts an answer in a few words: its kind, its value, and whatever else is true of it. */
export function words(answer: Answer): string {
  const flags = (["collapsed", "stored", "remembered"] as const).filter((flag) =>
    (answer as Record<string, unknown>)[flag]
  );
  const text = "item" in answer ? [textOf(answer.item)] : [];
  const failure = "failure" in answer ? [answer.failure] : [];
  return [answer.kind, ...text, ...failure, ...flags].join(" ");
}

/** A question that was asked. */
export class Asked {
  /** The answer; `null` while there is none. */
  answer: Answer | null = null;

  /** The answer in words, or "waiting". */
  get words(): string {
    return this.answer === null ? "waiting" : words(this.answer);
  }
}

/** What a rig may be told; the rest is as usual. Sizes are large unless a test is about them. */
export type RigOptions = Partial<Omit<ReadThroughOptions, "clock" | "counters" | "absent">> & {
  readonly entriesMax?: number;
};

/** One read-through with all that it needs. */
export class Rig implements Disposable {
  readonly time = new HandTime();
  /** Unused where the test brings a source of its own. */
  readonly source = new HandSource();
  readonly counters: Counters = newCounters();
  readonly cache: LruTtlCache<Item>;
  readonly absent: LruTtlCache<true> | null;
  readonly readThrough: ReadThrough;
  /** Round trips as they were told for the metrics. */
  readonly roundTrips: { ms: number; keys: number }[] = [];

  constructor({ entriesMax = 1_000, ...options }: RigOptions = {}) {
    const nowMs = (): number => this.time.clock.nowMs;
    this.cache = options.cache ?? new LruTtlCache<Item>({ entriesMax, ttlMs: 60_000, nowMs });
    this.absent = (options.negativeTtlMs ?? 0) === 0
      ? null
      : new LruTtlCache<true>({ entriesMax, ttlMs: options.negativeTtlMs!, nowMs });
    this.readThrough = new ReadThrough({
      clock: this.time.clock,
      source: this.source,
      counters: this.counters,
      cache: this.cache,
      absent: this.absent,
      itemBytesMax: 1_000_000,
      ttlMs: 60_000,
      negativeTtlMs: 0,
      staleTtlMs: 0,
      timeoutMs: 1_000,
      parallelMax: 1,
      onRoundTrip: (trip) => this.roundTrips.push(trip),
      ...options,
    });
  }

  /** Asks for `name` as a front door does: the time, then memory, then the rest. */
  ask(name: string): Asked {
    const asked = new Asked();
    this.time.clock.tick();
    const item = this.readThrough.hit(key(name));
    const answer: Answer | Promise<Answer> = item === undefined
      ? this.readThrough.read(key(name))
      : { kind: "hit", item };
    if (answer instanceof Promise) answer.then((answer) => asked.answer = answer);
    else asked.answer = answer;
    return asked;
  }

  /** Connects, tracked unless it is said. */
  connect(link: { tracked: boolean } = { tracked: true }): void {
    this.readThrough.connected(link);
  }

  /** Loses the connection: as at the source, the listener hears of it before the trips in flight reject. */
  disconnect(...trips: { lose(): void }[]): void {
    this.readThrough.disconnected();
    for (const trip of trips) trip.lose();
  }

  /** Has `name` answered with `reply` by Redis, and waits for it to land. */
  async fill(name: string, reply: Parameters<HandSource["last"]["reply"]>[0]): Promise<Asked> {
    const asked = this.ask(name);
    await settled();
    this.source.last.reply(reply);
    await settled();
    return asked;
  }

  [Symbol.dispose](): void {
    this.readThrough.close();
    this.time[Symbol.dispose]();
  }
}

/** The keys of each trip so far, as names. */
export function trips(rig: Rig): string[] {
  return rig.source.keys.map((keys) => keys.map((one: Key) => one.slice(1)).join(" "));
}

/** Each answer in words. */
export function wordsOf(asked: readonly Asked[]): string[] {
  return asked.map((one) => one.words);
}
