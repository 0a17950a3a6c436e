/**
 * What the statistics cost, in this process and without sockets: `deno bench -A bench/stats_bench.ts`.
 */

import { LruTtlCache } from "../lib/cache/lru_ttl_cache.ts";
import { Clock } from "../lib/clock.ts";
import { HISTORY_SECONDS, HOT_KEY_BYTES_MAX, HOT_KEYS_COUNTED_PER_SHOWN } from "../lib/limits.ts";
import { newCounters } from "../lib/metrics/counters.ts";
import type { Key } from "../lib/protocol/key.ts";
import type { Item } from "../lib/read_through/item.ts";
import { ReadThrough } from "../lib/read_through/read_through.ts";
import { HotKeys } from "../lib/stats/hot_keys.ts";
import { RecentDurations } from "../lib/stats/recent_durations.ts";
import { Statistics } from "../lib/stats/statistics.ts";

const KEYS = 1_000;
const keys: Key[] = Array.from({ length: KEYS }, (_, i) => `/bench:${String(i).padStart(7, "0")}`);

const clock = new Clock();
const counters = newCounters();

/** A read-through that holds all keys. */
async function heldByAll(hitWatch?: Statistics["hitWatch"]): Promise<ReadThrough> {
  const readThrough = new ReadThrough({
    clock,
    source: {
      read: (asked) =>
        Promise.resolve(asked.map(() => ({ kind: "value", bytes: new Uint8Array(100), remainingMs: null }))),
      caughtUp: () => Promise.resolve(),
    },
    counters,
    cache: new LruTtlCache<Item>({ entriesMax: KEYS, ttlMs: 3_600_000, nowMs: () => clock.nowMs }),
    absent: null,
    itemBytesMax: 1_000_000,
    ttlMs: 3_600_000,
    negativeTtlMs: 0,
    staleTtlMs: 0,
    timeoutMs: 60_000,
    parallelMax: 1,
    hitWatch,
  });
  readThrough.connected({ tracked: true });
  await Promise.all(keys.map((key) => readThrough.read(key)));
  readThrough.close();
  return readThrough;
}

const statistics = new Statistics({
  clock,
  counters,
  gauges: () => ({
    removals: { expired: 1, evicted: 2, deleted: 3, replaced: 4, cleared: 5 },
    itemsHeld: KEYS,
    itemsMax: KEYS,
    bytesHeld: 1_000_000,
    bytesMax: 2_000_000,
    absencesHeld: 0,
    flights: 0,
    clients: 0,
    connections: 0,
    connectionsEnded: 0,
    redisUp: true,
    tracked: true,
    untrackedSeconds: 0,
    trackingTableKeys: 0,
    trackingTableKeysMax: 0,
  }),
  redis: () => ({ state: "up", coherence: "tracking" }),
  hotKeysShown: 20,
  settings: {},
  clientsMax: 2_048,
  version: "0.0.0",
});
const unwatched = await heldByAll();
const watched = await heldByAll(statistics.hitWatch);
// As in a process that is long up and busy: a full history, all counters of the sketch in use, one hit in many looked at.
for (const key of keys) watched.hit(key);
for (let i = 0; i < HISTORY_SECONDS; i++) {
  counters.http.hit += 60_000;
  statistics.look();
}

let next = 0;

Deno.bench("a hit, unwatched", { group: "hit", baseline: true }, () => {
  unwatched.hit(keys[next++ % KEYS]);
});

Deno.bench("a hit, watched: one in 60 is looked at", { group: "hit" }, () => {
  watched.hit(keys[next++ % KEYS]);
});

const sketch = new HotKeys({ countersMax: 20 * HOT_KEYS_COUNTED_PER_SHOWN, keyBytesMax: HOT_KEY_BYTES_MAX });
const durations = new RecentDurations(10);

Deno.bench("a key is counted that is among the hot ones", () => {
  sketch.add(keys[next++ % 100], 60);
});

Deno.bench("a key is counted in place of another", () => {
  sketch.add(keys[next++ % KEYS], 60);
});

Deno.bench("a duration is counted", () => {
  durations.add(next++ % 1_000);
});

Deno.bench("once a second: a look", () => {
  statistics.look();
});

Deno.bench("once a second while pages are open: an event", () => {
  JSON.stringify({ ...statistics.snapshot(), latest: statistics.latest() });
});

Deno.bench("when a page is opened, or /stats asked for: everything", () => {
  JSON.stringify(statistics.all());
});
