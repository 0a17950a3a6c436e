/**
 * Sequences of requests by chance, over several connections: whatever clients do of which the outcome is no chance.
 *
 * Left out is what differs from server to server: orders that hang on a hash's seed, and messages that come when they
 * come, but for those that a step of its own publishes.
 */

import { Buffer } from "node:buffer";
import fc from "fast-check";

/** Words of one request, a character for each byte. */
export type Words = string[];

/** What is done next. */
export type Step =
  /** Requests in one go, cut into pieces at `places`. */
  | { readonly kind: "burst"; readonly connection: number; readonly requests: Words[]; readonly places: number[] }
  /** A message from elsewhere. */
  | { readonly kind: "publish"; readonly channel: string; readonly message: string }
  /** Everything is read by somebody else, so that it is held. */
  | { readonly kind: "warm" };

/** How many connections there are. */
export const CONNECTIONS = 3;

/** All keys that are touched. */
export const KEYS = ["a", "b", "c", "d", "e", "", "k\r\n\0\xff", "__proto__"];

const CHANNELS = ["news", "chat", "n\r\n"];

/** Written into keys or scripts; the last is longer than what is copied in one piece. */
const VALUES = ["", "0", "1", "17", "-3", "1.5", "value", "b\r\n\0\xff", "x".repeat(300), "y".repeat(20_000)];

const SCRIPTS = [
  "redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])",
  "redis.call('set', KEYS[1], ARGV[1]) error('after a write')",
  "redis.call('del', KEYS[1]) return redis.error_reply('MY error')",
  "return redis.call('incr', KEYS[1])",
  "return {KEYS[1], ARGV[1], 1, false, {true}}",
  "redis.call('flushall') return 'gone'",
];
/** Of the first of them. */
const SHA = "aac72bd8699ae9c333eff85158365d7bc61a7177";
const LIBRARY = "#!lua name=lib\nredis.register_function('put', function(keys, args) " +
  "return redis.call('set', keys[1], args[1]) end)";

const key = fc.constantFrom(...KEYS);
const value = fc.constantFrom(...VALUES);
const number = fc.constantFrom("0", "1", "-1", "2", "7", "100", "x");
const database = fc.constantFrom("0", "0", "0", "1", "2", "16", "x");
const channel = fc.constantFrom(...CHANNELS);
const element = fc.constantFrom("1", "2", "3", "4");
const field = fc.constantFrom("f", "g");

/** A request of a fixed name and these words. */
function request(name: string, ...words: fc.Arbitrary<string | string[]>[]): fc.Arbitrary<Words> {
  return fc.tuple(...words).map((words) => [...name.split(" "), ...words.flat()]);
}

function oneOf(...texts: string[]): fc.Arbitrary<string[]> {
  return fc.constantFrom(...texts).map((text) => text === "" ? [] : text.split(" "));
}

function some(one: fc.Arbitrary<string>, maxLength = 4): fc.Arbitrary<string[]> {
  return fc.array(one, { minLength: 1, maxLength });
}

const READS: fc.Arbitrary<Words>[] = [
  request("GET", key),
  request("GET", key),
  request("get", key),
  request("MGET", some(key)),
  request("EXISTS", some(key)),
  request("STRLEN", key),
];

const LOOKS: fc.Arbitrary<Words>[] = [
  request("TTL", key),
  request("PTTL", key),
  request("TYPE", key),
  request("DUMP", key),
  request("GETRANGE", key, number, number),
  request("BITCOUNT", key),
  request("OBJECT ENCODING", key),
  request("LRANGE", key, number, number),
  request("HGETALL", key),
  request("HGET", key, field),
  request("SISMEMBER", key, element),
  request("ZRANGE", key, number, number, oneOf("", "WITHSCORES")),
  request("ZSCORE", key, element),
  request("PFCOUNT", some(key, 2)),
  request("XLEN", key),
  request("LCS", key, key),
  request("DBSIZE"),
  request("TOUCH", some(key)),
];

const WRITES: fc.Arbitrary<Words>[] = [
  request("SET", key, value),
  request("SET", key, value),
  request("SET", key, value, oneOf("NX", "XX", "GET", "KEEPTTL", "EX 100000", "PX -1", "NX GET", "FOO")),
  request("SETNX", key, value),
  request("GETSET", key, value),
  request("GETDEL", key),
  request("GETEX", key, oneOf("", "PERSIST", "EX 100000", "PXAT 1")),
  request("APPEND", key, value),
  request("SETRANGE", key, number, value),
  request("SETBIT", key, number, element),
  request("INCR", key),
  request("DECRBY", key, number),
  request("INCRBYFLOAT", key, number),
  fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 3 }).map((pairs) => ["MSET", ...pairs.flat()]),
  fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 3 }).map((pairs) => ["MSETNX", ...pairs.flat()]),
  request("DEL", some(key)),
  request("UNLINK", some(key)),
  request("RENAME", key, key),
  request("RENAMENX", key, key),
  request("COPY", key, key, oneOf("", "REPLACE", "DB 1", "DB 0 REPLACE")),
  request("MOVE", key, database),
  request("EXPIRE", key, oneOf("100000", "-1", "0 NX", "100000 XX", "x")),
  request("PEXPIREAT", key, oneOf("1", "99999999999999")),
  request("PERSIST", key),
  request("LPUSH", key, some(value)),
  request("RPUSHX", key, value),
  request("LPOP", key, oneOf("", "0", "2")),
  request("LMOVE", key, key, oneOf("LEFT RIGHT", "RIGHT LEFT")),
  request("BLPOP", some(key), fc.constant("0.001")),
  request("LSET", key, number, value),
  request("SADD", key, some(element)),
  request("SREM", key, some(element)),
  request("SINTERSTORE", key, some(key, 2)),
  request("HSET", key, field, value),
  request("HDEL", key, field),
  request("ZADD", key, number, element),
  request("ZPOPMIN", key),
  request("ZUNIONSTORE", key, fc.constant("1"), key),
  request("PFADD", key, some(value)),
  request("PFMERGE", key, key),
  request("XADD", key, fc.constant("1-1"), field, value),
  request("BITOP", oneOf("AND", "NOT", "XOR"), key, some(key, 2)),
  request("SORT", key, oneOf("", "ALPHA", "BY nosort"), fc.constant("STORE"), key),
  request("RESTORE", key, fc.constant("0"), value),
  request("FLUSHDB"),
  request("SWAPDB", database, database),
];

const SCRIPTED: fc.Arbitrary<Words>[] = [
  request("EVAL", fc.constantFrom(...SCRIPTS), fc.constant("1"), key, value),
  request("EVAL_RO", fc.constantFrom(...SCRIPTS), fc.constant("1"), key, value),
  request("SCRIPT LOAD", fc.constantFrom(...SCRIPTS)),
  request("EVALSHA", fc.constant(SHA), fc.constant("1"), key, value),
  request("FUNCTION LOAD", oneOf("", "REPLACE"), fc.constant(LIBRARY).map((text) => [text])),
  request("FCALL", fc.constant("put"), fc.constant("1"), key, value),
];

const TRANSACTIONAL: fc.Arbitrary<Words>[] = [
  request("MULTI"),
  request("EXEC"),
  request("EXEC"),
  request("DISCARD"),
  request("WATCH", some(key)),
  request("UNWATCH"),
];

const CONNECTIONAL: fc.Arbitrary<Words>[] = [
  request("SELECT", database),
  request("SELECT 0"),
  request("HELLO", oneOf("", "2", "3", "4", "3 SETNAME me", "2 FOO", "3 AUTH a b")),
  request("RESET"),
  request("PING", oneOf("", "hi", "a b")),
  request("ECHO", value),
  request("CLIENT SETNAME", oneOf("me", "a\nb")),
  request("CLIENT GETNAME"),
  request("CLIENT TRACKINGINFO"),
  request("CLIENT REPLY ON"),
  request("AUTH", oneOf("x", "a b", "a b c")),
  request("FOO", some(value)),
  request("GET", some(key)),
  request("SET", key),
  request("COMMAND COUNT"),
  request("ACL WHOAMI"),
  request("READONLY"),
];

const SUBSCRIPTIONAL: fc.Arbitrary<Words>[] = [
  request("SUBSCRIBE", some(channel, 2)),
  request("UNSUBSCRIBE", some(channel, 2)),
  request("PSUBSCRIBE", fc.constant("n*")),
  request("PUNSUBSCRIBE", fc.constant("n*")),
];

const plainRequest = fc.oneof(
  { arbitrary: fc.oneof(...READS), weight: 8 },
  { arbitrary: fc.oneof(...WRITES), weight: 1 },
);
const anyRequest = fc.oneof(
  { arbitrary: fc.oneof(...READS), weight: 30 },
  { arbitrary: fc.oneof(...LOOKS), weight: 8 },
  { arbitrary: fc.oneof(...WRITES), weight: 20 },
  { arbitrary: fc.oneof(...SCRIPTED), weight: 5 },
  { arbitrary: fc.oneof(...TRANSACTIONAL), weight: 8 },
  { arbitrary: fc.oneof(...CONNECTIONAL), weight: 5 },
  { arbitrary: fc.oneof(...SUBSCRIPTIONAL), weight: 1 },
);
/** What the session is told alone, so that what comes after it meets a connection at rest. */
const stateRequest = fc.oneof(
  { arbitrary: request("SELECT", oneOf("0", "1")), weight: 4 },
  { arbitrary: request("HELLO", oneOf("2", "3")), weight: 4 },
  { arbitrary: fc.oneof(request("MULTI"), request("EXEC"), request("WATCH", key), request("RESET")), weight: 4 },
  { arbitrary: fc.oneof(...SUBSCRIPTIONAL), weight: 2 },
);

/** What is asked for in one go: mostly reads, then anything, then a change of the session's state. */
const requests = fc.oneof(
  { arbitrary: fc.array(plainRequest, { minLength: 1, maxLength: 8 }), weight: 4 },
  { arbitrary: fc.array(anyRequest, { minLength: 1, maxLength: 8 }), weight: 1 },
  { arbitrary: fc.tuple(stateRequest), weight: 2 },
);

const burst: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant("burst" as const),
  connection: fc.nat(CONNECTIONS - 1),
  requests,
  places: fc.array(fc.nat(), { maxLength: 3 }),
});

const publish: fc.Arbitrary<Step> = fc.record({ kind: fc.constant("publish" as const), channel, message: value });

/** Sequences of steps. */
export const sequences: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { arbitrary: burst, weight: 12 },
    { arbitrary: fc.constant({ kind: "warm" as const }), weight: 4 },
    { arbitrary: publish, weight: 1 },
  ),
  { minLength: 1, maxLength: 16, size: "max" },
);

/** The bytes of a request. */
export function bytesOf(words: Words): Buffer {
  const text = words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
  return Buffer.from(`*${words.length}\r\n${text}`, "latin1");
}
