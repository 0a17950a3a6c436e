/**
 * `RESP_COMMANDS=all`: who answers a request, the proxy or Redis.
 *
 *   GET, MGET, EXISTS, STRLEN, while nothing is outstanding and the session is plain   memory, where it can
 *   the handshake, as long as the client has no connection to Redis                    the proxy; Redis is told when there is
 *   AUTH, where PROXY_PASSWORD is set, and RESET                                       the proxy
 *   everything else                                                                    Redis, over a connection of the client's own
 */

import type { Password } from "../password.ts";
import type { Failure } from "../read_through/answer.ts";
import { DEFAULT_USER, type Greeting } from "../protocol/resp/greeting.ts";
import { requestFrame } from "../protocol/resp/request_frame.ts";
import type { Client } from "./client.ts";
import type { CommandTable } from "./command_table.ts";
import { execute } from "./commands.ts";
import { WRONG_PASSWORD } from "./connection_commands.ts";
import { existsFromMemory, FAILED, get, getFromMemory, mgetFromMemory, strlenFromMemory } from "./read_commands.ts";
import type { Relay } from "./relay.ts";
import { credentialsAt, expectationOf, fullName, mayMakeTunnel, NO_EFFECT, tunnelOf } from "./relayed_command.ts";

/** What is needed to pass commands on to Redis. */
export interface Relaying {
  /** Makes a connection that is greeted, with the proxy's own user and database, or tells why not. Never rejects. */
  readonly dial: (greeting: Greeting) => Promise<Deno.Conn | Failure>;
  /** The database that the cache is of. */
  readonly database: number;
  /** The user that the proxy is at Redis. */
  readonly user: string;
  /** Its password; `null` when it has none. */
  readonly password: Password | null;
  readonly counters: Record<"relayedCommands" | "relays" | "relayFailures", number>;
  /** Redis's table of commands, as last told. */
  table: CommandTable;
  /** Redis's version, as last told; `null` while it is not known. */
  redisVersion: string | null;
}

/**
 * What has to come before a request can be answered: the replies before it must be known (`flush`), a connection to Redis
 * made (`open`), what is outstanding there answered (`quiet`), or that connection ended after that (`end`).
 */
export type Before = "flush" | "open" | "quiet" | "end";

/**
 * Answers `client.request`, or passes it on. Returns what has to come before; then it is to be called again, for the same
 * request. `null`: it is done. Never throws.
 */
export function executeOrRelay(client: Client, relaying: Relaying): Before | null {
  const { request, relay, services } = client;
  if (!client.isAuthenticated) {
    // A stranger cannot have a connection to Redis; what he may ask is answered here.
    execute(client);
    return null;
  }
  if ((relay === null || relay.isIdle) && isAnsweredFromMemory(client)) return null;
  const name = fullName(request, relaying.table);
  switch (name) {
    case "post":
    case "host:":
      client.isUnwanted = true;
      return null;
    case "reset":
      if (relay !== null && request.argumentCount === 1) return "end";
      break;
    case "auth":
    case "hello":
      if (relay !== null && services.password !== null) {
        const before = authenticateHere(client, { relay, isHello: name === "hello", relaying });
        if (before !== "relay") return before;
      }
      break;
  }
  if (relay === null && isHandshake(client, { name, relaying })) {
    execute(client);
    return null;
  }
  return passOn(client, { name, relaying });
}

/** Answers what is asked most, where memory can. */
function isAnsweredFromMemory(client: Client): boolean {
  const { request, relay, services } = client;
  const words = request.argumentCount;
  if (words === 2 && request.matches(0, "get")) {
    // While the read-through has no connection the client's own is the one to ask.
    if (relay !== null && !services.readThrough.isUp) return getFromMemory(client);
    get(client);
    return true;
  }
  if (words < 2) return false;
  if (request.matches(0, "mget")) return mgetFromMemory(client);
  if (request.matches(0, "exists")) return existsFromMemory(client);
  return words === 2 && request.matches(0, "strlen") && strlenFromMemory(client);
}

/** True for what can be answered before there is a connection to Redis, as Redis would. */
function isHandshake({ request, services }: Client, { name, relaying }: { name: string; relaying: Relaying }): boolean {
  switch (name) {
    case "quit":
    case "reset":
      return true;
    case "auth":
      return services.password !== null;
    case "hello":
      return services.password !== null || credentialsAt(request) === 0;
    case "select":
      return request.argumentCount === 2 && request.text(1) === "0" && relaying.database === 0;
    case "client|setname":
    case "client|getname":
    case "client|setinfo":
      return relaying.table.has(name);
    default:
      return false;
  }
}

/**
 * Checks the proxy's own password in an AUTH, or in a HELLO, which is passed on without it. Returns `relay` where there is
 * none in it.
 *
 * In a tunnel no reply of ours has a place: Redis is asked something that it answers by an error.
 */
function authenticateHere(
  client: Client,
  { relay, isHello, relaying }: { relay: Relay; isHello: boolean; relaying: Relaying },
): Before | "relay" | null {
  const { request, replies, services } = client;
  const at = isHello ? credentialsAt(request) : 0;
  if (isHello && at === 0) return "relay";
  if (relay.isTunnel) {
    relay.send(requestFrame(isHello ? ["HELLO", request.argument(1), "AUTH"] : ["AUTH"]), NO_EFFECT);
    return null;
  }
  if (!relay.isQuiet) return "quiet";
  const isWhole = !isHello || at + 2 < request.argumentCount;
  if (!isHello || !isWhole || at === 1) {
    execute(client);
    return null;
  }
  if (request.text(at + 1) !== DEFAULT_USER || !services.password!.is(request.argument(at + 2))) {
    replies.writer.error(WRONG_PASSWORD);
    return null;
  }
  if (credentialsAt(request, at + 3) > 0) {
    // Redis would take the last. Ours must never reach it, and others are not for a client of ours to try.
    replies.writer.error("ERR Syntax error in HELLO option 'AUTH'");
    return null;
  }
  if (replies.hasLate) return "flush";
  const words = Array.from({ length: request.argumentCount }, (_, i) => request.argument(i));
  const frame = requestFrame([...words.slice(0, at), ...words.slice(at + 3)]);
  relaying.counters.relayedCommands++;
  relay.send(frame, expectationOf(request, { name: "hello", table: relaying.table, isOurs: () => true }));
  return null;
}

function passOn(client: Client, { name, relaying }: { name: string; relaying: Relaying }): Before | null {
  const { request, relay, replies, services } = client;
  // What the client asked before must have been read before Redis executes what comes after.
  if (replies.hasLate) return "flush";
  if (relay === null) {
    const failure = client.relayFailure ?? outage(client);
    if (failure === null) return "open";
    client.relayFailure = null;
    services.outcomes[failure] += readsOf(client);
    replies.late(FAILED[failure]);
    return null;
  }
  const mayBecomeTunnel = !relay.isTunnel && mayMakeTunnel(request, name);
  if (mayBecomeTunnel && !relay.isQuiet) return "quiet";
  services.outcomes.relayed += readsOf(client);
  relaying.counters.relayedCommands++;
  if (mayBecomeTunnel) {
    const { protocol, state: { isInTransaction } } = client;
    const tunnel = tunnelOf(request, { name, protocol, isInTransaction, isSubscribed: relay.isSubscribed });
    if (tunnel !== null) {
      relay.becomeTunnel(tunnel);
      relay.send(request.frame(), NO_EFFECT);
      return null;
    }
  }
  const { user, password, table } = relaying;
  const isOurs = (name: string, given: Uint8Array): boolean => name === user && password !== null && password.is(given);
  relay.send(request.frame(), expectationOf(request, { name, table, isOurs }));
  return null;
}

/** Where Redis is known to be away nobody is made to wait for a connection. */
function outage({ services }: Client): Failure | null {
  return services.readThrough.isUnreachable ? "unreachable" : null;
}

/** How many reads a request counts as. */
function readsOf({ request }: Client): number {
  return request.matches(0, "get") ? 1 : request.matches(0, "mget") ? request.argumentCount - 1 : 0;
}
