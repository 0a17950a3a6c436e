/**
 * An HTTP server that connections cannot kill.
 *
 * `Deno.serve` has no bound on connections and no timeouts, and one `EMFILE` ends it for good. Replacing it then works,
 * but resets all that wait in the kernel's queue and refuses whoever comes in between. So the listener is ours, stays
 * open from start to stop, and each connection is served by itself:
 *
 *                                first whole head             told to end
 *   kernel's queue ──accept──▶ silent ──────────────▶ known ──────────────▶ leaving ──▶ gone
 *                                └────────────── cut ────┴──── cut ─────────────────────▲
 *
 *   roomy ──more than the cap──▶ crowded: for each newcomer somebody goes; when nobody may, newcomers stay in the queue
 *     ▲                             │
 *     └── no need for 2 s ──────────┘
 *
 * The cap is `connectionsMax` until descriptors run out; then it is what was open at that moment less a reserve, so that
 * other parts of the process find a descriptor too, and it grows back slowly for as long as the reserve is there.
 *
 * Who goes first: the silent that had their moment to speak, the oldest first; then the known at rest, by second chance,
 * so that those in use stay. A connection whose handler has not answered is never ended by the defence.
 *
 * Interleavings considered:
 * - accept fails with EMFILE: the newcomer stays in the kernel's queue (the descriptor is taken before the queue is
 *   touched), so nobody is lost; others are ended, and accept is tried again.
 * - a flood that reconnects at once: newcomers are accepted only as fast as the silent turn old enough to be ended, so
 *   each of them, friend or foe, has `HTTP_SILENT_ROUNDS_MIN` to send a head, and the queue moves on.
 * - a request arrives on a connection at rest that is being ended: the client sees the close without an answer, as with
 *   any server that closes idle connections (RFC 9112, 9.5), and may send it again.
 * - the answer was given but is still being written when the connection is chosen: for `HTTP_ANSWER_MS_MIN` it may only
 *   leave, not be cut. Afterwards it is cut, so a client that does not read cannot hold on to it under pressure, unless
 *   it is among those that were told to leave when they had been at rest for long: `HTTP_OVERDUE_FRACTION_MAX` at most.
 * - the last descriptor is taken and nobody new comes: accept fails all the same, as it is tried again at once.
 * - other parts of the process take the last descriptors, so no accept is tried: the next tick finds out by a probe.
 *
 * One thing is not in the hands of this class: Deno sets up its signal handling with the first signal listener, or by
 * itself after half a second, and panics when it finds no descriptor then. Add a signal listener before `start`.
 */

import {
  DESCRIPTORS_RESERVED,
  HTTP_ANSWER_MS_MIN,
  HTTP_BACKLOG_MAX,
  HTTP_CAP_GROWTH,
  HTTP_CONNECTIONS_MAX,
  HTTP_LEAVING_FRACTION_MAX,
  HTTP_LOOK_MS,
  HTTP_OVERDUE_FRACTION_MAX,
  HTTP_RECOVERED_MS,
  HTTP_REST_MS_MAX,
  HTTP_ROOM_FRACTION,
  HTTP_ROOM_PAUSE_MS,
  HTTP_SECOND_CHANCES_MAX,
  HTTP_SILENT_FRACTION,
  HTTP_SILENT_MS_MAX,
  HTTP_SILENT_ROUNDS_MIN,
} from "../limits.ts";
import { HttpConnection, type HttpConnectionOptions, type HttpHandler } from "./http_connection.ts";

/** What happened to the server, for logs and metrics. At most one `crowded` and one `recovered` for each spell. */
export type HttpServerEvent =
  | { readonly kind: "listening"; readonly hostname: string; readonly port: number }
  /** Connections are being ended to make room. */
  | { readonly kind: "crowded"; readonly reason: "connections" | "descriptors"; readonly connections: number }
  /** No more; `ended` connections were. */
  | { readonly kind: "recovered"; readonly ended: number; readonly connections: number }
  /** Accepting failed for another reason than descriptors; it goes on. Not limited: it may come every 2 ms. */
  | { readonly kind: "accept_failed"; readonly message: string };

/** What a server is made of. */
export interface HttpServerOptions {
  readonly hostname: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly handler: HttpHandler;
  /** Answers when the handler failed; by default with a bare 500. */
  readonly onError?: (error: unknown) => Response | Promise<Response>;
  readonly onEvent?: (event: HttpServerEvent) => void;
  /** By default `HTTP_CONNECTIONS_MAX`. */
  readonly connectionsMax?: number;
  /** By default `HTTP_SILENT_MS_MAX`. */
  readonly silentMsMax?: number;
  /** By default `HTTP_REST_MS_MAX`. */
  readonly restMsMax?: number;
}

/** Errors of the system that mean that the process, or the machine, has no more descriptors or memory for sockets. */
const SHORTAGES = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]);

function isShortage(error: unknown): boolean {
  return SHORTAGES.has((error as { code?: string }).code ?? "");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function ignore(): void {}

/** Serves HTTP on one port. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #connectionsMax: number;
  readonly #connectionOptions: Omit<HttpConnectionOptions, "acceptedRound">;

  // Every connection is in exactly one of these. `silent` is in the order of arrival.
  readonly #silent = new Set<HttpConnection>();
  readonly #known = new Set<HttpConnection>();
  readonly #leaving = new Set<HttpConnection>();

  #listener: Deno.TcpListener | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #tick = 0;
  /** Counts the turns of the event loop in which room was looked for; it stands still while there is enough. */
  #round = 0;
  #cap: number;
  #isStopping = false;
  #onAllGone: () => void = ignore;

  // The present spell of pressure.
  #isCrowded = false;
  #endedBefore = 0;
  #crowdedTick = 0;

  /** Connections ended by the defence so far: for room, or because they were silent or at rest for too long. */
  endedCount = 0;

  /** Nothing is opened before `start`. Throws TypeError when the runtime cannot serve single connections. */
  constructor(options: HttpServerOptions) {
    HttpConnection.assertSupported();
    this.#options = options;
    this.#connectionsMax = this.#cap = options.connectionsMax ?? HTTP_CONNECTIONS_MAX;
    this.#connectionOptions = {
      handler: options.handler,
      onError: options.onError ?? (() => new Response(null, { status: 500 })),
      tick: () => this.#tick,
      onFirstRequest: (connection) => {
        if (this.#silent.delete(connection)) this.#known.add(connection);
      },
      onRest: (connection) => {
        if (this.#isStopping && this.#known.has(connection)) this.#leave(connection);
      },
      onEnd: (connection) => {
        this.#forget(connection);
        if (this.connections === 0) this.#onAllGone();
      },
    };
  }

  /** Connections held now, at rest or not. */
  get connections(): number {
    return this.#silent.size + this.#known.size + this.#leaving.size;
  }

  /** Binds the port, begins to serve and returns the address. Throws Error when the port is taken or not permitted. */
  start(): Deno.NetAddr {
    const { hostname, port } = this.#options;
    if (this.#listener !== undefined) throw new Error("Cannot start the HTTP server: it was started before");
    try {
      this.#listener = Deno.listen({ hostname, port, tcpBacklog: HTTP_BACKLOG_MAX });
    } catch (cause) {
      const needed = cause instanceof Deno.errors.AddrInUse
        ? "a port that is free"
        : cause instanceof Deno.errors.NotCapable || cause instanceof Deno.errors.PermissionDenied
        ? "the permission to listen"
        : "an address that can be bound";
      throw new Error(`Cannot serve HTTP: ${needed} is needed: received ${hostname}:${port}`, { cause });
    }
    const address = this.#listener.addr as Deno.NetAddr;
    this.#ticker = setInterval(() => this.#look(), HTTP_LOOK_MS);
    this.#acceptAll(this.#listener);
    this.#emit({ kind: "listening", hostname: address.hostname, port: address.port });
    return address;
  }

  /**
   * Refuses new connections at once, lets requests in flight finish, and cuts whatever waits for the handler after
   * `deadlineMs`. A second call cuts at once. Fulfilled when all are gone or the deadline has passed; a client that does
   * not read its answer may then still be there, and goes with the process.
   */
  async stop({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    if (this.#isStopping) deadlineMs = 0;
    this.#isStopping = true;
    clearInterval(this.#ticker);
    try {
      this.#listener?.close();
    } catch {
      // Closed by an earlier call.
    }
    for (const connection of [...this.#silent, ...this.#known]) {
      if (!connection.isWaiting) this.#leave(connection);
    }
    if (deadlineMs > 0) await this.#allGone(deadlineMs);
    for (const connection of this.#known) this.#cut(connection);
    this.#onAllGone();
  }

  #allGone(deadlineMs: number): Promise<void> {
    if (this.connections === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, deadlineMs);
      this.#onAllGone = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Accepts until `stop`. Whatever fails, the listener stays. */
  async #acceptAll(listener: Deno.TcpListener): Promise<void> {
    while (!this.#isStopping) {
      if (this.connections > this.#cap) {
        this.#makeRoom("connections");
        await pause(HTTP_ROOM_PAUSE_MS);
        continue;
      }
      try {
        this.#adopt(await listener.accept());
      } catch (error) {
        if (this.#isStopping) return;
        if (isShortage(error)) this.#lowerCap();
        else this.#emit({ kind: "accept_failed", message: (error as Error).message });
        await pause(HTTP_ROOM_PAUSE_MS);
      }
    }
  }

  #adopt(socket: Deno.TcpConn): void {
    if (this.#isStopping) return socket.close();
    this.#silent.add(new HttpConnection(socket, { ...this.#connectionOptions, acceptedRound: this.#round }));
  }

  /** Descriptors ran out: what is open now, less the reserve, is what may be open. */
  #lowerCap(): void {
    this.#cap = Math.max(1, Math.min(this.#cap, this.connections - DESCRIPTORS_RESERVED));
    this.#makeRoom("descriptors");
  }

  #makeRoom(reason: "connections" | "descriptors"): void {
    if (!this.#isCrowded) {
      this.#isCrowded = true;
      this.#endedBefore = this.endedCount;
      this.#emit({ kind: "crowded", reason, connections: this.connections });
    }
    this.#crowdedTick = this.#tick;
    this.#round++;
    let excess = this.connections - this.#cap + Math.ceil(this.#cap * HTTP_ROOM_FRACTION);
    while (excess-- > 0) {
      const connection = this.#leastMissed();
      if (connection === undefined) return;
      this.#end(connection);
    }
  }

  /** Chooses the connection that is missed least; undefined when there is none that may be ended now. */
  #leastMissed(): HttpConnection | undefined {
    const [oldest] = this.#silent;
    if (oldest !== undefined && this.#round - oldest.acceptedRound >= HTTP_SILENT_ROUNDS_MIN) return oldest;
    if (this.#silent.size > this.#cap * HTTP_SILENT_FRACTION) return undefined; // One of them is old enough in a moment.
    let chances = HTTP_SECOND_CHANCES_MAX;
    for (const connection of this.#known) {
      if (!connection.isWaiting && !connection.isUsed) return connection;
      if (chances-- === 0) return undefined;
      connection.isUsed = false;
      this.#known.delete(connection);
      this.#known.add(connection); // To the back: the loop, or the next search, comes to it again.
    }
    return undefined;
  }

  /** Ends a connection that is not waiting: gently while its last answer may still be on its way. */
  #end(connection: HttpConnection): void {
    this.endedCount++;
    const wasActive = this.#known.has(connection) &&
      (this.#tick - connection.activeTick) * HTTP_LOOK_MS < HTTP_ANSWER_MS_MIN;
    if (wasActive && this.#leaving.size < this.#cap * HTTP_LEAVING_FRACTION_MAX) this.#leave(connection);
    else this.#cut(connection);
  }

  #leave(connection: HttpConnection): void {
    this.#forget(connection);
    this.#leaving.add(connection);
    connection.leave();
  }

  /** Its descriptor is free one turn of the event loop later. */
  #cut(connection: HttpConnection): void {
    this.#forget(connection);
    connection.cut();
  }

  #forget(connection: HttpConnection): void {
    this.#silent.delete(connection);
    this.#known.delete(connection);
    this.#leaving.delete(connection);
  }

  /** What is due now and then: timeouts, descriptors, the end of pressure. */
  #look(): void {
    this.#tick++;
    this.#endOverdue();
    if (this.connections > 0) {
      if (this.#hasReserve()) this.#cap = Math.min(this.#connectionsMax, this.#cap + HTTP_CAP_GROWTH);
      else this.#lowerCap();
    }
    if (this.#isCrowded && (this.#tick - this.#crowdedTick) * HTTP_LOOK_MS >= HTTP_RECOVERED_MS) {
      this.#isCrowded = false;
      this.#emit({ kind: "recovered", ended: this.endedCount - this.#endedBefore, connections: this.connections });
    }
  }

  #endOverdue(): void {
    const { silentMsMax = HTTP_SILENT_MS_MAX, restMsMax = HTTP_REST_MS_MAX } = this.#options;
    for (const connection of this.#silent) {
      if ((this.#tick - connection.activeTick) * HTTP_LOOK_MS < silentMsMax) break;
      this.#end(connection);
    }
    for (const connection of this.#known) {
      if (connection.isWaiting || (this.#tick - connection.activeTick) * HTTP_LOOK_MS < restMsMax) continue;
      // Not cut: without pressure a slow reader of a large answer may take as long as it likes. Where many of them leave
      // and do not go the others stay, since only those can be cut when room is needed.
      if (this.#leaving.size >= this.#cap * HTTP_OVERDUE_FRACTION_MAX) break;
      this.endedCount++;
      this.#leave(connection);
    }
  }

  /** Whether the reserve is there, by taking it for a moment. Cost: 15 µs for each descriptor. */
  #hasReserve(): boolean {
    const sockets: Deno.TcpListener[] = [];
    try {
      while (sockets.length < DESCRIPTORS_RESERVED) sockets.push(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
      return true;
    } catch (error) {
      return !isShortage(error);
    } finally {
      for (const socket of sockets) socket.close();
    }
  }

  #emit(event: HttpServerEvent): void {
    this.#options.onEvent?.(event);
  }
}
