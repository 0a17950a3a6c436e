/**
 * A value as the proxy holds it: the bytes, and all that can be worked out from them once instead of at every hit.
 */

import { hash } from "node:crypto";
import { Buffer, isUtf8 } from "node:buffer";
import { TEXT_BODY_BYTES_MAX } from "../limits.ts";
import { bulkFrame } from "../protocol/resp/reply_writer.ts";

/** Characters of the etag's digest: 22 of base64url are 132 bits of SHA-256, too many to collide by chance or by effort. */
const ETAG_CHARACTERS = 22;

const CRLF_BYTES = 2;

/** A value in the form in which each front door sends it, and the moment until which it may be served as fresh. */
export class Item {
  /** The value as RESP sends it: `$<length>` CRLF, the bytes, CRLF; in a buffer of its own. Nobody may change it. */
  readonly frame: Uint8Array<ArrayBuffer>;

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

  /** How often it was a hit. */
  hits = 0;

  /** The value as a string, once it was asked for. */
  #text: string | null = null;

  /**
   * Makes an item of `bytes`, which are copied: what a client library returns may be a view that keeps a whole
   * network chunk alive. Cost: O(length), about 2 us for a small value and 0.5 ms a MiB, most of it SHA-256.
   */
  constructor(bytes: Uint8Array, { readAtMs, freshUntilMs }: { readAtMs: number; freshUntilMs: number }) {
    const { frame } = bulkFrame(bytes);
    this.frame = frame;
    this.length = bytes.length;
    const etag = `"${hash("sha256", bytes, "base64url").slice(0, ETAG_CHARACTERS)}"`;
    // Through a buffer, so that the string stands alone: put together from parts it would hold all of them.
    this.etag = Buffer.from(etag, "latin1").toString("latin1");
    this.isText = isUtf8(bytes);
    this.readAtMs = readAtMs;
    this.freshUntilMs = freshUntilMs;
  }

  /** The value's bytes: a view into `frame`, so that they are held once for both front doors. Nobody may change them. */
  get bytes(): Uint8Array<ArrayBuffer> {
    const end = this.frame.length - CRLF_BYTES;
    return this.frame.subarray(end - this.length, end);
  }

  /**
   * The value as the runtime's HTTP server takes it fastest: it copies bytes for each response, and a string it does
   * not. So a short text is decoded at its first hit, and the string is kept: 0.8 us of some 10 a hit at 100 bytes.
   */
  get body(): string | Uint8Array<ArrayBuffer> {
    if (this.#text !== null) return this.#text;
    return this.#mayKeepText ? this.#text = asBuffer(this.bytes).toString("utf8") : this.bytes;
  }

  /** Bytes that are held for the value at most, the string of a short text included. */
  get heldBytes(): number {
    return this.#mayKeepText ? this.length * 2 : this.length;
  }

  get #mayKeepText(): boolean {
    return this.isText && this.length <= TEXT_BODY_BYTES_MAX;
  }
}

function asBuffer(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
