/**
 * Bytes in a URL: what `readKey` reads, written.
 */

/** What may stand in a URL's path or query as it is, and in HTML and JSON as well (RFC 3986, 2.3: unreserved). */
const UNRESERVED = /[A-Za-z0-9._~-]/;

const ENCODED: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return UNRESERVED.test(character) ? character : "%" + byte.toString(16).toUpperCase().padStart(2, "0");
});

/**
 * Returns `bytes` percent-encoded: every byte that is not unreserved as `%` and two hex digits. Cost: O(length).
 *
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(percentEncoded(new Uint8Array([0x61, 0x2f, 0xff])), "a%2F%FF");
 * ```
 */
export function percentEncoded(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += ENCODED[byte];
  return text;
}
