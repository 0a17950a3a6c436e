/**
 * Redis as the source of values and invalidations: always one connection, kept up by one loop.
 *
 *   attempt ──▶ ready ──▶ in use, until lost ──▶ attempt …         one attempt at a time, pauses with jitter between
 *      └──▶ failed ──▶ pause ──▶ attempt …
 *
 * Each attempt asks for tracking first (where it is wanted), and for a plain RESP2 connection where Redis refuses that.
 */

import { getLogger } from "@logtape/logtape";
import type { Buffer } from "node:buffer";
import type { Coherence, RedisAddress } from "../config/settings.ts";
import type { Key } from "../protocol/key.ts";
import type { IntegerReply, IntegerSource } from "../read_through/integer_source.ts";
import type { KeyReply, Source, SourceListener } from "../read_through/source.ts";
import {
  CONNECT_TIMEOUT_MS_MIN,
  RECONNECT_PAUSE_MS_MAX,
  RECONNECT_PAUSE_MS_MIN,
  TRACKING_TABLE_LOOK_MS,
  TRACKING_TABLE_WARN_FRACTION,
} from "../limits.ts";
import { RedisConnection, type ServerFacts, type TrackingTable } from "./redis_connection.ts";
import { RedisUnavailable } from "./redis_unavailable.ts";

const logger = getLogger(["redis-proxy", "redis"]);

/** What a source needs to know. Durations are in milliseconds. */
export interface RedisSourceOptions {
  readonly address: RedisAddress;
  readonly coherence: Coherence;
  readonly timeoutMs: number;
  /** Called each time that a connection is ready, some time later. */
  readonly onServer?: (server: ServerFacts) => void;
  /** For the jitter; from 0 to below 1. */
  readonly random?: () => number;
}

/** Reads keys from one Redis and passes its invalidations on. */
export class RedisSource implements Source, IntegerSource {
  readonly #options: RedisSourceOptions;
  readonly #random: () => number;
  readonly #connectTimeoutMs: number;
  /** Aborted by `stop`: ends a pause or an attempt. */
  readonly #stopping = new AbortController();
  #connection: RedisConnection | null = null;
  #loop: Promise<void> = Promise.resolve();
  #fallbackWarned = false;
  #tableWarned = false;

  /** Redis's tracking table as last looked at; `null` while it is not known. */
  trackingTable: TrackingTable | null = null;

  /** Makes a source. Nothing is connected before `start`. */
  constructor(options: RedisSourceOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#connectTimeoutMs = Math.max(options.timeoutMs, CONNECT_TIMEOUT_MS_MIN);
  }

  /** Begins to connect and goes on until `stop`, telling `listener`. Returns at once: Redis may come up later. */
  start(listener: SourceListener): void {
    this.#loop = this.#keepConnected(listener);
  }

  read(keys: readonly Key[]): Promise<KeyReply[]> {
    return this.#connection?.read(keys) ?? Promise.reject(new Error("Cannot read: a connection to Redis is needed"));
  }

  integer(words: readonly Buffer[]): Promise<IntegerReply> {
    return this.#connection?.integer(words) ?? Promise.reject(new Error("Cannot ask: a connection to Redis is needed"));
  }

  caughtUp(): Promise<void> {
    return this.#connection?.caughtUp() ?? Promise.reject(new Error("Cannot ask: a connection to Redis is needed"));
  }

  /** Closes the connection, waiting at most `graceMs` for replies under way. Resolves when nothing is left open. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    await this.#connection?.close(graceMs);
    await this.#loop;
  }

  async #keepConnected(listener: SourceListener): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const connection = await this.#connect(listener);
        const readyAtMs = performance.now();
        await this.#use(connection, listener);
        // A server that takes connections and drops them at once must not be asked in a tight loop.
        if (performance.now() - readyAtMs > RECONNECT_PAUSE_MS_MAX) {
          failures = 0;
          continue;
        }
      } catch (error) {
        if (!(error instanceof RedisUnavailable)) throw error;
        if (signal.aborted) return;
        const details = { ...error.outage, reason: error.message };
        if (failures === 0) logger.warn("Redis unavailable", details);
        else logger.debug("Redis still unavailable", details);
        listener.unavailable(error.outage);
      }
      await pause(this.#pauseMs(failures++), signal);
    }
  }

  /** Doubles from the shortest pause to the longest; half of it is chance, so that many proxies do not come at once. */
  #pauseMs(failures: number): number {
    const fullMs = Math.min(RECONNECT_PAUSE_MS_MAX, RECONNECT_PAUSE_MS_MIN * 2 ** Math.min(failures, 16));
    return fullMs * (0.5 + 0.5 * this.#random());
  }

  async #connect(listener: SourceListener): Promise<RedisConnection> {
    const common = {
      connectTimeoutMs: this.#connectTimeoutMs,
      signal: this.#stopping.signal,
      onInvalidate: (key: Key | null) => key === null ? listener.invalidatedAll() : listener.invalidated(key),
    };
    const plain = () => RedisConnection.open(this.#options.address, { ...common, tracked: false });
    if (this.#options.coherence === "ttl") return await plain();
    try {
      return await RedisConnection.open(this.#options.address, { ...common, tracked: true });
    } catch (error) {
      // Any other refusal may be of HELLO or of tracking; if it was of the password, it will be repeated.
      if (!(error instanceof RedisUnavailable) || error.outage.kind !== "refused") throw error;
      const connection = await plain();
      if (!this.#fallbackWarned) {
        this.#fallbackWarned = true;
        logger.warn("Redis refuses tracking: items are kept true by CACHE_TTL alone", { reason: error.message });
      }
      return connection;
    }
  }

  /** Uses a connection until it is lost. */
  async #use(connection: RedisConnection, listener: SourceListener): Promise<void> {
    if (connection.isLost) return; // Nobody was told that it was there.
    // Stopped between the end of `open` and here: `stop` has found no connection to close.
    if (this.#stopping.signal.aborted) return connection.lose(new Error("the proxy stops"));
    this.#connection = connection;
    connection.onLost = () => {
      this.#connection = null;
      listener.disconnected();
    };
    logger.info("Redis connected", { coherence: connection.tracked ? "tracking" : "ttl" });
    listener.connected({ tracked: connection.tracked });
    const looking = connection.tracked ? setInterval(() => this.#lookAtTable(connection), TRACKING_TABLE_LOOK_MS) : 0;
    if (connection.tracked) this.#lookAtTable(connection);
    if (this.#options.onServer !== undefined) connection.server().then(this.#options.onServer, () => {});
    const reason = await connection.lost;
    clearInterval(looking);
    this.trackingTable = null;
    if (!this.#stopping.signal.aborted) logger.warn("Redis connection lost", { reason: reason.message });
  }

  async #lookAtTable(connection: RedisConnection): Promise<void> {
    try {
      const table = await connection.trackingTable();
      this.trackingTable = table;
      const isFull = table !== null && table.keysMax > 0 && table.keys >= table.keysMax * TRACKING_TABLE_WARN_FRACTION;
      if (isFull && !this.#tableWarned) {
        logger.warn(
          "Redis's tracking table is nearly full: raise tracking-table-max-keys or lower CACHE_MAXSIZE",
          { ...table },
        );
      }
      this.#tableWarned = isFull;
    } catch {
      // The connection was lost; that is said elsewhere.
    }
  }
}

/** Resolves after `ms`, or as soon as `signal` is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
