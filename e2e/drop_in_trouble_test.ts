/** `RESP_COMMANDS=all` when Redis is killed, stopped, away or busy, when it ends a connection, and when the proxy stops. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { eventually } from "./support/eventually.ts";
import { freePort } from "./support/free_port.ts";
import { ProxyProcess } from "./support/proxy_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { RespWire } from "./support/resp_wire.ts";

const UNREACHABLE = "-UNREACHABLE Redis cannot be reached by the proxy\r\n";

function connect(proxy: ProxyProcess): Promise<RespWire> {
  return RespWire.connect(proxy.respPort);
}

/** What Redis's clients did last, in its own words, but for the one that asks. */
async function lastCommands(redis: RedisServer): Promise<string[]> {
  const list = Buffer.from(await redis.command("CLIENT", "LIST") as Uint8Array).toString();
  return [...list.matchAll(/ cmd=(\S+)/g)].map(([, command]) => command).filter((command) => command !== "client|list");
}

/** Waits until Redis has a client that is in the middle of `command`, or of none. */
async function isAtRedis(redis: RedisServer, command: string, isThere = true): Promise<void> {
  await eventually(async () => assert.equal((await lastCommands(redis)).includes(command), isThere));
}

async function isServing(proxy: ProxyProcess): Promise<void> {
  const response = await proxy.get("/healthz");
  await response.body?.cancel();
  assert.equal(response.status, 200);
}

Deno.test("Redis killed: who has a connection there loses it, memory serves the rest, and all is well afterwards", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    respCommands: "all",
    env: { CACHE_STALE_TTL: "60" },
  });
  using reading = await connect(proxy);
  using writing = await connect(proxy);
  using blocked = await connect(proxy);
  using listening = await connect(proxy);
  assert.equal(await writing.ask("SET", "k", "v"), "+OK\r\n");
  for (let i = 0; i < 2; i++) assert.equal(await reading.ask("GET", "k"), "$1\r\nv\r\n");
  await blocked.send("BLPOP queue 0\r\n");
  await isAtRedis(redis, "blpop");
  assert.match(await listening.ask("SUBSCRIBE", "c"), /subscribe/);

  await redis.kill();
  for (const client of [writing, blocked, listening]) assert.equal(await client.end(), "", "ended without a word");
  assert.equal(await reading.ask("GET", "k"), "$1\r\nv\r\n", "stale, as CACHE_STALE_TTL allows");
  await eventually(async () => assert.equal(await reading.ask("SET", "k", "w"), UNREACHABLE));
  assert.equal(await reading.ask("GET", "never"), UNREACHABLE);
  assert.equal(await reading.ask("MGET", "k", "never"), UNREACHABLE);
  assert.equal(await reading.ask("MULTI"), UNREACHABLE);
  assert.equal(await reading.ask("GET", "k"), "$1\r\nv\r\n");

  await redis.restart();
  await eventually(async () => assert.equal(await reading.ask("SET", "k", "new"), "+OK\r\n"));
  assert.equal(await reading.ask("GET", "k"), "$3\r\nnew\r\n");
  using again = await connect(proxy);
  assert.equal(await again.ask("GET", "k"), "$3\r\nnew\r\n");
});

Deno.test("Redis away at the start: the handshake works, the rest is told why, and the same connection lives to see it", async () => {
  const port = freePort();
  await using proxy = await ProxyProcess.start({ redisPort: port, respCommands: "all", waitFor: "live" });
  using client = await connect(proxy);
  await eventually(async () => assert.equal(await client.ask("PING"), UNREACHABLE));
  assert.match(await client.ask("HELLO", "3"), /^%7\r\n/);
  assert.equal(await client.ask("SELECT", "0"), "+OK\r\n");
  for (const words of [["GET", "k"], ["SET", "k", "v"], ["SUBSCRIBE", "c"], ["EVAL", "return 1", "0"], ["FOO"]]) {
    assert.equal(await client.ask(...words), UNREACHABLE);
  }
  await using redis = await RedisServer.start({ port });
  await eventually(async () => assert.equal(await client.ask("SET", "k", "v"), "+OK\r\n"));
  assert.equal(await client.ask("GET", "k"), "$1\r\nv\r\n");
  assert.equal(await client.ask("GET", "nosuch"), "_\r\n", "still RESP3");
  assert.equal(await redis.commandCalls("set"), 1);
});

Deno.test("Redis stopped: requests wait for it, newcomers are told in time, and who waited is answered when it goes on", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    respCommands: "all",
    env: { CACHE_STALE_TTL: "60", REDIS_TIMEOUT_MS: "300" },
  });
  using reading = await connect(proxy);
  using writing = await connect(proxy);
  await writing.ask("SET", "k", "v");
  for (let i = 0; i < 2; i++) assert.equal(await reading.ask("GET", "k"), "$1\r\nv\r\n");
  redis.pause();
  try {
    await writing.send("SET k new\r\nGET k\r\n");
    using newcomer = await connect(proxy);
    assert.match(await newcomer.ask("GET", "other"), /^-(?:TIMEOUT|UNREACHABLE) /);
    assert.equal(await reading.ask("GET", "k"), "$1\r\nv\r\n");
    // Known to be away from here on.
    await eventually(async () => assert.equal((await proxy.get("/readyz")).status, 503), { deadlineMs: 10_000 });
    await eventually(async () => assert.equal(await newcomer.ask("GET", "other"), UNREACHABLE), { deadlineMs: 10_000 });
    assert.equal(await newcomer.ask("SET", "k", "mine"), UNREACHABLE);
    assert.equal(await reading.ask("GET", "k"), "$1\r\nv\r\n", "stale");
  } finally {
    redis.resume();
  }
  assert.deepEqual(await writing.frames(2), ["+OK\r\n", "$3\r\nnew\r\n"]);
  await eventually(async () => assert.equal(await reading.ask("GET", "k"), "$3\r\nnew\r\n"));
});

Deno.test("CLIENT KILL of a client's connection to Redis ends that client, and no other", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, respCommands: "all" });
  for (const requests of ["PING\r\n", "MULTI\r\nSET k v\r\n", "BLPOP queue 0\r\nSUBSCRIBE c\r\nPING\r\n"]) {
    using killed = await connect(proxy);
    using other = await connect(proxy);
    const id = Number((await killed.ask("CLIENT", "ID")).slice(1));
    assert.equal(await other.ask("PING"), "+PONG\r\n");
    await killed.send(requests);
    if (requests.startsWith("BLPOP")) await isAtRedis(redis, "blpop");
    else await killed.frame();
    assert.equal(await redis.command("CLIENT", "KILL", "ID", `${id}`), 1);
    await killed.end();
    assert.equal(await other.ask("PING"), "+PONG\r\n");
    await isServing(proxy);
  }
});

Deno.test("Redis killed under a client that is owed much and reads nothing: the others are served", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, respCommands: "all" });
  await redis.command("SET", "big", "x".repeat(20_000_000));
  using deaf = await connect(proxy);
  await deaf.send("GETRANGE big 0 -1\r\n" + "PING\r\n".repeat(200_000));
  using behind = await connect(proxy);
  await behind.send("BLPOP queue 0\r\nSUBSCRIBE c\r\n");
  await isAtRedis(redis, "blpop");
  await redis.kill();
  assert.equal(await behind.end(), "");
  await isServing(proxy);
  using other = await connect(proxy);
  await eventually(async () => assert.equal(await other.ask("PING"), UNREACHABLE));
});

Deno.test("a client that leaves takes its blocking command, its subscription and its transaction with it", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, respCommands: "all" });
  for (const leave of [(wire: RespWire) => wire.close(), (wire: RespWire) => wire.closeWrite()]) {
    for (
      const [request, command] of [
        ["BLPOP queue 0\r\n", "blpop"],
        ["SET k v\r\nXREAD BLOCK 0 STREAMS nosuch $\r\n", "xread"],
        ["SUBSCRIBE c\r\n", "subscribe"],
        ["HELLO 3\r\nSUBSCRIBE c\r\n", "subscribe"],
        ["MONITOR\r\n", "monitor"],
        ["MULTI\r\nINCR n\r\n", "incr"],
        ["PING\r\nSET k v\r\n*2\r\n$3\r\nGE", "set"],
      ]
    ) {
      using client = await connect(proxy);
      await client.send(request);
      await isAtRedis(redis, command);
      await leave(client);
      await isAtRedis(redis, command, false);
    }
  }
  assert.equal(await redis.command("EXISTS", "n"), 0);
  await eventually(async () => assert.equal(await proxy.metric("redis_proxy_clients"), 0));
});

Deno.test("a request in two halves, with others' requests in between, is one request", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, respCommands: "all" });
  using halves = await connect(proxy);
  using other = await connect(proxy);
  for (let i = 0; i < 20; i++) {
    const request = `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhalf${i % 10}\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`;
    await halves.send(request.slice(0, 1 + i));
    assert.equal(await other.ask("SET", "k", `${i}`), "+OK\r\n");
    assert.equal(await other.ask("GET", "k"), `$${`${i}`.length}\r\n${i}\r\n`);
    await halves.send(request.slice(1 + i));
    assert.deepEqual(await halves.frames(2), ["+OK\r\n", `$5\r\nhalf${i % 10}\r\n`]);
  }
});

Deno.test("SIGTERM: subscribers, watchers and clients at rest do not keep it from stopping at once", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, respCommands: "all" });
  const clients: RespWire[] = [];
  for (
    const request of ["PING", "SUBSCRIBE c", "HELLO 3\r\nSUBSCRIBE c", "MONITOR", "MULTI", "WATCH k", "*2\r\n$3\r\nGE"]
  ) {
    const client = await connect(proxy);
    clients.push(client);
    await client.send(request + "\r\n");
    if (!request.startsWith("*")) await client.frame();
  }
  try {
    const { code, elapsedMs } = await proxy.stop();
    assert.equal(code, 0);
    assert.ok(elapsedMs < 8_000, `${elapsedMs} ms: nobody is waited for`);
    for (const client of clients) await client.end();
    await eventually(async () => assert.deepEqual(await lastCommands(redis), []));
  } finally {
    for (const client of clients) client.close();
  }
});
