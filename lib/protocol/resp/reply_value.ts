/**
 * What a reply says, as values: for the few replies that are looked at and not only passed on.
 */

import { Buffer } from "node:buffer";
import { ReplyParser } from "./reply_parser.ts";

/** An error that Redis replied. It is a value like the others: not every error is a failure. */
export class ReplyError {
  /** The text, its code first; a character for each byte. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * A reply: a simple string is a string, bulks and verbatim text are bytes, integers beyond 2^53 and big numbers are
 * bigint, sets and pushes are arrays. Attributes are left out.
 */
export type ReplyValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Buffer
  | ReplyError
  | ReplyValue[]
  | Map<ReplyValue, ReplyValue>;

/**
 * Returns what `frame`, one whole reply, says. Its bytes are views into `frame`. Cost: O(length), one object a value.
 *
 * Throws TypeError when it is not exactly one reply.
 */
export function readReply(frame: Uint8Array): ReplyValue {
  const parser = new ReplyParser();
  if (parser.next(frame, 0) !== "complete" || parser.end !== frame.length) {
    throw new TypeError(
      `Cannot read a reply: one whole frame is needed: received ${frame.length} bytes of something else`,
    );
  }
  return new Reader(frame).value();
}

/** Reads values out of bytes that are known to be well-formed. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  value(): ReplyValue {
    const mark = String.fromCharCode(this.#bytes[this.#at++]);
    const line = this.#line();
    switch (mark) {
      case "-":
        return new ReplyError(line);
      case ":":
        return integer(line);
      case "(":
        return BigInt(integer(line));
      case ",":
        return line === "inf" ? Infinity : line === "-inf" ? -Infinity : Number(line);
      case "#":
        return line === "t";
      case "_":
        return null;
      case "$":
        return line === "-1" ? null : line === "?" ? this.#chunks() : this.#body(line);
      case "=":
        return this.#body(line).subarray("txt:".length);
      case "!":
        return new ReplyError(this.#body(line).toString("latin1"));
      case "*":
      case "~":
      case ">":
        return line === "-1" ? null : this.#values(line);
      case "%":
        return this.#pairs(line);
      case "|":
        this.#pairs(line);
        return this.value();
      default:
        return line;
    }
  }

  #line(): string {
    const end = this.#bytes.indexOf("\r\n", this.#at);
    const line = this.#bytes.toString("latin1", this.#at, end);
    this.#at = end + 2;
    return line;
  }

  #body(line: string): Buffer {
    const body = this.#bytes.subarray(this.#at, this.#at + Number(line));
    this.#at += body.length + 2;
    return body;
  }

  #chunks(): Buffer {
    const chunks: Buffer[] = [];
    for (let line = this.#line(); line !== ";0"; line = this.#line()) chunks.push(this.#body(line.slice(1)));
    return Buffer.concat(chunks);
  }

  #values(line: string): ReplyValue[] {
    const values: ReplyValue[] = [];
    while (!this.#isOver(line, values.length)) values.push(this.value());
    return values;
  }

  #pairs(line: string): Map<ReplyValue, ReplyValue> {
    const pairs = new Map<ReplyValue, ReplyValue>();
    for (let count = 0; !this.#isOver(line, count); count++) {
      const key = this.value();
      pairs.set(Buffer.isBuffer(key) ? key.toString("latin1") : key, this.value());
    }
    return pairs;
  }

  /** True when an aggregate whose head says `line` has all its values; steps over the mark of a stream's end. */
  #isOver(line: string, count: number): boolean {
    if (line !== "?") return count === Number(line);
    if (this.#bytes[this.#at] !== ".".charCodeAt(0)) return false;
    this.#line();
    return true;
  }
}

function integer(line: string): number | bigint {
  if (!/^[-+]?\d+$/.test(line)) throw new TypeError(`Cannot read a reply: an integer is needed: received ${line}`);
  const value = Number(line);
  return Number.isSafeInteger(value) ? value : BigInt(line);
}
