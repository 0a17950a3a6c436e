/**
 * The commands that read keys: GET and MGET through the cache; EXISTS and STRLEN from a fresh item, else by asking Redis;
 * TTL and PTTL by asking Redis, as the cache knows how long an item may be served and not how long its key lives.
 */

import { Buffer } from "node:buffer";
import type { Key } from "../protocol/key.ts";
import type { Protocol } from "../protocol/resp/reply_writer.ts";
import type { Answer, Failure } from "../read_through/answer.ts";
import { outcomeOf } from "../read_through/read_outcome.ts";
import type { AskReply } from "./asker.ts";
import type { Client } from "./client.ts";
import type { Command } from "./command.ts";
import type { Frames, Outbox } from "./outbox.ts";
import { REPLY_BYTES_MAX } from "../limits.ts";

function line(text: string): Frames {
  return [Buffer.from(text + "\r\n", "latin1")];
}

const NULLS: Record<Protocol, Frames> = { 2: line("$-1"), 3: line("_") };
const WRONG_TYPE = line("-WRONGTYPE Operation against a key holding the wrong kind of value");

/** What a client is told when Redis cannot be asked. */
export const FAILED: Record<Failure, Frames> = {
  unreachable: line("-UNREACHABLE Redis cannot be reached by the proxy"),
  loading: line("-LOADING Redis is not ready to answer"),
  refused: line("-ERR Redis refuses the proxy"),
  timeout: line("-TIMEOUT Redis did not answer the proxy in time"),
  overloaded: line("-OVERLOADED too many reads of Redis wait already"),
};

/** Errors of Redis that are about the key or about a moment, and no business between it and the proxy. */
const PASSED_ON = /^(?:WRONGTYPE|LOADING|MASTERDOWN|BUSY|CLUSTERDOWN|TRYAGAIN|MOVED|ASK) /;

/** Returns GET's reply to `answer`. */
function getFrames(answer: Answer, protocol: Protocol): Frames {
  switch (answer.kind) {
    case "hit":
    case "fill":
    case "stale":
      return [answer.item.frame];
    case "absent":
      return NULLS[protocol];
    case "wrong_type":
      return WRONG_TYPE;
    case "failed":
      return FAILED[answer.failure];
  }
}

/** Answers a GET when its key is held. Returns false when not. */
export function getFromMemory({ request, replies, services }: Client): boolean {
  const item = services.readThrough.hit(request.key(1));
  if (item === undefined) return false;
  services.outcomes.hit++;
  replies.frame(item.frame);
  return true;
}

/** Answers a GET: from memory, or late by the flight of its key. */
export function get(client: Client): void {
  if (getFromMemory(client)) return;
  const { readThrough, outcomes } = client.services;
  const key = client.request.key(1);
  const answer = readThrough.read(key);
  const { protocol } = client;
  const finish = (answer: Answer): Frames => {
    outcomes[outcomeOf(answer)]++;
    return getFrames(answer, protocol);
  };
  client.replies.late(answer instanceof Promise ? answer.then(finish) : finish(answer));
}

/**
 * Answers an MGET when it is known of all its keys what they hold, so that the answer is of one moment. Returns false when
 * not; then what is missing is being read, for the next time.
 */
export function mgetFromMemory({ request, replies, protocol, services }: Client): boolean {
  const { readThrough, outcomes, mgetWarmer } = services;
  const count = request.argumentCount - 1;
  const frames: Uint8Array[] = [...line(`*${count}`)];
  const missing: Key[] = [];
  let absences = 0;
  for (let i = 1; i <= count; i++) {
    const key = request.key(i);
    const item = readThrough.hit(key);
    if (item !== undefined) {
      frames.push(item.frame);
    } else if (readThrough.remembersAbsence(key)) {
      frames.push(...NULLS[protocol]);
      absences++;
    } else {
      missing.push(key);
    }
  }
  if (missing.length > 0) {
    mgetWarmer.warm(missing);
    return false;
  }
  outcomes.hit += count - absences;
  outcomes.absent_remembered += absences;
  addFrames(replies, frames);
  return true;
}

function addFrames(replies: Outbox, frames: Frames): void {
  const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
  if (bytes >= REPLY_BYTES_MAX) replies.late(frames);
  else for (const frame of frames) replies.frame(frame);
}

function mget(client: Client): void {
  const { request, replies, protocol, services } = client;
  const { readThrough, outcomes } = services;
  const answers: (Answer | Promise<Answer>)[] = [];
  // Each key once, else one request for the same key a million times would make a million who wait.
  let read: Map<Key, Answer | Promise<Answer>> | undefined;
  let hits = 0;
  for (let i = 1; i < request.argumentCount; i++) {
    const key = request.key(i);
    const item = readThrough.hit(key);
    if (item !== undefined) {
      hits++;
      answers.push({ kind: "hit", item });
      continue;
    }
    read ??= new Map();
    const answer = read.get(key) ?? readThrough.read(key);
    read.set(key, answer);
    answers.push(answer);
  }
  if (hits < answers.length) return replies.late(promisedMgetFrames(client, answers));
  outcomes.hit += hits;
  addFrames(replies, mgetFrames(answers as Answer[], protocol));
}

async function promisedMgetFrames(client: Client, promised: (Answer | Promise<Answer>)[]): Promise<Frames> {
  const { protocol, services } = client;
  const fulfilled = new Map<Answer | Promise<Answer>, Answer>();
  for (const answer of new Set(promised)) fulfilled.set(answer, answer instanceof Promise ? await answer : answer);
  const answers = promised.map((answer) => fulfilled.get(answer)!);
  for (const answer of answers) services.outcomes[outcomeOf(answer)]++;
  return mgetFrames(answers, protocol);
}

/** A key that holds no string is null, as in Redis; when any key cannot be read there is one error for all. */
function mgetFrames(answers: Answer[], protocol: Protocol): Frames {
  const frames: Uint8Array[] = [...line(`*${answers.length}`)];
  for (const answer of answers) {
    if (answer.kind === "failed") return FAILED[answer.failure];
    frames.push(...(answer.kind === "wrong_type" ? NULLS[protocol] : getFrames(answer, protocol)));
  }
  return frames;
}

/** Asks Redis the request as it is. */
function ask(client: Client): void {
  const { request, services } = client;
  // Copied: the read buffer is used again before the words are written.
  const words = Array.from({ length: request.argumentCount }, (_, i) => Buffer.from(request.argument(i)));
  client.replies.late(services.asker.integer(words).then(askedFrames));
}

function askedFrames(reply: AskReply): Frames {
  switch (reply.kind) {
    case "integer":
      return line(`:${reply.value}`);
    case "error":
      return PASSED_ON.test(reply.text) ? line(`-${reply.text}`) : FAILED.refused;
    case "failed":
      return FAILED[reply.failure];
  }
}

/** Answers an EXISTS when all its keys are held, so that the answer is of one moment. Returns false when not. */
export function existsFromMemory({ request, replies, services }: Client): boolean {
  const count = request.argumentCount - 1;
  for (let i = 1; i <= count; i++) if (services.readThrough.hit(request.key(i)) === undefined) return false;
  replies.writer.integer(count);
  return true;
}

function exists(client: Client): void {
  if (!existsFromMemory(client)) ask(client);
}

/** Answers a STRLEN when its key is held. Returns false when not. */
export function strlenFromMemory({ request, replies, services }: Client): boolean {
  const item = services.readThrough.hit(request.key(1));
  if (item !== undefined) replies.writer.integer(item.length);
  return item !== undefined;
}

function strlen(client: Client): void {
  if (!strlenFromMemory(client)) ask(client);
}

const READS = { flags: ["readonly", "fast"], group: "string", categories: ["@read", "@string", "@fast"] } as const;
const LOOKS = { flags: ["readonly", "fast"], group: "generic", categories: ["@keyspace", "@read", "@fast"] } as const;
const ONE_KEY = [1, 1, 1] as const;
const ALL_KEYS = [1, -1, 1] as const;

/** The commands that read. */
export const READ_COMMANDS: readonly Command[] = [
  { name: "get", arity: 2, ...READS, keys: ONE_KEY, since: "1.0.0", summary: "Returns the value of a key", run: get },
  {
    name: "mget",
    arity: -2,
    ...READS,
    keys: ALL_KEYS,
    since: "1.0.0",
    summary: "Returns the values of keys",
    run: mget,
  },
  {
    name: "strlen",
    arity: 2,
    ...READS,
    keys: ONE_KEY,
    since: "2.2.0",
    summary: "Returns the length of a value",
    run: strlen,
  },
  {
    name: "exists",
    arity: -2,
    ...LOOKS,
    keys: ALL_KEYS,
    since: "1.0.0",
    summary: "Counts the keys that exist",
    run: exists,
  },
  {
    name: "ttl",
    arity: 2,
    ...LOOKS,
    keys: ONE_KEY,
    since: "1.0.0",
    summary: "Returns the seconds that a key has left",
    run: ask,
  },
  {
    name: "pttl",
    arity: 2,
    ...LOOKS,
    keys: ONE_KEY,
    since: "2.6.0",
    summary: "Returns the milliseconds that a key has left",
    run: ask,
  },
];
