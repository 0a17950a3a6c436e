/** Every way to write through a drop-in, and what must be read afterwards. */

import type { CommandWords } from "../support/resp_client.ts";

/** What a key holds that is no string. */
export const NO_STRING = Symbol("no string");

/** What GET must say of a key; null when there is none. */
export type Expected = string | null | typeof NO_STRING;

/** What the databases 0 and 1 hold: a model of Redis for the writes below. */
export class Contents {
  #here = new Map<string, Expected>();
  #there = new Map<string, Expected>();
  #changed = new Set<string>();

  /** What database 0 holds of `key`. */
  get(key: string): Expected {
    return this.#here.get(key) ?? null;
  }

  set(key: string, value: Expected): void {
    this.#here.set(key, value);
    this.#changed.add(key);
  }

  /** Returns the keys that were written, one by one, since it was asked last. */
  takeChanged(): string[] {
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  /** Writes into database 1, which must not show in database 0. */
  setThere(key: string, value: Expected): void {
    this.#there.set(key, value);
    this.#changed.add(key);
  }

  /** MOVE: does nothing where the other database has the key. */
  move(key: string): void {
    if ((this.#there.get(key) ?? null) !== null) return;
    this.#there.set(key, this.get(key));
    this.set(key, null);
  }

  swap(): void {
    [this.#here, this.#there] = [this.#there, this.#here];
  }

  clear(): void {
    this.#here.clear();
  }

  clearAll(): void {
    this.#here.clear();
    this.#there.clear();
  }
}

/** What a write is made with: two keys that nobody else writes, a value that was never written, an integer. */
export interface OwnWriteParts {
  readonly a: string;
  readonly b: string;
  readonly value: string;
  readonly number: number;
  readonly contents: Contents;
}

/** Notes in `contents` what will have been written, and returns the commands that do it, in one session's order. */
type Write = (parts: OwnWriteParts) => CommandWords[];

const SCRIPT = "return redis.call('set', KEYS[1], ARGV[1])";
/** Of the script above. */
const SHA = "55b22c0d0cedf3866879ce7c854970626dcef0c3";
const LIBRARY = "#!lua name=own_writes\nredis.register_function('put', function(keys, args) " +
  "return redis.call('set', keys[1], args[1]) end)";

/** What Redis must be told before. */
export const PREPARATION: CommandWords[] = [["SCRIPT", "LOAD", SCRIPT], ["FUNCTION", "LOAD", "REPLACE", LIBRARY]];

/** Makes a write that leaves `value` in `a`. */
function puts(commands: (a: string, value: string) => CommandWords[]): Write {
  return ({ a, value, contents }) => {
    contents.set(a, value);
    return commands(a, value);
  };
}

/** Makes a write after which `a`, which had a value, is gone. */
function removes(commands: (a: string) => CommandWords[]): Write {
  return ({ a, value, contents }) => {
    contents.set(a, null);
    return [["SET", a, value], ...commands(a)];
  };
}

/** Writes of one key or two. */
export const OWN_WRITES: Readonly<Record<string, Write>> = {
  "SET": puts((a, value) => [["SET", a, value]]),
  "SETEX": puts((a, value) => [["SETEX", a, "1000", value]]),
  "GETSET": ({ a, value, contents }) => {
    contents.set(a, value);
    return [["DEL", a], ["GETSET", a, value]];
  },
  "DEL": removes((a) => [["DEL", a]]),
  "UNLINK": removes((a) => [["UNLINK", a]]),
  "GETDEL": removes((a) => [["GETDEL", a]]),
  "EXPIRE": removes((a) => [["EXPIRE", a, "-1"]]),
  "INCR": ({ a, number, contents }) => {
    contents.set(a, `${number + 1}`);
    return [["SET", a, `${number}`], ["INCR", a]];
  },
  "APPEND": ({ a, value, contents }) => {
    contents.set(a, `${value}!`);
    return [["SET", a, value], ["APPEND", a, "!"]];
  },
  "SETRANGE": ({ a, value, contents }) => {
    contents.set(a, `?${value.slice(1)}`);
    return [["SET", a, value], ["SETRANGE", a, "0", "?"]];
  },
  "MSET": ({ a, b, value, contents }) => {
    contents.set(a, value);
    contents.set(b, `${value}b`);
    return [["MSET", a, value, b, `${value}b`]];
  },
  "RENAME": ({ a, b, value, contents }) => {
    contents.set(a, null);
    contents.set(b, value);
    return [["SET", a, value], ["RENAME", a, b]];
  },
  "COPY": ({ a, b, value, contents }) => {
    contents.set(a, value);
    contents.set(b, value);
    return [["SET", a, value], ["COPY", a, b, "REPLACE"]];
  },
  "MOVE": ({ a, value, contents }) => {
    contents.set(a, value);
    contents.move(a);
    return [["SET", a, value], ["MOVE", a, "1"]];
  },
  "SELECT": ({ a, value, contents }) => {
    contents.setThere(a, value);
    return [["SELECT", "1"], ["SET", a, value], ["SELECT", "0"]];
  },
  "RPUSH": ({ a, value, contents }) => {
    contents.set(a, NO_STRING);
    return [["DEL", a], ["RPUSH", a, value]];
  },
  "BLPOP": ({ a, value, contents }) => {
    contents.set(a, null);
    return [["DEL", a], ["RPUSH", a, value], ["BLPOP", a, "0"]];
  },
  "SORT STORE": ({ a, b, value, contents }) => {
    contents.set(a, NO_STRING);
    contents.set(b, NO_STRING);
    return [["DEL", a], ["RPUSH", a, value], ["SORT", a, "BY", "nosort", "STORE", b]];
  },
  "MULTI": ({ a, b, value, contents }) => {
    contents.set(a, value);
    contents.set(b, null);
    return [["MULTI"], ["SET", a, value], ["DEL", b], ["EXEC"]];
  },
  "MULTI, a script": puts((a, value) => [["MULTI"], ["EVAL", SCRIPT, "1", a, value], ["EXEC"]]),
  "WATCH": puts((a, value) => [["WATCH", a], ["MULTI"], ["SET", a, value], ["EXEC"]]),
  "EVAL": puts((a, value) => [["EVAL", SCRIPT, "1", a, value]]),
  "EVALSHA": puts((a, value) => [["EVALSHA", SHA, "1", a, value]]),
  "FCALL": puts((a, value) => [["FCALL", "put", "1", a, value]]),
  "EVAL, undeclared": puts((a, value) => [["EVAL", `return redis.call('set', '${a}', '${value}')`, "0"]]),
  "EVAL, an error": puts((a, value) => [["EVAL", `redis.call('set', KEYS[1], '${value}') error('after')`, "1", a]]),
  "EVAL, an error's reply": removes((a) => [["EVAL", "redis.call('del', KEYS[1]) return {err='MY own'}", "1", a]]),
};

/** Writes of all keys: they do not go together with others. */
export const OWN_WRITES_OF_ALL: Readonly<Record<string, (contents: Contents) => CommandWords[]>> = {
  "FLUSHALL": (contents) => {
    contents.clearAll();
    return [["FLUSHALL"]];
  },
  "FLUSHDB": (contents) => {
    contents.clear();
    return [["FLUSHDB"]];
  },
  "FLUSHALL, a script": (contents) => {
    contents.clearAll();
    return [["EVAL", "return redis.call('flushall')", "0"]];
  },
  "SWAPDB": (contents) => {
    contents.swap();
    return [["SWAPDB", "0", "1"]];
  },
  "SWAPDB, MULTI": (contents) => {
    contents.swap();
    return [["MULTI"], ["SWAPDB", "0", "1"], ["EXEC"]];
  },
};

/** The name of every write above. */
export const OWN_WRITE_KINDS: readonly string[] = [...Object.keys(OWN_WRITES), ...Object.keys(OWN_WRITES_OF_ALL)];
