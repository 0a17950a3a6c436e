/**
 * How many replies of Redis one client may have outstanding.
 *
 * Redis executes what has come without asking who takes the replies: 64 KiB of `GETRANGE big 0 -1` made it copy 3 GB at
 * once, for a client that reads nothing, and answer nobody for 8 s. So requests go up as far as their replies are
 * expected to take `RELAYED_REPLY_BYTES_MAX`. The expectation is of the replies before: raised at once, halved at most.
 */

import { RELAYED_REPLIES_FIRST, RELAYED_REPLIES_MAX, RELAYED_REPLY_BYTES_MAX } from "../limits.ts";

/** The bound, from the replies that were heard. */
export class ReplyWindow {
  /** What has come since a reply last ended. */
  #bytes = 0;
  /** What a reply is expected to take. */
  #bytesEach = RELAYED_REPLY_BYTES_MAX / RELAYED_REPLIES_FIRST;

  /** Most replies that may be outstanding: one at least. */
  size = RELAYED_REPLIES_FIRST;

  /** Counts a chunk of `bytes` in which `replies` came to their ends. Cost: O(1). */
  heard(bytes: number, replies: number): void {
    this.#bytes += bytes;
    if (replies === 0) return;
    this.#bytesEach = Math.max(this.#bytes / replies, this.#bytesEach / 2);
    this.#bytes = 0;
    const size = Math.floor(RELAYED_REPLY_BYTES_MAX / this.#bytesEach);
    this.size = Math.min(RELAYED_REPLIES_MAX, Math.max(1, size));
  }
}
