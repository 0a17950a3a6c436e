/** Redis in trouble, clients in crowds: every request is answered, by its deadline, with the right status. */

import assert from "node:assert/strict";
import { eventually } from "./support/eventually.ts";
import { freePort } from "./support/free_port.ts";
import { ProxyProcess } from "./support/proxy_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { TcpMiddleman } from "./support/tcp_middleman.ts";

interface Seen {
  status: number;
  text: string;
  cacheStatus: string;
}

async function read(proxy: ProxyProcess, key: string, init: RequestInit & { deadlineMs?: number } = {}): Promise<Seen> {
  const response = await proxy.get(`/get/${key}`, init);
  return {
    status: response.status,
    text: await response.text(),
    cacheStatus: response.headers.get("cache-status") ?? "",
  };
}

Deno.test("one flight a key: 2,000 requests for a cold key cost one GET", async () => {
  await using redis = await RedisServer.start();
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  await using proxy = await ProxyProcess.start({ redisPort: link.port, env: { REDIS_TIMEOUT_MS: "20000" } });
  await redis.command("SET", "hot", "value");
  link.fromServer.delay({ ms: 500 });
  const clients = 2_000;
  const answers = await Promise.all(Array.from({ length: clients }, () => read(proxy, "hot", { deadlineMs: 20_000 })));
  for (const answer of answers) assert.deepEqual([answer.status, answer.text], [200, "value"]);
  assert.equal(await redis.commandCalls("get"), 1);
  assert.equal(answers.filter((answer) => answer.cacheStatus === "redis-proxy; fwd=miss; stored").length, 1);
  assert.ok(answers.some((answer) => answer.cacheStatus === "redis-proxy; fwd=miss; stored; collapsed"));
});

Deno.test("MAX_PARALLEL=1: what misses during a round trip travels together in the next one", async () => {
  await using redis = await RedisServer.start();
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  await using proxy = await ProxyProcess.start({ redisPort: link.port, env: { REDIS_TIMEOUT_MS: "10000" } });
  for (let i = 0; i < 101; i++) await redis.command("SET", `k${i}`, `v${i}`);
  link.fromServer.stall();
  const first = read(proxy, "k0", { deadlineMs: 10_000 });
  await eventually(async () => (await proxy.metric("redis_proxy_round_trips_total")) === 1);
  const others = Array.from({ length: 100 }, (_, i) => read(proxy, `k${i + 1}`, { deadlineMs: 10_000 }));
  await eventually(async () => (await proxy.metric("redis_proxy_flights")) === 101);
  assert.equal(await proxy.metric("redis_proxy_round_trips_total"), 1);
  link.release();
  assert.equal((await first).text, "v0");
  (await Promise.all(others)).forEach((answer, i) => assert.equal(answer.text, `v${i + 1}`));
  assert.equal(await proxy.metric("redis_proxy_round_trips_total"), 2);
});

Deno.test("hits go on while a miss waits", async () => {
  await using redis = await RedisServer.start();
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  await using proxy = await ProxyProcess.start({ redisPort: link.port, env: { REDIS_TIMEOUT_MS: "10000" } });
  await redis.command("SET", "warm", "w");
  await redis.command("SET", "cold", "c");
  await read(proxy, "warm");
  link.fromServer.stall();
  const cold = read(proxy, "cold", { deadlineMs: 10_000 });
  await eventually(async () => (await proxy.metric("redis_proxy_flights")) === 1);
  for (let i = 0; i < 50; i++) assert.equal((await read(proxy, "warm")).cacheStatus, "redis-proxy; hit");
  link.release();
  assert.equal((await cold).text, "c");
});

Deno.test("MAX_CONNECTIONS: the next request gets 503 with retry-after at once; health stays open", async () => {
  await using redis = await RedisServer.start();
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  await using proxy = await ProxyProcess.start({
    redisPort: link.port,
    env: { MAX_CONNECTIONS: "2", REDIS_TIMEOUT_MS: "10000" },
  });
  await redis.command("SET", "a", "1");
  link.fromServer.stall();
  const waiting = [read(proxy, "a", { deadlineMs: 10_000 }), read(proxy, "b", { deadlineMs: 10_000 })];
  await eventually(async () => (await proxy.metric("redis_proxy_clients")) === 2);
  const refused = await proxy.get("/get/c");
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "1");
  await refused.body?.cancel();
  assert.equal((await proxy.get("/healthz")).status, 200);
  link.release();
  assert.deepEqual((await Promise.all(waiting)).map((answer) => answer.status), [200, 404]);
  assert.equal((await read(proxy, "a")).status, 200);
  await proxy.waitForLog((record) => /MAX_CONNECTIONS/.test(String(record.message)));
});

Deno.test("Redis hung: 504 by the deadline, 503 once it is known, back within 2 s of its return", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    env: { REDIS_TIMEOUT_MS: "300", CACHE_COHERENCE: "ttl" },
  });
  await redis.command("SET", "warm", "w");
  await redis.command("SET", "k", "v");
  await read(proxy, "warm");
  redis.pause();
  try {
    const late = await read(proxy, "k");
    assert.equal(late.status, 504);
    assert.match(late.cacheStatus, /fwd=miss; detail=timeout/);
    await eventually(async () => (await read(proxy, "k")).status === 503, { deadlineMs: 10_000 });
    assert.equal((await proxy.get("/readyz")).status, 503);
    assert.equal((await read(proxy, "warm")).cacheStatus, "redis-proxy; hit", "ttl: memory needs nobody");
  } finally {
    redis.resume();
  }
  await eventually(async () => (await read(proxy, "k")).text === "v", { deadlineMs: 2_000 });
});

Deno.test("a request that meets a connection just lost waits for the new one", async () => {
  await using redis = await RedisServer.start();
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  await using proxy = await ProxyProcess.start({ redisPort: link.port });
  await redis.command("SET", "k", "v");
  link.fromServer.stall();
  const waiting = read(proxy, "k");
  await eventually(async () => (await proxy.metric("redis_proxy_flights")) === 1);
  await link.cut();
  link.release();
  assert.deepEqual([(await waiting).status, (await waiting).text], [200, "v"]);
  assert.equal(await proxy.metric("redis_proxy_flights_repeated_total"), 1);
});

for (
  const [name, spoil] of [
    ["cut in the middle", (link: TcpMiddleman) => link.fromServer.cutAfterBytes(7)],
    ["reset", (link: TcpMiddleman) => void link.reset()],
    ["garbled", (link: TcpMiddleman) => link.fromServer.garble((bytes) => bytes.map((byte) => byte ^ 0x55))],
  ] as const
) {
  Deno.test(`a reply that is ${name} harms nobody: no wrong byte, and service goes on`, async () => {
    await using redis = await RedisServer.start();
    await using link = await TcpMiddleman.start({ targetPort: redis.port });
    await using proxy = await ProxyProcess.start({ redisPort: link.port });
    await redis.command("SET", "k", "the value");
    spoil(link);
    const first = await read(proxy, "k");
    assert.ok([200, 502, 503, 504].includes(first.status), `${first.status}`);
    if (first.status === 200) assert.equal(first.text, "the value");
    link.fromServer.pass();
    await eventually(async () => (await read(proxy, "k")).text === "the value");
  });
}

Deno.test("a slow reply, byte by byte, arrives whole", async () => {
  await using redis = await RedisServer.start();
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  await using proxy = await ProxyProcess.start({ redisPort: link.port, env: { REDIS_TIMEOUT_MS: "10000" } });
  await redis.command("SET", "k", "slow but sure");
  link.fromServer.trickle({ bytesEach: 1, everyMs: 2 });
  assert.equal((await read(proxy, "k", { deadlineMs: 10_000 })).text, "slow but sure");
});

/** How often Redis is killed under load: KILL_CYCLES=50 for the figure in the README. */
const killCycles = Number(Deno.env.get("KILL_CYCLES") ?? 5);

Deno.test(`Redis killed and restarted ${killCycles} times under load: no crash, no wrong byte, hits go on`, async () => {
  await using redis = await RedisServer.start();
  // ttl, so that what is held may be served while Redis is away; the staleness tests do the same with tracking.
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_COHERENCE: "ttl" } });
  const fill = () => redis.pipeline(Array.from({ length: 40 }, (_, i) => ["SET", `k${i}`, `value of k${i}`]));
  await fill();
  for (let i = 0; i < 20; i++) await read(proxy, `k${i}`);
  let over = false;
  let reads = 0;
  const load = Promise.all(Array.from({ length: 8 }, async () => {
    while (!over) {
      const number = reads++ % 1_000;
      const { status, text } = await read(proxy, `k${number}`);
      if (number < 20) assert.equal(status, 200, "what is held is served, whatever Redis does");
      assert.ok([200, 404, 502, 503, 504].includes(status), `${status}`);
      if (status === 200) assert.equal(text, `value of k${number}`);
    }
  }));
  try {
    for (let cycle = 0; cycle < killCycles; cycle++) {
      await redis.kill();
      await eventually(async () => {
        const response = await proxy.get("/readyz");
        await response.body?.cancel();
        return response.status === 503;
      });
      await redis.restart();
      await fill();
      await eventually(async () => (await read(proxy, `k${20 + cycle % 20}`)).status === 200, { deadlineMs: 2_000 });
      const readsBefore = reads;
      await eventually(() => reads > readsBefore + 100);
    }
  } finally {
    over = true;
    await load;
  }
});

Deno.test("Redis that refuses is 502 and says why in the log, not to the client", async () => {
  await using redis = await RedisServer.start({ args: ["--requirepass", "right"] });
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    waitFor: "live",
    env: { REDIS_URL: `redis://:wrong@127.0.0.1:${redis.port}` },
  });
  await eventually(async () => (await read(proxy, "k")).status === 502);
  await proxy.waitForLog((record) => record.message === "Redis unavailable" && record.code === "WRONGPASS");
  const { text } = await read(proxy, "k");
  assert.doesNotMatch(text, /WRONGPASS|wrong/);
});

Deno.test("a key that the proxy's user may not read is 502; others are served", async () => {
  await using redis = await RedisServer.start();
  await redis.command("ACL", "SETUSER", "limited", "on", ">pw", "~public:*", "+@all");
  await redis.command("SET", "public:a", "yes");
  await redis.command("SET", "private", "no");
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    env: { REDIS_URL: `redis://limited:pw@127.0.0.1:${redis.port}` },
  });
  const [allowed, refused] = await Promise.all([read(proxy, "public:a"), read(proxy, "private")]);
  assert.equal(allowed.text, "yes");
  assert.equal(refused.status, 502);
});

Deno.test("CACHE_STALE_TTL: while Redis is away what is held is served, marked, and not past the window", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_STALE_TTL: "2" } });
  await redis.command("SET", "k", "v");
  await redis.command("SET", "gone", "v");
  await read(proxy, "k");
  await read(proxy, "gone");
  await redis.command("DEL", "gone");
  await eventually(async () => (await read(proxy, "gone")).status === 404);
  const lostAtMs = performance.now();
  await redis.kill();
  const stale = await eventually(async () => {
    const seen = await read(proxy, "k");
    assert.equal(seen.status, 200);
    assert.equal(seen.cacheStatus, "redis-proxy; fwd=stale; detail=unreachable");
    return seen;
  });
  assert.equal((stale as Seen).text, "v");
  assert.equal((await read(proxy, "gone")).status, 503, "Redis said that it is gone");
  assert.equal((await read(proxy, "never")).status, 503);
  await eventually(async () => (await read(proxy, "k")).status === 503, { deadlineMs: 5_000 });
  const windowMs = performance.now() - lostAtMs;
  assert.ok(windowMs >= 1_900, `${windowMs} ms`);
});

Deno.test("CACHE_NEGATIVE_TTL: absence is remembered, invalidated, and cannot push out values", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    env: { CACHE_NEGATIVE_TTL: "60", CACHE_MAXSIZE: "8" },
  });
  await redis.command("SET", "value", "v");
  await read(proxy, "value");
  assert.equal((await read(proxy, "nobody")).cacheStatus, "redis-proxy; fwd=miss; stored");
  assert.deepEqual((await read(proxy, "nobody")).cacheStatus, "redis-proxy; hit");
  for (let i = 0; i < 100; i++) await read(proxy, `missing${i}`);
  assert.equal((await read(proxy, "value")).cacheStatus, "redis-proxy; hit");
  assert.equal((await read(proxy, "missing99")).cacheStatus, "redis-proxy; hit");
  await redis.command("SET", "missing99", "here now");
  await eventually(async () => (await read(proxy, "missing99")).text === "here now");
});

Deno.test("CACHE_MAXBYTES: what is held stays under it; what is over 1/8 of it is served and not kept", async () => {
  await using redis = await RedisServer.start();
  const bytesMax = 4 * 1024 * 1024;
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_MAXBYTES: `${bytesMax}` } });
  const value = "x".repeat(256 * 1024);
  for (let i = 0; i < 64; i++) {
    await redis.command("SET", `v${i}`, value);
    const { text } = await read(proxy, `v${i}`);
    assert.equal(text.length, value.length);
    assert.ok((await proxy.metric("redis_proxy_bytes")) <= bytesMax);
  }
  assert.ok((await proxy.metric("redis_proxy_items")) >= 10);
  await redis.command("SET", "large", "x".repeat(bytesMax / 8));
  for (let i = 0; i < 2; i++) {
    const large = await read(proxy, "large");
    assert.equal(large.text.length, bytesMax / 8);
    assert.equal(large.cacheStatus, "redis-proxy; fwd=miss");
  }
});

Deno.test("PROXY_PASSWORD: without it 401 with www-authenticate; health and readiness stay open", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { PROXY_PASSWORD: "s3cret" } });
  await redis.command("SET", "k", "v");
  for (const authorization of [undefined, "Bearer wrong", "Basic czNjcmV0", "Bearer", "s3cret", "Bearer s3cret2"]) {
    for (const path of ["/get/k", "/metrics"]) {
      const response = await proxy.get(path, { headers: authorization === undefined ? {} : { authorization } });
      assert.equal(response.status, 401, `${path} ${authorization}`);
      assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
      assert.equal((await response.json()).status, 401);
    }
  }
  for (const scheme of ["Bearer", "bearer"]) {
    const seen = await read(proxy, "k", { headers: { authorization: `${scheme} s3cret` } });
    assert.equal(seen.text, "v");
  }
  for (const path of ["/healthz", "/readyz"]) assert.equal((await proxy.get(path)).status, 200);
});

Deno.test("reconnects back off: Redis away for a second is asked a few times, not hundreds", async () => {
  const port = freePort();
  const asked: number[] = [];
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  const accepting = (async () => {
    for await (const conn of listener) {
      asked.push(performance.now());
      conn.close();
    }
  })();
  await using proxy = await ProxyProcess.start({ redisPort: port, waitFor: "live" });
  const startMs = performance.now();
  await eventually(() => performance.now() - startMs > 1_500, { deadlineMs: 5_000 });
  listener.close();
  await accepting.catch(() => {});
  assert.ok(asked.length >= 3 && asked.length <= 40, `${asked.length} attempts`);
  const health = await proxy.get("/healthz");
  assert.deepEqual([health.status, await health.text()], [200, "ok\n"]);
});
