/** `GET /get/:key` from a real Redis through a real process: hits, misses, ends of items, bytes. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { eventually } from "./support/eventually.ts";
import { ProxyProcess } from "./support/proxy_process.ts";
import { headerOf, RawConnection, rawRequest } from "./support/raw_http.ts";
import { RedisServer } from "./support/redis_server.ts";

const HIT = "redis-proxy; hit";
const STORED = "redis-proxy; fwd=miss; stored";

/** Reads a key and returns what a test looks at. */
async function read(proxy: ProxyProcess, path: string): Promise<{ status: number; text: string; cacheStatus: string }> {
  const response = await proxy.get(path);
  return {
    status: response.status,
    text: await response.text(),
    cacheStatus: response.headers.get("cache-status") ?? "",
  };
}

Deno.test("a key set in Redis is served, the second time without asking Redis", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  await redis.command("SET", "greeting", "hello");
  await redis.command("CONFIG", "RESETSTAT");

  assert.deepEqual(await read(proxy, "/get/greeting"), { status: 200, text: "hello", cacheStatus: STORED });
  assert.equal(await redis.commandCalls("get"), 1);
  for (let i = 0; i < 10; i++) {
    assert.deepEqual(await read(proxy, "/get/greeting"), { status: 200, text: "hello", cacheStatus: HIT });
  }
  assert.equal(await redis.commandCalls("get"), 1);
  assert.equal(await redis.commandCalls("pttl"), 1);
});

Deno.test("a key that Redis does not have is 404 and is asked for each time", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  for (let i = 1; i <= 3; i++) {
    const { status, cacheStatus } = await read(proxy, "/get/nobody");
    assert.equal(status, 404);
    assert.equal(cacheStatus, "redis-proxy; fwd=miss");
    assert.equal(await redis.commandCalls("get"), i);
  }
  await redis.command("SET", "nobody", "somebody");
  assert.equal((await read(proxy, "/get/nobody")).text, "somebody");
});

Deno.test("a key that holds a list is 409", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  await redis.command("RPUSH", "list", "a");
  const response = await proxy.get("/get/list");
  assert.equal(response.status, 409);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  assert.equal((await response.json()).status, 409);
});

Deno.test("CACHE_COHERENCE=ttl: an item is served for CACHE_TTL, and then read anew", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    env: { CACHE_COHERENCE: "ttl", CACHE_TTL: "1" },
  });
  await redis.command("SET", "k", "old");
  const readAtMs = performance.now();
  assert.equal((await read(proxy, "/get/k")).text, "old");
  await redis.command("SET", "k", "new");
  await eventually(async () => {
    const { text, cacheStatus } = await read(proxy, "/get/k");
    assert.ok(text === "new" || cacheStatus === HIT, "what is old comes from memory only");
    return text === "new";
  });
  assert.ok(performance.now() - readAtMs >= 1000, "nothing told the proxy before the time was over");
});

Deno.test("an item never outlives its key's own time in Redis", async () => {
  await using redis = await RedisServer.start();
  // ttl, so that no invalidation can help.
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_COHERENCE: "ttl" } });
  await redis.command("SET", "k", "v", "PX", "700");
  assert.equal((await read(proxy, "/get/k")).cacheStatus, STORED);
  assert.equal((await read(proxy, "/get/k")).cacheStatus, HIT);
  // Redis is stopped as soon as the key is gone there: what is served after that can only come from memory.
  await eventually(async () => (await redis.command("EXISTS", "k")) === 0);
  assert.equal((await read(proxy, "/get/k")).status, 404);
});

Deno.test("the least recently used item goes when CACHE_MAXSIZE is reached", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_MAXSIZE: "3" } });
  for (const key of ["a", "b", "c", "d"]) await redis.command("SET", key, key);
  for (const key of ["a", "b", "c"]) assert.equal((await read(proxy, `/get/${key}`)).cacheStatus, STORED);
  assert.equal((await read(proxy, "/get/a")).cacheStatus, HIT); // b is the oldest now
  assert.equal((await read(proxy, "/get/d")).cacheStatus, STORED); // and has to go
  for (const key of ["a", "c", "d"]) assert.equal((await read(proxy, `/get/${key}`)).cacheStatus, HIT, key);
  assert.equal((await read(proxy, "/get/b")).cacheStatus, STORED);
  assert.match(await (await proxy.get("/metrics")).text(), /^redis_proxy_removals_total{reason="evicted"} 2$/m);
});

Deno.test("keys and values come back byte for byte, from Redis and from memory", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i);
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
    "base64",
  );
  const cases: [target: string, key: Uint8Array | string, value: Uint8Array | string, type: string][] = [
    ["/get/picture.png", "picture.png", png, "application/octet-stream"],
    ["/get/empty", "empty", "", "text/plain; charset=utf-8"],
    ["/get/", "", "the empty key", "text/plain; charset=utf-8"],
    ["/get/a/b//c", "a/b//c", "slashes", "text/plain; charset=utf-8"],
    ["/get/../../x", "../../x", "dots", "text/plain; charset=utf-8"],
    ["/get/%2e%2e/x", "../x", "encoded dots", "text/plain; charset=utf-8"],
    ["/get/%00", new Uint8Array([0]), "NUL", "text/plain; charset=utf-8"],
    ["/get/%ff", new Uint8Array([0xff]), "ff", "text/plain; charset=utf-8"],
    ["/get/%fe", new Uint8Array([0xfe]), "fe", "text/plain; charset=utf-8"],
    ["/get/__proto__", "__proto__", "not an object", "text/plain; charset=utf-8"],
    ["/get/constructor", "constructor", "nor this", "text/plain; charset=utf-8"],
    ["/get/a+b%20c", "a+b c", "plus is plus", "text/plain; charset=utf-8"],
    ["/get/a%3Fb?query", "a?b", "the query is not the key", "text/plain; charset=utf-8"],
    ["/get/%e2%82%ac", "€", "10 €", "text/plain; charset=utf-8"],
    ["/get/bytes", "bytes", everyByte, "application/octet-stream"],
    ["/get/line", "line", "a\r\nb: c\r\n\r\n", "text/plain; charset=utf-8"],
  ];
  const asBytes = (value: Uint8Array | string) =>
    typeof value === "string" ? new TextEncoder().encode(value) : new Uint8Array(value);
  for (const [, key, value] of cases) assert.equal(await redis.command("SET", key, value), "OK");
  for (const status of [STORED, HIT]) {
    for (const [target, , value, type] of cases) {
      const response = await rawRequest(proxy.port, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      assert.equal(response.status, 200, target);
      assert.deepEqual(new Uint8Array(response.body), asBytes(value), target);
      assert.equal(headerOf(response, "content-type"), type, target);
      assert.equal(headerOf(response, "cache-status"), status, target);
    }
  }
});

Deno.test("HEAD has the headers of GET and no body; an etag that is known gets 304", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  await redis.command("SET", "k", "value");
  using connection = await RawConnection.connect(proxy.port);
  await connection.send("GET /get/k HTTP/1.1\r\nHost: x\r\n\r\n");
  const got = await connection.response();
  const etag = headerOf(got, "etag")!;
  assert.match(etag, /^"[\w-]{22}"$/);
  await connection.send("HEAD /get/k HTTP/1.1\r\nHost: x\r\n\r\n");
  const head = await connection.response({ toHead: true });
  assert.equal(head.status, 200);
  assert.equal(headerOf(head, "content-length"), "5");
  assert.equal(headerOf(head, "etag"), etag);
  for (const header of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    await connection.send(`GET /get/k HTTP/1.1\r\nHost: x\r\nIf-None-Match: ${header}\r\n\r\n`);
    const response = await connection.response();
    assert.equal(response.status, 304, header);
    assert.equal(headerOf(response, "etag"), etag);
    assert.equal(response.body.length, 0);
  }
  await connection.send(`GET /get/k HTTP/1.1\r\nHost: x\r\nIf-None-Match: "other"\r\n\r\n`);
  assert.equal((await connection.response()).status, 200);
});

Deno.test("values are never compressed, so that bytes and etag stay what they are", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  await redis.command("SET", "k", "a".repeat(10_000));
  const response = await rawRequest(proxy.port, "GET /get/k HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, br\r\n\r\n");
  assert.equal(headerOf(response, "content-encoding"), undefined);
  assert.equal(response.body.length, 10_000);
  assert.match(headerOf(response, "etag")!, /^"/);
});

Deno.test("the Host header never decides what is served", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  await redis.command("SET", "secret", "s3cret");
  for (const host of ["x/get/secret?", "x/get/secret#", "a b/c?", "x\\get\\secret?", "u@x"]) {
    const response = await rawRequest(
      proxy.port,
      `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    assert.equal(response.status, 400, host);
  }
  const fine = await rawRequest(
    proxy.port,
    "GET /get/secret HTTP/1.1\r\nHost: [::1]:5000\r\nConnection: close\r\n\r\n",
  );
  assert.equal(new TextDecoder().decode(fine.body), "s3cret");
});

Deno.test("the error table: methods, bad keys, long keys, nothing there", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  const cases: [method: string, target: string, status: number][] = [
    ["GET", "/get/%zz", 400],
    ["GET", "/get/%", 400],
    ["GET", "/get/%f", 400],
    ["GET", `/get/${"k".repeat(8192)}`, 404],
    ["GET", `/get/${"k".repeat(8193)}`, 414],
    ["GET", `/get/${"%ff".repeat(8192)}`, 404],
    ["POST", "/get/k", 405],
    ["DELETE", "/get/k", 405],
    ["OPTIONS", "/get/k", 405],
    ["GET", "/", 200],
    ["GET", "/index.html", 404],
    ["GET", "/favicon.ico", 404],
    ["POST", "/", 405],
    ["GET", "/stats", 200],
    ["GET", "/stats/", 404],
    ["GET", "/get", 404],
    ["GET", "/GET/k", 404],
    ["GET", "/healthz/x", 404],
    ["GET", "/healthz?x=1", 200],
    ["HEAD", "/readyz", 200],
    ["POST", "/healthz", 405],
  ];
  for (const [method, target, status] of cases) {
    const label = `${method} ${target.slice(0, 40)}`;
    const response = await rawRequest(
      proxy.port,
      `${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    assert.equal(response.status, status, label);
    if (status === 405) assert.equal(headerOf(response, "allow"), "GET, HEAD", label);
    if (status >= 400) {
      assert.equal(headerOf(response, "content-type"), "application/problem+json", label);
      const problem = JSON.parse(new TextDecoder().decode(response.body));
      assert.equal(problem.status, status, label);
      assert.equal(typeof problem.detail, "string", label);
    }
  }
});

Deno.test("many clients at once get their own values, and a key that all want is read once", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_MAXSIZE: "10000" } });
  const keys = Array.from({ length: 300 }, (_, i) => `key:${i}`);
  for (const key of keys) await redis.command("SET", key, `value of ${key}`);
  await redis.command("CONFIG", "RESETSTAT");
  const answers = await Promise.all(
    [...keys, ...keys, ...keys].map(async (key) => [key, (await read(proxy, `/get/${key}`)).text]),
  );
  for (const [key, text] of answers) assert.equal(text, `value of ${key}`);
  assert.equal(await redis.commandCalls("get"), keys.length);
});

Deno.test("a change in Redis is seen at once, with CACHE_TTL far away", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  await redis.command("SET", "k", "0");
  for (let version = 1; version <= 20; version++) {
    await read(proxy, "/get/k");
    await redis.command("SET", "k", `${version}`);
    await eventually(async () => (await read(proxy, "/get/k")).text === `${version}`, { deadlineMs: 2_000 });
  }
  await redis.command("DEL", "k");
  await eventually(async () => (await read(proxy, "/get/k")).status === 404, { deadlineMs: 2_000 });
});
