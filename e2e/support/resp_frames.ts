const lineEnd = 10;
const headBytesMax = 32;

/**
 * Finds where the frames (whole replies, pushes or commands) of a RESP2 or RESP3 stream end, however it was cut into
 * chunks. It only counts: no byte is kept but the few of a length, and nested values are not built.
 *
 * Redis never sends the streamed types (`$?`, `*?`); they are refused.
 */
export class FrameScanner {
  /** Values still needed until the frame is whole: an array of 3 needs 3 more than it fills. */
  #valuesLeft = 0;
  /** Bytes of a bulk's body, its CRLF included, that are still to come. */
  #bodyLeft = 0;
  /** The line that is being read, as far as its first bytes; null between lines. */
  #head: string | null = null;

  /** True when all bytes so far are whole frames. */
  get atBoundary(): boolean {
    return this.#valuesLeft === 0 && this.#head === null;
  }

  /**
   * Returns the offset after each frame that ends within `chunk`, in order.
   *
   * @throws Error when the bytes are not RESP; the scanner is of no use then
   */
  ends(chunk: Uint8Array): number[] {
    const ends: number[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const step = Math.min(this.#bodyLeft, chunk.length - at);
        this.#bodyLeft -= step;
        at += step;
        if (this.#bodyLeft > 0) break;
        this.#valuesLeft--;
      } else {
        const found = chunk.indexOf(lineEnd, at);
        const stop = found === -1 ? chunk.length : found + 1;
        this.#head ??= "";
        // Only lengths matter, and they are short; an error text may be long.
        for (; at < stop && this.#head.length < headBytesMax; at++) this.#head += String.fromCharCode(chunk[at]);
        at = stop;
        if (found === -1) break;
        const line = this.#head;
        this.#head = null;
        if (this.#valuesLeft === 0) this.#valuesLeft = 1;
        this.#endOfLine(line);
      }
      if (this.#valuesLeft === 0) ends.push(at);
    }
    return ends;
  }

  #endOfLine(line: string): void {
    switch (line[0]) {
      case "$": // bulk
      case "=": // verbatim text
      case "!": { // bulk error
        const length = lengthIn(line);
        if (length === null) this.#valuesLeft--;
        else this.#bodyLeft = length + 2;
        return;
      }
      case "*": // array
      case "~": // set
      case ">": // push
        this.#valuesLeft += (lengthIn(line) ?? 0) - 1;
        return;
      case "%": // map
        this.#valuesLeft += 2 * (lengthIn(line) ?? 0) - 1;
        return;
      case "|": // attributes come before the value that they describe, and are no value themselves
        this.#valuesLeft += 2 * (lengthIn(line) ?? 0);
        return;
      case "+":
      case "-":
      case ":":
      case ",":
      case "#":
      case "_":
      case "(":
        this.#valuesLeft--;
        return;
      default:
        throw new Error(`Cannot find frames: a RESP type is needed: received ${JSON.stringify(line)}`);
    }
  }
}

/** The length that a line gives, null for -1, which is RESP2's nil. */
function lengthIn(line: string): number | null {
  const digits = /^.(-1|\d{1,15})\r\n$/.exec(line)?.[1];
  if (digits === undefined) {
    throw new Error(`Cannot find frames: a length is needed: received ${JSON.stringify(line)}`);
  }
  return digits === "-1" ? null : Number(digits);
}

/** A frame as a test tells it from others. */
export interface FrameView {
  /** The byte that names the type: `$` bulk, `+` status, `-` error, `*` array, `>` push, … */
  type: string;
  bytesTotal: number;
  /** The first 64 bytes as text, each byte one character. */
  start: string;
}

/** Describes a whole frame. */
export function describeFrame(bytes: Uint8Array): FrameView {
  const start = String.fromCharCode(...bytes.subarray(0, 64));
  return { type: start[0], bytesTotal: bytes.length, start };
}
