/**
 * What the look-up shows of one key, as data.
 */

import { Buffer } from "node:buffer";
import { type Key, keyBytes, keyToBytes } from "../protocol/key.ts";
import { percentEncoded } from "../protocol/percent_encoding.ts";
import { chargedBytes, type Item } from "../read_through/item.ts";
import type { Holding } from "../read_through/holding.ts";
import { PREVIEW_BYTES_MAX } from "../limits.ts";

/** The beginning of a value: as text where the whole value is UTF-8, else in hex, two digits a byte. */
export interface Preview {
  readonly encoding: "text" | "hex";
  readonly data: string;
  /** Bytes of the value that `data` stands for. */
  readonly bytes: number;
}

/** What is held of a key. Times are in ms, rounded. */
export interface KeyView {
  /** Percent-encoded, as after `/get/`. */
  readonly key: string;
  readonly keyBytes: number;
  readonly value: {
    /** False when it is past its end, and would be served only while Redis is away. */
    readonly isFresh: boolean;
    readonly ageMs: number;
    /** Until it is no longer fresh; negative when it is not. */
    readonly remainingMs: number;
    readonly bytes: number;
    /** What is charged for it against `CACHE_MAXBYTES`: key and overhead included. */
    readonly chargedBytes: number;
    readonly etag: string;
    /** Hits since it was read. */
    readonly hits: number;
    readonly preview: Preview;
  } | null;
  /** It is remembered that Redis has no such key. */
  readonly absence: { readonly remainingMs: number } | null;
  /** A read of Redis is under way. */
  readonly flight: { readonly isSent: boolean; readonly waiters: number } | null;
}

/** Returns what is shown of `key`. Cost: O(length of the preview), whatever the value's length. */
export function keyView(key: Key, { item, nowMs, isFresh, absentForMs, flight }: Holding): KeyView {
  return {
    key: percentEncoded(keyToBytes(key)),
    keyBytes: keyBytes(key),
    value: item === null ? null : {
      isFresh,
      ageMs: Math.round(nowMs - item.readAtMs),
      remainingMs: Math.round(item.freshUntilMs - nowMs),
      bytes: item.length,
      chargedBytes: chargedBytes(key, item),
      etag: item.etag,
      hits: item.hits,
      preview: previewOf(item),
    },
    absence: absentForMs === null ? null : { remainingMs: Math.round(absentForMs) },
    flight,
  };
}

function previewOf({ body, isText }: Item): Preview {
  // No character is less than a byte.
  const bytes = typeof body === "string" ? Buffer.from(body.slice(0, PREVIEW_BYTES_MAX)) : body;
  const beginning = bytes.subarray(0, PREVIEW_BYTES_MAX);
  if (!isText) return { encoding: "hex", data: Buffer.from(beginning).toString("hex"), bytes: beginning.length };
  // In the middle of a stream the decoder keeps a character back that is not whole. U+FEFF is a character like others.
  const data = new TextDecoder("utf-8", { ignoreBOM: true }).decode(beginning, { stream: true });
  return { encoding: "text", data, bytes: Buffer.byteLength(data) };
}
