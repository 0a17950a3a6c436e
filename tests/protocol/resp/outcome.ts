/**
 * What a parser makes of bytes, and ways to cut them.
 */

import { Buffer } from "node:buffer";
import { RequestParser } from "../../../lib/protocol/resp/request_parser.ts";

/** All requests that were read, an argument as characters for bytes, and how it ended. */
export interface Outcome {
  readonly requests: string[][];
  readonly error: string | null;
  /** A request was begun and not ended. */
  readonly isHalf: boolean;
}

/** Bytes of `text`, one for each character. */
export function latin1(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

/** Feeds `chunks`, each in as many reads as the parser's own space demands, and returns what came of them. */
export function outcomeOf(
  chunks: Iterable<Uint8Array>,
  { isAuthenticated = true, parser = new RequestParser({ isAuthenticated }) } = {},
): Outcome {
  const requests: string[][] = [];
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const space = parser.space();
      const part = chunk.subarray(at, at + space.length);
      space.set(part);
      parser.received(part.length);
      at += part.length;
      for (let status = parser.next(); status !== "incomplete"; status = parser.next()) {
        if (status === "invalid") return { requests, error: parser.error, isHalf: false };
        requests.push(Array.from({ length: parser.argumentCount }, (_, i) => parser.text(i)));
      }
    }
  }
  return { requests, error: null, isHalf: parser.isHalf };
}

/** Cuts `bytes` before each of `places`; places may repeat and come in any order. */
export function cut(bytes: Uint8Array, places: number[]): Uint8Array[] {
  const sorted = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...sorted].map((from, i) => bytes.subarray(from, [...sorted, bytes.length][i]));
}

/** Cuts `bytes` after each byte. */
export function crumbs(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
}
