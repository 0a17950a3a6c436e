/**
 * What a request that is passed on to Redis means for us: which keys it changes, what becomes of its session, and
 * whether each request still has one reply afterwards.
 */

import type { Key } from "../protocol/key.ts";
import { DEFAULT_USER } from "../protocol/resp/greeting.ts";
import type { Protocol } from "../protocol/resp/reply_writer.ts";
import type { RequestParser } from "../protocol/resp/request_parser.ts";
import type { CommandTable } from "./command_table.ts";
import type { StateChange } from "./session_state.ts";

/** What a reply may tell of that the cache must not be behind: nothing, the doing of others, or the client's own writes. */
export type Wait = "nothing" | "news" | "writes";

/** What is to be done when the reply has come, before it is handed to the client. */
export interface Expectation {
  /** Keys to be dropped; `null` where there are none, or Redis alone knows which. */
  readonly changed: readonly Key[] | "all" | null;
  /** Why the reply waits until all invalidations that Redis sent before it have arrived, if it does. */
  readonly wait: Wait;
  readonly change: StateChange | null;
  /** The version of the protocol that is spoken after the reply, if it is no error. */
  readonly protocol: Protocol | null;
  /** How many pushes stand in place of the reply: one for each channel, in RESP3. An error is a reply all the same. */
  readonly confirmations: number;
}

/**
 * Why replies can no longer be told apart: a subscriber's messages and CLIENT REPLY (`messages`), MONITOR's lines
 * (`monitor`), bytes that are not even replies (`raw`).
 */
export type TunnelKind = "messages" | "monitor" | "raw";

/** Of a command that changes nothing. */
export const NO_EFFECT: Expectation = {
  changed: null,
  wait: "nothing",
  change: null,
  protocol: null,
  confirmations: 0,
};
const NEWS: Expectation = { ...NO_EFFECT, wait: "news" };
const WRITES: Expectation = { ...NO_EFFECT, wait: "writes" };
const ALL: Expectation = { ...NO_EFFECT, changed: "all" };

const FOREIGN: StateChange = { kind: "foreign" };

const STATE_CHANGES: Readonly<Record<string, StateChange>> = {
  multi: { kind: "multi" },
  exec: { kind: "exec" },
  discard: { kind: "discard" },
  watch: { kind: "watch" },
  unwatch: { kind: "unwatch" },
  asking: FOREIGN,
  readonly: FOREIGN,
  readwrite: FOREIGN,
  "client|tracking": FOREIGN,
  "client|caching": FOREIGN,
};

/** Tells whether a user and its password are the proxy's own. */
export type IsOurs = (user: string, password: Uint8Array) => boolean;

const SUBSCRIPTIONS = /^[ps]?(?:un)?subscribe$/;
const CONFIRMATION = /^>\d\r\n\$\d+\r\n[ps]?(?:un)?subscribe\r\n/;

/** How many characters of a push tell what it is. */
export const PUSH_HEAD_LENGTH = 32;

/** True when `head`, the beginning of a push, confirms a subscription or its end. */
export function isConfirmation(head: string): boolean {
  return CONFIRMATION.test(head);
}

/** Groups whose members matter here also where no table tells that they are groups: before it came, or before Redis 7. */
const GROUPS: ReadonlySet<string> = new Set(["client", "script"]);

/** Returns the name by which a request is looked up, in lower case; `client|id` where the second word belongs to it. */
export function fullName(request: RequestParser, table: CommandTable): string {
  const name = request.text(0).toLowerCase();
  const isGroup = GROUPS.has(name) || table.isGroup(name);
  return isGroup && request.argumentCount > 1 ? `${name}|${request.text(1).toLowerCase()}` : name;
}

/** Returns where the word AUTH stands in a HELLO, at `from` or behind, 0 where it does not; at 1 a version is missing. */
export function credentialsAt(request: RequestParser, from = 1): number {
  for (let i = from; i < request.argumentCount; i++) {
    if (request.matches(i, "auth")) return i;
    if (request.matches(i, "setname")) i++;
  }
  return 0;
}

/**
 * True for what can make a tunnel. Whether it does may hang on replies that are outstanding, so it is asked when none is.
 */
export function mayMakeTunnel(request: RequestParser, name: string): boolean {
  return tunnelOf(request, { name, protocol: 2, isInTransaction: true, isSubscribed: true }) !== null;
}

/** Returns what kind of tunnel `request` makes of its session, `null` where each request keeps its one reply. */
export function tunnelOf(
  request: RequestParser,
  { name, protocol, isInTransaction, isSubscribed }: {
    name: string;
    protocol: Protocol;
    isInTransaction: boolean;
    isSubscribed: boolean;
  },
): TunnelKind | null {
  // In RESP3 a subscription is confirmed by pushes, whose number is known, and messages are pushes as well.
  if (SUBSCRIPTIONS.test(name)) {
    return protocol === 3 && !isInTransaction && request.argumentCount > 1 ? null : "messages";
  }
  const words = request.argumentCount;
  switch (name) {
    case "monitor":
      return "monitor";
    case "sync":
    case "psync":
    case "replconf": // REPLCONF ACK has no reply.
      return "raw";
    case "hello":
      return isSubscribed && words > 1 && !request.matches(1, "3") ? "messages" : null;
    case "client|reply":
      return words === 3 && !request.matches(2, "on") ? "messages" : null;
    case "script|debug":
      return words === 3 && !request.matches(2, "no") ? "messages" : null;
    default:
      return null;
  }
}

/**
 * Returns what to do when Redis has replied to `request`, whose `fullName` is `name`.
 *
 * `isOurs` tells whether a user and its password are the proxy's own. Cost: O(keys).
 */
export function expectationOf(
  request: RequestParser,
  { name, table, isOurs }: { name: string; table: CommandTable; isOurs: IsOurs },
): Expectation {
  const { changes, isBlocking, keys } = table.facts(name);
  const change = stateChangeOf(request, { name, isOurs });
  if (change !== null) {
    const protocol = name === "hello" && request.argumentCount > 1 ? protocolOf(request.text(1)) : null;
    return { ...NO_EFFECT, wait: changes === "unknown" ? "writes" : "nothing", change, protocol };
  }
  if (SUBSCRIPTIONS.test(name)) return { ...NO_EFFECT, confirmations: request.argumentCount - 1 };
  switch (changes) {
    case "nothing":
      return isBlocking ? NEWS : NO_EFFECT;
    case "its keys":
      return { ...NO_EFFECT, changed: keysOf(request, keys), wait: isBlocking ? "news" : "nothing" };
    case "all keys":
      return ALL;
    case "unknown":
      return WRITES;
  }
}

function stateChangeOf(
  request: RequestParser,
  { name, isOurs }: { name: string; isOurs: IsOurs },
): StateChange | null {
  switch (name) {
    case "select": {
      const database = request.argumentCount === 2 ? request.text(1) : "";
      return /^\d{1,9}$/.test(database) ? { kind: "select", database: Number(database) } : FOREIGN;
    }
    case "auth": {
      const last = request.argumentCount - 1;
      const user = last === 1 ? DEFAULT_USER : request.text(1);
      return { kind: "authenticate", isOurs: last > 0 && isOurs(user, request.argument(last)) };
    }
    case "hello": {
      const at = credentialsAt(request);
      if (at === 0) return { kind: "authenticate", isOurs: true };
      // Of several the last counts, and Redis has them all checked.
      const isOne = at + 2 < request.argumentCount && credentialsAt(request, at + 3) === 0;
      return { kind: "authenticate", isOurs: isOne && isOurs(request.text(at + 1), request.argument(at + 2)) };
    }
    default:
      return Object.hasOwn(STATE_CHANGES, name) ? STATE_CHANGES[name] : null;
  }
}

function protocolOf(text: string): Protocol | null {
  return text === "3" ? 3 : text === "2" ? 2 : null;
}

function keysOf(
  request: RequestParser,
  [first, last, step]: readonly [first: number, last: number, step: number],
): Key[] {
  const found: Key[] = [];
  const end = last < 0 ? request.argumentCount + last : Math.min(last, request.argumentCount - 1);
  for (let at = first; at <= end; at += step) found.push(request.key(at));
  return found;
}
