/**
 * Replies as Redis writes them, one after another into one buffer, so that all of a chunk leave in one write.
 */

import { Buffer } from "node:buffer";
import { REPLY_BUFFER_BYTES_KEPT, REPLY_BUFFER_BYTES_MIN } from "../../limits.ts";

/** Versions of the protocol that a client can choose. */
export type Protocol = 2 | 3;

const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;

/**
 * Writes replies for the protocol that the client has chosen. Each method appends one reply, or the head of one whose
 * parts follow, and costs O(its length); the buffer doubles when it is full.
 *
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const writer = new ReplyWriter();
 * writer.array(2);
 * writer.bulk("a");
 * writer.null();
 * assert.equal(new TextDecoder().decode(writer.take()), "*2\r\n$1\r\na\r\n$-1\r\n");
 * ```
 */
export class ReplyWriter {
  #bytes: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(REPLY_BUFFER_BYTES_MIN);
  #length = 0;

  /** What the client understands. */
  protocol: Protocol = 2;

  /** Bytes written and not taken. */
  get length(): number {
    return this.#length;
  }

  /**
   * Returns what was written, and begins anew. The view is valid until something is written again: the buffer is used
   * again, so the socket must be done with it by then.
   */
  take(): Buffer<ArrayBuffer> {
    const taken = this.#bytes.subarray(0, this.#length);
    if (this.#bytes.length > REPLY_BUFFER_BYTES_KEPT) this.#bytes = Buffer.allocUnsafeSlow(REPLY_BUFFER_BYTES_MIN);
    this.#length = 0;
    return taken;
  }

  /** Appends `frame`, which is RESP already. */
  frame(frame: Uint8Array): void {
    const at = this.#reserve(frame.length);
    this.#bytes.set(frame, at);
  }

  /** A string of bytes, or of characters up to U+00FF that stand for a byte each. */
  bulk(value: Uint8Array | string): void {
    const { length } = value;
    this.#head("$", length);
    const at = this.#reserve(length + 2);
    if (typeof value === "string") writeText(this.#bytes, at, value);
    else this.#bytes.set(value, at);
    this.#bytes[at + length] = CR;
    this.#bytes[at + length + 1] = LF;
  }

  /** A status such as OK: one line, characters up to U+00FF. */
  simple(text: string): void {
    this.#line("+", text);
  }

  /** An error with its code, such as `ERR syntax error`. What would end the line becomes blanks, as in Redis. */
  error(text: string): void {
    this.#line("-", /[\r\n]/.test(text) ? text.replace(/[\r\n]/g, " ") : text);
  }

  /** A safe integer. */
  integer(value: number): void {
    this.#head(":", value);
  }

  /** 'There is none': of its own type in RESP3, a bulk of length -1 in RESP2. */
  null(): void {
    this.#line(this.protocol === 3 ? "_" : "$", this.protocol === 3 ? "" : "-1");
  }

  /** The head of an array; `count` replies follow. */
  array(count: number): void {
    this.#head("*", count);
  }

  /** The head of a map; `count` pairs of replies follow. A flat array in RESP2. */
  map(count: number): void {
    if (this.protocol === 3) this.#head("%", count);
    else this.#head("*", count * 2);
  }

  /** The head of a set; `count` replies follow. An array in RESP2. */
  set(count: number): void {
    this.#head(this.protocol === 3 ? "~" : "*", count);
  }

  #line(mark: string, text: string): void {
    const { length } = text;
    const at = this.#reserve(length + 3);
    const bytes = this.#bytes;
    bytes[at] = mark.charCodeAt(0);
    writeText(bytes, at + 1, text);
    bytes[at + 1 + length] = CR;
    bytes[at + 2 + length] = LF;
  }

  #head(mark: string, value: number): void {
    if (value < 0 || value > 9) return this.#line(mark, String(value));
    const at = this.#reserve(4);
    const bytes = this.#bytes;
    bytes[at] = mark.charCodeAt(0);
    bytes[at + 1] = ZERO + value;
    bytes[at + 2] = CR;
    bytes[at + 3] = LF;
  }

  /** Makes room for `count` bytes, counts them as written and returns where they go. */
  #reserve(count: number): number {
    const at = this.#length;
    const length = at + count;
    if (length > this.#bytes.length) this.#grow(length);
    this.#length = length;
    return at;
  }

  #grow(needed: number): void {
    let size = this.#bytes.length;
    while (size < needed) size *= 2;
    const wider = Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(wider, 0, 0, this.#length);
    this.#bytes = wider;
  }
}

/** Writes a byte for each character. The texts written here are short: a call into the runtime would cost 0.5 us. */
function writeText(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}

/** Returns a bulk's frame around `value`, in a buffer of its own. Cost: O(length). */
export function bulkFrame(value: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = `$${value.length}\r\n`;
  const frame = new Uint8Array(head.length + value.length + 2);
  writeText(frame, 0, head);
  frame.set(value, head.length);
  frame[frame.length - 2] = CR;
  frame[frame.length - 1] = LF;
  return frame;
}
