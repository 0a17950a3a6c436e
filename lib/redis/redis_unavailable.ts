/**
 * Why there is no connection to Redis, and how its errors are told apart.
 */

import type { Outage } from "../read_through/source.ts";

/** What Redis repeats of a command that it does not know: of a HELLO the password. */
const REPEATED_ARGUMENTS = /,? with args beginning with:.*/gs;

/** Thrown where no connection came about. Its message has no secret. */
export class RedisUnavailable extends Error {
  override readonly name = "RedisUnavailable";

  constructor(message: string, readonly outage: Outage) {
    super(message.replace(REPEATED_ARGUMENTS, ""));
  }
}

/** Returns the first word of an error that Redis sent: LOADING, NOAUTH, NOPERM, ERR … */
export function errorCode(text: string): string {
  return /^[A-Z]+/.exec(text)?.[0] ?? "ERR";
}

/** Returns what an error that Redis sent means for whoever wants to read. */
export function outageOfCode(text: string): Outage {
  const code = errorCode(text);
  // It refuses whoever comes, until somebody goes: that says nothing about us.
  if (text.startsWith("ERR max number of clients")) return { kind: "unreachable", code: "MAXCLIENTS" };
  // MASTERDOWN and BUSY pass by themselves, too, and mean as little about our right to read.
  return { kind: ["LOADING", "MASTERDOWN", "BUSY"].includes(code) ? "loading" : "refused", code };
}
