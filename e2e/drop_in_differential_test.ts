/** `RESP_COMMANDS=all` and Redis itself: the same bytes to both, the same bytes back. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { SEED } from "../tests/support/seed.ts";
import { Random } from "./coherence/random.ts";
import { comparable } from "./support/alike.ts";
import { ProxyProcess } from "./support/proxy_process.ts";
import { CONNECTIONS, KEYS, sequences } from "./support/random_requests.ts";
import { RedisServer } from "./support/redis_server.ts";
import { COMMANDS, CONTENTS, endsByItself, GARBAGE, READS } from "./support/request_corpus.ts";
import { RespClient } from "./support/resp_client.ts";
import { talk } from "./support/resp_wire.ts";
import { Twin } from "./support/twin.ts";

const CASES = [...READS, ...COMMANDS, ...GARBAGE];
const PIECES_MAX = 8;

/** Cuts `text` into pieces, of which some are empty. */
function pieces(text: string, random: Random): string[] {
  const places = Array.from({ length: random.below(PIECES_MAX) }, () => random.below(text.length));
  places.sort((a, b) => a - b);
  return [0, ...places].map((from, i) => text.slice(from, [...places, text.length][i]));
}

for (
  const { name, greeting, isWarm } of [
    { name: "", greeting: "", isWarm: false },
    { name: ", from memory and in pieces", greeting: "", isWarm: true },
    { name: ", in RESP3", greeting: "HELLO 3\r\n", isWarm: false },
    { name: ", in RESP3, from memory and in pieces", greeting: "HELLO 3\r\n", isWarm: true },
  ]
) {
  Deno.test(`the same answers as Redis, from a list${name}`, async () => {
    await using redis = await RedisServer.start();
    await using behind = await RedisServer.start();
    await using proxy = await ProxyProcess.start({ redisPort: behind.port, respCommands: "all" });
    using direct = await RespClient.connect(redis.port);
    using through = await RespClient.connect(proxy.respPort);
    const random = new Random(SEED);
    for (const request of CASES) {
      for (const client of [direct, through]) await client.pipeline([["FLUSHALL"], ...CONTENTS]);
      if (isWarm) { for (let i = 0; i < 2; i++) await through.pipeline(CONTENTS.map(([, key]) => ["GET", key])); }
      const bytes = greeting + request + "\r\n";
      // What is sent to a server that has ended the connection makes it forget what it has said.
      const sent = isWarm && !endsByItself(request) ? pieces(bytes, random) : [bytes];
      const [theirs, ours] = await Promise.all([talk(redis.port, ...sent), talk(proxy.respPort, ...sent)]);
      assert.equal(comparable(ours), comparable(theirs), JSON.stringify(sent));
    }
    if (isWarm) assert.ok(await proxy.respReads("hit") > CASES.length);
  });
}

/** How many sequences of each sort: DIFFERENTIAL_RUNS=10000 for a long look. */
const RUNS = Number(Deno.env.get("DIFFERENTIAL_RUNS") ?? 100);

for (
  const { name, env } of [
    { name: "", env: {} },
    { name: ", absence remembered", env: { CACHE_NEGATIVE_TTL: "60" } },
    { name: ", without tracking", env: { CACHE_COHERENCE: "ttl", CACHE_NEGATIVE_TTL: "60" } },
  ]
) {
  Deno.test(`the same answers as Redis, from ${RUNS} sequences by chance${name}`, async () => {
    // Redis looks for timeouts as often as it does its housekeeping.
    await using redis = await RedisServer.start({ args: ["--hz", "500"] });
    await using behind = await RedisServer.start({ args: ["--hz", "500"] });
    await using proxy = await ProxyProcess.start({ redisPort: behind.port, respCommands: "all", env });
    using direct = await RespClient.connect(redis.port);
    using through = await RespClient.connect(proxy.respPort);
    const contents = KEYS.flatMap((key) => [Buffer.from(key, "latin1"), "at first"]);
    const ports = { redisPort: redis.port, proxyPort: proxy.respPort };
    await fc.assert(
      fc.asyncProperty(sequences, async (steps) => {
        for (const client of [direct, through]) {
          await client.pipeline([["SCRIPT", "FLUSH"], ["FUNCTION", "FLUSH"], ["FLUSHALL"], ["MSET", ...contents]]);
        }
        const twins = await Promise.all(Array.from({ length: CONNECTIONS }, () => Twin.connect(ports)));
        try {
          for (const step of steps) {
            if (step.kind === "burst") {
              await twins[step.connection].burst(step);
            } else if (step.kind === "warm") {
              await through.pipeline([...KEYS, ...KEYS].map((key) => ["GET", Buffer.from(key, "latin1")]));
            } else {
              const words = ["PUBLISH", step.channel, Buffer.from(step.message, "latin1")];
              assert.equal(await through.command(...words), await direct.command(...words));
              for (const twin of twins) await twin.hear(step.channel);
            }
          }
          const last = KEYS.map((key) => ["GET", Buffer.from(key, "latin1")]);
          assert.deepEqual(await through.pipeline(last), await direct.pipeline(last));
        } finally {
          for (const twin of twins) twin.close();
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
    const hits = await proxy.respReads("hit");
    assert.ok(hits > RUNS * 5, `${hits} hits`);
  });
}
