/**
 * One proxy: its parts, put together, started and stopped.
 *
 *   HttpServer ─▶ App ─▶ ReadThrough ─▶ LruTtlCache
 *   RespServer ────│──┘       └───────▶ RedisSource ─▶ Redis
 *                  └─▶ PageDoor ─▶ Statistics
 */

import { getHeapStatistics } from "node:v8";
import { Admission } from "./admission.ts";
import { LruTtlCache } from "./cache/lru_ttl_cache.ts";
import { Clock } from "./clock.ts";
import { describeSettings, type Settings } from "./config/settings.ts";
import { App } from "./http/app.ts";
import { Basic } from "./http/basic.ts";
import { Bearer } from "./http/bearer.ts";
import { HttpServer, type HttpServerEvent } from "./http/http_server.ts";
import {
  HOUSEKEEPING_INTERVAL_MS,
  HTTP_CONNECTIONS_MAX,
  ITEM_BYTES_FRACTION_MAX,
  LIMIT_LOG_INTERVAL_MS,
  NEGATIVE_BYTES_FRACTION,
  NEGATIVE_ENTRIES_FRACTION,
  PARALLEL_PER_CORE_MAX,
  RELAYS_LOST_MS,
  STOP_GRACE_MS,
  STOP_REDIS_MS,
  SWEEP_BUDGET,
  TEXTS_HEAP_FRACTION_MAX,
} from "./limits.ts";
import { bugLogger, processLogger as logger } from "./log.ts";
import { type Counters, newCounters } from "./metrics/counters.ts";
import { LimitWatch } from "./metrics/limit_watch.ts";
import { type Gauges, Metrics } from "./metrics/metrics.ts";
import { DEFAULT_USER } from "./protocol/resp/greeting.ts";
import { PageDoor } from "./page/page_door.ts";
import type { Item } from "./read_through/item.ts";
import { Password } from "./password.ts";
import { ReadThrough } from "./read_through/read_through.ts";
import { type SourceListener, UNREACHABLE } from "./read_through/source.ts";
import { dialRedis } from "./redis/redis_dial.ts";
import { RedisSource } from "./redis/redis_source.ts";
import { RedisUnavailable } from "./redis/redis_unavailable.ts";
import { Asker } from "./resp/asker.ts";
import { CommandTable } from "./resp/command_table.ts";
import type { Relaying } from "./resp/drop_in.ts";
import { MgetWarmer } from "./resp/mget_warmer.ts";
import { Pace } from "./resp/pace.ts";
import { RespServer } from "./resp/resp_server.ts";
import { Statistics } from "./stats/statistics.ts";

/** A proxy with its own cache, its own connection to Redis and its own port. */
export class Proxy {
  readonly #settings: Settings;
  readonly #version: string;
  readonly #server: HttpServer;
  readonly #respServer: RespServer | null;
  readonly #source: RedisSource;
  readonly #readThrough: ReadThrough;
  readonly #limitWatch: LimitWatch;
  readonly #statistics: Statistics;
  readonly #page: PageDoor;
  readonly #clock = new Clock();
  #housekeeping: ReturnType<typeof setInterval> | undefined;

  /** Puts the parts together; nothing is opened before `start`. */
  constructor(settings: Settings, version: string) {
    this.#settings = settings;
    this.#version = version;
    const clock = this.#clock;
    const nowMs = (): number => clock.nowMs;
    const counters = newCounters();
    this.#limitWatch = new LimitWatch(counters, LIMIT_LOG_INTERVAL_MS);
    const admission = new Admission(settings.maxConnections);

    const remembersAbsence = settings.cacheNegativeTtlMs > 0;
    const absentBytesMax = remembersAbsence ? Math.floor(settings.cacheBytesMax * NEGATIVE_BYTES_FRACTION) : 0;
    const cache = new LruTtlCache<Item>({
      entriesMax: settings.cacheEntriesMax,
      bytesMax: settings.cacheBytesMax - absentBytesMax,
      ttlMs: settings.cacheTtlMs,
      nowMs,
    });
    const absent = remembersAbsence
      ? new LruTtlCache<true>({
        entriesMax: Math.ceil(settings.cacheEntriesMax * NEGATIVE_ENTRIES_FRACTION),
        bytesMax: absentBytesMax,
        ttlMs: settings.cacheNegativeTtlMs,
        nowMs,
      })
      : null;

    const relaying = settings.respCommands === "all" ? newRelaying(settings, counters) : null;
    this.#source = new RedisSource({
      address: settings.redis,
      coherence: settings.cacheCoherence,
      timeoutMs: settings.redisTimeoutMs,
      onServer: (server) => {
        if (relaying === null) return;
        if (server.commands === null) {
          logger.warn("Redis refuses COMMAND: it is not known which keys a command changes, so each waits for a PING");
        }
        relaying.table = new CommandTable(server.commands);
        relaying.redisVersion = server.version;
      },
    });
    const gauges = (): Gauges => ({
      removals: cache.removals,
      itemsHeld: cache.size,
      itemsMax: settings.cacheEntriesMax,
      bytesHeld: cache.bytes + (absent?.bytes ?? 0),
      bytesMax: settings.cacheBytesMax,
      absencesHeld: absent?.size ?? 0,
      flights: this.#readThrough.flights,
      clients: admission.clients,
      connections: this.#server.connections,
      connectionsEnded: this.#server.endedCount,
      redisUp: this.#readThrough.isUp,
      tracked: this.#readThrough.isUp && this.#readThrough.coherence === "tracking",
      untrackedSeconds: this.#readThrough.untrackedMs / 1000,
      trackingTableKeys: this.#source.trackingTable?.keys ?? 0,
      trackingTableKeysMax: this.#source.trackingTable?.keysMax ?? 0,
    });
    const metrics = new Metrics({ counters, version, gauges });
    this.#statistics = new Statistics({
      clock,
      counters,
      gauges,
      redis: () => ({ state: this.#readThrough.linkState, coherence: this.#readThrough.coherence }),
      hotKeysShown: settings.cacheHotKeys,
      settings: describeSettings(settings),
      clientsMax: settings.maxConnections,
      version,
    });
    this.#readThrough = new ReadThrough({
      clock,
      source: this.#source,
      counters,
      cache,
      absent,
      itemBytesMax: Math.floor(settings.cacheBytesMax * ITEM_BYTES_FRACTION_MAX),
      ttlMs: settings.cacheTtlMs,
      negativeTtlMs: settings.cacheNegativeTtlMs,
      staleTtlMs: settings.cacheStaleTtlMs,
      framed: settings.respPort !== null || !fitsHeap(settings.cacheBytesMax),
      timeoutMs: settings.redisTimeoutMs,
      parallelMax: cappedParallel(settings.maxParallel),
      onRoundTrip: (trip) => metrics.observeRoundTrip(trip),
      hitWatch: this.#statistics.hitWatch,
      onWaited: (ms) => this.#statistics.waited(ms),
    });
    const bearer = settings.proxyPassword === null ? null : new Bearer(settings.proxyPassword);
    this.#page = new PageDoor({
      statistics: this.#statistics,
      readThrough: this.#readThrough,
      credentials: bearer === null ? null : { bearer, basic: new Basic(settings.proxyPassword!) },
    });
    const app = new App({
      clock,
      counters,
      admission,
      readThrough: this.#readThrough,
      bearer,
      metricsText: () => metrics.text(),
      page: this.#page,
      onBug: bugLogger(),
    });
    this.#server = new HttpServer({
      hostname: settings.proxyHost,
      port: settings.proxyPort,
      handler: app.handle,
      onError: app.onError,
      // A client is a request in progress; its connection rests most of the time. Both bounds are the user's.
      connectionsMax: Math.max(settings.maxConnections, HTTP_CONNECTIONS_MAX),
      onEvent: (event) => this.#hear(event),
    });
    this.#respServer = settings.respPort === null ? null : new RespServer({
      hostname: settings.proxyHost,
      port: settings.respPort,
      admission,
      counters,
      services: {
        clock,
        readThrough: this.#readThrough,
        asker: new Asker(this.#source, settings.redisTimeoutMs),
        outcomes: counters.resp,
        password: settings.proxyPassword === null ? null : new Password(settings.proxyPassword),
        version,
        mgetWarmer: new MgetWarmer(this.#readThrough, clock),
        relaying,
        pace: new Pace(clock),
        longRequests: { bytes: 0 },
      },
      onCutOff: () => logger.debug("a RESP client kept the proxy waiting and was cut off"),
    });
  }

  #hear(event: HttpServerEvent): void {
    const { kind, ...details } = event;
    if (kind === "listening") logger.info("serving", details);
    else if (kind === "crowded") logger.warn("connections are ended to make room", details);
    else if (kind === "recovered") logger.info("there is room for connections again", details);
    else logger.warn("a connection could not be accepted", details);
  }

  /** The read-through hears it all; clients that wait for Redis themselves hear when it is away for long. */
  #listener(): SourceListener {
    const readThrough = this.#readThrough;
    let awaySinceMs = Infinity;
    return {
      connected: (link) => {
        awaySinceMs = Infinity;
        readThrough.connected(link);
      },
      disconnected: () => readThrough.disconnected(),
      invalidated: (key) => readThrough.invalidated(key),
      invalidatedAll: () => readThrough.invalidatedAll(),
      unavailable: (outage) => {
        readThrough.unavailable(outage);
        const { nowMs } = this.#clock;
        // Not where Redis is full: those who wait have connections already.
        awaySinceMs = outage.code === UNREACHABLE.code ? Math.min(awaySinceMs, nowMs) : Infinity;
        if (nowMs - awaySinceMs >= RELAYS_LOST_MS) this.#respServer?.redisLost();
      },
    };
  }

  /** Begins to connect to Redis and to serve. Throws when the port cannot be bound. */
  start(): void {
    logger.info("starting", {
      version: this.#version,
      deno: Deno.version.deno,
      settings: describeSettings(this.#settings),
    });
    this.#server.start();
    if (this.#respServer !== null) {
      const { hostname, port } = this.#respServer.start();
      logger.info("serving RESP", { hostname, port });
    }
    this.#source.start(this.#listener());
    this.#housekeeping = setInterval(() => {
      this.#readThrough.sweep(SWEEP_BUDGET);
      this.#limitWatch.look(this.#clock.tick());
      this.#statistics.look();
      this.#page.tell();
    }, HOUSEKEEPING_INTERVAL_MS);
  }

  /** Serves nobody new, lets requests in flight finish, and closes everything; bounded by `STOP_MS_MAX`. */
  async stop(): Promise<void> {
    logger.info("stopping");
    this.#page.stop();
    await Promise.all([
      this.#server.stop({ deadlineMs: STOP_GRACE_MS }),
      this.#respServer?.stop({ deadlineMs: STOP_GRACE_MS }),
    ]);
    clearInterval(this.#housekeeping);
    await this.#source.stop(STOP_REDIS_MS);
    this.#readThrough.close();
    logger.info("stopped");
  }
}

function newRelaying(settings: Settings, counters: Counters): Relaying {
  const { redis, redisTimeoutMs } = settings;
  return {
    dial: async (greeting) => {
      try {
        return await dialRedis(redis, { greeting, timeoutMs: redisTimeoutMs });
      } catch (error) {
        return error instanceof RedisUnavailable ? error.outage.kind : "unreachable";
      }
    },
    database: redis.database,
    user: redis.username ?? DEFAULT_USER,
    password: redis.password === null ? null : new Password(redis.password),
    counters,
    table: CommandTable.EMPTY,
    redisVersion: null,
  };
}

/** Whether the engine's heap can take all that is held, and as much again for what else happens there. */
function fitsHeap(cacheBytesMax: number): boolean {
  return cacheBytesMax <= getHeapStatistics().heap_size_limit * TEXTS_HEAP_FRACTION_MAX;
}

function cappedParallel(wanted: number): number {
  const cap = PARALLEL_PER_CORE_MAX * navigator.hardwareConcurrency;
  if (wanted <= cap) return wanted;
  logger.warn("MAX_PARALLEL is capped", { wanted, cap });
  return cap;
}
