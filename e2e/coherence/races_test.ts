/**
 * Forced races, a few hundred of each kind; `RACE_TRIALS=10000` makes them as many as the soak runs. `SEED` in the
 * environment repeats the choices of a run.
 */

import assert from "node:assert/strict";
import { SEED } from "../../tests/support/seed.ts";
import { RedisServer } from "../support/redis_server.ts";
import type { PlantedBug } from "./planted_bug.ts";
import { RACE_KINDS, RACE_STEPS, type RaceKind } from "./race.ts";
import { runRaces } from "./races.ts";
import { racesTable } from "./races_table.ts";

const TRIALS = Number(Deno.env.get("RACE_TRIALS") ?? 300);
/** Enough for each bug to show itself many times over: the steps are forced. */
const BUG_TRIALS = 120;

for (const kind of RACE_KINDS) {
  Deno.test(`races of a fill with ${kind} leave nothing stale`, async () => {
    await using redis = await RedisServer.start();
    const result = await runRaces({ redis, kind, trials: TRIALS, seed: SEED });
    const table = racesTable("races", [result]);
    assert.ok(result.trials >= TRIALS);
    assert.equal(result.failures.length, 0, table);
    // Without these the trials would have shown nothing.
    for (const step of RACE_STEPS) assert.ok(result.steps[step] > 0, table);
    assert.ok(result.stored > 0 && result.readsAfter > 0, table);
    if (kind !== "reconnect") assert.ok(result.overtaken > 0, table);
  });
}

for (
  const [bug, kind] of [
    ["deaf to null", "FLUSHALL"],
    ["stores overtaken", "SET"],
    ["stores overtaken", "DEL"],
    ["stores overtaken", "EXPIRE"],
    ["joins overtaken", "SET"],
    ["deaf to loss", "reconnect"],
  ] as const satisfies [PlantedBug, RaceKind][]
) {
  Deno.test(`races with ${kind} find the bug '${bug}'`, async () => {
    await using redis = await RedisServer.start();
    const { failures } = await runRaces({ redis, kind, trials: BUG_TRIALS, seed: SEED, bug });
    assert.ok(failures.length > 0);
  });
}
