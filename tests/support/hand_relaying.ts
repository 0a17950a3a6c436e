/**
 * A Redis for the clients of a drop-in, which the test plays over real sockets: it says what each client is answered.
 */

import { withDeadline } from "../../e2e/support/deadline.ts";
import type { Failure } from "../../lib/read_through/answer.ts";
import { CommandTable } from "../../lib/resp/command_table.ts";
import type { Greeting } from "../../lib/protocol/resp/greeting.ts";
import type { Relaying } from "../../lib/resp/drop_in.ts";
import { Password } from "../../lib/password.ts";
import { TextSocket } from "./text_socket.ts";

const DEADLINE_MS = 5_000;

/** A table with one command of each sort, as COMMAND replies it. */
const COMMANDS = [
  ["get", 2, ["readonly", "fast"], 1, 1, 1],
  ["mget", -2, ["readonly", "fast"], 1, -1, 1],
  ["hget", 3, ["readonly", "fast"], 1, 1, 1],
  ["set", -3, ["write", "denyoom"], 1, 1, 1],
  ["mset", -3, ["write", "denyoom"], 1, -1, 2],
  ["blpop", -3, ["write", "blocking"], 1, -2, 1],
  ["xread", -4, ["readonly", "blocking", "movablekeys"], 0, 0, 0],
  ["eval", -3, ["noscript", "movablekeys"], 0, 0, 0],
  ["flushall", -1, ["write"], 0, 0, 0],
  ["swapdb", 3, ["write", "fast"], 0, 0, 0],
  ["multi", 1, ["noscript", "fast"], 0, 0, 0],
  ["exec", 1, ["noscript"], 0, 0, 0],
  ["watch", -2, ["noscript", "fast"], 1, -1, 1],
  ["select", 2, ["loading", "fast"], 0, 0, 0],
  ["auth", -2, ["no_auth"], 0, 0, 0],
  ["hello", -1, ["no_auth"], 0, 0, 0],
  ["ping", -1, ["fast"], 0, 0, 0],
  ["subscribe", -2, ["pubsub"], 0, 0, 0],
  ["monitor", 1, ["admin"], 0, 0, 0],
  ["client", -2, [], 0, 0, 0, [], [], [], [
    ["client|setname", 3, [], 0, 0, 0],
    ["client|getname", 2, [], 0, 0, 0],
    ["client|setinfo", 4, [], 0, 0, 0],
    ["client|id", 2, [], 0, 0, 0],
    ["client|reply", 3, [], 0, 0, 0],
    ["client|tracking", -3, [], 0, 0, 0],
  ]],
];

/** What the proxy has of that Redis. */
export class HandRelaying implements Relaying, Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  /** The connections made so far, on Redis's side, and how each was to begin. */
  readonly sockets: TextSocket[] = [];
  readonly greetings: Greeting[] = [];
  /** Set to have connections fail. */
  failure: Failure | null = null;
  /** What making a connection waits for first. */
  delay: Promise<void> = Promise.resolve();
  /** What each write over a connection waits for first. */
  writeDelay: Promise<void> = Promise.resolve();

  readonly database: number;
  readonly user = "default";
  readonly password = new Password("redis-secret");
  readonly counters = { relayedCommands: 0, relays: 0, relayFailures: 0 };
  table = new CommandTable(COMMANDS);
  redisVersion = "7.4.1";

  constructor({ database = 0 }: { database?: number } = {}) {
    this.database = database;
  }

  readonly dial = async (greeting: Greeting): Promise<Deno.Conn | Failure> => {
    this.greetings.push(greeting);
    await this.delay;
    if (this.failure !== null) return this.failure;
    const { hostname, port } = this.#listener.addr;
    const [accepted, connection] = await withDeadline(
      Promise.all([this.#listener.accept(), Deno.connect({ hostname, port })]),
      { deadlineMs: DEADLINE_MS, what: "a connection" },
    );
    this.sockets.push(new TextSocket(accepted));
    const write = connection.write.bind(connection);
    return Object.assign(connection, {
      write: async (bytes: Uint8Array): Promise<number> => {
        await this.writeDelay;
        return await write(bytes);
      },
    });
  };

  [Symbol.dispose](): void {
    for (const socket of this.sockets) socket[Symbol.dispose]();
    this.#listener.close();
  }
}
