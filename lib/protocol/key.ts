/**
 * Keys: bytes in Redis, strings in our maps, percent-encoded in a URL.
 *
 * Inside the proxy a key is a `/` followed by one character (U+0000 to U+00FF) for each byte, so two keys are the same
 * string exactly when they are the same bytes. The slash is there for two reasons: over HTTP the key of a plain URL is
 * then a slice of it, without a copy; and V8 hashes strings like "123" by their number, so that keys chosen to collide
 * would make a Map 200 times slower, which any other first letter prevents.
 */

import { Buffer } from "node:buffer";
import { KEY_BYTES_MAX } from "../limits.ts";

/** A key as the proxy's maps know it: `/` and then a character for each byte. */
export type Key = string;

/** What a target's key can be: the key, or why there is none. */
export type KeyResult = { readonly ok: true; readonly key: Key } | {
  readonly ok: false;
  readonly reason: "malformed" | "too_long";
};

const PERCENT = 0x25;
const encoder = new TextEncoder();

/** Returns the key of `bytes`. Cost: O(length), one string. */
export function keyFromBytes(bytes: Uint8Array): Key {
  return "/" + asBuffer(bytes).toString("latin1");
}

/** Returns the bytes of `key`. Cost: O(length), one buffer. */
export function keyToBytes(key: Key): Buffer {
  return Buffer.from(key.slice(1), "latin1");
}

/**
 * Returns the name of `key` as a command's argument: a string where its UTF-8 is the key's bytes, as in any ASCII key,
 * else a buffer. A client library writes strings of one command together, which costs a third of what a buffer between
 * two of them does. Cost: O(length).
 */
export function keyArgument(key: Key): string | Buffer {
  return BEYOND_ASCII.test(key) ? keyToBytes(key) : key.slice(1);
}

/** Returns how many bytes `key` has in Redis. */
export function keyBytes(key: Key): number {
  return key.length - 1;
}

/** Where keys are copied through: longer ones, which only RESP has, through a buffer of their own. */
const copied = Buffer.allocUnsafeSlow(KEY_BYTES_MAX + 1);

/**
 * Returns a string equal to `key` that holds on to nothing else.
 *
 * A slice of a URL keeps the whole URL alive; what goes into a map for hours must not. Cost: O(length), 0.1 us for a short
 * key, where a buffer made for it would cost 2 us.
 */
export function detachedKey(key: Key): Key {
  const { length } = key;
  if (length > copied.length) return Buffer.from(key, "latin1").toString("latin1");
  for (let i = 0; i < length; i++) copied[i] = key.charCodeAt(i);
  return copied.toString("latin1", 0, length);
}

/**
 * Reads the key from `target[start..end)`, the part of a request target that begins with the slash before the key.
 *
 * Percent-encoded octets become bytes (RFC 3986, 2.1); nothing else is changed: `+`, `/`, `.` and `..` are themselves,
 * and a character that is not ASCII stands for its UTF-8 bytes. A key without either costs one slice. `malformed` is a
 * `%` without two hex digits; `too_long` is more than `bytesMax` bytes after decoding. Never throws.
 *
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const target = "/get/a%2Fb%ff?x";
 * assert.deepEqual(readKey(target, { start: 4, end: 13, bytesMax: 100 }), { ok: true, key: "/a/b\xff" });
 * ```
 */
export function readKey(target: string, at: { start: number; end: number; bytesMax: number }): KeyResult {
  const encoded = target.slice(at.start, at.end);
  // Every encoded character gives at least a third of a byte; so a hostile length is refused before it is walked.
  if (encoded.length - 1 > at.bytesMax * 3) return { ok: false, reason: "too_long" };
  if (isPlain(encoded)) {
    return encoded.length - 1 > at.bytesMax ? { ok: false, reason: "too_long" } : { ok: true, key: encoded };
  }
  const source = encoder.encode(encoded);
  const decoded = Buffer.allocUnsafe(source.length);
  let length = 0;
  for (let i = 0; i < source.length; i++) {
    let byte = source[i];
    if (byte === PERCENT) {
      const high = i + 1 < source.length ? hexDigit(source[i + 1]) : -1;
      const low = i + 2 < source.length ? hexDigit(source[i + 2]) : -1;
      if (high < 0 || low < 0) return { ok: false, reason: "malformed" };
      byte = high * 16 + low;
      i += 2;
    }
    decoded[length++] = byte;
  }
  if (length - 1 > at.bytesMax) return { ok: false, reason: "too_long" };
  return { ok: true, key: decoded.toString("latin1", 0, length) };
}

const BEYOND_ASCII = /[\x80-\xff]/;

// deno-lint-ignore no-control-regex -- the control characters are the point: everything outside ASCII and every %.
const NOT_PLAIN = /[^\x00-\x24\x26-\x7f]/;

/** True when `encoded` is its own decoding: ASCII without a percent sign. */
function isPlain(encoded: string): boolean {
  return !NOT_PLAIN.test(encoded);
}

/** Returns the value of an ASCII hex digit, or -1. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
