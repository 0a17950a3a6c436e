/**
 * One RESP connection, from its first byte to its last.
 *
 *   read a chunk ─▶ parse and execute its requests ─▶ send the replies ─▶ read …
 *
 * One thing after another: while replies wait for Redis or for the client to take them nothing is read, so the kernel
 * makes a client wait that sends faster than it is answered, and what is held for it stays bounded.
 */

import type { Client } from "./client.ts";
import { execute } from "./commands.ts";
import { HALF_REQUEST_LOOKS_MAX, STRANGER_LOOKS_MAX, UNREAD_REPLY_LOOKS_MAX } from "../limits.ts";

const NOTHING = new Uint8Array(0);

/** Serves one client over one socket. */
export class Session {
  readonly #socket: Deno.TcpConn;
  readonly #client: Client;
  /** Whether the next bytes of the client are waited for. */
  #isReading = false;
  /** The replies on their way to the client, or `null`. */
  #sending: Promise<void> | null = null;
  /** Whether requests have come that were not executed, since their replies could not be held. */
  #hasMore = false;
  /** What of these is not written yet. */
  #unsent: Uint8Array = NOTHING;
  #isCut = false;
  /** Looks since the client last did what it is expected to do. */
  #looks = 0;
  #strangerLooks = 0;

  constructor(socket: Deno.TcpConn, client: Client) {
    this.#socket = socket;
    this.#client = client;
  }

  /** Serves until either side ends it. Never rejects; the socket is closed then. */
  async run(): Promise<void> {
    const { request, replies, services } = this.#client;
    try {
      while (!this.#client.isLeaving) {
        this.#isReading = true;
        const count = await this.#socket.read(request.space());
        this.#isReading = false;
        // The buffer of the replies is used again, so they must be gone. Of a client that waits for them they are.
        if (this.#sending !== null) await this.#sending;
        if (count === null) break;
        request.received(count);
        do {
          services.clock.tick();
          this.#executeAll();
          if (this.#client.isUnwanted) return;
          if (replies.isEmpty) break;
          const flushed = replies.flush(this.#send);
          // Where nothing else is to be done the next read begins while the replies are being sent: a turn less.
          if (flushed !== this.#sending || this.#hasMore || this.#client.isLeaving) await flushed;
        } while (this.#hasMore);
      }
    } catch {
      // The client went away, or was cut off.
    } finally {
      this.cut();
    }
  }

  /** Ends it after the requests that were read; at once where none was. */
  leave(): void {
    this.#client.isLeaving = true;
    if (!this.#isReading) return;
    if (this.#sending === null) this.cut();
    else void this.#sending.then(() => this.cut());
  }

  /** Ends it at once. Does nothing the second time. */
  cut(): void {
    if (this.#isCut) return;
    this.#isCut = this.#client.isLeaving = true;
    this.#socket.close();
  }

  /** Cuts off a client that keeps the proxy waiting. Call it every `SESSION_LOOK_MS`. Returns true when it did. */
  look(): boolean {
    const { request, isAuthenticated } = this.#client;
    this.#strangerLooks = isAuthenticated ? 0 : this.#strangerLooks + 1;
    const isHalf = this.#isReading && request.isHalf;
    this.#looks = this.#sending !== null || isHalf ? this.#looks + 1 : 0;
    const looksMax = this.#sending !== null ? UNREAD_REPLY_LOOKS_MAX : HALF_REQUEST_LOOKS_MAX;
    if (this.#looks <= looksMax && this.#strangerLooks <= STRANGER_LOOKS_MAX) return false;
    this.cut();
    return true;
  }

  /** Executes the requests that have come, as far as their replies may be held. */
  #executeAll(): void {
    const client = this.#client;
    const { request, replies } = client;
    this.#hasMore = false;
    while (!client.isLeaving && !client.isUnwanted) {
      if (replies.isFull) {
        this.#hasMore = true;
        return;
      }
      const status = request.next();
      if (status === "incomplete") return;
      this.#looks = 0;
      if (status === "complete") {
        execute(client);
      } else {
        replies.writer.error(`ERR ${request.error}`);
        client.isLeaving = true;
      }
    }
  }

  readonly #send = (bytes: Uint8Array): Promise<void> => {
    if (this.#isCut) {
      return Promise.reject(new Error("Cannot send: an open connection is needed: received a closed one"));
    }
    this.#unsent = bytes;
    return this.#sending = this.#socket.write(bytes).then(this.#onWritten, this.#onFailed);
  };

  // Two closures a session, where an async function would make its own for each reply.
  readonly #onWritten = (count: number): Promise<void> | void => {
    if (count < this.#unsent.length) {
      this.#looks = 0;
      this.#unsent = this.#unsent.subarray(count);
      return this.#socket.write(this.#unsent).then(this.#onWritten, this.#onFailed);
    }
    this.#unsent = NOTHING;
    this.#sending = null;
  };

  /** Nobody may be waiting: what goes wrong ends the connection, and so the read that waits. */
  readonly #onFailed = (): void => {
    this.#sending = null;
    this.cut();
  };
}
