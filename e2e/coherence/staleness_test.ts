/**
 * The staleness checker, short: the real proxy has no violation, and proxies with a bug in them are found out.
 *
 * The full size is `bench/coherence/soak.ts`. `SEED` in the environment repeats the choices of a run, though not its
 * timing.
 */

import assert from "node:assert/strict";
import { SEED } from "../../tests/support/seed.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import type { PlantedBug } from "./planted_bug.ts";
import { PlantedProxy } from "./planted_proxy.ts";
import { runStaleness, STALLED_MS_MAX } from "./staleness_run.ts";
import { stalenessTable } from "./staleness_table.ts";
import { WRITE_KINDS } from "./write_kinds.ts";

const NO_FAULTS = { kills: 0, restarts: 0, stalls: 0 };

Deno.test("no stale read: every kind of write, connections killed, a restart, stalls", async () => {
  const faults = { kills: 5, restarts: 1, stalls: 2 };
  const result = await runStaleness({
    seed: SEED,
    startProxy: (redisPort) => ProxyProcess.start({ redisPort, env: { CACHE_NEGATIVE_TTL: "60" } }),
    faults,
    readsMin: 100_000,
    deadlineMs: 90_000,
  });
  const table = stalenessTable("staleness, short", result);
  console.log(table);
  assert.equal(result.counts.violations, 0, table);
  assert.ok(result.counts.worstStalledMs <= STALLED_MS_MAX, "what a stall may cost is bounded");
  assert.deepEqual(result.faults, faults);
  assert.ok(result.hitShare >= 0.8, `${result.hitShare} of the reads were hits`);
  for (const kind of WRITE_KINDS) {
    if (kind !== "eviction") assert.ok(result.written.has(kind), `${kind} was not written`);
  }
});

Deno.test("no stale read where Redis evicts", async () => {
  const result = await runStaleness({
    seed: SEED,
    startProxy: (redisPort) => ProxyProcess.start({ redisPort, env: { MAX_PARALLEL: "4" } }),
    faults: { ...NO_FAULTS, kills: 2 },
    readsMin: 50_000,
    deadlineMs: 60_000,
    evicts: true,
  });
  const table = stalenessTable("staleness under eviction, short", result);
  assert.equal(result.counts.violations, 0, table);
  assert.ok((result.written.get("eviction") ?? 0) > 0, table);
});

// Fills that take a while, of few keys that change often: what a bug needs to show itself soon.
const HARD = { keys: 16, writesPerSecond: 1_000, linkDelayMs: 2 };

Deno.test("the checker finds nothing where there is no bug, under the same conditions", async () => {
  const result = await runStaleness({
    seed: SEED,
    startProxy: (redisPort) => PlantedProxy.start({ redisPort }),
    faults: { ...NO_FAULTS, kills: 2 },
    readsMin: 20_000,
    deadlineMs: 60_000,
    ...HARD,
  });
  assert.equal(result.counts.violations, 0, stalenessTable("staleness without a bug", result));
});

for (
  const [bug, faults] of [
    ["deaf to null", NO_FAULTS],
    ["stores overtaken", NO_FAULTS],
    ["deaf to loss", { ...NO_FAULTS, kills: 20 }],
  ] as const satisfies [PlantedBug, typeof NO_FAULTS][]
) {
  Deno.test(`the checker finds the bug '${bug}'`, async () => {
    const result = await runStaleness({
      seed: SEED,
      startProxy: (redisPort) => PlantedProxy.start({ redisPort, bug }),
      faults,
      readsMin: Infinity,
      deadlineMs: 60_000,
      stopsAtViolation: true,
      ...HARD,
    });
    assert.ok(result.counts.violations > 0);
    assert.equal(result.counts.firstViolations[0].what, "stale");
    assert.ok(result.counts.worstCalmMs > 50);
  });
}
