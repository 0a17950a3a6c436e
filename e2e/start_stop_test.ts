/** Starting without Redis, and stopping while requests are in flight. */

import assert from "node:assert/strict";
import { eventually } from "./support/eventually.ts";
import { freePort } from "./support/free_port.ts";
import { ProxyProcess } from "./support/proxy_process.ts";
import { RawConnection } from "./support/raw_http.ts";
import { RedisServer } from "./support/redis_server.ts";
import { TcpMiddleman } from "./support/tcp_middleman.ts";

Deno.test("Redis down at the start is no reason not to start; it is used as soon as it is there", async () => {
  const port = freePort();
  await using proxy = await ProxyProcess.start({ redisPort: port, waitFor: "live" });
  await eventually(async () => {
    const response = await proxy.get("/get/k");
    const problem = await response.json();
    assert.equal(response.status, 503);
    assert.equal(problem.detail, "Redis cannot be reached");
    assert.equal(response.headers.get("retry-after"), "1");
  });
  const notReady = await proxy.get("/readyz");
  assert.equal(notReady.status, 503);
  assert.equal((await notReady.json()).redis, "down");

  await using redis = await RedisServer.start({ port });
  await redis.command("SET", "k", "v");
  await eventually(async () => (await (await proxy.get("/get/k")).text()) === "v", { deadlineMs: 3_000 });
  const ready = await proxy.get("/readyz");
  assert.deepEqual([ready.status, await ready.json()], [200, { redis: "up", coherence: "tracking" }]);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal}: requests in flight finish, new ones are refused, exit code 0`, async () => {
    await using redis = await RedisServer.start();
    await using link = await TcpMiddleman.start({ targetPort: redis.port });
    await using proxy = await ProxyProcess.start({ redisPort: link.port, env: { REDIS_TIMEOUT_MS: "5000" } });
    await redis.command("SET", "k", "v");
    link.fromServer.stall();
    using inFlight = await RawConnection.connect(proxy.port);
    await inFlight.send("GET /get/k HTTP/1.1\r\nHost: x\r\n\r\n");
    await eventually(async () => /redis_proxy_clients 1\n/.test(await (await proxy.get("/metrics")).text()));

    proxy.signal(signal);
    await proxy.waitForLog((record) => record.message === "stopping");
    await eventually(async () => {
      await assert.rejects(async () => {
        using refused = await RawConnection.connect(proxy.port);
        await refused.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        await refused.response();
      });
    });
    link.release();
    const response = await inFlight.response();
    assert.equal(new TextDecoder().decode(response.body), "v");
    const { code } = await proxy.exited;
    assert.equal(code, 0);
  });
}

Deno.test("a client that says nothing, one that sends half a request and one in flight cannot keep it from stopping", async () => {
  await using redis = await RedisServer.start();
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  await using proxy = await ProxyProcess.start({ redisPort: link.port, env: { REDIS_TIMEOUT_MS: "60000" } });
  using silent = await RawConnection.connect(proxy.port);
  using half = await RawConnection.connect(proxy.port);
  await half.send("GET /get/k HTT");
  link.stall();
  using inFlight = await RawConnection.connect(proxy.port);
  await inFlight.send("GET /get/k HTTP/1.1\r\nHost: x\r\n\r\n");
  await eventually(async () => /redis_proxy_clients 1\n/.test(await (await proxy.get("/metrics")).text()));
  const { code, elapsedMs } = await proxy.stop();
  assert.equal(code, 0);
  assert.ok(elapsedMs < 10_000, `${elapsedMs} ms`);
  for (const connection of [silent, half]) assert.equal((await connection.end()).length, 0, "closed without a word");
});

Deno.test("a second signal ends it at once", async () => {
  await using redis = await RedisServer.start();
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  await using proxy = await ProxyProcess.start({ redisPort: link.port, env: { REDIS_TIMEOUT_MS: "60000" } });
  link.stall();
  using inFlight = await RawConnection.connect(proxy.port);
  await inFlight.send("GET /get/k HTTP/1.1\r\nHost: x\r\n\r\n");
  await eventually(async () => /redis_proxy_clients 1\n/.test(await (await proxy.get("/metrics")).text()));
  proxy.signal("SIGTERM");
  await proxy.waitForLog((record) => record.message === "stopping");
  proxy.signal("SIGTERM");
  const { code } = await proxy.exited;
  assert.equal(code, 1);
});
