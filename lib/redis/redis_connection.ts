/**
 * One connection to Redis: made, used, watched and given up; never repaired.
 *
 * It is a client object of the library with everything turned off that would outlive the socket: reconnecting, queueing
 * while away, repeating. Tracking, where it is on, is armed in the handshake, on the same connection as the reads.
 *
 * Heartbeat: a PING every 750 ms, and the connection is lost when anything stays unanswered for 2 s, counted in looks of
 * a timer and not on a clock: a process that was suspended, or a loop that was busy, has not looked, and blames nobody.
 */

import { ErrorReply, RedisClient, RESP_TYPES } from "@redis/client";
import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import type { RedisAddress } from "../config/settings.ts";
import { type Key, keyArgument, keyFromBytes } from "../protocol/key.ts";
import type { IntegerReply } from "../read_through/integer_source.ts";
import { type KeyReply, type Outage, UNREACHABLE } from "../read_through/source.ts";
import { errorCode, outageOfCode, RedisUnavailable } from "./redis_unavailable.ts";
import { HEARTBEAT_LOOK_MS, HEARTBEAT_PING_LOOKS, HEARTBEAT_SILENT_LOOKS } from "../limits.ts";

/** What a connection is asked to be, and whom it tells. Durations are in milliseconds. */
export interface RedisConnectionOptions {
  /** RESP3 with CLIENT TRACKING, or RESP2 without. */
  readonly tracked: boolean;
  /** For all of it: TCP or TLS, handshake, and the PING that shows that Redis is ready to answer. */
  readonly connectTimeoutMs: number;
  /** Aborts an attempt, and ends the connection that came of it. */
  readonly signal: AbortSignal;
  /** Called for each invalidation, in the order of the wire: a key, or `null` for all. */
  readonly onInvalidate: (key: Key | null) => void;
}

/** What Redis tells of itself; `null` where it refuses. `commands` is the reply to COMMAND, as it is. */
export interface ServerFacts {
  readonly commands: unknown;
  readonly version: string | null;
}

/** Keys that Redis remembers for all its tracking clients, and how many it will; 0 is no limit. */
export interface TrackingTable {
  readonly keys: number;
  readonly keysMax: number;
}

const AS_BYTES = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };

/** Stands for the reply of a command whose connection was lost. */
const LOST = Symbol("lost");

type Client = ReturnType<typeof newClient>;

/** A connection that is ready, until it is lost. */
export class RedisConnection {
  readonly #client: Client;
  /** What Redis was asked and has not answered, each with the number of looks that it has waited. */
  readonly #unanswered = new Set<{ looks: number }>();
  #heartbeat: ReturnType<typeof setInterval> | null = null;
  /** A PING that will be sent at the end of this turn. */
  #catchingUp: Promise<void> | null = null;
  #looks = 0;
  #isLost = false;
  #resolveLost!: (reason: Error) => void;

  /** True when every key read here is invalidated when it changes. */
  readonly tracked: boolean;

  /** Fulfilled with the reason when the connection is lost or closed. */
  readonly lost: Promise<Error>;

  /** Called at once when the connection is lost, before any of its reads rejects. */
  onLost: () => void = () => {};

  private constructor(address: RedisAddress, options: RedisConnectionOptions) {
    this.tracked = options.tracked;
    this.lost = new Promise((resolve) => this.#resolveLost = resolve);
    this.#client = newClient(address, options);
    // A reply that cannot be parsed comes as an error too. The library would go on with the bytes after it; we do not.
    this.#client.on("error", (error: Error) => this.lose(error));
    this.#client.on("terminated", (error: Error) => this.lose(error));
    this.#client.on("invalidate", (name: Buffer | null) => {
      if (!this.#isLost) options.onInvalidate(name === null ? null : keyFromBytes(name));
    });
  }

  /** Connects. Throws {@linkcode RedisUnavailable}, by the deadline at the latest; nothing is left open then. */
  static async open(address: RedisAddress, options: RedisConnectionOptions): Promise<RedisConnection> {
    const connection = new RedisConnection(address, options);
    const timeout = setTimeout(
      () => connection.lose(new Error(`no connection within ${options.connectTimeoutMs} ms`)),
      options.connectTimeoutMs,
    );
    const abort = (): void => connection.lose(new Error("the proxy stops"));
    options.signal.addEventListener("abort", abort, { once: true });
    try {
      const ready = connection.#client.connect().then(() => connection.#client.sendCommand(["PING"])).then(() => null);
      ready.catch(() => {}); // It may lose the race.
      const error = await Promise.race([ready.catch((error: Error) => error), connection.lost]);
      if (error !== null) {
        connection.lose(error);
        throw new RedisUnavailable(wording(error), outageOf(error));
      }
    } finally {
      clearTimeout(timeout);
      options.signal.removeEventListener("abort", abort);
    }
    connection.#heartbeat = setInterval(() => connection.#look(), HEARTBEAT_LOOK_MS);
    return connection;
  }

  /**
   * Reads `keys` by a GET and a PTTL each, written together. Rejects when the connection is lost meanwhile.
   *
   * Waits for every PTTL, even where the value is absent: until the last reply an invalidation may belong to this trip.
   */
  async read(keys: readonly Key[]): Promise<KeyReply[]> {
    const waited = { looks: 0 };
    this.#unanswered.add(waited);
    const sent = keys.map((key) => {
      const name = keyArgument(key);
      return {
        value: this.#client.sendCommand<Buffer | null>(["GET", name], AS_BYTES).catch(asReply),
        ttl: this.#client.sendCommand<number>(["PTTL", name]).catch(asReply),
      };
    });
    const replies: KeyReply[] = [];
    for (const { value, ttl } of sent) replies.push(keyReply(await value, await ttl));
    this.#unanswered.delete(waited);
    return replies;
  }

  /** Sends one command whose reply is an integer. Rejects when the connection is lost meanwhile. */
  async integer(words: readonly Buffer[]): Promise<IntegerReply> {
    const [reply] = await this.#ask(words);
    return reply instanceof ErrorReply
      ? { kind: "error", text: reply.message }
      : { kind: "integer", value: reply as number };
  }

  /**
   * Fulfilled when every invalidation that Redis had queued when this was called has been told. Rejects on a loss.
   *
   * Redis queues the invalidations of a command before its reply, and answers a PING after what was queued before it; the
   * library tells invalidations before it settles the replies of the same chunk. The PING is sent at the end of this
   * turn: those who call until then have their command's reply already, so one PING is late enough for all of them.
   */
  caughtUp(): Promise<void> {
    return this.#catchingUp ??= Promise.resolve().then(() => {
      this.#catchingUp = null;
      return this.#ping();
    });
  }

  /** Returns what Redis tells of itself. Rejects on a loss. */
  async server(): Promise<ServerFacts> {
    const [commands, info] = await this.#ask(["COMMAND"], ["INFO", "server"]);
    return {
      commands: commands instanceof ErrorReply ? null : commands,
      version: /^redis_version:([\w.-]+)/m.exec(String(info))?.[1] ?? null,
    };
  }

  /** Returns how full Redis's tracking table is, `null` where Redis does not tell. Rejects when the connection is lost. */
  async trackingTable(): Promise<TrackingTable | null> {
    const [stats, limit] = await this.#ask(["INFO", "stats"], ["CONFIG", "GET", "tracking-table-max-keys"]);
    const keys = /^tracking_total_keys:(\d+)/m.exec(String(stats))?.[1];
    if (keys === undefined || limit instanceof ErrorReply) return null;
    // A map in RESP3, which the library makes an object.
    return { keys: Number(keys), keysMax: Number((limit as Record<string, string>)["tracking-table-max-keys"] ?? 0) };
  }

  /** True once the connection is given up. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Gives the connection up; its reads reject. Does nothing the second time. */
  lose(reason: Error): void {
    if (this.#isLost) return;
    this.#isLost = true;
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
    this.onLost();
    this.#client.destroy();
    this.#resolveLost(reason);
  }

  /** Closes the connection politely: replies under way arrive first, but nothing is waited for longer than `graceMs`. */
  async close(graceMs: number): Promise<void> {
    if (this.#isLost) return;
    let timeout: ReturnType<typeof setTimeout> | undefined;
    const grace = new Promise<void>((resolve) => timeout = setTimeout(resolve, graceMs));
    await Promise.race([this.#client.close(), this.lost, grace]);
    clearTimeout(timeout);
    this.lose(new Error("the proxy stops"));
  }

  #look(): void {
    for (const waited of this.#unanswered) {
      if (++waited.looks >= HEARTBEAT_SILENT_LOOKS) {
        return this.lose(new Error(`no answer for ${HEARTBEAT_SILENT_LOOKS * HEARTBEAT_LOOK_MS} ms`));
      }
    }
    if (++this.#looks % HEARTBEAT_PING_LOOKS === 0) this.#ping().catch(() => {});
  }

  /** Rejects when the connection is lost; an error that Redis replies is an answer, too. */
  async #ping(): Promise<void> {
    await this.#ask(["PING"]);
  }

  /** Sends `commands` together and returns their replies, errors among them. Rejects when the connection is lost. */
  async #ask(...commands: (readonly (string | Buffer)[])[]): Promise<unknown[]> {
    const waited = { looks: 0 };
    this.#unanswered.add(waited);
    const replies = await Promise.all(commands.map((words) => this.#client.sendCommand(words).catch(asReply)));
    if (replies.includes(LOST)) throw new Error("Cannot ask: the connection to Redis was lost");
    this.#unanswered.delete(waited);
    return replies;
  }
}

function newClient(address: RedisAddress, options: RedisConnectionOptions) {
  const { host, port, tls } = address;
  const socket = {
    host,
    port,
    connectTimeout: options.connectTimeoutMs,
    reconnectStrategy: false as const,
    ...(tls ? { tls: true as const, ...(isIP(host) === 0 ? { servername: host } : {}) } : {}),
  };
  const common = {
    username: address.username ?? undefined,
    password: address.password ?? undefined,
    database: address.database,
    socket,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: "disabled" as const,
    // Its timer per command does not settle what was written; the waiters have deadlines, the connection a heartbeat.
    commandOptions: { timeout: undefined },
  };
  // Without the class that `createClient` makes, which has a method for each of Redis's commands: we name ours ourselves,
  // and it would cost 100 ms and 20 MiB at start.
  const protocol = options.tracked
    ? { RESP: 3 as const, emitInvalidate: true, name: "redis-proxy" }
    : { RESP: 2 as const };
  return new RedisClient({ ...common, ...protocol });
}

/** Turns a rejection into a value: an error that Redis sent is a reply like any other. */
function asReply(error: unknown): ErrorReply | typeof LOST {
  return error instanceof ErrorReply ? error : LOST;
}

function keyReply(value: Buffer | null | ErrorReply | typeof LOST, ttl: number | ErrorReply | typeof LOST): KeyReply {
  if (value === LOST || ttl === LOST) throw new Error("Cannot read: the connection to Redis was lost");
  if (value instanceof ErrorReply) {
    return errorCode(value.message) === "WRONGTYPE"
      ? { kind: "wrong_type" }
      : { kind: "refused", outage: outageOf(value) };
  }
  if (value === null) return { kind: "absent" };
  if (ttl instanceof ErrorReply) return { kind: "refused", outage: outageOf(ttl) };
  // PTTL: -1 is 'for ever', -2 is 'gone since the GET'.
  return { kind: "value", bytes: value, remainingMs: ttl === -1 ? null : Math.max(0, ttl) };
}

function outageOf(error: Error): Outage {
  return error instanceof ErrorReply ? outageOfCode(error.message) : UNREACHABLE;
}

/** Says what went wrong where the runtime packs several tries (IPv4, IPv6) into an error without a message. */
function wording(error: Error): string {
  const tries = error instanceof AggregateError ? error.errors : [error];
  return tries.map((one) => one instanceof Error ? one.message || one.name : String(one)).join("; ");
}
