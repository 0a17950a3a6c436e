/**
 * A client's own connection to Redis: requests go up as they came, replies come down as Redis sent them.
 *
 *   client ──requests──▶ Session ─send─▶ │ expectations, one a reply, in order │ ──▶ Redis
 *   client ◀──────── deliver ◀── drop what was written, catch up if need be ◀─────── replies
 *
 * ## Why a client reads its own writes
 *
 * W is a write, R its reply on this connection, I the invalidation that Redis sends on the read-through's connection.
 * Redis has executed W when it sends R; nothing is known of the order in which R and I arrive here.
 *
 *  1. The keys of W are known: before R is handed on they are dropped and their flights overtaken, without a round trip.
 *     Whoever reads after R, through either door, finds nothing held, and no flight that was read before W. (How:
 *     `ReadThrough.wrote`.)
 *  2. They are not known (scripts, EXEC, FCALL, commands that the table does not know; also when R is an error, as a
 *     script may have written before it failed): R waits for a PING on the read-through's connection that is sent after
 *     R has arrived. Redis queues I when it executes W, so I is on the wire before the PING's answer, and was heard.
 *  3. Without tracking nobody tells which keys: everything is dropped.
 *  4. A further request of the client, while R waits: the session is not idle, so it goes to Redis as well.
 *  5. R never comes: the client has gone, or Redis. W may be done all the same, so at the end what it names is dropped.
 *
 * News of others waits for a PING likewise: the reply of a blocking command, a message, a push. Whoever reads what they
 * tell of finds it. MONITOR's lines do not: each PING would be a line of its own.
 *
 * ## Tunnels
 *
 * Where replies can no longer be told apart (see `TunnelKind`) nothing is expected any more: what Redis sends is handed
 * on, and every chunk waits for a PING, as any of it may be the reply to a write. Such a session stays with Redis.
 */

import { Buffer } from "node:buffer";
import { keyBytes } from "../protocol/key.ts";
import { ReplyParser } from "../protocol/resp/reply_parser.ts";
import { type Protocol, ReplyWriter } from "../protocol/resp/reply_writer.ts";
import type { ReadThrough } from "../read_through/read_through.ts";
import type { Pace } from "./pace.ts";
import { type Expectation, isConfirmation, PUSH_HEAD_LENGTH, type TunnelKind, type Wait } from "./relayed_command.ts";
import { ReplyWindow } from "./reply_window.ts";
import type { SessionState } from "./session_state.ts";
import {
  READ_BUFFER_BYTES_MAX,
  READ_BUFFER_BYTES_MIN,
  RELAYED_KEY_OVERHEAD_BYTES,
  RELAYED_KEYS_BYTES_MAX,
  RELAYED_REPLIES_MAX,
  REPLY_BYTES_MAX,
} from "../limits.ts";

/** What a relay works with. */
export interface RelayOptions {
  /** To Redis, greeted. */
  readonly connection: Deno.Conn;
  readonly state: SessionState;
  readonly readThrough: Pick<ReadThrough, "wrote" | "wroteAll" | "caughtUp">;
  readonly pace: Pace;
  /** Hands bytes to the client; fulfilled when they are gone. */
  readonly deliver: (bytes: Uint8Array) => Promise<void>;
  /** Called when the client and Redis have agreed on a version of the protocol. */
  readonly onProtocol: (protocol: Protocol) => void;
}

const ERROR = 0x2d; // -

/** Passes requests and replies on. */
export class Relay {
  readonly #options: RelayOptions;
  readonly #connection: Deno.Conn;
  readonly #state: SessionState;
  readonly #requests = new ReplyWriter();
  readonly #parser = new ReplyParser();
  /** What is outstanding, oldest first, from `#next` on. */
  #expectations: Expectation[] = [];
  #next = 0;
  readonly #window = new ReplyWindow();
  /** What the keys in them take. */
  #keysBytes = 0;
  /** Confirmations of the oldest that have come. */
  #confirmed = 0;
  #isSubscribed = false;
  /** The beginning of a push that is half here, while confirmations are expected. */
  #pushHead = "";
  #tunnel: TunnelKind | null = null;
  /** What any reply that comes out of the tunnel may tell of, from what was sent into it. */
  #tunnelWait: Wait = "news";
  #tunnelChangesAll = false;
  /** Whether replies that were heard are still on their way to the client. */
  #isDelivering = false;
  #isClosed = false;
  /** Whether the connection is closed and what it brought is handed on: nothing more will come. */
  #isEnded = false;
  #isEnding = false;
  #onTurn: () => void = () => {};
  #turn: Promise<void> | null = null;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#connection = options.connection;
    this.#state = options.state;
  }

  /**
   * True when every request has had its reply, it is gone, and no push is half on its way: other replies may be sent now.
   * Never true of a tunnel.
   */
  get isQuiet(): boolean {
    if (this.#next < this.#expectations.length || this.#isDelivering) return false;
    return this.#parser.isBetween && this.#tunnel === null;
  }

  /** True when the cache may answer for Redis: nothing is outstanding, and the session is like any other. */
  get isIdle(): boolean {
    return this.isQuiet && this.#state.isPlain;
  }

  /** True once the client may be sent messages. */
  get isSubscribed(): boolean {
    return this.#isSubscribed;
  }

  /** True once replies cannot be told apart any more. */
  get isTunnel(): boolean {
    return this.#tunnel !== null;
  }

  /** True when requests were added and not flushed. */
  get hasRequests(): boolean {
    return this.#requests.length > 0;
  }

  /** True when requests must be flushed, or replies must have come, before the next request. */
  get isFull(): boolean {
    return !this.#isEnded && (this.#requests.length >= REPLY_BYTES_MAX || this.#isCrowded);
  }

  get #isCrowded(): boolean {
    if (this.#isEnded) return false;
    return this.#expectations.length - this.#next >= this.#window.size || this.#keysBytes >= RELAYED_KEYS_BYTES_MAX;
  }

  /** True once the connection has ended. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** True when the connection is to end: nothing is wrong when it does. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Adds a request, which is copied; it leaves at the next `flush`. */
  send(frame: Uint8Array, expectation: Expectation): void {
    this.#requests.frame(frame);
    if (this.#tunnel === null) {
      this.#expectations.push(expectation);
      this.#keysBytes += keysBytes(expectation.changed);
    } else {
      if (expectation.changed !== null || expectation.wait === "writes") this.#tunnelWait = "writes";
      if (expectation.changed === "all") this.#tunnelChangesAll = true;
    }
  }

  /** Makes it a tunnel, when it is quiet, from the next request on. Once it is one, it stays one. */
  becomeTunnel(kind: TunnelKind): void {
    this.#tunnel ??= kind;
    this.#tunnelChangesAll ||= this.#state.willChangeAll;
  }

  /** Sends the requests that were added; fulfilled when further ones may be. Never rejects. */
  async flush(): Promise<void> {
    try {
      const bytes = this.#requests.take();
      for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
    } catch {
      this.close();
    }
    while (this.#isCrowded) await this.#nextTurn();
  }

  /** Fulfilled with true when it is quiet, with false when it has ended before that, and so never will be. */
  async quiet(): Promise<boolean> {
    while (!this.isQuiet && !this.#isEnded) await this.#nextTurn();
    return this.isQuiet;
  }

  /**
   * Tells Redis that nothing more will come, as a client does by leaving: what was sent is finished, blocking commands are
   * given up, and Redis ends the connection. Replies that it has no room to send at once are lost: where somebody waits
   * for them, call `quiet` before. Fulfilled when it has ended, at once where nothing is outstanding: with whether the
   * client was handed all its replies, to their ends (of a tunnel only the ends are known).
   */
  async end(): Promise<boolean> {
    this.#isEnding = true;
    if (this.isQuiet) {
      this.close();
    } else {
      await this.flush();
      await this.#connection.closeWrite().catch(() => this.close());
    }
    while (!this.#isEnded) await this.#nextTurn();
    return this.#next === this.#expectations.length && this.#parser.isBetween;
  }

  /** Closes the connection; what it brought is still handed on. Does nothing the second time. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.close();
  }

  /** Hands replies on until the connection ends. Never rejects; the connection is closed then. To be called once. */
  async run(): Promise<void> {
    const { pace } = this.#options;
    let buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES_MIN);
    try {
      for (;;) {
        const count = await this.#connection.read(buffer);
        if (count === null) break;
        const chunk = buffer.subarray(0, count);
        this.#isDelivering = true;
        const isBehind = count === buffer.length;
        const beganAtMs = isBehind ? pace.begin() : 0;
        const wait = this.#hear(chunk);
        if (isBehind) pace.spentSince(beganAtMs);
        if (wait !== "nothing") await this.#options.readThrough.caughtUp({ wrote: wait === "writes" });
        await this.#options.deliver(chunk);
        this.#isDelivering = false;
        this.#tell();
        if (isBehind && count < READ_BUFFER_BYTES_MAX) buffer = Buffer.allocUnsafeSlow(count * 2);
        if (isBehind && pace.isRestDue) await pace.rest();
      }
    } catch {
      // Redis, or the client, is gone.
    } finally {
      this.close();
      this.#dropOutstanding();
      this.#isEnded = true;
      this.#tell();
    }
  }

  /** Drops what the requests that will have no reply may have changed. */
  #dropOutstanding(): void {
    let isUnknown = this.#tunnelWait === "writes";
    if (this.#tunnelChangesAll || this.#state.willChangeAll) this.#drop("all");
    for (const { changed, wait } of this.#expectations.slice(this.#next)) {
      this.#drop(changed);
      isUnknown ||= wait === "writes";
    }
    if (isUnknown) void this.#options.readThrough.caughtUp({ wrote: true });
  }

  #drop(changed: Expectation["changed"]): void {
    const { readThrough } = this.#options;
    if (changed === "all") readThrough.wroteAll();
    else if (changed !== null) { for (const key of changed) readThrough.wrote(key); }
  }

  /** Does what was expected of the replies in `chunk`, in their order, and returns what the chunk has to wait for. */
  #hear(chunk: Uint8Array): Wait {
    if (this.#tunnel !== null) return this.#hearTunnel(chunk);
    const parser = this.#parser;
    const before = this.#next;
    let wait: Wait = "nothing";
    for (let at = 0;; at = parser.end) {
      const status = parser.next(chunk, at);
      if (status === "invalid") throw new Error("Cannot relay: RESP is needed: received something else");
      if (this.#areConfirmationsExpected) this.#hearPush(chunk.subarray(at), status === "complete");
      if (status === "incomplete") break;
      if (parser.isPush || this.#next === this.#expectations.length) {
        if (wait === "nothing") wait = "news";
      } else {
        this.#confirmed = 0;
        const wanted = this.#meet(this.#expectations[this.#next++], parser.mark);
        if (wait !== "writes" && wanted !== "nothing") wait = wanted;
      }
    }
    this.#window.heard(chunk.length, this.#next - before);
    if (this.#next === this.#expectations.length && this.#next > 0) {
      this.#expectations.length = 0;
      this.#next = 0;
    } else if (this.#next > RELAYED_REPLIES_MAX / 2) {
      this.#expectations.splice(0, this.#next);
      this.#next = 0;
    }
    return wait;
  }

  get #areConfirmationsExpected(): boolean {
    return this.#next < this.#expectations.length && this.#expectations[this.#next].confirmations > 0;
  }

  /** Hears (the rest of) a frame while confirmations are expected: they stand in place of a reply. */
  #hearPush(bytes: Uint8Array, isComplete: boolean): void {
    const more = bytes.subarray(0, PUSH_HEAD_LENGTH - this.#pushHead.length);
    const head = this.#pushHead + Buffer.from(more).toString("latin1");
    this.#pushHead = isComplete ? "" : head;
    if (!isComplete || !this.#parser.isPush || !isConfirmation(head)) return;
    this.#isSubscribed = true;
    if (++this.#confirmed < this.#expectations[this.#next].confirmations) return;
    this.#confirmed = 0;
    this.#next++;
  }

  #hearTunnel(chunk: Uint8Array): Wait {
    // Where its frames end matters when the tunnel ends. Bytes that are not even replies have none.
    let at = 0;
    while (this.#tunnel !== "raw" && this.#parser.next(chunk, at) === "complete") at = this.#parser.end;
    // Who asked for MONITOR and was refused may still write; who was not cannot.
    if (this.#tunnel !== "messages" && this.#tunnelWait === "news") return "nothing";
    if (this.#tunnelChangesAll) this.#options.readThrough.wroteAll();
    return this.#tunnelWait;
  }

  /** Does what a reply asks for, and returns what it has to wait for. */
  #meet({ changed, wait, change, protocol }: Expectation, mark: number): Wait {
    this.#keysBytes -= keysBytes(changed);
    const { readThrough, onProtocol } = this.#options;
    const state = this.#state;
    this.#drop(changed);
    if (changed === "all" && state.isInTransaction) state.queueChangeOfAll();
    // Queued commands have changed nothing; EXEC, which ends the transaction, will wait for all of them.
    const isQueued = state.isInTransaction && change?.kind !== "exec";
    if (change !== null && state.replied(change, mark)) readThrough.wroteAll();
    if (protocol !== null && mark !== ERROR && !isQueued) onProtocol(protocol);
    return isQueued ? "nothing" : wait;
  }

  /** Fulfilled when replies were handed on next, or the connection has ended. */
  #nextTurn(): Promise<void> {
    return this.#turn ??= new Promise((resolve) => this.#onTurn = resolve);
  }

  #tell(): void {
    this.#turn = null;
    this.#onTurn();
  }
}

function keysBytes(changed: Expectation["changed"]): number {
  let bytes = 0;
  if (changed !== null && changed !== "all") {
    for (const key of changed) bytes += keyBytes(key) + RELAYED_KEY_OVERHEAD_BYTES;
  }
  return bytes;
}
