/**
 * How many replies of Redis one client may have outstanding.
 *
 * Redis executes what has come without asking who takes the replies: a client that asked again and again for 1 MB, and
 * read nothing, had it hold 4.3 GB and answer nobody for 8 s (`e2e/drop_in_hostile_test.ts`). So requests go up as far as
 * their replies are expected to take `RELAYED_REPLY_BYTES_MAX`: as much as those before, where the expectation rises at
 * once and is halved at most.
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
