/**
 * The replies of one client, in the order of its requests, though some are known later than others.
 *
 *   written ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒      replies known at once, one behind the other
 *                ▲          ▲
 *             late[0]    late[1]           where the others belong: promised, or too large to be copied
 *
 * When a chunk's requests are through, all leaves in one write; with late replies, in as few as their order and the
 * bounds allow.
 */

import { ReplyWriter } from "../protocol/resp/reply_writer.ts";
import { FRAME_COPY_BYTES_MAX, LATE_REPLIES_MAX, REPLY_BYTES_MAX } from "../limits.ts";

/** RESP as it is sent; a reply may be made of several. Nobody may change the bytes. */
export type Frames = readonly Uint8Array[];

interface Late {
  /** How many bytes were written before it. */
  readonly at: number;
  readonly frames: Frames | Promise<Frames>;
}

/** Sends all of `bytes`; rejects when the connection is gone. */
export type Send = (bytes: Uint8Array) => Promise<void>;

/** Collects replies and sends them. */
export class Outbox {
  /** Takes the replies that are known at once. */
  readonly writer = new ReplyWriter();
  readonly #joined = new ReplyWriter();
  #late: Late[] = [];

  /** True when nothing waits to be sent. */
  get isEmpty(): boolean {
    return this.writer.length === 0 && this.#late.length === 0;
  }

  /** True when some reply is not known yet, or too large to be copied. */
  get hasLate(): boolean {
    return this.#late.length > 0;
  }

  /** True when `flush` must come before the next request. */
  get isFull(): boolean {
    return this.writer.length >= REPLY_BYTES_MAX || this.#late.length >= LATE_REPLIES_MAX;
  }

  /** Adds a reply that is RESP already. Cost: a copy of a short frame, nothing of a long one. */
  frame(frame: Uint8Array): void {
    if (frame.length < FRAME_COPY_BYTES_MAX) this.writer.frame(frame);
    else this.late([frame]);
  }

  /** Adds a reply whose frames are known later, or are many. A promise must not reject. */
  late(frames: Frames | Promise<Frames>): void {
    this.#late.push({ at: this.writer.length, frames });
  }

  /**
   * Sends everything, waiting for what is promised; rejects when `send` does. Nothing may be added meanwhile.
   *
   * Cost: nothing is copied where no reply was late. Else short frames are, once, and at most `REPLY_BYTES_MAX` bytes and
   * one frame are held at a time, beside the frames themselves.
   */
  flush(send: Send): Promise<void> {
    return this.#late.length === 0 ? send(this.writer.take()) : this.#join(send);
  }

  async #join(send: Send): Promise<void> {
    const late = this.#late;
    const written = this.writer.take();
    this.#late = [];
    let from = 0;
    for (const { at, frames } of late) {
      if (at > from) await this.#add(written.subarray(from, at), send);
      from = at;
      for (const frame of frames instanceof Promise ? await frames : frames) {
        const sending = this.#add(frame, send);
        if (sending !== null) await sending;
      }
    }
    if (written.length > from) await this.#add(written.subarray(from), send);
    if (this.#joined.length > 0) await send(this.#joined.take());
  }

  /** Adds to what leaves together; returns a promise where something had to leave first. */
  #add(bytes: Uint8Array, send: Send): Promise<void> | null {
    if (bytes.length >= FRAME_COPY_BYTES_MAX) return this.#sendJoinedAnd(bytes, send);
    this.#joined.frame(bytes);
    return this.#joined.length >= REPLY_BYTES_MAX ? send(this.#joined.take()) : null;
  }

  async #sendJoinedAnd(bytes: Uint8Array, send: Send): Promise<void> {
    if (this.#joined.length > 0) await send(this.#joined.take());
    await send(bytes);
  }
}
