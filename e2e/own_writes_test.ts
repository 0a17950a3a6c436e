/**
 * A client of a drop-in reads its own writes: as it does over one connection to Redis, and over any other of the proxy's.
 *
 * `OWN_WRITES=1000000` makes it a million pairs of a write and a read. `SEED` in the environment repeats the choices of a
 * run, though not its timing.
 */

import assert from "node:assert/strict";
import { SEED } from "../tests/support/seed.ts";
import { OWN_WRITE_KINDS } from "./coherence/own_write_kinds.ts";
import { runOwnWrites } from "./coherence/own_writes_run.ts";
import { PlantedDropIn } from "./coherence/planted_drop_in.ts";
import { Random } from "./coherence/random.ts";
import { ProxyProcess } from "./support/proxy_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { TcpMiddleman } from "./support/tcp_middleman.ts";

const PAIRS = Number(Deno.env.get("OWN_WRITES") ?? 100_000);
const DEADLINE_MS = 60_000 + PAIRS;
/** How late the proxy hears what Redis tells it: many times as late as the replies to writes. */
const LATE_MS = 3;

/** A Redis whose word reaches the proxy's clients at once, and the proxy itself late. */
async function startLateLink(redis: RedisServer): Promise<TcpMiddleman> {
  const link = await TcpMiddleman.start({ targetPort: redis.port });
  // The first connection is the proxy's own; the others are its clients'.
  link.fromServer.delay({ ms: LATE_MS, of: (connection) => connection === 1, isRough: true });
  return link;
}

for (
  const { name, part, env } of [
    { name: "tracking", part: 0.6, env: { MAX_PARALLEL: "4", CACHE_NEGATIVE_TTL: "60" } },
    { name: "without tracking", part: 0.4, env: { CACHE_COHERENCE: "ttl", CACHE_NEGATIVE_TTL: "60" } },
  ]
) {
  const pairs = Math.ceil(PAIRS * part);
  Deno.test(`${pairs} writes are read back at once, ${name}`, async () => {
    await using redis = await RedisServer.start({ args: ["--hz", "500"] });
    await using link = await startLateLink(redis);
    await using proxy = await ProxyProcess.start({ redisPort: link.port, respCommands: "all", env });
    const result = await runOwnWrites({ dropIn: proxy, random: new Random(SEED), pairs, deadlineMs: DEADLINE_MS });
    assert.deepEqual(result.wrong, []);
    assert.deepEqual([...result.pairsByKind.keys()].sort(), [...OWN_WRITE_KINDS].sort());
    assert.equal(result.pairsByReader.size, 4);
    assert.ok(await proxy.respReads("hit") > pairs / 200, "nothing is proven where nothing is held");
    assert.ok(await proxy.metric("redis_proxy_fills_overtaken_total") > pairs / 200, "nor where no fill is raced with");
  });
}

for (
  const [fault, coherence] of [
    ["ignores written keys", "tracking"],
    ["ignores written keys", "ttl"],
    ["ignores changes of all keys", "tracking"],
    ["waits for nothing", "tracking"],
    ["waits for nothing", "ttl"],
  ] as const
) {
  Deno.test(`a drop-in that ${fault} is found out, ${coherence}`, async () => {
    await using redis = await RedisServer.start({ args: ["--hz", "500"] });
    await using link = await startLateLink(redis);
    await using dropIn = await PlantedDropIn.start({ redisPort: link.port, coherence, fault });
    const { wrong } = await runOwnWrites({
      dropIn,
      random: new Random(SEED),
      pairs: Infinity,
      deadlineMs: DEADLINE_MS,
      stopsAtOld: true,
    });
    assert.ok(wrong.length > 0);
  });
}

Deno.test("nothing is found, under the same conditions, where there is no fault", async () => {
  await using redis = await RedisServer.start({ args: ["--hz", "500"] });
  await using link = await startLateLink(redis);
  await using dropIn = await PlantedDropIn.start({ redisPort: link.port, coherence: "tracking", fault: null });
  const { wrong } = await runOwnWrites({ dropIn, random: new Random(SEED), pairs: 5_000, deadlineMs: DEADLINE_MS });
  assert.deepEqual(wrong, []);
});
