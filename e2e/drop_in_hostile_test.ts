/** `RESP_COMMANDS=all` and clients that mean harm, or are broken: they harm nobody but themselves. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { SEED } from "../tests/support/seed.ts";
import { Random } from "./coherence/random.ts";
import { eventually } from "./support/eventually.ts";
import { ProxyProcess } from "./support/proxy_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { COMMANDS, GARBAGE, READS } from "./support/request_corpus.ts";
import { RespWire, talk } from "./support/resp_wire.ts";

const MIB = 1024 * 1024;
/** Longer than any bound in time that is tried here. */
const DEADLINE_MS = 30_000;
const BIG_BYTES = 1_000_000;
/** For Redis's replies to two who ask for what is big: with the requests unbounded it held 4.3 GB. */
const REDIS_BYTES_MAX = 300 * MIB;
/** Longer than a client may take no byte at all. */
const SLOW_MS = 12_000;

function connect(proxy: ProxyProcess): Promise<RespWire> {
  return RespWire.connect(proxy.respPort, { deadlineMs: DEADLINE_MS });
}

function residentBytes(proxy: ProxyProcess): Promise<number> {
  return proxy.metric('redis_proxy_memory_bytes{kind="resident"}');
}

/** Sends a request again and again, as long as the server takes it, and waits until it ends the connection. Reads nothing. */
async function sendAndNeverRead(port: number, { first = "", again }: { first?: string; again: string }): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const requests = Buffer.from(again.repeat(4_000));
  try {
    await connection.write(Buffer.from(first));
    for (;;) await connection.write(requests);
  } catch {
    // The server has ended it.
  }
}

/** Reads so slowly that the server's writes have to wait, for `forMs` at least and until `bytesMin` have come. */
async function readSlowly(
  connection: Deno.TcpConn,
  { bytesEach, everyMs, forMs, bytesMin = 0 }: { bytesEach: number; everyMs: number; forMs: number; bytesMin?: number },
): Promise<void> {
  const untilMs = performance.now() + forMs;
  const piece = new Uint8Array(bytesEach);
  let bytes = 0;
  while (performance.now() < untilMs || bytes < bytesMin) {
    const count = await connection.read(piece);
    assert.ok(count !== null, `cut off after ${bytes} bytes`);
    bytes += count;
    await new Promise((wake) => setTimeout(wake, everyMs));
  }
}

/** SIGTERM: a client that is blocked at Redis is waited for, but not for ever. */
async function stopsInTime(): Promise<void> {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, respCommands: "all" });
  using blocked = await connect(proxy);
  using lucky = await connect(proxy);
  using listening = await connect(proxy);
  await blocked.send("BLPOP queue 0\r\n");
  await lucky.send("BLPOP other 0\r\n");
  await listening.ask("SUBSCRIBE", "c");
  await eventually(async () => assert.equal(await redis.commandCalls("subscribe"), 1));
  const stopped = proxy.stop();
  await listening.end();
  await redis.command("RPUSH", "other", "job");
  assert.equal(await lucky.frame(), "*2\r\n$5\r\nother\r\n$3\r\njob\r\n");
  const { code, elapsedMs } = await stopped;
  assert.equal(code, 0);
  assert.ok(elapsedMs < 10_000, `${elapsedMs} ms`);
  assert.equal(await blocked.end(), "");
}

Deno.test("what is bounded by time: deaf clients go, slow ones stay, who left behind a blocked command is forgotten, SIGTERM is obeyed", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    respCommands: "all",
    // Nobody is to be refused for the machine's being busy.
    env: { REDIS_TIMEOUT_MS: "20000" },
  });
  await redis.pipeline([["SET", "big", "x".repeat(BIG_BYTES)], ["SET", "held", "y".repeat(BIG_BYTES)]]);
  using warm = await connect(proxy);
  for (let i = 0; i < 2; i++) await warm.ask("GET", "held");
  const bytesBefore = await residentBytes(proxy);
  let isOver = false;

  const deaf = (again: string, first = "") => sendAndNeverRead(proxy.respPort, { first, again });
  const slowReader = async (): Promise<void> => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: proxy.respPort });
    await connection.write(Buffer.from("GETRANGE big 0 -1\r\n".repeat(40)));
    await readSlowly(connection, { bytesEach: 16_384, everyMs: 10, forMs: SLOW_MS, bytesMin: BIG_BYTES + 1 });
  };
  const slowSubscriber = async (): Promise<void> => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: proxy.respPort });
    await connection.write(Buffer.from("SUBSCRIBE c\r\n"));
    await readSlowly(connection, { bytesEach: 4_096, everyMs: 20, forMs: SLOW_MS });
  };
  const publisher = async (): Promise<void> => {
    using client = await connect(proxy);
    // A little more than the subscriber takes, and less than Redis puts up with (8 MB for a minute).
    while (!isOver) {
      await client.ask("PUBLISH", "c", "z".repeat(4_000));
      await new Promise((wake) => setTimeout(wake, 10));
    }
  };
  const leaver = async (): Promise<void> => {
    const client = await connect(proxy);
    await client.send("BLPOP queue 0\r\nSUBSCRIBE c\r\nPING\r\n");
    client.close();
  };
  const watcher = async (): Promise<void> => {
    using client = await connect(proxy);
    for (let i = 0; !isOver; i++) {
      assert.equal(await client.ask("SET", "watched", `${i}`), "+OK\r\n");
      assert.equal(await client.ask("GET", "watched"), `$${`${i}`.length}\r\n${i}\r\n`);
      await new Promise((wake) => setTimeout(wake, 5));
    }
  };

  const others = Promise.all([publisher(), watcher()]);
  others.catch(() => {}); // Seen below.
  try {
    await Promise.all([
      deaf("GET held\r\n"),
      deaf("GETRANGE big 0 -1\r\n"),
      deaf("PING\r\n"),
      deaf("PING\r\n", "MONITOR\r\n"),
      slowReader(),
      slowSubscriber(),
      leaver(),
      stopsInTime(),
    ]);
    await eventually(async () => {
      const list = Buffer.from(await redis.command("CLIENT", "LIST") as Uint8Array).toString();
      assert.doesNotMatch(list, / cmd=(?:blpop|getrange|monitor) /);
    });
  } finally {
    isOver = true;
    await others;
  }
  const grownBytes = await residentBytes(proxy) - bytesBefore;
  assert.ok(grownBytes < 300 * MIB, `${grownBytes / MIB} MiB more`);
  const peakBytes = await redis.peakBytes();
  assert.ok(peakBytes < REDIS_BYTES_MAX, `Redis held ${peakBytes / MIB} MiB`);
});

Deno.test("MAX_CONNECTIONS counts both doors: the next client is turned away at once, and served when there is room", async () => {
  const room = 20;
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    respCommands: "all",
    env: { MAX_CONNECTIONS: `${room}` },
  });
  const clients: RespWire[] = [];
  try {
    for (let i = 0; i < room; i++) clients.push(await connect(proxy));
    for (const client of clients) assert.equal(await client.ask("SET", "k", "v"), "+OK\r\n");
    const crowd = await Promise.all(Array.from({ length: 200 }, () => connect(proxy)));
    for (const client of crowd) {
      assert.equal(await client.end(), "-ERR max number of clients reached\r\n");
      client.close();
    }
    const refused = await proxy.get("/get/k");
    assert.equal(refused.status, 503);
    await refused.body?.cancel();
    assert.equal(await proxy.metric("redis_proxy_clients_turned_away_total"), 201);
    for (const client of clients) assert.equal(await client.ask("GET", "k"), "$1\r\nv\r\n");
    clients.pop()!.close();
    await eventually(async () => {
      const response = await proxy.get("/get/k");
      assert.deepEqual([response.status, await response.text()], [200, "v"]);
    });
    await eventually(async () => {
      using client = await connect(proxy);
      assert.equal(await client.ask("GET", "k"), "$1\r\nv\r\n");
    });
  } finally {
    for (const client of clients) client.close();
  }
  await eventually(async () => assert.equal(await proxy.metric("redis_proxy_clients"), 0));
});

Deno.test("HTTP that was led here is ended without a word, and none of its commands is run", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, respCommands: "all" });
  for (
    const head of [
      "POST / HTTP/1.1\r\nHost: x\r\n\r\n",
      "post /\r\n",
      "Host: x\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "PUT /x HTTP/1.1\r\nhost: x\r\n\r\n",
    ]
  ) {
    await talk(proxy.respPort, head + "SET by http\r\n");
  }
  assert.equal(await redis.command("EXISTS", "by"), 0);
});

/** What a user of Redis who is not to be trusted may do: all but what would stop or empty the server for everybody. */
const FUZZER = "on nopass ~* &* +@all -@dangerous +client -client|pause -client|kill +info +config|get";
const FUZZ_STRINGS = Number(Deno.env.get("FUZZ_STRINGS") ?? 10_000);
const FUZZ_CONNECTIONS = 16;
const SPICE = Array.from("*$\r\n\"'\\ \0\xff0123456789-+:xabMULTIEXEC");

Deno.test(`${FUZZ_STRINGS} strings by chance and broken requests: no crash, no growth, and nobody else notices`, async () => {
  await using redis = await RedisServer.start();
  await redis.command("ACL", "SETUSER", "default", ...FUZZER.split(" "));
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    respCommands: "all",
    env: { REDIS_TIMEOUT_MS: "20000" },
  });
  const random = new Random(SEED);
  // What may block, or ends only with the connection, would be a test of patience.
  const bases = [...READS, ...COMMANDS, ...GARBAGE].filter((request) =>
    request.length < 2_000 && !/block|nosuch 0|blpop|wait|monitor/i.test(request)
  );
  const fuzz = (): string => {
    if (random.chance(0.3)) return Array.from({ length: random.below(100) }, () => random.pick(SPICE)).join("");
    const bytes = Array.from(random.chance(0.3) ? asArrays(random.pick(bases)) : random.pick(bases) + "\r\n");
    for (let i = random.below(6); i > 0; i--) {
      bytes.splice(random.below(bytes.length + 1), random.below(3), ...random.chance(0.7) ? [random.pick(SPICE)] : []);
    }
    return bytes.join("");
  };
  let left = FUZZ_STRINGS;
  let isOver = false;
  const send = async (): Promise<void> => {
    while (left-- > 0) {
      using wire = await connect(proxy);
      try {
        await wire.send(fuzz());
        await wire.closeWrite();
      } catch {
        // It had heard enough.
      }
      await wire.end();
    }
  };
  const watch = async (): Promise<void> => {
    using writer = await connect(proxy);
    using reader = await connect(proxy);
    for (let i = 0; !isOver; i++) {
      const value = `${i}`;
      assert.equal(await writer.ask("SET", `watched:${i % 50}`, value), "+OK\r\n");
      const replies = [await reader.ask("GET", `watched:${i % 50}`), await writer.ask("GET", `watched:${i % 50}`)];
      assert.deepEqual(replies, [`$${value.length}\r\n${value}\r\n`, `$${value.length}\r\n${value}\r\n`]);
    }
  };
  const watching = watch();
  watching.catch(() => {}); // Seen below.
  try {
    const sendAll = () => Promise.all(Array.from({ length: FUZZ_CONNECTIONS }, send));
    left = Math.ceil(FUZZ_STRINGS / 2);
    await sendAll();
    const bytesBefore = await residentBytes(proxy);
    left = Math.floor(FUZZ_STRINGS / 2);
    await sendAll();
    const grownBytes = await residentBytes(proxy) - bytesBefore;
    assert.ok(grownBytes < 50 * MIB, `${grownBytes / MIB} MiB more`);
  } finally {
    isOver = true;
    await watching;
  }
  await eventually(async () => assert.equal(await proxy.metric("redis_proxy_clients"), 0));
  const list = Buffer.from(await redis.command("CLIENT", "LIST") as Uint8Array).toString().trim().split("\n");
  assert.equal(list.length, 2, "the proxy and the test:\n" + list.join("\n"));
});

/** Lines as arrays of bulks. */
function asArrays(request: string): string {
  return request.split("\r\n").map((line) => {
    const words = line.split(" ");
    return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
  }).join("");
}
