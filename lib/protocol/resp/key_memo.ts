/**
 * The strings of keys that were asked for lately, found by their bytes.
 *
 * Making a string of a key, and hashing it for the first time, costs more than all else of a hit in a long pipeline. Keys
 * are asked for again and again; so the string of the last time is used again, when its characters are these bytes. It
 * costs a pass over the bytes and another over the string, 2 ns a byte together, and makes no garbage.
 *
 * A key that takes another's place costs the other only the next look-up, so keys chosen to collide gain nothing.
 */

import type { Buffer } from "node:buffer";
import type { Key } from "../key.ts";

/** Strings held; a power of two. With the longest keys 300 KiB, once for the process. */
const KEYS_MAX = 4_096;

/** A longer key is made anew each time: its copy costs less than walking it twice. */
const MEMO_KEY_BYTES_MAX = 64;

const SLASH = 0x2f;

/** Makes keys of bytes. */
export class KeyMemo {
  readonly #keys: Key[] = new Array(KEYS_MAX).fill("");

  /**
   * Returns the key of `bytes[start..end)`, what `keyFromBytes` would make of them, in one copy at most.
   *
   * The slash borrows the byte before `start`, which must exist, for the time of the copy.
   */
  keyOf(bytes: Buffer, { start, end }: { start: number; end: number }): Key {
    const length = end - start;
    if (length > MEMO_KEY_BYTES_MAX) return makeKey(bytes, { start, end });
    let hash = length;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
    const slot = (hash ^ (hash >>> 15)) & (KEYS_MAX - 1);
    const known = this.#keys[slot];
    return isKeyOf(known, { bytes, start, length }) ? known : this.#keys[slot] = makeKey(bytes, { start, end });
  }
}

function isKeyOf(key: Key, { bytes, start, length }: { bytes: Buffer; start: number; length: number }): boolean {
  if (key.length !== length + 1) return false;
  for (let i = 0; i < length; i++) if (key.charCodeAt(i + 1) !== bytes[start + i]) return false;
  return true;
}

function makeKey(bytes: Buffer, { start, end }: { start: number; end: number }): Key {
  const borrowed = bytes[start - 1];
  bytes[start - 1] = SLASH;
  const key = bytes.toString("latin1", start - 1, end);
  bytes[start - 1] = borrowed;
  return key;
}
