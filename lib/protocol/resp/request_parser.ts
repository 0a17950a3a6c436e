/**
 * Requests as Redis reads them: arrays of bulk strings and inline commands, out of chunks cut anywhere.
 *
 * The parser owns the buffer that the socket reads into, so a request is never copied to be parsed:
 *
 *   space() ─▶ socket reads ─▶ received(n) ─▶ next() ─▶ complete ─▶ argument(i), key(i) ─▶ next() … incomplete ─▶ space()
 *
 *   bytes   │·│ done with │ request being read ▒▒▒▒▒▒▒▒▒ │ not looked at │ free │
 *            ▲             ▲ start                ▲ at                    ▲ end
 *            └ one byte in front of everything, see `key`
 *
 * Where a request ends, and what is an error, is decided exactly as Redis decides it, down to the bytes that it skips
 * without a look (the LF after a length, the two bytes after a bulk): whoever relays requests must never see other
 * requests in the same bytes than Redis does. Two differences, so that the same bytes mean the same however they are cut:
 * a line is too long when it is longer than the bound, not when that shows between two reads; and a request has a bound
 * of its own.
 *
 * Every byte is looked at a bounded number of times. Memory grows with the bytes that came, never with a length that a
 * client announced: at most twice the bytes of the request being read, plus 16 bytes for each of its arguments.
 */

import { Buffer } from "node:buffer";
import type { Key } from "../key.ts";
import { KeyMemo } from "./key_memo.ts";
import { requestFrame } from "./request_frame.ts";
import {
  READ_BUFFER_BYTES_MAX,
  READ_BUFFER_BYTES_MIN,
  REQUEST_ARGUMENTS_MAX,
  REQUEST_BYTES_MAX,
  REQUEST_LINE_BYTES_MAX,
  UNAUTHENTICATED_ARGUMENTS_MAX,
  UNAUTHENTICATED_BULK_BYTES_MAX,
} from "../../limits.ts";

/** Arguments of a request whose places are kept in arrays that are reused; a longer request's arrays go with it. */
const ARGUMENTS_KEPT = 1_024;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const DOUBLE_QUOTE = 0x22;
const DOLLAR = 0x24;
const SINGLE_QUOTE = 0x27;
const ASTERISK = 0x2a;
const MINUS = 0x2d;
const ZERO = 0x30;
const BACKSLASH = 0x5c;
const LOWER_X = 0x78;

/** One for all clients: what one asked for another asks for as well. */
const keyMemo = new KeyMemo();

/** What `#length` returns beside lengths, which may be negative but are integers. */
const NOT_YET = Infinity;
const MALFORMED = NaN;
const TOO_LONG = -Infinity;

/** `complete`: a request is there; `incomplete`: more bytes are needed; `invalid`: see `error`, and close the connection. */
export type RequestStatus = "complete" | "incomplete" | "invalid";

/** Reads the requests of one client. */
export class RequestParser {
  #bytes: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES_MIN);
  /** The space of a buffer that holds nothing. */
  #empty: Buffer<ArrayBuffer> = this.#bytes.subarray(1);
  /** First byte of the request being read, or of the last one. */
  #start = 1;
  /** First byte that was not parsed. */
  #at = 1;
  /** First byte that was not received. */
  #end = 1;
  /** No line end is before this byte; so a line that comes in drops is searched once. */
  #searched = 1;
  /** Where the line of the last length begins. */
  #lineStart = 1;
  /** Arguments of the request being read that have not come; 0 between requests. */
  #argumentsLeft = 0;
  /** Length of the argument being read; -1 while it is not known. */
  #bulkBytes = -1;
  #isFinished = true;
  #isInline = false;
  #isFilled = false;

  /** Where each argument is, counted from `#start`: the buffer may be moved while a request is half there. */
  #offsets: number[] = [];
  #lengths: number[] = [];

  /** How many arguments the request has, its name included; at least 1. */
  argumentCount = 0;

  /** Why the input is invalid, as Redis words it, without `-ERR `; a character for each byte. */
  error = "";

  /** While false the bounds for strangers apply. Set it when the client has authenticated itself. */
  isAuthenticated: boolean;

  readonly #requestBytesMax: number;

  /** Makes a parser. `requestBytesMax` is `REQUEST_BYTES_MAX` unless told. Cost: one small buffer. */
  constructor(options: { isAuthenticated: boolean; requestBytesMax?: number }) {
    this.isAuthenticated = options.isAuthenticated;
    this.#requestBytesMax = options.requestBytesMax ?? REQUEST_BYTES_MAX;
  }

  /** Bytes of the buffer held for this client. */
  get bufferBytes(): number {
    return this.#bytes.length;
  }

  /** Bytes that came and were not read as requests yet. */
  get unreadBytes(): number {
    return this.#end - this.#at;
  }

  /** True in the middle of a request: some of its bytes came, and not all. */
  get isHalf(): boolean {
    return this.#end > this.#at || !this.#isFinished;
  }

  /**
   * Returns where to write the next bytes; at least one fits.
   *
   * All views that were given out are invalid from here on, as the buffer is moved or used again; the arguments of the
   * request that was read last can still be asked for. Cost: O(1) amortised for each byte received.
   */
  space(): Uint8Array<ArrayBuffer> {
    const size = this.#bytes.length;
    const kept = this.#end - this.#start;
    const isTight = size - this.#end < size / 8;
    if (kept > size / 2 ? isTight : this.#isFilled && size < READ_BUFFER_BYTES_MAX) this.#moveTo(size * 2);
    else if (size > READ_BUFFER_BYTES_MAX && kept < READ_BUFFER_BYTES_MAX / 2) this.#moveTo(READ_BUFFER_BYTES_MAX);
    else if (isTight || kept === 0) this.#moveTo(size);
    // Between requests it is the same place each time, and a client that waits for its replies comes here for each.
    if (kept > 0) return this.#bytes.subarray(this.#end);
    if (this.#empty.buffer !== this.#bytes.buffer) this.#empty = this.#bytes.subarray(1);
    return this.#empty;
  }

  /** Takes over `count` bytes that were written to the beginning of `space()`. */
  received(count: number): void {
    this.#end += count;
    this.#isFilled = this.#end === this.#bytes.length;
  }

  /**
   * Reads the next request. After `invalid` the parser is of no use any more.
   *
   * Empty requests are skipped, as in Redis. Nothing is allocated for an array of bulks.
   */
  next(): RequestStatus {
    while (true) {
      if (this.#isFinished) {
        this.#start = this.#at;
        this.argumentCount = 0;
        if (this.#offsets.length > ARGUMENTS_KEPT) {
          this.#offsets = [];
          this.#lengths = [];
        }
        if (this.#at === this.#end) return "incomplete";
        this.#isFinished = false;
        this.#searched = this.#at;
      }
      if (this.#argumentsLeft === 0) {
        this.#isInline = this.#bytes[this.#at] !== ASTERISK;
        const status = this.#isInline ? this.#readInline() : this.#readCount();
        if (status !== "complete") return status;
      }
      const status = this.#readBulks();
      if (status !== "complete") return status;
      this.#isFinished = true;
      if (this.argumentCount > 0) return "complete";
    }
  }

  /** Returns argument `index` as a view into the read buffer: valid until `space` is called. Cost: one view. */
  argument(index: number): Buffer<ArrayBuffer> {
    const from = this.#start + this.#offsets[index];
    return this.#bytes.subarray(from, from + this.#lengths[index]);
  }

  /** Returns argument `index` as a string of its own, a character for each byte. Cost: O(length). */
  text(index: number): string {
    const from = this.#start + this.#offsets[index];
    return this.#bytes.toString("latin1", from, from + this.#lengths[index]);
  }

  /**
   * Returns argument `index` as a key: what `keyFromBytes(argument(index))` would be, in one copy at most.
   *
   * The byte before an argument, which is borrowed for that copy, belongs to a length or to a blank; the byte in front of
   * everything is there for an argument at the very beginning.
   */
  key(index: number): Key {
    const start = this.#start + this.#offsets[index];
    return keyMemo.keyOf(this.#bytes, { start, end: start + this.#lengths[index] });
  }

  /**
   * Returns the request as it came, for passing on; an inline one, which is decoded in its place, as an array of bulks.
   *
   * A view into the read buffer: valid until `space` is called. Cost: one view; O(length) for an inline request.
   */
  frame(): Uint8Array {
    if (this.#isInline) return requestFrame(Array.from({ length: this.argumentCount }, (_, i) => this.argument(i)));
    return this.#bytes.subarray(this.#start, this.#at);
  }

  /** True when argument `index` is `word`, which is in lower case ASCII; upper and lower case are the same. */
  matches(index: number, word: string): boolean {
    const { length } = word;
    if (this.#lengths[index] !== length) return false;
    const bytes = this.#bytes;
    const from = this.#start + this.#offsets[index];
    for (let i = 0; i < length; i++) {
      const byte = bytes[from + i];
      const wanted = word.charCodeAt(i);
      if (byte !== wanted && (byte < 0x41 || byte > 0x5a || byte + 0x20 !== wanted)) return false;
    }
    return true;
  }

  /** Moves what is kept to the beginning of a buffer of `size` bytes, or of this one. */
  #moveTo(size: number): void {
    const bytes = size === this.#bytes.length ? this.#bytes : Buffer.allocUnsafeSlow(size);
    if (this.#end > this.#start) this.#bytes.copy(bytes, 1, this.#start, this.#end);
    const shift = this.#start - 1;
    this.#bytes = bytes;
    this.#start = 1;
    this.#at -= shift;
    this.#end -= shift;
    this.#searched -= shift;
  }

  #invalid(reason: string): "invalid" {
    this.error = `Protocol error: ${reason}`;
    return "invalid";
  }

  /** Reads `*<count>`; without arguments the request is over. */
  #readCount(): RequestStatus {
    const count = this.#length();
    if (count === NOT_YET) return "incomplete";
    if (count === TOO_LONG) return this.#invalid("too big mbulk count string");
    if (!(count <= REQUEST_ARGUMENTS_MAX)) return this.#invalid("invalid multibulk length");
    if (count > UNAUTHENTICATED_ARGUMENTS_MAX && !this.isAuthenticated) {
      return this.#invalid("unauthenticated multibulk length");
    }
    this.#argumentsLeft = Math.max(0, count);
    return "complete";
  }

  /** Reads the arguments that are left, as far as they are there. */
  #readBulks(): RequestStatus {
    const bytes = this.#bytes;
    while (this.#argumentsLeft > 0) {
      if (this.#bulkBytes < 0) {
        const length = this.#length();
        if (length === NOT_YET) return "incomplete";
        if (length === TOO_LONG) return this.#invalid("too big bulk count string");
        const first = bytes[this.#lineStart];
        if (first !== DOLLAR) return this.#invalid(`expected '$', got '${shown(first)}'`);
        if (!(length >= 0 && length <= this.#requestBytesMax)) return this.#invalid("invalid bulk length");
        if (length > UNAUTHENTICATED_BULK_BYTES_MAX && !this.isAuthenticated) {
          return this.#invalid("unauthenticated bulk length");
        }
        if (this.#at + length - this.#start > this.#requestBytesMax) return this.#invalid("too big request");
        this.#bulkBytes = length;
      }
      const after = this.#at + this.#bulkBytes + 2;
      if (after > this.#end) return "incomplete";
      this.#offsets[this.argumentCount] = this.#at - this.#start;
      this.#lengths[this.argumentCount] = this.#bulkBytes;
      this.argumentCount++;
      this.#at = this.#searched = after;
      this.#bulkBytes = -1;
      this.#argumentsLeft--;
    }
    return "complete";
  }

  /**
   * Reads the line at `#at`, whose first byte is a mark, and steps over it: an integer, or one of the marks above.
   *
   * Redis looks for a CR, stops looking at a NUL, and steps over the byte after the CR whatever it is.
   */
  #length(): number {
    const bytes = this.#bytes;
    const end = this.#end;
    const head = this.#lineStart = this.#at;
    // The usual line: some digits, the first not 0, and all there.
    let at = head + 1;
    let value = 0;
    while (at < end && at < head + 10) {
      const digit = bytes[at] - ZERO;
      if (digit < 0 || digit > 9 || (digit === 0 && value === 0)) break;
      value = value * 10 + digit;
      at++;
    }
    if (at > head + 1 && at + 1 < end && bytes[at] === CR && bytes[head] !== 0) {
      this.#at = this.#searched = at + 2;
      return value;
    }
    const lineEnd = this.#find(CR);
    if (lineEnd < 0) return end - head > REQUEST_LINE_BYTES_MAX ? TOO_LONG : NOT_YET;
    if (lineEnd + 1 >= end) return NOT_YET;
    this.#at = this.#searched = lineEnd + 2;
    return parseInteger(bytes, { start: head + 1, end: lineEnd });
  }

  /** Returns where `wanted` is in the line that begins at `#at`; -1 when it did not come, or not before a NUL. */
  #find(wanted: number): number {
    const bytes = this.#bytes;
    const stop = Math.min(this.#end, this.#at + REQUEST_LINE_BYTES_MAX + 1);
    let at = this.#searched;
    while (at < stop && bytes[at] !== 0) {
      if (bytes[at] === wanted) return this.#searched = at;
      at++;
    }
    this.#searched = at;
    return -1;
  }

  /** Reads a line of words, decoding them in place: a word is never longer than what it was written as. */
  #readInline(): RequestStatus {
    const bytes = this.#bytes;
    const newline = this.#find(LF);
    if (newline < 0) {
      if (this.#end - this.#at <= REQUEST_LINE_BYTES_MAX) return "incomplete";
      return this.#invalid("too big inline request");
    }
    const lineEnd = newline > this.#at && bytes[newline - 1] === CR ? newline - 1 : newline;
    let at = this.#at;
    while (true) {
      while (at < lineEnd && isBlank(bytes[at])) at++;
      if (at === lineEnd) break;
      const from = at;
      let to = at;
      for (; at < lineEnd && !isBlank(bytes[at]); at++) {
        const byte = bytes[at];
        if (byte !== DOUBLE_QUOTE && byte !== SINGLE_QUOTE) {
          bytes[to++] = byte;
          continue;
        }
        at++;
        while (at < lineEnd && bytes[at] !== byte) {
          if (bytes[at] === BACKSLASH && at + 1 < lineEnd) {
            if (byte === DOUBLE_QUOTE) {
              const high = at + 3 < lineEnd && bytes[at + 1] === LOWER_X ? hexDigit(bytes[at + 2]) : -1;
              const low = high >= 0 ? hexDigit(bytes[at + 3]) : -1;
              bytes[to++] = low >= 0 ? high * 16 + low : unescaped(bytes[at + 1]);
              at += low >= 0 ? 4 : 2;
              continue;
            }
            if (bytes[at + 1] === SINGLE_QUOTE) {
              bytes[to++] = SINGLE_QUOTE;
              at += 2;
              continue;
            }
          }
          bytes[to++] = bytes[at++];
        }
        // A quote that was opened must be closed, and a blank or the end must follow.
        if (at === lineEnd || (at + 1 < lineEnd && !isBlank(bytes[at + 1]))) {
          return this.#invalid("unbalanced quotes in request");
        }
      }
      this.#offsets[this.argumentCount] = from - this.#start;
      this.#lengths[this.argumentCount] = to - from;
      this.argumentCount++;
    }
    this.#at = this.#searched = newline + 1;
    return "complete";
  }
}

/** Reads the whole of `bytes[start..end)` as a 64-bit integer in the only spelling that Redis takes; else `MALFORMED`. */
function parseInteger(bytes: Buffer, { start, end }: { start: number; end: number }): number {
  if (end - start > 20) return MALFORMED;
  const isNegative = bytes[start] === MINUS;
  const first = isNegative ? start + 1 : start;
  if (first === end || (bytes[first] === ZERO && end - start > 1)) return MALFORMED;
  for (let at = first; at < end; at++) {
    if (bytes[at] < ZERO || bytes[at] > ZERO + 9) return MALFORMED;
  }
  const value = BigInt(bytes.toString("latin1", start, end));
  return BigInt.asIntN(64, value) === value ? Number(value) : MALFORMED;
}

/** What C's `isspace` says, less NUL and LF, which no inline line holds. */
function isBlank(byte: number): boolean {
  return byte === SPACE || (byte >= TAB && byte <= CR);
}

function hexDigit(byte: number): number {
  if (byte >= ZERO && byte <= ZERO + 9) return byte - ZERO;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

/** What a letter after a backslash in double quotes stands for. */
function unescaped(byte: number): number {
  switch (byte) {
    case 0x6e: // n
      return LF;
    case 0x72: // r
      return CR;
    case 0x74: // t
      return TAB;
    case 0x62: // b
      return 0x08;
    case 0x61: // a
      return 0x07;
    default:
      return byte;
  }
}

/** A byte as an error may hold it: an error is one line. */
function shown(byte: number): string {
  return byte === CR || byte === LF ? " " : String.fromCharCode(byte);
}
