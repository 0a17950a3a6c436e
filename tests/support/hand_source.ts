/**
 * A source whose round trips the test ends: each `read` is kept, in order, until it is answered or lost.
 */

import { Buffer } from "node:buffer";
import type { Key } from "../../lib/protocol/key.ts";
import type { KeyReply, Source } from "../../lib/read_through/source.ts";

/** One call of `read`. */
export class HandTrip {
  readonly keys: readonly Key[];
  readonly promise: Promise<KeyReply[]>;
  #resolve!: (replies: KeyReply[]) => void;
  #reject!: (reason: Error) => void;

  constructor(keys: readonly Key[]) {
    this.keys = [...keys];
    this.promise = new Promise((resolve, reject) => [this.#resolve, this.#reject] = [resolve, reject]);
    this.promise.catch(() => {});
  }

  /** Answers with `replies`, one for each key. */
  reply(...replies: KeyReply[]): void {
    this.#resolve(replies);
  }

  /** Answers every key with what `replyTo` makes of it. */
  replyAll(replyTo: (key: Key) => KeyReply): void {
    this.#resolve(this.keys.map(replyTo));
  }

  /** Ends as when the connection is lost. */
  lose(): void {
    this.#reject(new Error("Cannot read: the connection to Redis was lost"));
  }
}

/** Records the round trips, and leaves their end to the test. */
export class HandSource implements Source {
  readonly trips: HandTrip[] = [];
  /** The calls of `caughtUp` that were not answered yet. */
  readonly catchUps: { resolve: () => void; reject: () => void }[] = [];

  read(keys: readonly Key[]): Promise<KeyReply[]> {
    const trip = new HandTrip(keys);
    this.trips.push(trip);
    return trip.promise;
  }

  caughtUp(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.catchUps.push({ resolve, reject: () => reject(new Error("lost")) });
    });
  }

  /** The trip that was begun last. */
  get last(): HandTrip {
    return this.trips[this.trips.length - 1];
  }

  /** The keys of each trip so far. */
  get keys(): (readonly Key[])[] {
    return this.trips.map((trip) => trip.keys);
  }
}

/** The reply that holds `text`; `remainingMs` is the key's own time to live. */
export function value(text: string, remainingMs: number | null = null): KeyReply {
  return { kind: "value", bytes: Buffer.from(text), remainingMs };
}

/** The reply that there is no such key. */
export const ABSENT: KeyReply = { kind: "absent" };

/** The reply that the key holds no string. */
export const WRONG_TYPE: KeyReply = { kind: "wrong_type" };

/** The reply that Redis does not want to answer. */
export const REFUSED: KeyReply = { kind: "refused", outage: { kind: "refused", code: "NOPERM" } };
