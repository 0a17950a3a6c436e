/**
 * What a read-through tells of its hits, at the cost of one decrement each.
 */

import type { Key } from "../protocol/key.ts";

/** Looks at some of the hits. */
export interface HitWatch {
  /** Hits until the next one that is to be shown, which is the one that makes it 0; `sample` sets it anew. */
  countdown: number;

  /** Is shown the key of a hit, while the request is being answered. */
  sample(key: Key): void;
}

/** Returns a watch that looks at none of them. */
export function noHitWatch(): HitWatch {
  return { countdown: 0, sample: () => {} };
}
