/**
 * Runs the measurements: `deno run -A bench/run.ts [--quick] [--only NAME,...]`.
 */

import { batching } from "./batching.ts";
import { memoryLevels } from "./memory_levels.ts";
import { runScenarios } from "./runner.ts";
import type { Scenario } from "./scenario.ts";
import { coldMisses } from "./scenarios/cold_misses.ts";
import { hotKeyExpiry } from "./scenarios/hot_key_expiry.ts";
import { httpHits } from "./scenarios/http_hits.ts";
import { invalidations } from "./scenarios/invalidations.ts";
import { itemMemory } from "./scenarios/item_memory.ts";
import { cacheClass, respCodec, trackedFills } from "./scenarios/neighbours.ts";
import { respHits } from "./scenarios/resp_hits.ts";
import { startUp } from "./scenarios/start_up.ts";
import { zipf } from "./scenarios/zipf.ts";

const scenarios: readonly Scenario[] = [
  httpHits,
  respHits,
  zipf,
  coldMisses,
  batching,
  hotKeyExpiry,
  invalidations,
  startUp,
  itemMemory,
  memoryLevels,
  cacheClass,
  respCodec,
  trackedFills,
];

/** Returns the scenarios that `--only` names, all without it; an error as text. */
function chosenScenarios(args: readonly string[]): readonly Scenario[] | string {
  let chosen = scenarios;
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--quick") continue;
    if (args[i] !== "--only" || args[i + 1] === undefined) return `unknown argument: ${args[i]}`;
    const names = args[++i].split(",");
    const unknown = names.find((name) => !scenarios.some((scenario) => scenario.name === name));
    if (unknown !== undefined) return `no scenario is called ${unknown}`;
    chosen = scenarios.filter((scenario) => names.includes(scenario.name));
  }
  return chosen;
}

const chosen = chosenScenarios(Deno.args);
if (typeof chosen === "string") {
  console.error(`bench: ${chosen}`);
  console.error("usage: deno run -A bench/run.ts [--quick] [--only NAME,...]");
  console.error(`names: ${scenarios.map((scenario) => scenario.name).join(", ")}`);
  Deno.exit(2);
}
Deno.exit(await runScenarios(chosen, { quick: Deno.args.includes("--quick") }));
