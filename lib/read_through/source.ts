/**
 * What the read-through needs of Redis, and what Redis has to tell it: the two sides of one seam.
 *
 * `RedisSource` implements the first and calls the second; tests put anything else there.
 */

import type { Key } from "../protocol/key.ts";

/** What Redis said of one key. `remainingMs` is the key's own time to live, `null` when it has none. */
export type KeyReply =
  | { readonly kind: "value"; readonly bytes: Uint8Array; readonly remainingMs: number | null }
  | { readonly kind: "absent" }
  | { readonly kind: "wrong_type" }
  | { readonly kind: "refused"; readonly outage: Outage };

/**
 * Why Redis cannot be asked: `unreachable` (no connection), `loading` (there, not ready yet), `refused` (it does not
 * want us). `code` is a word, mostly the error's first, fit for a client to see; it never holds a secret.
 */
export interface Outage {
  readonly kind: "unreachable" | "loading" | "refused";
  readonly code: string;
}

/** No connection, for whatever reason. */
export const UNREACHABLE: Outage = { kind: "unreachable", code: "UNREACHABLE" };

/** Reads keys from Redis. */
export interface Source {
  /**
   * Reads all `keys` in one round trip, replies in their order.
   *
   * Rejects when the connection was lost before all replies came; then nothing is known of any of them. It has no
   * deadline of its own: a hung connection is found by the source's heartbeat, and every waiter has a deadline.
   */
  read(keys: readonly Key[]): Promise<KeyReply[]>;

  /**
   * Fulfilled when every invalidation that Redis had to send before this call has been told to the listener.
   *
   * Rejects when the connection was lost meanwhile, or there is none. Calls of one turn share one round trip.
   */
  caughtUp(): Promise<void>;
}

/** Hears what happens at Redis. Every call is made in the order in which things happened there, and never waits. */
export interface SourceListener {
  /** A connection is ready. `tracked`: every key read over it will be invalidated when it changes. */
  connected(link: { tracked: boolean }): void;

  /** The connection is gone. Reads in flight are about to reject; a new attempt is under way. */
  disconnected(): void;

  /** An attempt to connect failed; further ones follow by themselves. */
  unavailable(outage: Outage): void;

  /** Redis changed, expired or evicted `key`, or may have. */
  invalidated(key: Key): void;

  /** Redis changed everything, or may have (FLUSHALL, FLUSHDB, a full tracking table). */
  invalidatedAll(): void;
}
