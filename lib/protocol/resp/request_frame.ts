/**
 * Requests as a client of Redis writes them.
 */

import { Buffer } from "node:buffer";

/**
 * Returns `words` as one request, an array of bulks. A string stands for its UTF-8 bytes. Cost: O(length), one buffer.
 *
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(requestFrame(["GET", "k"]).toString(), "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
 * ```
 */
export function requestFrame(words: readonly (string | Uint8Array)[]): Buffer<ArrayBuffer> {
  const parts: Uint8Array[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? Buffer.from(word) : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}
