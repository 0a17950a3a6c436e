/**
 * What Redis tells of its own commands (COMMAND), as far as it matters to a cache: what may a command change?
 *
 *   readonly                       nothing
 *   write, and its keys are known  these keys
 *   FLUSHALL, FLUSHDB, SWAPDB      all keys
 *   anything else that may write   unknown: scripts, functions, EXEC, modules, keys that only Redis can find, administration
 *   neither                        nothing: PING, PUBLISH, SUBSCRIBE …
 *
 * What the table does not know (a module that was loaded since, no table yet) may change anything as well.
 */

/** Which keys a command may change. */
export type Changes = "nothing" | "its keys" | "all keys" | "unknown";

/** What the proxy wants to know of a command. */
export interface CommandFacts {
  readonly changes: Changes;
  /** True when it may wait for another client's doing, and so its reply is news of that. */
  readonly isBlocking: boolean;
  /** Which words are keys: first, last (negative: from the end), step. */
  readonly keys: readonly [first: number, last: number, step: number];
}

/** Commands whose flags do not tell what they do. */
const EXCEPTIONS: ReadonlyMap<string, Changes> = new Map([
  ["exec", "unknown"],
  ["flushall", "all keys"],
  ["flushdb", "all keys"],
  // The cardinality that it keeps in the value is brought up to date.
  ["pfcount", "its keys"],
  ["replconf", "nothing"],
  // Redis 7.0 sends no invalidation for it.
  ["swapdb", "all keys"],
]);

const UNKNOWN: CommandFacts = { changes: "unknown", isBlocking: false, keys: [0, 0, 0] };
const ALL_KEYS: CommandFacts = { ...UNKNOWN, changes: "all keys" };

/** Redis's commands by name. */
export class CommandTable {
  readonly #commands = new Map<string, CommandFacts>();
  readonly #groups = new Set<string>();

  /** A table that knows nothing: every command may change anything. */
  static readonly EMPTY: CommandTable = new CommandTable([]);

  /** Makes a table of COMMAND's reply. What has not the form of one is left out, and so unknown. Cost: O(commands). */
  constructor(reply: unknown) {
    if (Array.isArray(reply)) { for (const entry of reply) this.#add(entry); }
  }

  /** True when `name`, in lower case, has subcommands, and so its second word tells what it is. */
  isGroup(name: string): boolean {
    return this.#groups.has(name);
  }

  /** True when Redis has the command; a subcommand is `client|setinfo`. */
  has(name: string): boolean {
    return this.#commands.has(name);
  }

  /** Returns what is known of `name`, in lower case; a subcommand is `xgroup|create`. */
  facts(name: string): CommandFacts {
    return this.#commands.get(name) ?? (EXCEPTIONS.get(name) === "all keys" ? ALL_KEYS : UNKNOWN);
  }

  #add(entry: unknown): void {
    if (!Array.isArray(entry)) return;
    const [rawName, , rawFlags, first, last, step] = entry;
    const name = String(rawName).toLowerCase();
    const flags = new Set(rawFlags instanceof Set || Array.isArray(rawFlags) ? [...rawFlags].map(String) : []);
    if (![first, last, step].every(Number.isSafeInteger)) return;
    const keys = [first, last, step] as const;
    this.#commands.set(name, { changes: changesOf(name, flags, keys), isBlocking: flags.has("blocking"), keys });
    const subcommands = entry[9];
    if (!Array.isArray(subcommands) || subcommands.length === 0) return;
    this.#groups.add(name);
    for (const subcommand of subcommands) this.#add(subcommand);
  }
}

function changesOf(name: string, flags: ReadonlySet<string>, keys: readonly [number, number, number]): Changes {
  const exception = EXCEPTIONS.get(name);
  if (exception !== undefined) return exception;
  if (flags.has("readonly")) return "nothing";
  const hasKeys = keys[0] > 0 && keys[2] > 0 && !flags.has("movablekeys");
  if (flags.has("write")) return hasKeys ? "its keys" : "unknown";
  // EVAL and FCALL have no flag `write`, but keys that only they know; DEBUG, REPLICAOF and the like are `admin`; that a
  // module's command only `may-replicate`, as RedisGears' functions do, Redis tells nobody.
  return ["movablekeys", "admin", "module"].some((flag) => flags.has(flag)) ? "unknown" : "nothing";
}
