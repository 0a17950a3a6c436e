/**
 * The table of commands, and what is done with one request.
 */

import type { Client } from "./client.ts";
import { type Command, commandGroup, fitsArity } from "./command.ts";
import { COMPATIBLE_VERSION, CONNECTION_COMMANDS } from "./connection_commands.ts";
import { isKnownName } from "./known_names.ts";
import { READ_COMMANDS } from "./read_commands.ts";

/** How much of a command's name, and of all its arguments, an error repeats, as in Redis. */
const REPEATED_CHARACTERS_MAX = 128;

/** What CONFIG GET tells: what programs ask for and what is true here. */
const CONFIG: Readonly<Record<string, string>> = { appendonly: "no", databases: "1", save: "" };

const SERVER = { keys: [0, 0, 0], categories: ["@slow"], flags: ["loading", "stale"], group: "server" } as const;

/** Returns the commands whose names are the words of the request from the third on; all when there are none. */
function namedCommands({ request }: Client): (Command | undefined)[] {
  if (request.argumentCount === 2) return [...COMMANDS.values()];
  return Array.from({ length: request.argumentCount - 2 }, (_, i) => COMMANDS.get(request.text(i + 2).toLowerCase()));
}

function writeCommandInfo(client: Client, command: Command | undefined): void {
  const { writer } = client.replies;
  if (command === undefined) return writer.null();
  writer.array(10);
  writer.bulk(command.name);
  writer.integer(command.arity);
  for (const words of [command.flags, command.keys, command.categories]) {
    if (words !== command.keys) writer.set(words.length);
    for (const word of words) typeof word === "number" ? writer.integer(word) : writer.simple(word);
  }
  writer.set(0); // Hints.
  writer.set(0); // Specifications of keys.
  const subcommands = [...command.subcommands?.values() ?? []];
  writer.array(subcommands.length);
  for (const subcommand of subcommands) writeCommandInfo(client, subcommand);
}

function commandInfo(client: Client): void {
  const commands = client.request.argumentCount === 1 ? [...COMMANDS.values()] : namedCommands(client);
  client.replies.writer.array(commands.length);
  for (const command of commands) writeCommandInfo(client, command);
}

function commandDocs(client: Client): void {
  const { writer } = client.replies;
  const commands = namedCommands(client).filter((command) => command !== undefined);
  writer.map(commands.length);
  for (const { name, summary, since, group } of commands) {
    writer.bulk(name);
    writer.map(3);
    for (const [field, text] of Object.entries({ summary, since, group })) {
      writer.bulk(field);
      writer.bulk(text);
    }
  }
}

function commandList({ replies }: Client): void {
  const names = [...COMMANDS.values()].flatMap(({ name, subcommands }) => [name, ...subcommands?.keys() ?? []]);
  replies.writer.array(names.length);
  for (const name of names) replies.writer.bulk(name);
}

/** Only what clients look for when they connect: nothing of Redis, which has an INFO of its own, nor of this machine. */
function info({ services, replies }: Client): void {
  replies.writer.bulk([
    "# Server",
    `redis_version:${COMPATIBLE_VERSION}`,
    "redis_mode:standalone",
    `redis_proxy_version:${services.version}`,
    "",
    "# Persistence",
    "loading:0",
    "",
    "# Replication",
    "role:master",
    "",
  ].join("\r\n"));
}

function configGet({ request, replies }: Client): void {
  const patterns = Array.from({ length: request.argumentCount - 2 }, (_, i) => request.text(i + 2).toLowerCase());
  const found = Object.entries(CONFIG).filter(([name]) => patterns.includes(name) || patterns.includes("*"));
  replies.writer.map(found.length);
  for (const [name, value] of found) {
    replies.writer.bulk(name);
    replies.writer.bulk(value);
  }
}

const SERVER_COMMANDS: readonly Command[] = [
  { name: "info", arity: -1, ...SERVER, since: "1.0.0", summary: "Tells the versions", run: info },
  commandGroup({
    name: "command",
    arity: -1,
    ...SERVER,
    since: "2.8.13",
    summary: "Tells the commands",
    run: commandInfo,
  }, [
    {
      name: "command|count",
      arity: 2,
      ...SERVER,
      since: "2.8.13",
      summary: "Counts the commands",
      run: ({ replies }) => replies.writer.integer(COMMANDS.size),
    },
    { name: "command|docs", arity: -2, ...SERVER, since: "7.0.0", summary: "Describes commands", run: commandDocs },
    { name: "command|info", arity: -2, ...SERVER, since: "2.8.13", summary: "Tells about commands", run: commandInfo },
    { name: "command|list", arity: -2, ...SERVER, since: "7.0.0", summary: "Names the commands", run: commandList },
  ]),
  commandGroup({ name: "config", arity: -2, ...SERVER, since: "2.0.0", summary: "About the configuration" }, [
    { name: "config|get", arity: -3, ...SERVER, since: "2.0.0", summary: "Tells the little there is", run: configGet },
  ]),
];

/** All commands that are served, by name. */
export const COMMANDS: ReadonlyMap<string, Command> = new Map(
  [...READ_COMMANDS, ...CONNECTION_COMMANDS, ...SERVER_COMMANDS].map((command) => [command.name, command]),
);

const GET = COMMANDS.get("get")!;

/** Answers `client.request` by exactly one reply, or makes the client leave. Never throws. */
export function execute(client: Client): void {
  const { request } = client;
  // What is asked most is found without making a string of its name.
  if (request.argumentCount === 2 && client.isAuthenticated && request.matches(0, "get")) return GET.run(client);
  const name = request.text(0).toLowerCase();
  const command = COMMANDS.get(name);
  if (command === undefined) return executeUnserved(client, name);
  if (command.subcommands === undefined || request.argumentCount === 1) return executeServed(client, command);
  const subname = `${name}|${request.text(1).toLowerCase()}`;
  const subcommand = command.subcommands.get(subname);
  if (subcommand !== undefined) return executeServed(client, subcommand);
  if (isKnownName(subname)) return refuse(client, subname);
  const asked = cStringOf(request.text(1)).slice(0, REPEATED_CHARACTERS_MAX);
  client.replies.writer.error(`ERR unknown subcommand '${asked}'. Try ${name.toUpperCase()} HELP.`);
}

function executeServed(client: Client, command: Command): void {
  const { request, replies } = client;
  if (!fitsArity(command, request.argumentCount)) {
    return replies.writer.error(`ERR wrong number of arguments for '${command.name}' command`);
  }
  if (!client.isAuthenticated && !command.flags.includes("no_auth")) {
    return replies.writer.error("NOAUTH Authentication required.");
  }
  command.run(client);
}

function executeUnserved(client: Client, name: string): void {
  // The first lines of an HTTP request: a browser was led here to send commands in its body. Redis does the same.
  if (name === "post" || name === "host:") {
    client.isUnwanted = true;
    return;
  }
  if (isKnownName(name)) return refuse(client, name);
  const { request, replies } = client;
  let repeated = "";
  for (let i = 1; i < request.argumentCount && repeated.length < REPEATED_CHARACTERS_MAX; i++) {
    repeated += `'${cStringOf(request.text(i)).slice(0, REPEATED_CHARACTERS_MAX - repeated.length)}' `;
  }
  const asked = cStringOf(request.text(0)).slice(0, REPEATED_CHARACTERS_MAX);
  replies.writer.error(`ERR unknown command '${asked}', with args beginning with: ${repeated}`);
}

function refuse(client: Client, name: string): void {
  client.replies.writer.error(
    client.isAuthenticated
      ? `NOPERM redis-proxy serves reads of strings (RESP_COMMANDS=read), and '${name}' is none`
      : "NOAUTH Authentication required.",
  );
}

/** Returns `text` up to a NUL, where Redis's own formatting stops. */
function cStringOf(text: string): string {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}
