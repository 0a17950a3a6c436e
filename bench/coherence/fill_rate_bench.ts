/**
 * What tracking costs a fill: `deno run -A bench/coherence/fill_rate_bench.ts`, about two minutes.
 *
 * Cold misses by 64 readers at once, with CACHE_COHERENCE=tracking and =ttl by turns, in this process and without HTTP,
 * so that nothing hides the difference. Every key is missed each time: there are far more than are held. Rounds of both
 * modes are paired, and the ratio of each pair is taken before the median, so that what else the machine does falls on
 * both. Prints a table, writes it to `bench/results/coherence_fill_rate.txt`, and ends with code 1 below the target.
 *
 *   --rounds N   pairs of each size; 120 unless told
 *   --ms N       length of a round; 250 unless told
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { Rig } from "../../e2e/coherence/rig.ts";
import { RedisServer } from "../../e2e/support/redis_server.ts";
import type { Coherence } from "../../lib/config/settings.ts";
import { machine } from "./machine.ts";

const RATIO_MIN = 0.9;
const READERS = 64;
const KEYS = 100_000;
const ENTRIES_MAX = 1_024;
const VALUE_BYTES = 100;
const RESULTS = new URL("../results/coherence_fill_rate.txt", import.meta.url);

const { values } = parseArgs({
  args: Deno.args,
  options: { rounds: { type: "string", default: "120" }, ms: { type: "string", default: "250" } },
});

interface Round {
  readonly fillsPerSecond: number;
  /** Of this process, and of Redis, for one fill. */
  readonly cpuUs: number;
  readonly redisCpuUs: number;
}

/** One mode: a rig, and the place in the row of keys where its next round goes on. */
class Subject {
  readonly rounds: Round[] = [];
  readonly #rig: Rig;
  readonly #redis: RedisServer;
  #next = 0;

  private constructor(rig: Rig, redis: RedisServer) {
    this.#rig = rig;
    this.#redis = redis;
  }

  static async start(redis: RedisServer, how: { coherence: Coherence; parallelMax: number }): Promise<Subject> {
    return new Subject(await Rig.start({ redisPort: redis.port, entriesMax: ENTRIES_MAX, ...how }), redis);
  }

  /** Fills for `ms` and returns what it cost. */
  async round(ms: number): Promise<Round> {
    const redisBeforeUs = await redisCpuUs(this.#redis);
    const cpuBefore = process.cpuUsage();
    const startedAtMs = performance.now();
    const endMs = startedAtMs + ms;
    let fills = 0;
    await Promise.all(Array.from({ length: READERS }, async () => {
      while (performance.now() < endMs) {
        const answer = await this.#rig.read(`/key:${this.#next++ % KEYS}`);
        if (answer.kind !== "fill" || !answer.stored) {
          throw new Error(`Cannot measure: a fill is needed: received ${answer.kind}`);
        }
        fills++;
      }
    }));
    const elapsedMs = performance.now() - startedAtMs;
    const { user, system } = process.cpuUsage(cpuBefore);
    return {
      fillsPerSecond: fills / elapsedMs * 1_000,
      cpuUs: (user + system) / fills,
      redisCpuUs: (await redisCpuUs(this.#redis) - redisBeforeUs) / fills,
    };
  }

  async stop(): Promise<void> {
    await this.#rig[Symbol.asyncDispose]();
  }
}

async function redisCpuUs(redis: RedisServer): Promise<number> {
  const text = new TextDecoder().decode(await redis.command("INFO", "cpu") as Uint8Array);
  const seconds = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(text)?.[1] ?? NaN);
  return (seconds("used_cpu_user") + seconds("used_cpu_sys")) * 1e6;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Returns the median, and the first and the last decile: how far rounds lie apart. */
function spread(numbers: readonly number[], digits: number): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (part: number): string => sorted[Math.round((sorted.length - 1) * part)].toFixed(digits);
  return `${median(numbers).toFixed(digits)} (${at(0.1)}–${at(0.9)})`;
}

/** The geometric mean of ratios, and the interval that holds the true one in 95 of 100 benches. */
interface Mean {
  readonly mean: number;
  readonly from: number;
  readonly to: number;
}

function meanOf(ratios: readonly number[]): Mean {
  const logs = ratios.map(Math.log);
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / Math.max(1, logs.length - 1);
  const error = 1.96 * Math.sqrt(variance / logs.length);
  return { mean: Math.exp(mean), from: Math.exp(mean - error), to: Math.exp(mean + error) };
}

function describeMean({ mean, from, to }: Mean): string {
  return `${mean.toFixed(3)} (${from.toFixed(3)}–${to.toFixed(3)})`;
}

/** Measures one size and returns its lines, and the ratio of rates. */
async function measure(parallelMax: number): Promise<{ lines: string[]; rate: Mean }> {
  await using redis = await RedisServer.start();
  const value = "v".repeat(VALUE_BYTES);
  for (let from = 0; from < KEYS; from += 1_000) {
    await redis.pipeline(Array.from({ length: 1_000 }, (_, i) => ["SET", `key:${from + i}`, value]));
  }
  const tracking = await Subject.start(redis, { coherence: "tracking", parallelMax });
  const ttl = await Subject.start(redis, { coherence: "ttl", parallelMax });
  const ms = Number(values.ms);
  try {
    // Long enough for the compiler, and for the tracking table to hold every key.
    for (const subject of [tracking, ttl]) await subject.round(12 * ms);
    for (let pair = 0; pair < Number(values.rounds); pair++) {
      // Whoever comes second finds the machine as the first left it, so they take turns at that too.
      for (const subject of pair % 2 === 0 ? [tracking, ttl] : [ttl, tracking]) {
        subject.rounds.push(await subject.round(ms));
      }
    }
  } finally {
    await tracking.stop();
    await ttl.stop();
  }
  const ratio = (of: (round: Round) => number): number[] =>
    tracking.rounds.map((round, i) => of(round) / of(ttl.rounds[i]));
  const rate = meanOf(ratio((round) => round.fillsPerSecond));
  const row = (name: string, rounds: Round[]): string =>
    `  ${name.padEnd(10)}${spread(rounds.map((round) => round.fillsPerSecond), 0).padEnd(26)}` +
    `${spread(rounds.map((round) => round.cpuUs), 1).padEnd(26)}${spread(rounds.map((round) => round.redisCpuUs), 1)}`;
  return {
    rate,
    lines: [
      `MAX_PARALLEL=${parallelMax}, ${READERS} readers, values of ${VALUE_BYTES} bytes, ${values.rounds} pairs of ${ms} ms`,
      `  ${"".padEnd(10)}${"fills/s".padEnd(26)}${"CPU us/fill".padEnd(26)}Redis CPU us/fill`,
      row("tracking", tracking.rounds),
      row("ttl", ttl.rounds),
      `  ${"ratio".padEnd(10)}${describeMean(rate).padEnd(26)}` +
      `${describeMean(meanOf(ratio((round) => round.cpuUs))).padEnd(26)}` +
      describeMean(meanOf(ratio((round) => round.redisCpuUs))),
    ],
  };
}

const sizes = [await measure(1), await measure(4)];
const isMissed = sizes.some(({ rate }) => rate.to < RATIO_MIN);
const isMet = sizes.every(({ rate }) => rate.from >= RATIO_MIN);
const verdict = isMet ? "met" : isMissed ? "NOT met" : "cannot be told: too much else is going on here";
const text = [
  `command   deno run -A bench/coherence/fill_rate_bench.ts ${Deno.args.join(" ")}`.trimEnd(),
  ...await machine(),
  "median (first and last decile) of all rounds; ratios are tracking / ttl by pair: mean (95 % interval)",
  ...sizes.flatMap(({ lines }) => ["", ...lines]),
  "",
  `target: a rate of at least ${RATIO_MIN} of that without tracking: ${verdict}`,
].join("\n");
console.log(text);
await Deno.mkdir(new URL(".", RESULTS), { recursive: true });
await Deno.writeTextFile(RESULTS, `${text}\n`);
Deno.exit(isMissed ? 1 : 0);
