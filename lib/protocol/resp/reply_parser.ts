/**
 * Where the replies of a Redis end, RESP2 and RESP3, out of chunks cut anywhere.
 *
 * For relaying it is enough to know where a reply ends and whether it is one: a push is not the reply to anything. So the
 * parser builds nothing and keeps no bytes: it looks at each byte of a line once, steps over bulks without a look, and
 * remembers, for each open aggregate, how many values are missing. What a frame says is told by `readReply`.
 */
import { REPLY_DEPTH_MAX } from "../../limits.ts";

/** Most digits of a length: what a number holds exactly. */
const LENGTH_DIGITS_MAX = 15;

const LF = 0x0a;
const CR = 0x0d;
const MINUS = 0x2d;
const ZERO = 0x30;
const QUESTION_MARK = 0x3f;

/** Marks of the types (the first byte of a frame). */
const BULK = 0x24; // $
const ARRAY = 0x2a; // *
const SET = 0x7e; // ~
const PUSH = 0x3e; // >
const MAP = 0x25; // %
const ATTRIBUTES = 0x7c; // |
const BULK_ERROR = 0x21; // !
const VERBATIM = 0x3d; // =
const CHUNK = 0x3b; // ;
const STREAM_END = 0x2e; // .
/** Types of one line: simple string, error, integer, double, boolean, null, big number. */
const LINES = new Set(Array.from("+-:,#_(", (mark) => mark.charCodeAt(0)));

/** What `#left` holds for an aggregate whose end is marked and not counted. */
const STREAMED = -1;

/** `complete`: a frame ended at `end`; `incomplete`: the chunk ended first; `invalid`: these bytes are not RESP. */
export type ReplyStatus = "complete" | "incomplete" | "invalid";

type Reading = "mark" | "length" | "line" | "body";

/**
 * Finds the ends of frames.
 *
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const parser = new ReplyParser();
 * const chunk = new TextEncoder().encode("+OK\r\n*2\r\n:1\r\n");
 * assert.equal(parser.next(chunk, 0), "complete");
 * assert.equal(parser.end, 5);
 * assert.equal(parser.next(chunk, parser.end), "incomplete");
 * assert.equal(parser.next(new TextEncoder().encode(":2\r\n"), 0), "complete");
 * ```
 */
export class ReplyParser {
  /** Values missing in each open aggregate, the outermost first. */
  readonly #left: number[] = [];
  /** For each of them, whether it holds attributes. */
  readonly #isAttributes: boolean[] = [];
  #reading: Reading = "mark";
  /** Type of the value being read. */
  #mark = 0;
  #length = 0;
  #digits = 0;
  #isNegative = false;
  #isStreamed = false;
  /** True inside a streamed bulk, which comes in chunks. */
  #isInChunks = false;
  /** True when the last byte of the line so far was a CR. */
  #hasCr = false;
  /** Bytes of a body, its CRLF included, that are still to come. */
  #bodyLeft = 0;
  #isBetween = true;

  /** Offset in the chunk after the frame that was completed last. */
  end = 0;

  /** Mark of that frame, or of the one being read: `+`, `$`, `>` and so on as a byte. Attributes before a value do not count. */
  mark = 0;

  /** True when that frame is a push, which answers nothing. */
  get isPush(): boolean {
    return this.mark === PUSH;
  }

  /** True when all bytes so far were whole frames. */
  get isBetween(): boolean {
    return this.#isBetween;
  }

  /**
   * Goes on at `chunk[at]`, and stops after the first frame that ends. After `invalid` the parser is of no use any more.
   *
   * Cost: O(bytes of lines) for all calls together; bodies cost nothing, nothing is allocated but for new depths.
   */
  next(chunk: Uint8Array, at: number): ReplyStatus {
    while (at < chunk.length) {
      switch (this.#reading) {
        case "mark": {
          const mark = this.#mark = chunk[at++];
          if (this.#isBetween) {
            this.#isBetween = false;
            this.mark = 0;
          }
          if (this.mark === 0 && mark !== ATTRIBUTES && this.#left.length === 0) this.mark = mark;
          this.#hasCr = false;
          if (this.#isInChunks ? mark !== CHUNK : !isKnown(mark)) return "invalid";
          this.#reading = LINES.has(mark) ? "line" : "length";
          this.#length = this.#digits = 0;
          this.#isNegative = this.#isStreamed = false;
          break;
        }
        case "line": {
          const found = chunk.indexOf(LF, at);
          const stop = found < 0 ? chunk.length : found;
          if (stop > at) this.#hasCr = chunk[stop - 1] === CR;
          at = stop;
          if (found < 0) return "incomplete";
          at++;
          // A lone LF is part of the text.
          if (!this.#hasCr) break;
          const status = this.#endValue();
          if (status === "complete") this.end = at;
          if (status !== "incomplete") return status;
          break;
        }
        case "length": {
          const byte = chunk[at++];
          if (this.#hasCr) {
            if (byte !== LF) return "invalid";
            const status = this.#endLength();
            if (status === "complete") this.end = at;
            if (status !== "incomplete") return status;
          } else if (byte === CR) {
            this.#hasCr = true;
          } else if (!this.#addToLength(byte)) {
            return "invalid";
          }
          break;
        }
        case "body": {
          const step = Math.min(this.#bodyLeft, chunk.length - at);
          this.#bodyLeft -= step;
          at += step;
          if (this.#bodyLeft > 0) return "incomplete";
          if (this.#isInChunks) {
            this.#reading = "mark";
            break;
          }
          const status = this.#endValue();
          if (status === "complete") this.end = at;
          if (status !== "incomplete") return status;
          break;
        }
      }
    }
    return "incomplete";
  }

  /** Takes one byte of a length; false when it has no place there. */
  #addToLength(byte: number): boolean {
    if (this.#isStreamed) return false;
    if (byte === MINUS && this.#digits === 0 && !this.#isNegative) {
      this.#isNegative = true;
      return true;
    }
    if (byte === QUESTION_MARK && this.#digits === 0 && !this.#isNegative) {
      this.#isStreamed = true;
      return true;
    }
    const digit = byte - ZERO;
    if (digit < 0 || digit > 9 || ++this.#digits > LENGTH_DIGITS_MAX) return false;
    this.#length = this.#length * 10 + digit;
    return true;
  }

  /** Decides what follows a line with a length, and after the mark of a stream's end. */
  #endLength(): ReplyStatus {
    const mark = this.#mark;
    const length = this.#length;
    if (mark === STREAM_END) {
      return this.#digits > 0 || this.#isNegative || this.#isStreamed ? "invalid" : this.#endStream();
    }
    if (this.#digits === 0 && !this.#isStreamed) return "invalid";
    if (this.#isNegative) {
      // RESP2's null, as a bulk or as an array.
      return length === 1 && (mark === BULK || mark === ARRAY) ? this.#endValue() : "invalid";
    }
    if (mark === BULK && this.#isStreamed) {
      this.#isInChunks = true;
      this.#reading = "mark";
      return "incomplete";
    }
    if (mark === CHUNK) {
      if (this.#isStreamed) return "invalid";
      if (length === 0) {
        this.#isInChunks = false;
        return this.#endValue();
      }
      return this.#beginBody(length);
    }
    if (mark === BULK || mark === BULK_ERROR || mark === VERBATIM) {
      return this.#isStreamed ? "invalid" : this.#beginBody(length);
    }
    if (this.#isStreamed && (mark === PUSH || mark === ATTRIBUTES)) return "invalid";
    const values = this.#isStreamed ? STREAMED : mark === MAP || mark === ATTRIBUTES ? length * 2 : length;
    if (mark === ATTRIBUTES) {
      // They are no value themselves: when they end, the value that they describe is still to come.
      this.#reading = "mark";
      return values === 0 ? "incomplete" : this.#open(values, true);
    }
    return values === 0 ? this.#endValue() : this.#open(values, false);
  }

  #open(values: number, isAttributes: boolean): ReplyStatus {
    if (this.#left.length === REPLY_DEPTH_MAX) return "invalid";
    this.#left.push(values);
    this.#isAttributes.push(isAttributes);
    this.#reading = "mark";
    return "incomplete";
  }

  #beginBody(length: number): ReplyStatus {
    this.#bodyLeft = length + 2;
    this.#reading = "body";
    return "incomplete";
  }

  #endStream(): ReplyStatus {
    if (this.#left.at(-1) !== STREAMED) return "invalid";
    this.#left.pop();
    this.#isAttributes.pop();
    return this.#endValue();
  }

  /** Counts a value that ended, and the aggregates that end with it. `complete` when the outermost did. */
  #endValue(): ReplyStatus {
    this.#reading = "mark";
    const left = this.#left;
    while (left.length > 0) {
      const last = left.length - 1;
      if (left[last] === STREAMED || --left[last] > 0) return "incomplete";
      left.pop();
      if (this.#isAttributes.pop()) return "incomplete";
    }
    this.#isBetween = true;
    return "complete";
  }
}

function isKnown(mark: number): boolean {
  switch (mark) {
    case BULK:
    case ARRAY:
    case SET:
    case PUSH:
    case MAP:
    case ATTRIBUTES:
    case BULK_ERROR:
    case VERBATIM:
    case STREAM_END:
      return true;
    default:
      return LINES.has(mark);
  }
}
