/**
 * Every kind of write that the checker knows: what it needs, what it sends, and which versions come of it.
 *
 * Kinds that change one key by one command, or by a few of which only the last touches the key, are a table. Expiry,
 * several keys and all keys are made by `version_writer.ts`, which names them in `OTHER_KINDS`.
 */

import type { CommandWords } from "../support/resp_client.ts";
import type { VersionState } from "./version_log.ts";

/** What a change may rely on: nothing, a string or an absence, a value, or a value in the form of a number. */
export type Need = "nothing" | "no list" | "value" | "counter";

/** The words that a change is made of. */
export interface ChangeWords {
  /** The key's name, and another that nobody reads. */
  readonly key: string;
  readonly spare: string;
  /** The new version as text and as a number. */
  readonly text: string;
  readonly counter: string;
}

/** One way to change one key. */
export interface Change {
  readonly kind: string;
  readonly need: Need;
  readonly makes: VersionState;
  /** True when the value that is made is a number. */
  readonly makesCounter?: boolean;
  /** True when it needs a second key from one command to the next, which an eviction could take. */
  readonly usesSpare?: boolean;
  readonly commands: (words: ChangeWords) => CommandWords[];
}

const SET_BY_SCRIPT = "return redis.call('SET', KEYS[1], ARGV[1])";
const DELETE_BY_SCRIPT = "return redis.call('DEL', KEYS[1])";
const SET_BY_COPY_OF_DUMP =
  "redis.call('SET', KEYS[2], ARGV[1]); local d = redis.call('DUMP', KEYS[2]); redis.call('DEL', KEYS[2]); " +
  "return redis.call('RESTORE', KEYS[1], 0, d, 'REPLACE')";
/** An hour, in seconds: an end that no run sees. */
const FAR_S = "3600";
const FAR_MS = "3600000";
const PAST_S = "1";

function value(
  kind: string,
  commands: (words: ChangeWords) => CommandWords[],
  more: Partial<Pick<Change, "need" | "makesCounter" | "usesSpare">> = {},
): Change {
  return { kind, need: "nothing", makes: "value", commands, ...more };
}

function absence(kind: string, commands: (words: ChangeWords) => CommandWords[], need: Need = "nothing"): Change {
  return { kind, need, makes: "absent", commands };
}

/** Changes of one key. */
export const CHANGES: readonly Change[] = [
  value("SET", ({ key, text }) => [["SET", key, text]]),
  value("SET of a number", ({ key, counter }) => [["SET", key, counter]], { makesCounter: true }),
  value("SET EX", ({ key, text }) => [["SET", key, text, "EX", FAR_S]]),
  value("SET PX KEEPTTL", ({ key, text }) => [["SET", key, text, "PX", FAR_MS], ["SET", key, text, "KEEPTTL"]]),
  value("SET XX", ({ key, text }) => [["SET", key, text, "XX"]], { need: "value" }),
  value("SET GET", ({ key, text }) => [["SET", key, text, "GET"]], { need: "no list" }),
  value("GETSET", ({ key, text }) => [["GETSET", key, text]], { need: "no list" }),
  value("SETEX", ({ key, text }) => [["SETEX", key, FAR_S, text]]),
  value("PSETEX", ({ key, text }) => [["PSETEX", key, FAR_MS, text]]),
  value("SETRANGE", ({ key, text }) => [["SETRANGE", key, "0", text]], { need: "no list" }),
  value("INCR", ({ key }) => [["INCR", key]], { need: "counter", makesCounter: true }),
  value("INCRBY", ({ key }) => [["INCRBY", key, "1"]], { need: "counter", makesCounter: true }),
  value("DECRBY", ({ key }) => [["DECRBY", key, "-1"]], { need: "counter", makesCounter: true }),
  value("RENAME", ({ key, spare, text }) => [["SET", spare, text], ["RENAME", spare, key]], { usesSpare: true }),
  value("COPY", ({ key, spare, text }) => [["SET", spare, text], ["COPY", spare, key, "REPLACE"], ["DEL", spare]], {
    usesSpare: true,
  }),
  value("RESTORE", ({ key, spare, text }) => [["EVAL", SET_BY_COPY_OF_DUMP, "2", key, spare, text]]),
  value("EVAL", ({ key, text }) => [["EVAL", SET_BY_SCRIPT, "1", key, text]]),
  value("MULTI", ({ key, text }) => [["MULTI"], ["SET", key, text], ["EXEC"]]),
  value("MULTI DEL APPEND", ({ key, text }) => [["MULTI"], ["DEL", key], ["APPEND", key, text], ["EXEC"]]),
  absence("DEL", ({ key }) => [["DEL", key]]),
  absence("UNLINK", ({ key }) => [["UNLINK", key]]),
  absence("GETDEL", ({ key }) => [["GETDEL", key]], "no list"),
  absence("PEXPIRE 0", ({ key }) => [["PEXPIRE", key, "0"]]),
  absence("EXPIREAT of the past", ({ key }) => [["EXPIREAT", key, PAST_S]]),
  absence("RENAME away", ({ key, spare }) => [["RENAME", key, spare], ["DEL", spare]], "value"),
  absence("EVAL of DEL", ({ key }) => [["EVAL", DELETE_BY_SCRIPT, "1", key]]),
  absence("MULTI SET DEL", ({ key, text }) => [["MULTI"], ["SET", key, text], ["DEL", key], ["EXEC"]]),
  {
    kind: "MULTI DEL RPUSH",
    need: "nothing",
    makes: "list",
    commands: ({ key, text }) => [["MULTI"], ["DEL", key], ["RPUSH", key, text], ["EXEC"]],
  },
];

/** Writes whose versions are not one of one key. */
export const OTHER_KINDS = [
  // A value that ends by itself: two versions, or one where only the end is new.
  "SET PX, short",
  "PEXPIRE, short",
  "EXPIRE 1",
  "PEXPIREAT, short",
  "PERSIST",
  // Several keys.
  "MSET",
  "DEL of several",
  "MULTI of several",
  "EVAL of several",
  // All keys.
  "FLUSHALL",
  "FLUSHALL ASYNC",
  "FLUSHDB",
  "FLUSHDB and SET in MULTI",
  // What the test itself does to Redis, or finds that it did.
  "restart",
  "eviction",
] as const;

/** One of those. */
export type OtherKind = typeof OTHER_KINDS[number];

/** The names of all writes. */
export const WRITE_KINDS: readonly string[] = [...CHANGES.map(({ kind }) => kind), ...OTHER_KINDS];
