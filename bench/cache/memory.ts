/**
 * Bytes an item held: what the heap and the array buffers of a process grow by, a process for each subject; keys and
 * values are made before and not counted. In brackets the growth of its resident memory, which is what the system sees
 * and which also moves with what the collector does. `full`: filled once. `churned`: then twice as many other keys went
 * through it. `cleared`: after that. The last column: 1,000 items under a bound of 10,000,000, for each of the 1,000.
 *
 *     deno run -A bench/cache/memory.ts [--quick]
 */

import { LRUCache } from "npm:lru-cache@11.5.3";
import { LruTtlCache } from "../../lib/cache/lru_ttl_cache.ts";

interface Subject {
  set(key: string, value: unknown): unknown;
  clear(): void;
}

const ITEMS = Deno.args.includes("--quick") ? 200_000 : 1_000_000;
const FEW_ITEMS = 1_000;
const LARGE_BOUND = 10_000_000;
const TTL_MS = 3_600_000;

const subjects: Record<string, (entriesMax: number) => Subject> = {
  "LruTtlCache": (entriesMax) => new LruTtlCache({ entriesMax, ttlMs: TTL_MS, nowMs: () => 0 }),
  "LruTtlCache, bytes counted": (entriesMax) =>
    new LruTtlCache({ entriesMax, ttlMs: TTL_MS, bytesMax: 2 ** 40, nowMs: () => 0 }),
  "lru-cache, max + ttl": (max) => new LRUCache<string, object>({ max, ttl: TTL_MS }),
  "Map": () => new Map<string, unknown>(),
};

const gc = (globalThis as { gc?: () => void }).gc;

/** Bytes of WebAssembly's memories, which the runtime does not count among its array buffers. */
let mappedBytes = 0;
const unmapped = new FinalizationRegistry<number>((bytes) => mappedBytes -= bytes);
WebAssembly.Memory = class extends WebAssembly.Memory {
  constructor(descriptor: WebAssembly.MemoryDescriptor) {
    super(descriptor);
    mappedBytes += this.buffer.byteLength;
    unmapped.register(this.buffer, this.buffer.byteLength);
  }
};

interface Reading {
  heldBytes: number;
  residentBytes: number;
}

async function read(): Promise<Reading> {
  for (let i = 0; i < 4; i++) {
    gc!();
    // Array buffers that are not reachable any more are freed by a task.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { heapUsed, external, rss } = Deno.memoryUsage();
  return { heldBytes: heapUsed + external + mappedBytes, residentBytes: rss };
}

/** Growth since `before`, for each of `count`. */
function growth(before: Reading, now: Reading, count: number): string {
  const held = (now.heldBytes - before.heldBytes) / count;
  const resident = (now.residentBytes - before.residentBytes) / count;
  return `${held.toFixed(0)} (${resident.toFixed(0)})`;
}

async function measure(name: string): Promise<void> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  const keys = Array.from({ length: 3 * ITEMS }, (_, i) => decoder.decode(encoder.encode(`/user:${i}`)));
  const value = { name: "value" };
  const before = await read();
  const subject = subjects[name](ITEMS);
  for (let i = 0; i < ITEMS; i++) subject.set(keys[i], value);
  const full = growth(before, await read(), ITEMS);
  for (let i = ITEMS; i < 3 * ITEMS; i++) {
    if (subject instanceof Map) subject.delete(keys[i - ITEMS]);
    subject.set(keys[i], value);
  }
  const churned = growth(before, await read(), ITEMS);
  subject.clear();
  const cleared = growth(before, await read(), ITEMS);
  const beforeFew = await read();
  const few = subjects[name](LARGE_BOUND);
  for (let i = 0; i < FEW_ITEMS; i++) few.set(keys[i], value);
  const fewItems = growth(beforeFew, await read(), FEW_ITEMS);
  few.clear();
  console.log(name.padEnd(28) + [full, churned, cleared, fewItems].map((text) => text.padStart(18)).join(""));
}

if (gc !== undefined) await measure(Deno.args[0]);
else {
  console.log(`deno ${Deno.version.deno}; bytes an item at ${ITEMS} items, keys and values excluded`);
  const columns = ["full", "churned", "cleared", `${FEW_ITEMS} of ${LARGE_BOUND}`];
  console.log("".padEnd(28) + columns.map((column) => column.padStart(18)).join(""));
  for (const name of Object.keys(subjects)) {
    await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--v8-flags=--expose-gc", import.meta.filename!, name, ...Deno.args],
      stdout: "inherit",
      stderr: "inherit",
    }).output();
  }
}
