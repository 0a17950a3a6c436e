/**
 * The longest single operation of the cache, with 1,000 to 1,000,000 items: while it fills, while keys come and go,
 * when all items have expired at one instant, and the same with a different TTL for each item, which makes the wheel
 * work.
 *
 *     deno run -A --v8-flags=--expose-gc bench/cache/worst_case.ts [--quick]
 *
 * Each case runs several times, step by step the same, and of each operation the shortest of its times counts; the
 * longest of these is the figure. What the structure costs comes back at the same operation each time; being preempted
 * does not. Nor does a pause of the garbage collector, because before each case a random amount of garbage is made, so
 * that the collector strikes elsewhere in each round (without it, it came back at the same operations, as what it
 * reacts to comes back). The longest time of all, with everything that the machine did meanwhile, stands beside it.
 */

import { LruTtlCache } from "../../lib/cache/lru_ttl_cache.ts";

const isQuick = Deno.args.includes("--quick");
const SIZES = isQuick ? [1_000, 100_000] : [1_000, 10_000, 100_000, 1_000_000];
const ROUNDS = isQuick ? 3 : 7;
const VALUE = { name: "value" };
const TTL_MS = 3_600_000;

/** For each case the time of each operation, in ms: the shortest of the rounds, and the longest of all. */
type Cases = Record<string, { shortestMs: Float64Array; longestMs: number }>;

const flatten = new TextDecoder();
const bytesOf = new TextEncoder();

/** Keys as they come from a parser: flat strings, not concatenations. */
function keysOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => flatten.decode(bytesOf.encode(`/user:${i}`)));
}

let garbage: unknown[] = [];

/** Collects, then makes up to 8 MB of young objects and up to 32 MB of array buffers: what the collector reacts to. */
function shake(): void {
  garbage = [];
  (globalThis as { gc?: () => void }).gc?.();
  for (let left = Math.random() * 2 ** 10; left > 0; left--) garbage.push(new Array(2 ** 10).fill(undefined));
  for (let left = Math.random() * 2 ** 5; left > 0; left--) garbage.push(new Uint8Array(2 ** 20));
}

/** Times `operation` for each number below `count` and enters it under `name`. */
function time(
  cases: Cases,
  name: string,
  { count, operation }: { count: number; operation: (i: number) => void },
): void {
  shake();
  const entry = cases[name] ??= { shortestMs: new Float64Array(count).fill(Infinity), longestMs: 0 };
  for (let i = 0; i < count; i++) {
    const startMs = performance.now();
    operation(i);
    const elapsedMs = performance.now() - startMs;
    if (elapsedMs < entry.shortestMs[i]) entry.shortestMs[i] = elapsedMs;
    if (elapsedMs > entry.longestMs) entry.longestMs = elapsedMs;
  }
}

function measure(cases: Cases, { size, keys }: { size: number; keys: string[] }): void {
  let timeMs = 0;
  const options = { entriesMax: size, ttlMs: TTL_MS, nowMs: () => timeMs };

  const cache = new LruTtlCache<unknown>(options);
  time(cases, "set, filling", { count: size, operation: (i) => cache.set(keys[i], VALUE) });
  time(cases, "get, hits", { count: size, operation: (i) => cache.get(keys[i]) });
  time(cases, "set, full: one evicted", { count: size, operation: (i) => cache.set(keys[size + i], VALUE) });
  timeMs += TTL_MS;
  time(cases, "set, all dead", { count: size, operation: (i) => cache.set(keys[i], VALUE) });
  timeMs += TTL_MS;
  time(cases, "get, all dead", { count: size, operation: (i) => cache.get(keys[i]) });

  const mixed = new LruTtlCache<unknown>(options);
  for (let i = 0; i < size; i++) mixed.set(keys[i], VALUE, { ttlMs: 1_000_000 + ((i * 7_919) % 1_000_000) });
  timeMs += 1_000_000;
  time(cases, "set, wheel drains", {
    count: size,
    operation: (i) => {
      timeMs += 1_000_000 / size;
      mixed.set(keys[size + i], VALUE, { ttlMs: 1_000_000 + ((i * 7_919) % 1_000_000) });
    },
  });
  timeMs += 2_000_000;
  time(cases, "set, wheel all dead", {
    count: size,
    operation: (i) => mixed.set(keys[i], VALUE, { ttlMs: 2_000 }),
  });

  const jumpy = new LruTtlCache<unknown>(options);
  for (let i = 0; i < size; i++) jumpy.set(keys[i], VALUE, { ttlMs: TTL_MS * 2 + i });
  time(cases, "set, clock to and fro", {
    count: size,
    operation: (i) => {
      timeMs += i % 2 === 0 ? TTL_MS : -TTL_MS;
      jumpy.set(keys[i], VALUE, { ttlMs: TTL_MS * 2 + (i % 1_000) });
    },
  });
}

/** What every other cache here is built on, for comparison. */
function measureMap(cases: Cases, { size, keys }: { size: number; keys: string[] }): void {
  const map = new Map<string, unknown>();
  time(cases, "set, filling", { count: size, operation: (i) => map.set(keys[i], VALUE) });
  time(cases, "set, full: one evicted", {
    count: 2 * size,
    operation: (i) => {
      map.delete(keys[i]);
      map.set(keys[(size + i) % keys.length], VALUE);
    },
  });
}

function table(title: string, results: Map<number, Cases>): void {
  const sizes = [...results.keys()];
  console.log(`\n${title}: longest single operation, ms (in brackets: with what the machine did meanwhile)`);
  console.log("".padEnd(24) + sizes.map((size) => `${size} items`.padStart(20)).join(""));
  for (const name of Object.keys(results.get(sizes[0])!)) {
    const cells = sizes.map((size) => {
      const { shortestMs, longestMs } = results.get(size)![name];
      return `${shortestMs.reduce((a, b) => Math.max(a, b)).toFixed(3)} (${longestMs.toFixed(2)})`.padStart(20);
    });
    console.log(name.padEnd(24) + cells.join(""));
  }
}

const ours = new Map<number, Cases>();
const bare = new Map<number, Cases>();
const allKeys = keysOf(2 * Math.max(...SIZES));
measure({}, { size: 20_000, keys: allKeys.slice(0, 40_000) });
// One cache stays alive: when the last object of its shape is collected, the compiled code goes as well.
const kept = new LruTtlCache<unknown>({ entriesMax: 1, ttlMs: TTL_MS });
kept.set("kept", VALUE);
for (const size of SIZES) {
  const keys = allKeys.slice(0, 2 * size);
  ours.set(size, {});
  bare.set(size, {});
  for (let round = 0; round < ROUNDS; round++) {
    measure(ours.get(size)!, { size, keys });
    measureMap(bare.get(size)!, { size, keys });
  }
}
console.log(`deno ${Deno.version.deno}, v8 ${Deno.version.v8}; ${ROUNDS} rounds`);
if (kept.get("kept") !== VALUE) throw new Error("Cannot go on: the cache that stays alive is needed: received none");
table("LruTtlCache", ours);
table("Map, bare", bare);
