/** `RESP_COMMANDS=read` in front of a real Redis: the same answers, and the clients that people use. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Admission } from "../lib/admission.ts";
import { LruTtlCache } from "../lib/cache/lru_ttl_cache.ts";
import { Clock } from "../lib/clock.ts";
import { newCounters } from "../lib/metrics/counters.ts";
import type { Item } from "../lib/read_through/item.ts";
import { ReadThrough } from "../lib/read_through/read_through.ts";
import { RedisSource } from "../lib/redis/redis_source.ts";
import { Asker } from "../lib/resp/asker.ts";
import { MgetWarmer } from "../lib/resp/mget_warmer.ts";
import { Pace } from "../lib/resp/pace.ts";
import { Password } from "../lib/password.ts";
import { RespServer } from "../lib/resp/resp_server.ts";
import { withDeadline } from "./support/deadline.ts";
import { eventually } from "./support/eventually.ts";
import { NODE_CLIENTS } from "./support/node_clients.ts";
import { runProgram, typeInto } from "./support/program.ts";
import { RedisServer } from "./support/redis_server.ts";
import { CONTENTS, READS } from "./support/request_corpus.ts";
import { ReplyError, RespClient } from "./support/resp_client.ts";
import { talk } from "./support/resp_wire.ts";

const TIMEOUT_MS = 2_000;
const CACHE_TTL_MS = 60_000;
const DEADLINE_MS = 20_000;
const PASSWORD = "a-password";

/** The front door with all that is behind it, in this process. */
class Door implements AsyncDisposable {
  readonly counters = newCounters();
  readonly outcomes = newCounters().http;
  readonly #source: RedisSource;
  readonly #readThrough: ReadThrough;
  readonly #server: RespServer;
  readonly port: number;

  private constructor(redis: RedisServer, password: string | null) {
    const { counters, outcomes } = this;
    const clock = new Clock();
    this.#source = new RedisSource({
      address: { host: "127.0.0.1", port: redis.port, tls: false, username: null, password: null, database: 0 },
      coherence: "tracking",
      timeoutMs: TIMEOUT_MS,
    });
    this.#readThrough = new ReadThrough({
      clock,
      source: this.#source,
      counters,
      cache: new LruTtlCache<Item>({ entriesMax: 10_000, ttlMs: CACHE_TTL_MS, nowMs: () => clock.nowMs }),
      absent: null,
      itemBytesMax: 100_000_000,
      ttlMs: CACHE_TTL_MS,
      negativeTtlMs: 0,
      staleTtlMs: 0,
      timeoutMs: TIMEOUT_MS,
      parallelMax: 1,
    });
    const integers = {
      integer: async (words: readonly Buffer[]) => {
        const reply = await redis.command(...words);
        if (reply instanceof ReplyError) return { kind: "error", text: reply.message } as const;
        assert.equal(typeof reply, "number");
        return { kind: "integer", value: reply as number } as const;
      },
    };
    this.#server = new RespServer({
      hostname: "127.0.0.1",
      port: 0,
      admission: new Admission(100),
      counters,
      services: {
        clock,
        readThrough: this.#readThrough,
        asker: new Asker(integers, TIMEOUT_MS),
        outcomes,
        password: password === null ? null : new Password(password),
        version: "0.0.0",
        relaying: null,
        pace: new Pace(clock),
        longRequests: { bytes: 0 },
        mgetWarmer: new MgetWarmer(this.#readThrough, clock),
      },
    });
    this.#source.start(this.#readThrough);
    this.port = this.#server.start().port;
  }

  static async open(redis: RedisServer, { password = null }: { password?: string | null } = {}): Promise<Door> {
    const door = new Door(redis, password);
    await eventually(() => door.#readThrough.isUp);
    return door;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop({ deadlineMs: 0 });
    await this.#source.stop(100);
    this.#readThrough.close();
  }
}

function textOf(reply: unknown): string {
  return Buffer.from(reply as Uint8Array).toString();
}

Deno.test("a key is read from Redis once, text or bytes, and anew when it has changed", async () => {
  await using redis = await RedisServer.start();
  await using door = await Door.open(redis);
  using client = await RespClient.connect(door.port);
  const key = Buffer.from([0, 255, 13, 10, 47]);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await redis.pipeline([["SET", "greeting", "hello"], ["SET", key, bytes], ["CONFIG", "RESETSTAT"]]);
  for (let i = 0; i < 5; i++) {
    assert.equal(textOf(await client.command("GET", "greeting")), "hello");
    assert.deepEqual(Buffer.from(await client.command("GET", key) as Uint8Array), bytes);
  }
  assert.equal(await redis.commandCalls("get"), 2);
  assert.deepEqual([door.outcomes.fill, door.outcomes.hit], [2, 8]);
  await redis.command("SET", "greeting", "bye");
  await eventually(async () => assert.equal(textOf(await client.command("GET", "greeting")), "bye"));
});

Deno.test("the misses of one pipeline, and of one MGET, cost one round trip", async () => {
  await using redis = await RedisServer.start();
  await using door = await Door.open(redis);
  using client = await RespClient.connect(door.port);
  for (let i = 0; i < 60; i++) await redis.command("SET", `k${i}`, `v${i}`);
  const before = door.counters.roundTrips;
  const gets = await client.pipeline(Array.from({ length: 30 }, (_, i) => ["GET", `k${i}`]));
  assert.deepEqual(gets.map(textOf), Array.from({ length: 30 }, (_, i) => `v${i}`));
  const all = await client.command("MGET", ...Array.from({ length: 60 }, (_, i) => `k${i}`), "nosuch") as unknown[];
  assert.deepEqual(all.slice(0, 60).map(textOf), Array.from({ length: 60 }, (_, i) => `v${i}`));
  assert.equal(all[60], null);
  assert.equal(door.counters.roundTrips - before, 2);
});

for (const protocol of ["", "HELLO 3\r\n"]) {
  Deno.test(`the same answers as Redis${protocol === "" ? "" : ", in RESP3"}, from a list`, async () => {
    await using redis = await RedisServer.start({ args: ["--save", ""] });
    await using door = await Door.open(redis);
    await redis.pipeline(CONTENTS);
    // The greeting holds what differs: the version and the number of the connection.
    const withoutGreeting = (text: string): string => text.replace(/^%7\r\n.*modules\r\n\*0\r\n/s, "");
    for (const request of READS) {
      const theirs = withoutGreeting(await talk(redis.port, protocol + request + "\r\n"));
      const ours = withoutGreeting(await talk(door.port, protocol + request + "\r\n"));
      assert.equal(ours, theirs, request);
    }
  });
}

Deno.test("with a password: the same answers as Redis with one", async () => {
  await using redis = await RedisServer.start({ args: ["--requirepass", PASSWORD] });
  await using open = await RedisServer.start();
  await using door = await Door.open(open, { password: PASSWORD });
  for (
    const request of [
      "GET a",
      "PING",
      "FOO",
      "GET",
      "HELLO",
      "HELLO 3",
      "HELLO 4",
      "HELLO 3 SETNAME a",
      "HELLO 3 AUTH default x",
      "AUTH x",
      "AUTH bob x",
      "CLIENT ID",
      "CLIENT FOO",
      "QUIT",
      "SELECT 1",
      "SET a b",
      `AUTH ${PASSWORD}\r\nGET a\r\nRESET\r\nGET a`,
      `AUTH default ${PASSWORD}\r\nPING`,
      `AUTH bob ${PASSWORD}\r\nPING`,
      "*11",
      "*1\r\n$16385",
    ]
  ) {
    assert.equal(await talk(door.port, request + "\r\n"), await talk(redis.port, request + "\r\n"), request);
  }
});

for (const flags of [[], ["-3"]]) {
  Deno.test(`redis-cli ${flags.join(" ")}`, async () => {
    await using redis = await RedisServer.start();
    await using door = await Door.open(redis, { password: PASSWORD });
    await redis.pipeline([["SET", "greeting", "hello"], ["SET", "mortal", "x", "EX", "1000"]]);
    const cli = ["-p", `${door.port}`, ...flags];
    const withPassword = ["--no-auth-warning", "-a", PASSWORD];
    assert.match(
      (await runProgram("redis-cli", [...cli, "GET", "greeting"]))?.output ?? "",
      /^NOAUTH Authentication required\.\n/,
    );
    for (let i = 0; i < 2; i++) {
      assert.equal((await runProgram("redis-cli", [...cli, ...withPassword, "GET", "greeting"]))?.output, "hello\n");
    }
    const typed = await runProgram("redis-cli", [...cli, ...withPassword], {
      input: "get greeting\nmget greeting nosuch\nset a b\nfoo\nexists greeting\nttl mortal\nget greeting\nping\n",
    });
    assert.match(
      typed?.output ?? "",
      /^hello\nhello\n\nNOPERM redis-proxy [^\n]*\n\n?ERR unknown command 'foo'[^\n]*\n\n?1\n\d+\nhello\nPONG\n/,
    );
    assert.match(
      await typeInto(`redis-cli ${cli.join(" ")} ${withPassword.join(" ")}`, ["get greeting", "help get"]),
      /"hello"/,
    );
  });
}

Deno.test("redis-benchmark", async () => {
  await using redis = await RedisServer.start();
  await using door = await Door.open(redis);
  await redis.command("SET", "key:__rand_int__", "xxx");
  for (const pipeline of ["1", "16"]) {
    const done = await runProgram("redis-benchmark", [
      "-p",
      `${door.port}`,
      "-t",
      "get",
      "-n",
      "5000",
      "-P",
      pipeline,
      "--csv",
    ]);
    assert.equal(done?.code, 0);
    assert.match(done!.output, /"GET","[1-9]/);
    assert.doesNotMatch(done!.output, /error/i);
  }
  assert.ok(door.outcomes.hit > 9_000);
});

for (const { name, connect } of NODE_CLIENTS) {
  Deno.test({
    name: `${name}: connects with the password, reads text and bytes, outlives a write that is refused`,
    // What the libraries keep open while they end is theirs.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using redis = await RedisServer.start();
      await using door = await Door.open(redis, { password: PASSWORD });
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      await redis.pipeline([["SET", "greeting", "h\u00e9llo"], ["SET", "bytes", bytes], [
        "SET",
        "m",
        "x",
        "EX",
        "1000",
      ]]);
      const client = await withDeadline(connect({ port: door.port, password: PASSWORD }), {
        deadlineMs: DEADLINE_MS,
        what: "a connection",
      });
      try {
        for (let i = 0; i < 2; i++) {
          assert.equal(await client.get("greeting"), "h\u00e9llo");
          assert.deepEqual(Buffer.from((await client.bytes("bytes"))!), bytes);
        }
        assert.equal(await client.get("nosuch"), null);
        assert.deepEqual(await client.mget(["greeting", "nosuch"]), ["h\u00e9llo", null]);
        assert.ok(await client.ttl("m") > 900);
        await assert.rejects(client.set("a", "b"), /NOPERM/);
        assert.equal(await client.get("greeting"), "h\u00e9llo");
        assert.ok(door.outcomes.hit >= 3);
      } finally {
        await client.close();
      }
    },
  });
}

Deno.test("Debian's redis-py: connects with the password, reads, outlives a write that is refused", async () => {
  await using redis = await RedisServer.start();
  await using door = await Door.open(redis, { password: PASSWORD });
  await redis.pipeline([["SET", "greeting", "hello"], ["SET", "bytes", Buffer.from([0, 255, 13, 10])]]);
  const program = `
import sys
try:
    import redis
except ImportError:
    sys.exit(77)
r = redis.Redis(port=${door.port}, password="${PASSWORD}")
for i in range(2):
    assert r.get("greeting") == b"hello"
    assert r.get("bytes") == bytes([0, 255, 13, 10])
assert r.mget("greeting", "nosuch") == [b"hello", None]
assert r.exists("greeting") == 1 and r.ttl("greeting") == -1 and r.strlen("greeting") == 5
try:
    r.set("a", "b")
    sys.exit(2)
except redis.exceptions.NoPermissionError:
    pass
with r.pipeline(transaction=False) as p:
    assert p.get("greeting").get("nosuch").ping().execute() == [b"hello", None, True]
print("read", r.info()["redis_version"])
`;
  const done = await runProgram("/usr/bin/python3", ["-c", program]);
  if (done === null || done.code === 77) {
    return console.log("skipped: the Debian package python3-redis is not installed");
  }
  assert.deepEqual(done, { code: 0, output: "read 7.0.0\n" });
});
