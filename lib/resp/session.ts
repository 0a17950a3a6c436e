/**
 * One RESP connection, from its first byte to its last.
 *
 *   reader   read a chunk ─▶ work ─▶ read a chunk …       goes on while the worker waits, up to a bound
 *   worker   execute what has come ─▶ send the replies ─▶ … until nothing is left
 *   relay    replies of Redis ─▶ send                     where the client has a connection to Redis of its own
 *
 * The usual chunk is worked through in the reader's own turn: nothing is waited for, not even for the write. Only where
 * replies wait for Redis, or for the client to take them, the worker becomes a task of its own. Requests are executed one
 * after another; what one of them has to wait for, all behind it wait for as well. They are executed in turns of
 * `TURN_REQUESTS_MAX` at most; a client that has more behind a turn rests when others are due (`pace.ts`).
 */

import {
  HALF_REQUEST_GROWTH_BYTES_MIN,
  HALF_REQUEST_LOOKS_MAX,
  LEFT_CLIENT_LOOKS_MAX,
  LONG_REQUESTS_BYTES_MAX,
  READ_AHEAD_BYTES_MAX,
  READ_BUFFER_BYTES_MAX,
  STRANGER_LOOKS_MAX,
  TURN_REQUESTS_MAX,
  UNREAD_REPLY_LOOKS_MAX,
} from "../limits.ts";
import type { Client } from "./client.ts";
import { execute } from "./commands.ts";
import { type Before, executeOrRelay, type Relaying } from "./drop_in.ts";
import { Relay } from "./relay.ts";

const NOTHING = new Uint8Array(0);

/** Serves one client over one socket. */
export class Session {
  readonly #socket: Deno.TcpConn;
  readonly #client: Client;
  /** Whether the next bytes of the client are waited for. */
  #isReading = false;
  /** The worker, while it waits for something; `null` while it has nothing to do. */
  #working: Promise<void> | null = null;
  /** Whether bytes have come since the worker last looked. */
  #hasReceived = false;
  /** Whether the last read filled its buffer, so that there is more at once. */
  #isBehind = false;
  /** Whether the request that was read last is still to be executed. */
  #isPending = false;
  /** Why the input is no request, once it is none. */
  #invalid: string | null = null;
  /** Replies that leave in several writes, among which no other may come. */
  #flushing: Promise<void> | null = null;
  /** The bytes on their way to the client, or `null`. */
  #sending: Promise<void> | null = null;
  /** What of these is not written yet. */
  #unsent: Uint8Array = NOTHING;
  /** Whether the client has ended its side: it may still read. */
  #hasLeft = false;
  /** Whether it is to end when what was read is answered. */
  #isToldToLeave = false;
  #isCut = false;
  /** Looks since the client last sent what it is expected to send. */
  #looks = 0;
  /** Looks since it last took some bytes of its replies. */
  #unreadLooks = 0;
  #strangerLooks = 0;
  /** Bytes that came since the last look. */
  #receivedBytes = 0;
  /** Bytes of the read buffer that are counted among those of long requests. */
  #longBytes = 0;

  constructor(socket: Deno.TcpConn, client: Client) {
    this.#socket = socket;
    this.#client = client;
  }

  /** Serves until either side ends it. Never rejects; the socket is closed then. */
  async run(): Promise<void> {
    const client = this.#client;
    const { request } = client;
    try {
      while (!client.isLeaving && !this.#isToldToLeave) {
        const space = request.space();
        if (!this.#mayHold()) return;
        this.#isReading = true;
        const count = await this.#socket.read(space);
        this.#isReading = false;
        if (count === null) {
          this.#hasLeft = true;
          break;
        }
        request.received(count);
        this.#receivedBytes += count;
        this.#isBehind = count === space.length;
        if (this.#working === null) this.#work();
        else this.#hasReceived = true;
        if (this.#isBehind && client.services.pace.isRestDue) await client.services.pace.rest();
        while (this.#working !== null && this.#isAheadEnough) await this.#working;
      }
      while (this.#working !== null) await this.#working;
      // The client has left, or was told to: what it has asked of Redis is finished, as Redis would.
      if (!this.#isCut) await client.relay?.end();
      while (this.#sending !== null) await this.#sending;
    } catch {
      // The client went away, or was cut off.
    } finally {
      this.cut();
    }
  }

  /** A client at rest should not keep the buffer of a long request, and a busy one not send for ever. */
  get #isAheadEnough(): boolean {
    const { bufferBytes, unreadBytes } = this.#client.request;
    return unreadBytes === 0 ? bufferBytes > READ_BUFFER_BYTES_MAX : unreadBytes > READ_AHEAD_BYTES_MAX;
  }

  /** Ends it after the requests that were read; at once where none was. */
  leave(): void {
    this.#isToldToLeave = true;
    // The worker may be between two turns; it leaves when nothing is left that has come.
    if (this.#working !== null) return;
    this.#client.isLeaving = true;
    if (!this.#isReading) return;
    void this.#finished().then(() => this.cut());
  }

  /** Ends it at once. Does nothing the second time. */
  cut(): void {
    if (this.#isCut) return;
    const client = this.#client;
    // Unwanted, so that the worker stops too: what its next request waits for may never come.
    this.#isCut = client.isLeaving = client.isUnwanted = true;
    client.services.longRequests.bytes -= this.#longBytes;
    client.relay?.close();
    this.#socket.close();
  }

  /** Cuts off a client that keeps the proxy waiting. Call it every `SESSION_LOOK_MS`. Returns true when it did. */
  look(): boolean {
    this.#unreadLooks = this.#sending === null ? 0 : this.#unreadLooks + 1;
    const looksMax = this.#looksMax;
    this.#looks = looksMax === Infinity ? 0 : this.#looks + 1;
    this.#receivedBytes = 0;
    this.#strangerLooks = this.#client.isAuthenticated ? 0 : this.#strangerLooks + 1;
    const isPatient = this.#looks <= looksMax && this.#unreadLooks <= UNREAD_REPLY_LOOKS_MAX;
    if (isPatient && this.#strangerLooks <= STRANGER_LOOKS_MAX) return false;
    this.cut();
    return true;
  }

  /** How many looks the client may take for what it is expected to send now, or may be waited for when it has left. */
  get #looksMax(): number {
    if (this.#working !== null) return this.#hasLeft && this.#sending === null ? LEFT_CLIENT_LOOKS_MAX : Infinity;
    const isHalf = this.#isReading && this.#client.request.isHalf;
    return isHalf && this.#receivedBytes < HALF_REQUEST_GROWTH_BYTES_MIN ? HALF_REQUEST_LOOKS_MAX : Infinity;
  }

  /** Ends it when it waits for a Redis that is away: nobody else would tell it. */
  redisLost(): void {
    const { relay } = this.#client;
    if (relay !== null && !relay.isQuiet) this.cut();
  }

  /** Fulfilled when what was read is answered, and the answers are gone. */
  async #finished(): Promise<void> {
    while (this.#working !== null) await this.#working;
    const { relay } = this.#client;
    if (relay !== null && !relay.isTunnel) await relay.quiet();
    while (this.#sending !== null) await this.#sending;
  }

  // The worker

  /** Works through what has come; becomes a task where something has to be waited for. */
  #work(): void {
    const client = this.#client;
    // The buffer of the replies is used again, so they must be gone. Of a client that waits for them they are.
    if (this.#sending !== null) {
      this.#working = this.#workOn("flush");
      return;
    }
    const before = this.#executeTurn();
    if (client.isUnwanted) return this.cut();
    const { replies, relay } = client;
    const isDone = before === null && !client.isLeaving && !replies.hasLate;
    if (!isDone || relay?.hasRequests) this.#working = this.#workOn(before);
    else if (!replies.isEmpty) void replies.flush(this.#send);
  }

  /** Sends, does what has to come first, executes, until nothing is left that has come. Never rejects. */
  async #workOn(before: Before | null): Promise<void> {
    const client = this.#client;
    const { pace } = client.services;
    try {
      do {
        await this.#flush();
        if (this.#hasMoreThan(before) && pace.isRestDue) await pace.rest();
        if (before !== null) await this.#makeReady(before);
        else if (!this.#hasReceived || client.isLeaving) break;
        this.#hasReceived = false;
        before = this.#executeTurn();
      } while (!client.isUnwanted);
    } catch {
      this.cut();
    }
    this.#working = null;
    if (this.#isToldToLeave) client.isLeaving = true;
    if (client.isUnwanted) this.cut();
    else if (client.isLeaving) void this.#finished().then(() => this.cut());
  }

  /** Executes requests that have come. Returns what has to come before the next, `null` where there is none. */
  #executeTurn(): Before | null {
    const { pace } = this.#client.services;
    const beganAtMs = pace.begin();
    const before = this.#execute();
    if (this.#hasMoreThan(before)) pace.spentSince(beganAtMs);
    return before;
  }

  /** True when a turn that ended with `before` has left something to do that has come already. */
  #hasMoreThan(before: Before | null): boolean {
    return before === "flush" || this.#isBehind;
  }

  #execute(): Before | null {
    const client = this.#client;
    const { request, replies, services } = client;
    for (let count = 0; !client.isUnwanted && (!client.isLeaving || this.#isPending); count++) {
      if (this.#isCut || client.relay?.isEnded) {
        // Nobody is there to ask, or to be answered: Redis would execute nothing more, either.
        client.isLeaving = true;
        this.#isPending = false;
        return null;
      }
      if (count === TURN_REQUESTS_MAX || replies.isFull || client.relay?.isFull) return "flush";
      if (!this.#isPending && this.#invalid === null) {
        const status = request.next();
        if (status === "incomplete") return null;
        this.#looks = 0;
        if (status === "invalid") this.#invalid = request.error;
      }
      if (this.#invalid !== null) {
        // Redis answers what came before it, and then so do we.
        if (client.relay !== null) return "end";
        replies.writer.error(`ERR ${this.#invalid}`);
        client.isLeaving = true;
      } else if (services.relaying === null) {
        execute(client);
      } else {
        const before = executeOrRelay(client, services.relaying);
        this.#isPending = before !== null;
        if (before !== null) return before;
      }
    }
    return null;
  }

  async #makeReady(before: Before): Promise<void> {
    const client = this.#client;
    if (before === "open") await this.#open(client.services.relaying!);
    // Who is owed replies that will not come must not take others for them.
    if (before === "quiet" && !await client.relay!.quiet()) client.isUnwanted = true;
    if (before === "end") await this.#endRelay(client.relay!);
  }

  // The relay

  async #open(relaying: Relaying): Promise<void> {
    const client = this.#client;
    const connection = await relaying.dial(client.greeting);
    if (typeof connection === "string") {
      relaying.counters.relayFailures++;
      client.relayFailure = connection;
      return;
    }
    if (this.#isCut) return connection.close();
    relaying.counters.relays++;
    const relay = new Relay({
      connection,
      state: client.state,
      readThrough: client.services.readThrough,
      pace: client.services.pace,
      deliver: this.#deliver,
      onProtocol: (protocol) => client.protocol = protocol,
    });
    client.relay = relay;
    void relay.run().then(() => this.#relayEnded(relay));
  }

  /** Ends a relay whose client stays. */
  async #endRelay(relay: Relay): Promise<void> {
    const client = this.#client;
    if (!relay.isTunnel) await relay.quiet();
    if (!await relay.end()) client.isUnwanted = true;
    client.relay = null;
  }

  /** Ends the session when Redis has ended its part of it, as Redis itself would have. */
  async #relayEnded(relay: Relay): Promise<void> {
    if (relay.isEnding) return;
    while (this.#sending !== null) await this.#sending;
    this.cut();
  }

  // Sending

  /** Sends what is to be sent, in both directions; fulfilled when that is done. */
  async #flush(): Promise<void> {
    const { replies, relay } = this.#client;
    while (this.#sending !== null) await this.#sending;
    // The replies first: they are on their way to the client before Redis can have answered what comes behind them.
    if (!replies.isEmpty) this.#flushing = this.#flushReplies();
    await Promise.all([this.#flushing, relay?.hasRequests ? relay.flush() : null]);
  }

  /** Ends by itself: what Redis says meanwhile waits for our replies, and not until Redis has taken all requests. */
  async #flushReplies(): Promise<void> {
    try {
      await this.#client.replies.flush(this.#send);
    } finally {
      this.#flushing = null;
    }
  }

  /** Sends replies of Redis, when no others are on their way. */
  readonly #deliver = async (bytes: Uint8Array): Promise<void> => {
    while (this.#flushing !== null || this.#sending !== null) await (this.#flushing ?? this.#sending);
    await this.#send(bytes);
  };

  readonly #send = (bytes: Uint8Array): Promise<void> => {
    if (this.#isCut) {
      return Promise.reject(new Error("Cannot send: an open connection is needed: received a closed one"));
    }
    this.#unsent = bytes;
    return this.#sending = this.#socket.write(bytes).then(this.#onWritten, this.#onFailed);
  };

  // Two closures a session, where an async function would make its own for each reply.
  readonly #onWritten = (count: number): Promise<void> | void => {
    this.#unreadLooks = 0;
    if (count < this.#unsent.length) {
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

  /** Counts the memory that a long request takes. Returns false when there is none left for it. */
  #mayHold(): boolean {
    const { request, services } = this.#client;
    const bytes = request.bufferBytes;
    const longBytes = bytes > READ_BUFFER_BYTES_MAX ? bytes : 0;
    services.longRequests.bytes += longBytes - this.#longBytes;
    this.#longBytes = longBytes;
    return longBytes === 0 || services.longRequests.bytes <= LONG_REQUESTS_BYTES_MAX;
  }
}
