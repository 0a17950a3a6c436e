/**
 * The cache beside what people install, and beside a bare `Map` as the floor, at three sizes.
 *
 *     deno run -A --v8-flags=--max-old-space-size=8000 bench/cache/throughput.ts [--quick] [--suffix]
 *
 * `get-or-set`: keys drawn by zipf (0.99) from four times as many as fit, a miss is followed by a set. `hits`: the same
 * draw over keys that are all there. All subjects are warm, hold the same keys and do the same draws, by turns; a ratio
 * is the median of the rounds' ratios to `lru-cache`; on a busy machine the least times say more. Keys are flat
 * strings, as they come from a parser: `/user:N`, and with `--suffix` `/user:N:profile`, which our cache cannot tell
 * apart by samples and hashes whole.
 *
 * Clocks: `lru-cache` reads its own once a millisecond by a timer, which in this loop is once; ours is handed one that
 * is read once a round, as the proxy reads one per request. With its default clock, `performance.now` at each
 * operation, add what that costs (80 to 90 ns here).
 *
 * `@isaacs/ttlcache` takes part up to 1,000 items: when full it enumerates its deadlines at each set, and 100,000 items
 * did not finish in ten minutes.
 */

import { TTLCache } from "npm:@isaacs/ttlcache@2.1.5";
import { LRUCache } from "npm:lru-cache@11.5.3";
import { LRUMap } from "npm:mnemonist@0.40.8";
import { lru } from "npm:tiny-lru@13.1.0";
import { LruTtlCache } from "../../lib/cache/lru_ttl_cache.ts";

interface Subject {
  get(key: string): unknown;
  set(key: string, value: unknown): unknown;
}

const isQuick = Deno.args.includes("--quick");
const SIZES = isQuick ? [1_000, 100_000] : [1_000, 100_000, 1_000_000];
const ROUNDS = isQuick ? 3 : 7;
const TTL_MS = 3_600_000;
const KEYS_PER_ITEM = 4;
const ZIPF = 0.99;
const VALUE = { name: "value" };
const SUFFIX = Deno.args.includes("--suffix") ? ":profile" : "";

const TTLCACHE = "@isaacs/ttlcache";
const TTLCACHE_SIZE_MAX = 1_000;

const clock = { nowMs: 0 };

const subjects: Record<string, (size: number) => Subject> = {
  "lru-cache, max + ttl": (size) => new LRUCache<string, object>({ max: size, ttl: TTL_MS }),
  "LruTtlCache": (size) => new LruTtlCache({ entriesMax: size, ttlMs: TTL_MS, nowMs: () => clock.nowMs }),
  "mnemonist LRUMap, no ttl": (size) => new LRUMap<string, unknown>(size),
  "tiny-lru, max + ttl": (size) => lru(size, TTL_MS),
  [TTLCACHE]: (size) => new TTLCache<string, unknown>({ max: size, ttl: TTL_MS, checkAgeOnGet: true }),
  "Map, unbounded": () => new Map<string, unknown>(),
};

/** Pseudo-random numbers from 0 up to 1, the same each time (xorshift32). */
let state = 2_463_534_242 | 0;
function random(): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
}

function zipfDraws(count: number, ranks: number): Int32Array {
  const sums = new Float64Array(ranks);
  let sum = 0;
  for (let i = 0; i < ranks; i++) sums[i] = sum += 1 / (i + 1) ** ZIPF;
  return Int32Array.from({ length: count }, () => {
    const at = random() * sum;
    let low = 0;
    let high = ranks - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle] < at) low = middle + 1;
      else high = middle;
    }
    return low;
  });
}

/** Flat strings in an order that has nothing to do with how often they are drawn. */
function keysOf(count: number): string[] {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const keys = Array.from({ length: count }, (_, i) => decoder.decode(encoder.encode(`/user:${i}${SUFFIX}`)));
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [keys[i], keys[j]] = [keys[j], keys[i]];
  }
  return keys;
}

type Loop = (subject: Subject, draws: Int32Array, keys: string[], value: unknown) => number;

/** A loop of its own for each subject, so that the compiler sees one shape in it. */
function loopOf(name: string, body: string): Loop {
  return new Function(
    "subject",
    "draws",
    "keys",
    "value",
    `/* ${name} */ let hits = 0;
    for (let i = 0; i < draws.length; i++) { const key = keys[draws[i]]; ${body} }
    return hits;`,
  ) as Loop;
}

function median(numbers: number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
}

function measure(title: string, size: number, { keys, body }: { keys: string[]; body: string }): void {
  const count = isQuick ? 500_000 : Math.max(1_000_000, size);
  const all = zipfDraws(count * (ROUNDS + 1), keys.length);
  const draws = Array.from({ length: ROUNDS }, (_, round) => all.subarray(round * count, (round + 1) * count));
  const warmUp = all.subarray(ROUNDS * count);

  const taking = Object.entries(subjects).filter(([name]) => name !== TTLCACHE || size <= TTLCACHE_SIZE_MAX);
  const runs = taking.map(([name, make]) => {
    const subject = make(size);
    const loop = loopOf(`${title} ${size} ${name}`, body);
    for (let i = Math.min(size, keys.length) - 1; i >= 0; i--) subject.set(keys[i], VALUE);
    for (let i = 0; i < 2; i++) loop(subject, warmUp, keys, VALUE);
    return { name, subject, loop, nsPerOperation: [] as number[], hits: 0 };
  });
  for (const round of draws) {
    clock.nowMs = performance.now();
    for (const run of runs) {
      const startMs = performance.now();
      run.hits = run.loop(run.subject, round, keys, VALUE) / count;
      run.nsPerOperation.push((performance.now() - startMs) * 1e6 / count);
    }
  }
  const row = (cells: string[]): void =>
    console.log(cells.map((cell, i) => i === 0 ? cell.padEnd(32) : cell.padStart(13)).join(""));
  console.log();
  row([`${title}, ${size} items`, "ns/op", "x lru-cache", "least ns/op", "x lru-cache", "hits"]);
  const leastOfFirst = Math.min(...runs[0].nsPerOperation);
  for (const { name, nsPerOperation, hits } of runs) {
    const least = Math.min(...nsPerOperation);
    const ratio = median(nsPerOperation.map((ns, round) => runs[0].nsPerOperation[round] / ns));
    const cells = [
      median(nsPerOperation).toFixed(1),
      ratio.toFixed(2),
      least.toFixed(1),
      (leastOfFirst / least).toFixed(2),
    ];
    row([`  ${name}`, ...cells, `${(hits * 100).toFixed(0)}%`]);
  }
  for (const { subject } of runs) if (subject instanceof TTLCache) subject.cancelTimer();
}

console.log(`deno ${Deno.version.deno}, v8 ${Deno.version.v8}; ${ROUNDS} rounds by turns, medians`);
for (const size of SIZES) {
  const keys = keysOf(size * KEYS_PER_ITEM);
  measure("get-or-set", size, {
    keys,
    body: "if (subject.get(key) === undefined) subject.set(key, value); else hits++;",
  });
  measure("hits", size, { keys: keys.slice(0, size), body: "if (subject.get(key) !== undefined) hits++;" });
}
