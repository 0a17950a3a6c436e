/**
 * A value as the proxy holds it: in one form, and with all that can be worked out once instead of at every hit.
 *
 * A short text is held as a string, which is in the engine's own heap: a buffer of any size costs 400 bytes more, and 2 us
 * to make. It is held as a frame all the same for a RESP door, which copies frames into its replies ten times as fast as
 * strings, and where the heap is too small for all that may be held. Both forms are sent over HTTP without a copy on our side.
 */

import { hash } from "node:crypto";
import { Buffer, isUtf8 } from "node:buffer";
import { FRAME_OVERHEAD_BYTES, ITEM_OVERHEAD_BYTES, TEXT_BYTES_MAX } from "../limits.ts";
import { type Key, keyBytes } from "../protocol/key.ts";
import { bulkFrame } from "../protocol/resp/reply_writer.ts";
import { entityTag } from "../protocol/entity_tag.ts";

const CRLF_BYTES = 2;

/** A value, and the moment until which it may be served as fresh. */
export class Item {
  /**
   * The value as a string whose UTF-8 it is, or as RESP sends it: `$<length>` CRLF, the bytes, CRLF, in a buffer of its
   * own. Nobody may change it.
   */
  readonly #held: string | Uint8Array<ArrayBuffer>;

  /** How many bytes the value has. */
  readonly length: number;

  /** Strong entity tag (RFC 9110, 8.8.3), quotes included: equal exactly when the bytes are. */
  readonly etag: string;

  /** True when the bytes are valid UTF-8, and so are served as text. */
  readonly isText: boolean;

  /** When its read was sent to Redis, in ms: its time counts from then. */
  readonly readAtMs: number;

  /** The item is fresh while the clock is before this moment, in ms. */
  readonly freshUntilMs: number;

  /** How often it was found fresh, by those as well that Redis answered for the sake of other keys. */
  hits = 0;

  /**
   * Makes an item of `bytes`, which are copied: what a client library returns may be a view that keeps a whole
   * network chunk alive. Cost: O(length), about 2 us for a small value and 0.5 ms a MiB, most of it SHA-256.
   *
   * @param framed true to hold it as a frame, whatever it is
   */
  constructor(
    bytes: Uint8Array,
    { readAtMs, freshUntilMs, framed }: { readAtMs: number; freshUntilMs: number; framed: boolean },
  ) {
    this.length = bytes.length;
    this.isText = isUtf8(bytes);
    this.readAtMs = readAtMs;
    this.#held = this.isText && !framed && bytes.length <= TEXT_BYTES_MAX
      ? asBuffer(bytes).toString("utf8")
      : bulkFrame(bytes);
    this.etag = entityTag(hash("sha256", bytes, "hex"));
    this.freshUntilMs = freshUntilMs;
  }

  /** The value as RESP sends it. Cost: nothing where it is held so, else O(length). Nobody may change it. */
  get frame(): Uint8Array<ArrayBuffer> {
    return typeof this.#held === "string" ? bulkFrame(Buffer.from(this.#held)) : this.#held;
  }

  /** The value as the body of a response: no copy of it is made. Nobody may change it. */
  get body(): string | Uint8Array<ArrayBuffer> {
    if (typeof this.#held === "string") return this.#held;
    const end = this.#held.length - CRLF_BYTES;
    return this.#held.subarray(end - this.length, end);
  }

  /** Bytes of memory that are held for the value at most. */
  get heldBytes(): number {
    if (typeof this.#held !== "string") return this.#held.length + FRAME_OVERHEAD_BYTES;
    // A string takes one byte a character where it is ASCII, and two at most.
    return this.#held.length === this.length ? this.length : this.#held.length * 2;
  }
}

/** Bytes of `CACHE_MAXBYTES` that `item` takes under `key`. */
export function chargedBytes(key: Key, item: Item): number {
  return keyBytes(key) + item.heldBytes + ITEM_OVERHEAD_BYTES;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
