/**
 * What a command is: how it is called, what Redis's COMMAND tells of it, and what it does.
 */

import type { Client } from "./client.ts";

/** One command, or one subcommand of a command. */
export interface Command {
  /** In lower case; a subcommand is `client|id`. */
  readonly name: string;
  /** How many words a request has, the name included; negative: at least so many. */
  readonly arity: number;
  /** Flags of Redis's COMMAND. `no_auth`: allowed before the password was given. */
  readonly flags: readonly string[];
  /** Which words are keys: first, last, step; zeros where none is. */
  readonly keys: readonly [first: number, last: number, step: number];
  readonly categories: readonly string[];
  readonly group: string;
  /** The version of Redis that had it first. */
  readonly since: string;
  readonly summary: string;
  /** By their whole names. */
  readonly subcommands?: ReadonlyMap<string, Command>;
  /** Answers `client.request`, whose number of words fits, by exactly one reply to `client.replies`. Never throws. */
  readonly run: (client: Client) => void;
}

/** Returns a command that has subcommands; `run` is what it does without one, where its arity allows that. */
export function commandGroup(
  command: Omit<Command, "run" | "subcommands"> & { run?: Command["run"] },
  subcommands: readonly Command[],
): Command {
  return { run: () => {}, ...command, subcommands: new Map(subcommands.map((one) => [one.name, one])) };
}

/** True when a request of `words` words fits `command`. */
export function fitsArity({ arity }: Command, words: number): boolean {
  return arity < 0 ? words >= -arity : words === arity;
}
