/**
 * What a read through the cache comes to. A front door turns it into its own protocol's reply.
 */

import type { Item } from "./item.ts";

/** Why a read failed: Redis is away, is loading or says no, did not answer in time, or too many reads wait already. */
export type Failure = "unreachable" | "loading" | "refused" | "timeout" | "overloaded";

/** The answer to one request. `collapsed`: it waited for a flight that another request had begun (single flight). */
export type Answer =
  /** Served from memory, fresh. */
  | { readonly kind: "hit"; readonly item: Item }
  /** Read from Redis. `stored`: kept for the next request. */
  | { readonly kind: "fill"; readonly item: Item; readonly stored: boolean; readonly collapsed: boolean }
  /** Served from memory past its end, since Redis cannot be reached. */
  | { readonly kind: "stale"; readonly item: Item; readonly failure: Failure }
  /** Redis has no such key. `remembered`: it said so earlier. */
  | { readonly kind: "absent"; readonly remembered: boolean; readonly stored: boolean; readonly collapsed: boolean }
  /** The key holds something other than a string. */
  | { readonly kind: "wrong_type"; readonly collapsed: boolean }
  | Failed;

/** No answer is to be had. `code` is one word, and fit for the client to see. */
export interface Failed {
  readonly kind: "failed";
  readonly failure: Failure;
  readonly code: string;
}
