/**
 * What tracking promises beside the races: links that hang, servers that refuse, absence, databases, keys as bytes.
 */

import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { type LogRecord, ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { ReplyError } from "../support/resp_client.ts";
import { TcpMiddleman } from "../support/tcp_middleman.ts";

const HIT = "redis-proxy; hit";
const STORED = "redis-proxy; fwd=miss; stored";
const STALE = /^redis-proxy; fwd=stale; detail=/;

/** A link that hangs must be found in this time (promise 1 of the contract). */
const FOUND_MS_MAX = 3_000;
/** An invalidation on loopback takes well under a millisecond; this is for a machine that is busy. */
const SEEN_MS_MAX = 2_000;
/** No test waits for CACHE_TTL: what is seen to change was invalidated. */
const FAR_TTL = { CACHE_TTL: "3600" };

interface Seen {
  status: number;
  text: string;
  cacheStatus: string;
}

async function read(proxy: ProxyProcess, key: string): Promise<Seen> {
  const response = await proxy.get(`/get/${key}`);
  return {
    status: response.status,
    text: await response.text(),
    cacheStatus: response.headers.get("cache-status") ?? "",
  };
}

/** Reads a key until it is held: a fill that an invalidation overtakes is not stored, and the test has just written. */
async function hold(proxy: ProxyProcess, key: string): Promise<Seen> {
  return await eventually(async () => {
    const seen = await read(proxy, key);
    assert.equal(seen.cacheStatus, HIT);
    return seen;
  }, { deadlineMs: SEEN_MS_MAX }) as Seen;
}

async function becomes(proxy: ProxyProcess, key: string, text: string | null): Promise<void> {
  await eventually(async () => {
    const seen = await read(proxy, key);
    assert.deepEqual([seen.status, seen.status === 200 ? seen.text : null], [text === null ? 404 : 200, text]);
  }, { deadlineMs: SEEN_MS_MAX });
}

async function metric(proxy: ProxyProcess, name: string): Promise<number> {
  const text = await (await proxy.get("/metrics")).text();
  const line = text.split("\n").find((line) => line.startsWith(`redis_proxy_${name} `));
  assert.ok(line !== undefined, `redis_proxy_${name} is a metric`);
  return Number(line.slice(line.lastIndexOf(" ") + 1));
}

async function readiness(proxy: ProxyProcess): Promise<{ status: number; redis: string; coherence: string }> {
  const response = await proxy.get("/readyz");
  return { status: response.status, ...await response.json() };
}

/** True for the one warning that says that items are kept true by time alone. */
function isFallback(record: LogRecord): boolean {
  return /refuses tracking/.test(String(record.message));
}

/** Sends a command that must be taken. */
async function must(redis: RedisServer, ...words: string[]): Promise<void> {
  const reply = await redis.command(...words);
  if (reply instanceof ReplyError) throw reply;
}

/** Ends every connection of the proxy at Redis. */
async function killProxy(redis: RedisServer): Promise<void> {
  const list = new TextDecoder().decode(await redis.command("CLIENT", "LIST") as Uint8Array);
  const mine = await redis.command("CLIENT", "ID");
  for (const [, id] of list.matchAll(/^id=(\d+) /gm)) {
    if (Number(id) !== mine) await must(redis, "CLIENT", "KILL", "ID", id);
  }
}

// Changes

Deno.test("expiry in Redis invalidates: an end that is set after the fill", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: FAR_TTL });
  await must(redis, "SET", "k", "v");
  assert.equal((await read(proxy, "k")).cacheStatus, STORED);
  await must(redis, "PEXPIRE", "k", "300");
  const startMs = performance.now();
  await becomes(proxy, "k", null);
  assert.ok(performance.now() - startMs >= 250, "not before its end");
  assert.ok(await metric(proxy, "invalidated_keys_total") >= 1);
});

Deno.test("eviction in Redis invalidates", async () => {
  await using redis = await RedisServer.start({ args: ["--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru"] });
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: FAR_TTL });
  await must(redis, "SET", "k", "v");
  await hold(proxy, "k");
  // What the proxy serves is not used at Redis, so it is old there.
  const filler = "x".repeat(10_000);
  for (let i = 0; await redis.command("EXISTS", "k") === 1; i++) {
    assert.ok(i < 5_000, "it is evicted in the end");
    await must(redis, "SET", `filler:${i}`, filler);
  }
  await becomes(proxy, "k", null);
});

for (const flush of ["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC", "FLUSHDB ASYNC"]) {
  Deno.test(`${flush} drops values and absences`, async () => {
    await using redis = await RedisServer.start();
    await using proxy = await ProxyProcess.start({
      redisPort: redis.port,
      env: { ...FAR_TTL, CACHE_NEGATIVE_TTL: "60" },
    });
    await must(redis, "SET", "k", "v");
    assert.equal((await hold(proxy, "k")).text, "v");
    assert.equal((await hold(proxy, "nobody")).status, 404);
    await must(redis, ...flush.split(" "));
    await becomes(proxy, "k", null);
    assert.equal(await metric(proxy, "invalidated_all_total"), 1);
    await eventually(async () => await metric(proxy, "items") === 0);
  });
}

Deno.test("remembered absence is invalidated by every way in which a key comes to be", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    env: { ...FAR_TTL, CACHE_NEGATIVE_TTL: "3600" },
  });
  const ways: string[][] = [
    ["SET", "k", "v"],
    ["SETNX", "k", "v"],
    ["MSETNX", "k", "v", "other", "v"],
    ["APPEND", "k", "v"],
    ["SETRANGE", "k", "0", "v"],
    ["INCR", "k"],
    ["RENAME", "source", "k"],
    ["RENAMENX", "source", "k"],
    ["COPY", "source", "k"],
    ["EVAL", "return redis.call('SET', KEYS[1], 'v')", "1", "k"],
  ];
  for (const way of ways) {
    await must(redis, "DEL", "k", "other");
    await must(redis, "SET", "source", "v");
    await becomes(proxy, "k", null);
    assert.equal((await hold(proxy, "k")).status, 404);
    await must(redis, ...way);
    await becomes(proxy, "k", way[0] === "INCR" ? "1" : "v");
  }
});

Deno.test("0xFE and 0xFF are two keys: their values, and their invalidations", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: FAR_TTL });
  const [fe, ff] = [new Uint8Array([0xfe]), new Uint8Array([0xff])];
  // What a client that decodes keys as UTF-8 makes of both of them.
  await must(redis, "SET", "\ufffd", "neither");
  await redis.command("SET", fe, "fe");
  await redis.command("SET", ff, "ff");
  assert.equal((await hold(proxy, "%FE")).text, "fe");
  assert.equal((await hold(proxy, "%FF")).text, "ff");
  assert.equal((await hold(proxy, "%EF%BF%BD")).text, "neither");
  await redis.command("SET", fe, "fe 2");
  await becomes(proxy, "%FE", "fe 2");
  assert.deepEqual([(await read(proxy, "%FF")).cacheStatus, (await read(proxy, "%FF")).text], [HIT, "ff"]);
  assert.equal((await read(proxy, "%EF%BF%BD")).cacheStatus, HIT);
  await redis.command("DEL", ff);
  await becomes(proxy, "%FF", null);
  await hold(proxy, "%FE");
  assert.equal((await read(proxy, "%EF%BF%BD")).cacheStatus, HIT);
});

for (
  const [name, path, key] of [
    ["the empty key", "", ""],
    ["__proto__", "__proto__", "__proto__"],
    ["a key with a line end", "a%0D%0Ab", "a\r\nb"],
    ["NUL", "%00", "\0"],
    ["a digit", "1", "1"],
    ["a long key", "k".repeat(8_192), "k".repeat(8_192)],
  ]
) {
  Deno.test(`${name} is invalidated like any other`, async () => {
    await using redis = await RedisServer.start();
    await using proxy = await ProxyProcess.start({
      redisPort: redis.port,
      env: { ...FAR_TTL, CACHE_NEGATIVE_TTL: "3600" },
    });
    assert.equal((await hold(proxy, path)).status, 404);
    for (const value of ["1", "2"]) {
      await must(redis, "SET", key, value);
      await becomes(proxy, path, value);
      assert.equal((await hold(proxy, path)).text, value);
    }
    await must(redis, "DEL", key);
    await becomes(proxy, path, null);
  });
}

Deno.test("another database: read there, and invalidated from there", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    env: { ...FAR_TTL, REDIS_URL: `redis://127.0.0.1:${redis.port}/3` },
  });
  const inThree = (...words: string[]) => redis.pipeline([["SELECT", "3"], words, ["SELECT", "0"]]);
  await must(redis, "SET", "k", "of 0");
  await inThree("SET", "k", "of 3");
  assert.equal((await hold(proxy, "k")).text, "of 3");
  await inThree("SET", "k", "of 3, too");
  await becomes(proxy, "k", "of 3, too");
  // The same name in another database is a false alarm, and costs one fill; what is served stays right.
  await must(redis, "SET", "k", "of 0, too");
  assert.equal((await hold(proxy, "k")).text, "of 3, too");
  await inThree("MOVE", "k", "4");
  await becomes(proxy, "k", null);
  await inThree("FLUSHDB");
  assert.equal((await read(proxy, "k")).status, 404);
});

Deno.test("a full tracking table costs fills, not truth", async () => {
  await using redis = await RedisServer.start({ args: ["--tracking-table-max-keys", "10"] });
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: FAR_TTL });
  const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
  for (const key of keys) await must(redis, "SET", key, "1");
  for (const key of keys) assert.equal((await read(proxy, key)).text, "1");
  // Redis forgets what is too much now and then, and says so by invalidating it.
  await eventually(async () => await metric(proxy, "items") <= 10, { deadlineMs: 5_000 });
  for (const key of keys) await must(redis, "SET", key, "2");
  for (const key of keys) await becomes(proxy, key, "2");
});

// Loss

Deno.test("half-open: what hangs is found in 3 s, and nothing is fresh from then on", async () => {
  await using redis = await RedisServer.start();
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  await using proxy = await ProxyProcess.start({
    redisPort: link.port,
    env: { ...FAR_TTL, CACHE_NEGATIVE_TTL: "3600" },
  });
  await must(redis, "SET", "k", "old");
  assert.equal((await hold(proxy, "k")).text, "old");
  assert.equal((await hold(proxy, "nobody")).status, 404);
  link.stall();
  const stalledAtMs = performance.now();
  await must(redis, "SET", "k", "new");
  await must(redis, "SET", "nobody", "somebody");
  // Nobody can know yet, so the old value is right by the contract; then it is found out.
  await eventually(async () => (await readiness(proxy)).status === 503, { deadlineMs: 10_000, everyMs: 5 });
  const foundMs = performance.now() - stalledAtMs;
  assert.ok(foundMs <= FOUND_MS_MAX, `found after ${foundMs} ms`);
  assert.equal((await readiness(proxy)).redis, "down");
  const until = stalledAtMs + FOUND_MS_MAX + 1_500;
  for (let reads = 0; performance.now() < until || reads < 10; reads++) {
    for (const key of ["k", "nobody"]) {
      const seen = await read(proxy, key);
      assert.ok(seen.status === 503 || seen.status === 504, `${key}: ${seen.status} ${seen.cacheStatus}`);
    }
  }
  assert.ok(await metric(proxy, "untracked_seconds_total") >= 1);
  link.release();
  await becomes(proxy, "k", "new");
  await becomes(proxy, "nobody", "somebody");
  assert.equal((await readiness(proxy)).coherence, "tracking");
});

Deno.test("half-open at the worst moment, just after a heartbeat was answered, is found in 3 s as well", async () => {
  await using redis = await RedisServer.start();
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  await using proxy = await ProxyProcess.start({ redisPort: link.port, env: FAR_TTL });
  await must(redis, "SET", "k", "v");
  await hold(proxy, "k");
  let answeredAtMs: number | null = null;
  link.fromServer.onChunk = (chunk) => {
    if (answeredAtMs !== null || new TextDecoder().decode(chunk) !== "+PONG\r\n") return;
    answeredAtMs = performance.now();
    // The answer itself must still get through.
    setTimeout(() => link.stall());
  };
  await eventually(() => answeredAtMs !== null);
  await eventually(async () => (await read(proxy, "k")).cacheStatus !== HIT, { deadlineMs: 10_000, everyMs: 5 });
  // That read waited for its own deadline, a second, or was refused; when the loss was found, the log says.
  const lost = await proxy.waitForLog((record) => record.message === "Redis connection lost");
  const foundMs = Date.parse(String(lost["@timestamp"])) - (performance.timeOrigin + answeredAtMs!);
  assert.ok(foundMs <= FOUND_MS_MAX, `found after ${foundMs} ms`);
});

Deno.test("half-open with CACHE_STALE_TTL: kept aside for that long, marked, and gone with the new connection", async () => {
  await using redis = await RedisServer.start();
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  await using proxy = await ProxyProcess.start({
    redisPort: link.port,
    env: { ...FAR_TTL, CACHE_STALE_TTL: "2", REDIS_TIMEOUT_MS: "200" },
  });
  await must(redis, "SET", "k", "old");
  await must(redis, "SET", "other", "old");
  await hold(proxy, "k");
  await hold(proxy, "other");
  link.stall();
  const stalledAtMs = performance.now();
  await must(redis, "SET", "k", "new");
  await eventually(async () => STALE.test((await read(proxy, "k")).cacheStatus), { deadlineMs: 5_000, everyMs: 5 });
  const foundMs = performance.now() - stalledAtMs;
  // A request that waits at the moment of the loss is answered at its own deadline.
  assert.ok(foundMs <= FOUND_MS_MAX + 200, `found after ${foundMs} ms`);
  assert.equal((await read(proxy, "k")).text, "old");
  const over = await eventually(async () => {
    const seen = await read(proxy, "k");
    assert.ok(seen.status >= 503 || STALE.test(seen.cacheStatus), `never fresh: ${seen.cacheStatus}`);
    return seen.status >= 503 ? performance.now() - stalledAtMs - foundMs : false;
  }, { deadlineMs: 6_000 }) as number;
  // The window runs from the loss, which was found a little before the first stale answer.
  assert.ok(over >= 1_500 && over <= 2_600, `kept aside for ${over} ms`);
  link.release();
  await becomes(proxy, "k", "new");
  assert.equal((await read(proxy, "other")).cacheStatus, STORED, "held before the loss, and so read anew");
});

Deno.test("what changed while the connection was away is not served from before", async () => {
  await using redis = await RedisServer.start();
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  await using proxy = await ProxyProcess.start({
    redisPort: link.port,
    env: { ...FAR_TTL, CACHE_NEGATIVE_TTL: "3600", CACHE_STALE_TTL: "3600" },
  });
  for (let round = 0; round < 4; round++) {
    await must(redis, "SET", "k", `before ${round}`);
    await must(redis, "DEL", "absent");
    await becomes(proxy, "k", `before ${round}`);
    await hold(proxy, "k");
    await becomes(proxy, "absent", null);
    await hold(proxy, "absent");
    link.refuse();
    await (round % 2 === 0 ? link.cut() : link.reset());
    await must(redis, "SET", "k", `after ${round}`);
    await must(redis, "SET", "absent", "here");
    await eventually(async () => STALE.test((await read(proxy, "k")).cacheStatus));
    assert.equal((await read(proxy, "absent")).status, 503, "a remembered absence is not kept aside");
    await link.accept();
    await eventually(async () => (await readiness(proxy)).status === 200);
    for (let i = 0; i < 3; i++) {
      assert.equal((await read(proxy, "k")).text, `after ${round}`);
      assert.equal((await read(proxy, "absent")).text, "here");
    }
  }
});

Deno.test("SIGSTOP of Redis is found as well, and SIGCONT brings it back with the truth", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: FAR_TTL });
  await must(redis, "SET", "k", "v");
  await hold(proxy, "k");
  redis.pause();
  const pausedAtMs = performance.now();
  try {
    await eventually(async () => (await readiness(proxy)).status === 503, { deadlineMs: 10_000, everyMs: 5 });
    assert.ok(performance.now() - pausedAtMs <= FOUND_MS_MAX);
    assert.ok((await read(proxy, "k")).status >= 503);
  } finally {
    redis.resume();
  }
  await must(redis, "SET", "k", "v 2");
  await eventually(async () => (await readiness(proxy)).coherence === "tracking", { deadlineMs: 3_000 });
  await becomes(proxy, "k", "v 2");
});

// Refusal

const REFUSALS: { name: string; args?: string[]; acl?: string[]; allow?: string[] | null }[] = [
  { name: "an ACL without CLIENT", acl: ["-client"], allow: ["+client"] },
  { name: "an ACL without CLIENT TRACKING", acl: ["-client|tracking"], allow: ["+client|tracking"] },
  // HELLO itself cannot be taken away by an ACL: Redis runs it for everybody, as it does AUTH.
  {
    name: "an ACL with GET, PTTL, AUTH and PING alone",
    acl: ["-@all", "+get", "+pttl", "+auth", "+ping"],
    allow: ["+@all"],
  },
  { name: "CLIENT renamed away", args: ["--rename-command", "CLIENT", ""] },
  // Such a server repeats what it was told, and HELLO is told the password.
  {
    name: "HELLO renamed away: a server of RESP2 alone",
    args: ["--rename-command", "HELLO", ""],
    acl: [],
    allow: null,
  },
];

for (const { name, args, acl, allow } of REFUSALS) {
  Deno.test(`refused, ${name}: goes on with ttl, says so once, and tries again`, async () => {
    await using redis = await RedisServer.start({ args });
    const hasUser = acl !== undefined;
    // A user of its own, so that the test's connection keeps its rights.
    if (hasUser) await must(redis, "ACL", "SETUSER", "proxy", "on", ">secret", "~*", "&*", "+@all", ...acl);
    await using proxy = await ProxyProcess.start({
      redisPort: redis.port,
      env: {
        ...(hasUser ? { REDIS_URL: `redis://proxy:secret@127.0.0.1:${redis.port}` } : {}),
        CACHE_TTL: "1",
        LOG_LEVEL: "debug",
      },
    });
    assert.deepEqual(await readiness(proxy), { status: 200, redis: "up", coherence: "ttl" });
    assert.equal(await metric(proxy, "coherence_tracking"), 0);
    assert.equal((await proxy.waitForLog(isFallback)).level, "WARN");
    await must(redis, "SET", "k", "v");
    assert.equal((await read(proxy, "k")).cacheStatus, STORED);
    assert.equal((await read(proxy, "k")).cacheStatus, HIT);
    await must(redis, "SET", "k", "v 2");
    assert.equal((await read(proxy, "k")).text, "v", "by time alone");
    await becomes(proxy, "k", "v 2");

    // A new connection is refused again, and that is not said again.
    const connectedBefore = await metric(proxy, "connects_total");
    if (args?.[1] === "CLIENT") await redis.restart();
    else await killProxy(redis);
    await eventually(async () => await metric(proxy, "connects_total") > connectedBefore);
    assert.deepEqual(await readiness(proxy), { status: 200, redis: "up", coherence: "ttl" });
    assert.equal(proxy.logs.filter(isFallback).length, 1);
    assert.ok(await metric(proxy, "untracked_seconds_total") > 0);

    assert.ok(!proxy.logs.some((log) => JSON.stringify(log).includes("secret")));
    assert.match(`${proxy.logs.find(isFallback)!.reason}`, /^[^,]+$/, "no arguments");

    if (!allow) return;
    await must(redis, "ACL", "SETUSER", "proxy", ...allow);
    await killProxy(redis);
    await eventually(async () => (await readiness(proxy)).coherence === "tracking");
    assert.equal(await metric(proxy, "coherence_tracking"), 1);
    const untracked = await metric(proxy, "untracked_seconds_total");
    await must(redis, "SET", "k", "v 3");
    await becomes(proxy, "k", "v 3");
    await hold(proxy, "k");
    await must(redis, "DEL", "k");
    await becomes(proxy, "k", null);
    assert.equal(await metric(proxy, "untracked_seconds_total"), untracked, "the time without tracking stands still");
  });
}

Deno.test("refused later: what was held by tracking is dropped when only ttl is to be had", async () => {
  await using redis = await RedisServer.start();
  await must(redis, "ACL", "SETUSER", "proxy", "on", ">secret", "~*", "&*", "+@all");
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    env: { ...FAR_TTL, REDIS_URL: `redis://proxy:secret@127.0.0.1:${redis.port}` },
  });
  await must(redis, "SET", "k", "old");
  await hold(proxy, "k");
  assert.equal((await readiness(proxy)).coherence, "tracking");
  // Redis ends the connections of a user whose rights it takes away only for channels: this one is ended by hand.
  await redis.pipeline([["MULTI"], ["ACL", "SETUSER", "proxy", "-client"], ["SET", "k", "new"], ["EXEC"]]);
  await killProxy(redis);
  await eventually(async () => {
    const { status, coherence } = await readiness(proxy);
    assert.deepEqual([status, coherence], [200, "ttl"]);
  });
  assert.equal((await read(proxy, "k")).text, "new");
});

Deno.test("CACHE_COHERENCE=ttl works with a server of RESP2 alone, and warns of nothing", async () => {
  await using redis = await RedisServer.start({
    args: ["--rename-command", "HELLO", "", "--rename-command", "CLIENT", ""],
  });
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    env: { CACHE_COHERENCE: "ttl", CACHE_TTL: "1", REDIS_URL: `redis://127.0.0.1:${redis.port}/5` },
  });
  await redis.pipeline([["SELECT", "5"], ["SET", "k", "v"]]);
  assert.equal((await read(proxy, "k")).cacheStatus, STORED);
  await redis.command("SET", "k", "v 2");
  assert.deepEqual([(await read(proxy, "k")).text, (await read(proxy, "k")).cacheStatus], ["v", HIT]);
  await becomes(proxy, "k", "v 2");
  assert.deepEqual(await readiness(proxy), { status: 200, redis: "up", coherence: "ttl" });
  assert.equal(await metric(proxy, "coherence_tracking"), 0);
  assert.equal(proxy.logs.filter(isFallback).length, 0);
});

Deno.test("CACHE_COHERENCE=ttl tracks nothing at Redis", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_COHERENCE: "ttl" } });
  await must(redis, "SET", "k", "v");
  await read(proxy, "k");
  assert.equal(await redis.commandCalls("client|tracking"), 0);
  assert.equal(await redis.commandCalls("hello"), 0);
});
