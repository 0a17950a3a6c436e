/**
 * The RESP front door: a port, and the sessions that came through it.
 *
 *   listener ─accept─▶ room? ─▶ Session ─▶ Client ─▶ commands ─▶ ReadThrough, Asker
 *                        └ no ─▶ an error, as from a Redis that has too many clients
 */

import type { Admission } from "../admission.ts";
import type { Counters } from "../metrics/counters.ts";
import { Client, type Services } from "./client.ts";
import { Session } from "./session.ts";
import { ACCEPT_RETRY_MS, CLIENT_IDS_FROM, RESP_BACKLOG_MAX, SESSION_LOOK_MS } from "../limits.ts";

const FULL = new TextEncoder().encode("-ERR max number of clients reached\r\n");

/** What a server is made of. */
export interface RespServerOptions {
  readonly hostname: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly admission: Admission;
  readonly counters: Pick<Counters, "clientsTurnedAway">;
  readonly services: Services;
  /** Called for each client that was cut off since it kept the proxy waiting. */
  readonly onCutOff?: () => void;
}

/** Serves RESP on one port. */
export class RespServer {
  readonly #options: RespServerOptions;
  readonly #sessions = new Set<Session>();
  #listener: Deno.TcpListener | undefined;
  #looking: ReturnType<typeof setInterval> | undefined;
  #isStopping = false;
  #lastId = CLIENT_IDS_FROM;
  #onAllGone: () => void = () => {};

  /** Nothing is opened before `start`. */
  constructor(options: RespServerOptions) {
    this.#options = options;
  }

  /** Connections served now. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** Binds the port, begins to serve and returns the address. Throws Error when the port is taken or not permitted. */
  start(): Deno.NetAddr {
    const { hostname, port } = this.#options;
    if (this.#listener !== undefined) throw new Error("Cannot start the RESP server: it was started before");
    try {
      this.#listener = Deno.listen({ hostname, port, tcpBacklog: RESP_BACKLOG_MAX });
    } catch (cause) {
      throw new Error(
        `Cannot serve RESP: an address that can be bound is needed: received ${hostname}:${port}: ${
          (cause as Error).message
        }`,
        { cause },
      );
    }
    this.#looking = setInterval(() => {
      for (const session of this.#sessions) if (session.look()) this.#options.onCutOff?.();
    }, SESSION_LOOK_MS);
    void this.#acceptAll(this.#listener);
    return this.#listener.addr as Deno.NetAddr;
  }

  /**
   * Refuses new connections at once, ends those at rest, lets requests in flight finish, and cuts what is left after
   * `deadlineMs`. Fulfilled when all are gone, or have been cut; a second call cuts at once.
   */
  async stop({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    if (!this.#isStopping) this.#listener?.close();
    this.#isStopping = true;
    clearInterval(this.#looking);
    for (const session of this.#sessions) session.leave();
    if (this.#sessions.size > 0) await this.#allGone(deadlineMs);
    for (const session of this.#sessions) session.cut();
    this.#options.services.pace.close();
    this.#onAllGone();
  }

  /** Ends the clients that wait for a Redis that cannot be reached. */
  redisLost(): void {
    for (const session of this.#sessions) session.redisLost();
  }

  #allGone(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, deadlineMs);
      this.#onAllGone = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #acceptAll(listener: Deno.TcpListener): Promise<void> {
    while (!this.#isStopping) {
      let socket: Deno.TcpConn;
      try {
        socket = await listener.accept();
      } catch {
        if (this.#isStopping) return;
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
        continue;
      }
      try {
        this.#adopt(socket);
      } catch {
        // The client has gone already, so the system refuses to set its options.
        socket.close();
      }
    }
  }

  #adopt(socket: Deno.TcpConn): void {
    const { admission, counters, services } = this.#options;
    if (this.#isStopping) return socket.close();
    if (admission.isFull) {
      counters.clientsTurnedAway++;
      const close = (): void => socket.close();
      // It fits into the buffer of a new socket, so nobody is waited for.
      socket.write(FULL).then(close, close);
      return;
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    const { hostname, port } = socket.remoteAddr as Deno.NetAddr;
    services.clock.tick();
    const session = new Session(socket, new Client(++this.#lastId, { address: `${hostname}:${port}`, services }));
    admission.clients++;
    this.#sessions.add(session);
    void session.run().then(() => {
      admission.clients--;
      this.#sessions.delete(session);
      if (this.#sessions.size === 0) this.#onAllGone();
    });
  }
}
