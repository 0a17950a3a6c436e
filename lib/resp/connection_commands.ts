/**
 * The commands about the connection itself: who the client is, which protocol it speaks, whether anybody is there.
 */

import { DEFAULT_USER } from "../protocol/resp/greeting.ts";
import type { Protocol } from "../protocol/resp/reply_writer.ts";
import type { Client } from "./client.ts";
import { type Command, commandGroup } from "./command.ts";

/** The version of Redis whose behaviour is shown; clients decide by it what they may ask. */
export const COMPATIBLE_VERSION = "7.0.0";

const NO_AUTH_FLAGS = ["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"];
const FLAGS = ["loading", "stale", "fast"];
const SYNTAX_ERROR = "ERR syntax error";
const NAME_ERROR = "ERR Client names cannot contain spaces, newlines or special characters.";
/** What Redis says to a wrong password. */
export const WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled.";
const HELLO_NEEDS_AUTH =
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH " +
  "<user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time";
const NO_PASSWORD = "ERR AUTH <password> called without any password configured for the default user. " +
  "Are you sure your configuration is correct?";

function ok(client: Client): void {
  client.replies.writer.simple("OK");
}

/** True when the word at `index` and the one before it, or `default`, are a user and its password; notes it. */
function authenticate(client: Client, { user, passwordAt }: { user: string; passwordAt: number }): boolean {
  const { password } = client.services;
  const isRight = user === DEFAULT_USER && (password === null || password.is(client.request.argument(passwordAt)));
  if (isRight) client.isAuthenticated = true;
  return isRight;
}

function auth(client: Client): void {
  const { request, replies, services } = client;
  const words = request.argumentCount;
  if (words > 3) return replies.writer.error(SYNTAX_ERROR);
  if (words === 2 && services.password === null) return replies.writer.error(NO_PASSWORD);
  const user = words === 3 ? request.text(1) : DEFAULT_USER;
  if (authenticate(client, { user, passwordAt: words - 1 })) ok(client);
  else replies.writer.error(WRONG_PASSWORD);
}

/** Printable ASCII without blanks, as in Redis. */
function isName(name: string): boolean {
  return /^[!-~]*$/.test(name);
}

function hello(client: Client): void {
  const { request, replies } = client;
  const { writer } = replies;
  let protocol: Protocol = client.protocol;
  if (request.argumentCount > 1) {
    const version = request.text(1);
    if (!/^-?\d{1,18}$/.test(version)) return writer.error("ERR Protocol version is not an integer or out of range");
    if (version !== "2" && version !== "3") return writer.error("NOPROTO unsupported protocol version");
    protocol = version === "2" ? 2 : 3;
  }
  let name: string | null = null;
  let userAt = 0;
  for (let i = 2; i < request.argumentCount; i++) {
    const left = request.argumentCount - 1 - i;
    if (request.matches(i, "auth") && left >= 2) {
      userAt = i + 1;
      i += 2;
    } else if (request.matches(i, "setname") && left >= 1) {
      name = request.text(++i);
      if (!isName(name)) return writer.error(NAME_ERROR);
    } else {
      return writer.error(`ERR Syntax error in HELLO option '${request.text(i)}'`);
    }
  }
  if (userAt > 0 && !authenticate(client, { user: request.text(userAt), passwordAt: userAt + 1 })) {
    return writer.error(WRONG_PASSWORD);
  }
  if (!client.isAuthenticated) return writer.error(HELLO_NEEDS_AUTH);
  if (name !== null) client.name = name;
  client.protocol = protocol;
  writer.map(7);
  writer.bulk("server");
  writer.bulk("redis");
  writer.bulk("version");
  writer.bulk(client.services.relaying?.redisVersion ?? COMPATIBLE_VERSION);
  writer.bulk("proto");
  writer.integer(protocol);
  writer.bulk("id");
  writer.integer(client.id);
  writer.bulk("mode");
  writer.bulk("standalone");
  writer.bulk("role");
  writer.bulk("master");
  writer.bulk("modules");
  writer.array(0);
}

function select({ request, replies }: Client): void {
  const database = request.text(1);
  if (!/^-?\d{1,18}$/.test(database)) return replies.writer.error("ERR value is not an integer or out of range");
  // The one database that the proxy reads is that of REDIS_URL, and is called 0 here.
  if (Number(database) !== 0) return replies.writer.error("ERR DB index is out of range");
  replies.writer.simple("OK");
}

function ping({ request, replies }: Client): void {
  if (request.argumentCount > 2) return replies.writer.error("ERR wrong number of arguments for 'ping' command");
  if (request.argumentCount === 2) replies.writer.bulk(request.argument(1));
  else replies.writer.simple("PONG");
}

function echo({ request, replies }: Client): void {
  replies.writer.bulk(request.argument(1));
}

function quit(client: Client): void {
  ok(client);
  client.isLeaving = true;
}

function reset(client: Client): void {
  client.reset();
  client.replies.writer.simple("RESET");
}

function clientSetName(client: Client): void {
  const name = client.request.text(2);
  if (!isName(name)) return client.replies.writer.error(NAME_ERROR);
  client.name = name;
  ok(client);
}

function clientGetName({ name, replies }: Client): void {
  if (name === "") replies.writer.null();
  else replies.writer.bulk(name);
}

function clientSetInfo(client: Client): void {
  const { request, replies } = client;
  if (!request.matches(2, "lib-name") && !request.matches(2, "lib-ver")) {
    return replies.writer.error(`ERR Unrecognized option '${request.text(2)}'`);
  }
  if (!isName(request.text(3))) {
    return replies.writer.error(
      `ERR ${request.text(2)} cannot contain spaces, newlines or special characters.`,
    );
  }
  client.library.set(request.text(2).toLowerCase(), request.text(3));
  ok(client);
}

/** One line about this client, and about no other. */
function clientInfo(client: Client): void {
  const ageS = Math.floor((client.services.clock.nowMs - client.connectedAtMs) / 1000);
  client.replies.writer.bulk(
    `id=${client.id} addr=${client.address} name=${client.name} age=${ageS} db=0 user=${DEFAULT_USER} resp=${client.protocol}\n`,
  );
}

function onOrOff(client: Client): void {
  const { request, replies } = client;
  if (request.matches(2, "on") || request.matches(2, "off")) ok(client);
  else replies.writer.error(SYNTAX_ERROR);
}

function clientReply(client: Client): void {
  const { request, replies } = client;
  if (request.matches(2, "on")) ok(client);
  else if (request.matches(2, "off") || request.matches(2, "skip")) {
    replies.writer.error("NOPERM redis-proxy answers every request");
  } else replies.writer.error(SYNTAX_ERROR);
}

function clientTrackingInfo({ replies }: Client): void {
  const { writer } = replies;
  writer.map(3);
  writer.bulk("flags");
  writer.set(1);
  writer.bulk("off");
  writer.bulk("redirect");
  writer.integer(-1);
  writer.bulk("prefixes");
  writer.array(0);
}

const OWN = { keys: [0, 0, 0], categories: ["@fast", "@connection"], group: "connection" } as const;

const CLIENT = {
  ...OWN,
  flags: ["noscript", "loading", "stale"],
  categories: ["@slow", "@connection"],
  since: "2.6.0",
};

/** The commands about the connection. */
export const CONNECTION_COMMANDS: readonly Command[] = [
  { name: "auth", arity: -2, ...OWN, flags: NO_AUTH_FLAGS, since: "1.0.0", summary: "Gives the password", run: auth },
  {
    name: "hello",
    arity: -1,
    ...OWN,
    flags: NO_AUTH_FLAGS,
    since: "6.0.0",
    summary: "Chooses the protocol",
    run: hello,
  },
  { name: "quit", arity: -1, ...OWN, flags: NO_AUTH_FLAGS, since: "1.0.0", summary: "Ends the connection", run: quit },
  {
    name: "reset",
    arity: 1,
    ...OWN,
    flags: NO_AUTH_FLAGS,
    since: "6.2.0",
    summary: "Makes the connection as good as new",
    run: reset,
  },
  { name: "select", arity: 2, ...OWN, flags: FLAGS, since: "1.0.0", summary: "Chooses the database 0", run: select },
  { name: "ping", arity: -1, ...OWN, flags: ["fast"], since: "1.0.0", summary: "Answers", run: ping },
  { name: "echo", arity: 2, ...OWN, flags: FLAGS, since: "1.0.0", summary: "Returns its argument", run: echo },
  commandGroup({ name: "client", arity: -2, ...CLIENT, flags: [], summary: "About the connections" }, [
    { name: "client|getname", arity: 2, ...CLIENT, summary: "Returns the client's name", run: clientGetName },
    {
      name: "client|getredir",
      arity: 2,
      ...CLIENT,
      summary: "Returns -1: no redirection",
      run: ({ replies }) => replies.writer.integer(-1),
    },
    {
      name: "client|id",
      arity: 2,
      ...CLIENT,
      summary: "Returns the connection's number",
      run: ({ id, replies }) => replies.writer.integer(id),
    },
    { name: "client|info", arity: 2, ...CLIENT, summary: "Tells about this connection", run: clientInfo },
    { name: "client|list", arity: -2, ...CLIENT, summary: "Tells about this connection alone", run: clientInfo },
    { name: "client|no-evict", arity: 3, ...CLIENT, summary: "Does nothing here", run: onOrOff },
    { name: "client|no-touch", arity: 3, ...CLIENT, summary: "Does nothing here", run: onOrOff },
    { name: "client|reply", arity: 3, ...CLIENT, summary: "Takes ON alone", run: clientReply },
    { name: "client|setinfo", arity: 4, ...CLIENT, summary: "Tells the client's library", run: clientSetInfo },
    { name: "client|setname", arity: 3, ...CLIENT, summary: "Names the client", run: clientSetName },
    { name: "client|trackinginfo", arity: 2, ...CLIENT, summary: "Tells that it is off", run: clientTrackingInfo },
  ]),
];
