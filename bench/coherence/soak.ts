/**
 * The proof of coherence at full size: `deno run -A bench/coherence/soak.ts`, about six minutes.
 *
 * Staleness runs with every fault, then 10,000 forced races of each kind. Prints the tables, writes them to
 * `bench/results/coherence.txt`, and ends with code 1 when anything stale was found.
 *
 *   --reads N --kills N --restarts N --stalls N   of the first run; 1,000,000, 100, 10 and 10 unless told
 *   --races N                                     of each kind; 10,000 unless told
 *   SEED                                          in the environment: repeats the choices of a soak, not its timing
 */

import { parseArgs } from "node:util";
import { RACE_KINDS } from "../../e2e/coherence/race.ts";
import { type RaceResult, runRaces } from "../../e2e/coherence/races.ts";
import { racesTable } from "../../e2e/coherence/races_table.ts";
import { runStaleness, type StalenessResult, type StalenessRunOptions } from "../../e2e/coherence/staleness_run.ts";
import { stalenessTable } from "../../e2e/coherence/staleness_table.ts";
import { ProxyProcess } from "../../e2e/support/proxy_process.ts";
import { RedisServer } from "../../e2e/support/redis_server.ts";
import { SEED } from "../../tests/support/seed.ts";
import { machine } from "./machine.ts";

const HIT_SHARE_MIN = 0.8;
const DEADLINE_MS = 1_800_000;
const RESULTS = new URL("../results/coherence.txt", import.meta.url);

const { values } = parseArgs({
  args: Deno.args,
  options: {
    reads: { type: "string", default: "1000000" },
    kills: { type: "string", default: "100" },
    restarts: { type: "string", default: "10" },
    stalls: { type: "string", default: "10" },
    races: { type: "string", default: "10000" },
  },
});
const readsMin = Number(values.reads);
const faults = { kills: Number(values.kills), restarts: Number(values.restarts), stalls: Number(values.stalls) };
const NO_STALLS = { kills: Math.ceil(faults.kills / 5), restarts: Math.ceil(faults.restarts / 5), stalls: 0 };
/** A restart empties Redis, and then nothing is evicted for a while. */
const ONLY_KILLS = { ...NO_STALLS, restarts: 0 };

function started(env: Record<string, string>): StalenessRunOptions["startProxy"] {
  return (redisPort) => ProxyProcess.start({ redisPort, env });
}

const RUNS: { name: string; options: Omit<StalenessRunOptions, "seed" | "deadlineMs"> }[] = [
  {
    name: "staleness: every fault; absence is remembered (CACHE_NEGATIVE_TTL=60)",
    options: { startProxy: started({ CACHE_NEGATIVE_TTL: "60" }), faults, readsMin },
  },
  {
    name: "staleness: no middleman on the link, absence not remembered, MAX_PARALLEL=4",
    options: { startProxy: started({ MAX_PARALLEL: "4" }), faults: NO_STALLS, readsMin: readsMin / 2, isDirect: true },
  },
  {
    name: "staleness: few keys, many writes, 2 ms on the link",
    options: {
      startProxy: started({ CACHE_NEGATIVE_TTL: "60", MAX_PARALLEL: "2" }),
      faults: NO_STALLS,
      readsMin: readsMin / 4,
      keys: 16,
      writesPerSecond: 1_000,
      linkDelayMs: 2,
    },
  },
  {
    name: "staleness: Redis evicts (maxmemory, allkeys-lru)",
    options: { startProxy: started({}), faults: ONLY_KILLS, readsMin: readsMin / 4, evicts: true },
  },
];

const blocks: string[] = [];
let found = 0;

function show(text: string): void {
  console.log(`${text}\n`);
  blocks.push(text);
}

/** Counts what must not be. The share of hits is the first run's alone: the others are made to miss. */
function judge(result: StalenessResult, isFirst: boolean): void {
  found += result.counts.violations;
  if (!isFirst || result.hitShare >= HIT_SHARE_MIN) return;
  show(`too few hits: ${HIT_SHARE_MIN} of all reads are needed`);
  found++;
}

show([
  `command   deno run -A bench/coherence/soak.ts ${Deno.args.join(" ")}`.trimEnd(),
  `seed      ${SEED}`,
  ...await machine(),
].join("\n"));
for (const { name, options } of RUNS) {
  const result = await runStaleness({ ...options, seed: SEED, deadlineMs: DEADLINE_MS });
  show(stalenessTable(name, result));
  judge(result, options === RUNS[0].options);
}
const races: RaceResult[] = [];
for (const kind of RACE_KINDS) {
  await using redis = await RedisServer.start();
  races.push(await runRaces({ redis, kind, trials: Number(values.races), seed: SEED }));
  found += races.at(-1)!.failures.length;
}
show(racesTable("forced races: W at each step of a fill", races));
show(found === 0 ? "nothing stale was found" : `FOUND: ${found}`);
await Deno.mkdir(new URL(".", RESULTS), { recursive: true });
await Deno.writeTextFile(RESULTS, blocks.join("\n\n") + "\n");
Deno.exit(found === 0 ? 0 : 1);
