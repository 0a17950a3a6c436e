/** How a bare connection to Redis begins, and what becomes of it when it cannot. */

import assert from "node:assert/strict";
import type { RedisAddress } from "../../lib/config/settings.ts";
import { dialRedis } from "../../lib/redis/redis_dial.ts";
import type { Greeting } from "../../lib/protocol/resp/greeting.ts";
import { RedisUnavailable } from "../../lib/redis/redis_unavailable.ts";
import { requestFrame } from "../../lib/protocol/resp/request_frame.ts";
import { TextSocket } from "../support/text_socket.ts";

const TIMEOUT_MS = 5_000;

/** A port that the test answers at. */
class Port implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  address(more: Partial<RedisAddress> = {}): RedisAddress {
    const { port } = this.#listener.addr;
    return { host: "127.0.0.1", port, tls: false, username: null, password: null, database: 0, ...more };
  }

  async accept(): Promise<TextSocket> {
    return new TextSocket(await this.#listener.accept());
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

function greeting(more: Partial<Greeting> = {}): Greeting {
  return { protocol: 2, further: [], ...more };
}

const CASES: [name: string, address: Partial<RedisAddress>, greeting: Greeting, sent: string[][]][] = [
  ["a password", { password: "p" }, greeting(), [["AUTH", "p"]]],
  ["a user", { username: "u", password: "p" }, greeting(), [["AUTH", "u", "p"]]],
  ["RESP3", {}, greeting({ protocol: 3 }), [["HELLO", "3"]]],
  ["RESP3 and a password", { password: "p" }, greeting({ protocol: 3 }), [["HELLO", "3", "AUTH", "default", "p"]]],
  ["a database", { database: 3 }, greeting(), [["SELECT", "3"]]],
  ["a name", {}, greeting({ further: [["CLIENT", "SETNAME", "n"]] }), [["CLIENT", "SETNAME", "n"]]],
];

for (const [name, address, greeting, sent] of CASES) {
  Deno.test(`${name} is told in one write, and waited for`, async () => {
    using port = new Port();
    const dialing = dialRedis(port.address(address), { greeting, timeoutMs: TIMEOUT_MS });
    using redis = await port.accept();
    await redis.expect(sent.map((words) => requestFrame(words).toString()).join(""));
    await redis.write("+O");
    await redis.write("K\r\n");
    using connection = await dialing;
    await redis.write("!");
    const byte = new Uint8Array(1);
    assert.equal(await connection.read(byte), 1);
    assert.equal(byte[0], 0x21, "nothing of what comes after is read");
  });
}

Deno.test("where nothing is to be said nothing is waited for", async () => {
  using port = new Port();
  using _connection = await dialRedis(port.address(), { greeting: greeting(), timeoutMs: TIMEOUT_MS });
});

async function assertUnavailable(dialing: Promise<Deno.Conn>, expected: { kind: string; code: string }): Promise<void> {
  const error = await dialing.then((connection) => {
    connection.close();
    return null;
  }, (error: unknown) => error);
  assert.ok(error instanceof RedisUnavailable, String(error));
  assert.deepEqual(error.outage, expected);
}

const UNREACHABLE = { kind: "unreachable", code: "UNREACHABLE" };

Deno.test("errors of what is needed are told apart, others do not matter", async () => {
  for (
    const [reply, outage] of [
      ["-WRONGPASS no\r\n", { kind: "refused", code: "WRONGPASS" }],
      ["-LOADING wait\r\n", { kind: "loading", code: "LOADING" }],
      ["HTTP/1.1 400\r\n", UNREACHABLE],
    ] as const
  ) {
    using port = new Port();
    const dialing = dialRedis(port.address({ password: "p" }), { greeting: greeting(), timeoutMs: TIMEOUT_MS });
    using redis = await port.accept();
    await redis.write(reply);
    await assertUnavailable(dialing, outage);
    await redis.expect(requestFrame(["AUTH", "p"]).toString());
    await redis.expectEnd();
  }
  using port = new Port();
  const further = [["CLIENT", "SETINFO", "lib-name", "x"]];
  const dialing = dialRedis(port.address(), { greeting: greeting({ further }), timeoutMs: TIMEOUT_MS });
  using redis = await port.accept();
  await redis.write("-ERR unknown subcommand\r\n");
  using _connection = await dialing;
});

Deno.test("nobody there, an end, silence: unreachable, by the deadline, and nothing is left open", async () => {
  const port = new Port();
  const address = port.address({ password: "p" });
  const ended = dialRedis(address, { greeting: greeting(), timeoutMs: TIMEOUT_MS });
  (await port.accept())[Symbol.dispose]();
  await assertUnavailable(ended, UNREACHABLE);
  await assertUnavailable(dialRedis(address, { greeting: greeting(), timeoutMs: 1 }), UNREACHABLE);
  port[Symbol.dispose]();
  await assertUnavailable(dialRedis(address, { greeting: greeting(), timeoutMs: TIMEOUT_MS }), UNREACHABLE);
});
