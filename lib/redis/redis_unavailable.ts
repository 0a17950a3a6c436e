/**
 * Why there is no connection to Redis, and how its errors are told apart.
 */

import type { Outage } from "../read_through/source.ts";

/** Thrown where no connection came about. */
export class RedisUnavailable extends Error {
  override readonly name = "RedisUnavailable";

  constructor(message: string, readonly outage: Outage) {
    super(message);
  }
}

/** Returns the first word of an error that Redis sent: LOADING, NOAUTH, NOPERM, ERR … */
export function errorCode(text: string): string {
  return /^[A-Z]+/.exec(text)?.[0] ?? "ERR";
}

/** Returns what an error that Redis sent means for whoever wants to read. */
export function outageOfCode(text: string): Outage {
  const code = errorCode(text);
  // MASTERDOWN and BUSY pass by themselves, too, and mean as little about our right to read.
  return { kind: ["LOADING", "MASTERDOWN", "BUSY"].includes(code) ? "loading" : "refused", code };
}
