/** Settings as a user meets them: the command line, the environment, `.env`, and what is refused. */

import assert from "node:assert/strict";
import { SETTING_DEFINITIONS } from "../lib/config/settings.ts";
import config from "../deno.json" with { type: "json" };
import { ProxyProcess, runToEnd } from "./support/proxy_process.ts";
import { RedisServer } from "./support/redis_server.ts";

/** For each setting, values that it must refuse. */
const INTEGERS_BAD = ["", "0x10", "1e3", " 5 ", "+5", "-1", "5.0", "five", "99999999999999999999"];
const BAD: Record<string, string[]> = {
  REDIS_PORT: [...INTEGERS_BAD, "0", "65536"],
  PROXY_PORT: [...INTEGERS_BAD, "0", "65536"],
  CACHE_TTL: [...INTEGERS_BAD, "0", "2147483648"],
  CACHE_MAXSIZE: [...INTEGERS_BAD, "0", "16000001"],
  MAX_PARALLEL: [...INTEGERS_BAD, "0", "1025"],
  MAX_CONNECTIONS: [...INTEGERS_BAD, "0", "1000001"],
  REDIS_HOST: ["", "a b", "redis://x", "x/y"],
  REDIS_URL: ["", "http://x", "redis://", "redis://:pw@", "redis://u:hunter2@x:99999", "redis://u:hunter2@x/notadb"],
  REDIS_TIMEOUT_MS: [...INTEGERS_BAD, "0"],
  PROXY_HOST: ["", "a b"],
  PROXY_PASSWORD: ["", "hunter 2", "hunter2\t"],
  RESP_PORT: ["1e3", "-1", "65536"],
  RESP_COMMANDS: ["", "write"],
  CACHE_MAXBYTES: [...INTEGERS_BAD, "0"],
  CACHE_COHERENCE: ["", "Tracking", "none"],
  CACHE_NEGATIVE_TTL: INTEGERS_BAD,
  CACHE_STALE_TTL: INTEGERS_BAD,
  CACHE_HOT_KEYS: [...INTEGERS_BAD, "101"],
  LOG_LEVEL: ["", "INFO", "loud"],
};

Deno.test("every setting has values that it refuses", () => {
  assert.deepEqual(Object.keys(BAD).toSorted(), SETTING_DEFINITIONS.map(({ name }) => name).toSorted());
});

// One process per round holds one bad value of every setting: all of them must be named, each once.
const rounds = Math.max(...Object.values(BAD).map((values) => values.length));
for (let round = 0; round < rounds; round++) {
  const env = Object.fromEntries(Object.entries(BAD).map(([name, values]) => [name, values[round % values.length]]));
  Deno.test(`bad values of all settings at once end with exit code 2 and name each variable (${round + 1})`, async () => {
    const { code, stdout, stderr } = await runToEnd({ env });
    assert.equal(code, 2);
    assert.equal(stdout, "");
    const lines = stderr.trimEnd().split("\n");
    for (const name of Object.keys(env)) {
      const naming = lines.filter((line) => line.startsWith(`redis-proxy: ${name} must be `));
      assert.equal(naming.length, 1, `${name}=${JSON.stringify(env[name])}\n${stderr}`);
    }
    assert.equal(lines.length, Object.keys(env).length, stderr);
    assert.doesNotMatch(stderr, /hunter/);
  });
}

Deno.test("a single bad value is enough", async () => {
  for (const [name, value] of [["CACHE_TTL", "0"], ["LOG_LEVEL", "loud"]]) {
    const { code, stderr } = await runToEnd({ env: { [name]: value } });
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`^redis-proxy: ${name} must be .*: received "${value}"\n$`));
  }
});

Deno.test("a bad value in .env is refused in the same way", async () => {
  const { code, stderr } = await runToEnd({ dotenv: "CACHE_TTL=1e3\n" });
  assert.equal(code, 2);
  assert.match(stderr, /CACHE_TTL must be .*received "1e3"/);
});

Deno.test("the environment wins over .env, .env wins over the default", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    dotenv: "# a comment\nCACHE_TTL=7\nCACHE_MAXSIZE=11\n",
    env: { CACHE_TTL: "5" },
  });
  const { settings } = await proxy.waitForLog((record) => record.message === "starting");
  const { cacheTtlMs, cacheEntriesMax, maxConnections } = settings as Record<string, unknown>;
  assert.deepEqual([cacheTtlMs, cacheEntriesMax, maxConnections], [5_000, 11, 2048]);
});

Deno.test("MAX_PARALLEL is capped at 2 x cores, and the log says so", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { MAX_PARALLEL: "1024" } });
  const capped = await proxy.waitForLog((record) => record.message === "MAX_PARALLEL is capped");
  assert.deepEqual([capped.wanted, capped.cap], [1024, 2 * navigator.hardwareConcurrency]);
});

Deno.test("an unknown variable that looks like ours is a warning with the nearest name", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_TLL: "5" } });
  assert.ok(proxy.lines.some((line) => /warning: "CACHE_TLL".*CACHE_TTL/.test(line)), proxy.lines.join("\n"));
});

Deno.test("secrets reach neither the log nor the metrics", async () => {
  await using redis = await RedisServer.start({ args: ["--requirepass", "hunter2redis"] });
  await using proxy = await ProxyProcess.start({
    redisPort: redis.port,
    waitFor: "ready",
    env: {
      REDIS_URL: `redis://default:hunter2redis@127.0.0.1:${redis.port}`,
      PROXY_PASSWORD: "hunter2proxy",
      LOG_LEVEL: "debug",
    },
  });
  const response = await proxy.get("/metrics", { headers: { authorization: "Bearer hunter2proxy" } });
  assert.equal(response.status, 200);
  assert.doesNotMatch(await response.text(), /hunter2/);
  assert.doesNotMatch(proxy.lines.join("\n"), /hunter2/);
});

Deno.test("--version and --help answer at once; help names every setting with its default", async () => {
  const version = await runToEnd({ args: ["--version"] });
  assert.equal(version.code, 0);
  assert.ok(version.stdout.startsWith(`redis-proxy ${config.version} `), version.stdout);
  const help = await runToEnd({ args: ["--help"] });
  assert.equal(help.code, 0);
  for (const { name, default: fallback } of SETTING_DEFINITIONS) {
    const at = help.stdout.indexOf(`  ${name} `);
    assert.ok(at > 0, name);
    assert.ok(help.stdout.slice(at).includes(`default ${fallback ?? "unset"}`), name);
  }
});

Deno.test("an argument that is not known ends with exit code 2", async () => {
  const { code, stderr } = await runToEnd({ args: ["--prot", "5000", "--password=secret"] });
  assert.equal(code, 2);
  assert.match(stderr, /unknown arguments: --prot … --password=…; see redis-proxy --help/, "values may be secrets");
});

Deno.test("--healthcheck tells by its exit code whether the proxy serves", async () => {
  await using redis = await RedisServer.start();
  const proxy = await ProxyProcess.start({ redisPort: redis.port });
  const env = { PROXY_PORT: `${proxy.port}`, PROXY_HOST: "0.0.0.0" };
  assert.equal((await runToEnd({ args: ["--healthcheck"], env })).code, 0);
  await proxy[Symbol.asyncDispose]();
  assert.equal((await runToEnd({ args: ["--healthcheck"], env })).code, 1);
});

Deno.test("a port that is taken is said so, with exit code 1", async () => {
  await using redis = await RedisServer.start();
  const { code, stderr } = await runToEnd({ env: { PROXY_PORT: `${redis.port}`, REDIS_PORT: "1" } });
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`${redis.port}`));
});
