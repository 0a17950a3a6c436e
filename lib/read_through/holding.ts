/**
 * What is held of one key at a moment, for whoever wants to see it rather than to be served.
 */

import type { Item } from "./item.ts";

/** Everything that is known of a key here. */
export interface Holding {
  /** The moment, in ms of the proxy's clock. */
  readonly nowMs: number;
  /** The value, fresh or past its end; `null` when there is none. */
  readonly item: Item | null;
  /** True when `item` would be served as a hit now. */
  readonly isFresh: boolean;
  /** Milliseconds for which it is remembered that there is no such key; `null` when it is not. */
  readonly absentForMs: number | null;
  /** The read of Redis under way, if any: whether it was sent, and how many requests wait for it. */
  readonly flight: { readonly isSent: boolean; readonly waiters: number } | null;
}
