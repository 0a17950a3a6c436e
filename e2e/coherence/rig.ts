/**
 * The parts of a proxy between the front door and Redis, wired as in `lib/proxy.ts`, in the test's own process: for
 * trials by the thousand, and for bugs that are planted from outside.
 */

import { eventually } from "../support/eventually.ts";
import { LruTtlCache } from "../../lib/cache/lru_ttl_cache.ts";
import { Clock } from "../../lib/clock.ts";
import type { Coherence } from "../../lib/config/settings.ts";
import { newCounters } from "../../lib/metrics/counters.ts";
import type { Key } from "../../lib/protocol/key.ts";
import type { Answer } from "../../lib/read_through/answer.ts";
import type { Item } from "../../lib/read_through/item.ts";
import { ReadThrough } from "../../lib/read_through/read_through.ts";
import type { Source, SourceListener } from "../../lib/read_through/source.ts";
import { RedisSource } from "../../lib/redis/redis_source.ts";
import { BugSource, type PlantedBug } from "./planted_bug.ts";

/** What a rig is made with. Durations are in ms. */
export interface RigOptions {
  readonly redisPort: number;
  readonly coherence?: Coherence;
  readonly parallelMax?: number;
  readonly entriesMax?: number;
  readonly timeoutMs?: number;
  readonly bug?: PlantedBug;
  /** What stands in for the read-through, with a bug in it. */
  readonly readThroughClass?: typeof ReadThrough;
  /** For the jitter of reconnects; from 0 to below 1. */
  readonly random?: () => number;
}

const TTL_MS = 3_600_000;
const BYTES_MAX = 64 * 1024 * 1024;
const STOP_MS = 500;
/** Far above what a reconnect takes, pauses included. */
const UP_DEADLINE_MS = 10_000;

/** A read-through over a real Redis. */
export class Rig implements AsyncDisposable {
  readonly clock = new Clock();
  readonly counters = newCounters();
  readonly cache: LruTtlCache<Item>;
  readonly absent: LruTtlCache<true>;
  readonly readThrough: ReadThrough;
  readonly #source: RedisSource;

  private constructor(options: RigOptions) {
    const { entriesMax = 100_000, coherence = "tracking", timeoutMs = 10_000 } = options;
    const nowMs = (): number => this.clock.nowMs;
    this.cache = new LruTtlCache<Item>({ entriesMax, bytesMax: BYTES_MAX, ttlMs: TTL_MS, nowMs });
    this.absent = new LruTtlCache<true>({ entriesMax, bytesMax: BYTES_MAX, ttlMs: TTL_MS, nowMs });
    this.#source = new RedisSource({
      address: { host: "127.0.0.1", port: options.redisPort, tls: false, username: null, password: null, database: 0 },
      coherence,
      timeoutMs: 1_000,
      random: options.random,
    });
    const bug = options.bug === undefined ? null : new BugSource(this.#source, options.bug);
    const source: Source = bug ?? this.#source;
    this.readThrough = new (options.readThroughClass ?? ReadThrough)({
      clock: this.clock,
      source,
      counters: this.counters,
      cache: this.cache,
      absent: this.absent,
      itemBytesMax: BYTES_MAX / 8,
      ttlMs: TTL_MS,
      negativeTtlMs: TTL_MS,
      staleTtlMs: 0,
      timeoutMs,
      parallelMax: options.parallelMax ?? 1,
    });
    const listener: SourceListener = this.readThrough;
    this.#source.start(bug === null ? listener : bug.listener(listener));
  }

  /** Connects and waits for the connection, and for the look at the tracking table that comes with it. */
  static async start(options: RigOptions): Promise<Rig> {
    const rig = new Rig(options);
    await rig.isUp();
    if (options.coherence !== "ttl") await eventually(() => rig.#source.trackingTable !== null);
    return rig;
  }

  /** Waits until there is a connection. */
  async isUp(): Promise<void> {
    if (this.readThrough.isUp) return;
    await eventually(() => {
      if (this.readThrough.isUp) return true;
      const { connects, disconnects, connectFailures } = this.counters;
      throw new Error(`no connection: ${JSON.stringify({ connects, disconnects, connectFailures })}`);
    }, { deadlineMs: UP_DEADLINE_MS, everyMs: 5 });
  }

  /** Answers as a front door does. */
  read(key: Key): Answer | Promise<Answer> {
    this.clock.tick();
    const item = this.readThrough.hit(key);
    return item === undefined ? this.readThrough.read(key) : { kind: "hit", item };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.stop(STOP_MS);
    this.readThrough.close();
  }
}
