/**
 * A read-through behind a bare `Deno.serve`, with a chosen number of keys a batch: the proxy has no setting for it.
 *
 * Arguments: port, port of Redis, most keys in one round trip. One round trip at a time, as with MAX_PARALLEL=1.
 */

import { LruTtlCache } from "../lib/cache/lru_ttl_cache.ts";
import { Clock } from "../lib/clock.ts";
import { newCounters } from "../lib/metrics/counters.ts";
import { keyFromBytes } from "../lib/protocol/key.ts";
import type { Item } from "../lib/read_through/item.ts";
import { ReadThrough } from "../lib/read_through/read_through.ts";
import { RedisSource } from "../lib/redis/redis_source.ts";

const [port, redisPort, batchKeysMax] = Deno.args.map(Number);
const ttlMs = 3_600_000;
const timeoutMs = 5_000;
const clock = new Clock();
const encoder = new TextEncoder();

const source = new RedisSource({
  address: { host: "127.0.0.1", port: redisPort, tls: false, username: null, password: null, database: 0 },
  coherence: "tracking",
  timeoutMs,
});
const readThrough = new ReadThrough({
  clock,
  source,
  counters: newCounters(),
  cache: new LruTtlCache<Item>({ entriesMax: 1024, ttlMs, nowMs: () => clock.nowMs }),
  absent: null,
  itemBytesMax: 2 ** 20,
  ttlMs,
  negativeTtlMs: 0,
  staleTtlMs: 0,
  timeoutMs,
  parallelMax: 1,
  batchKeysMax,
});
source.start(readThrough);

Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, async (request) => {
  clock.tick();
  const name = request.url.slice(request.url.indexOf("/get/") + "/get/".length);
  const key = keyFromBytes(encoder.encode(name));
  const held = readThrough.hit(key);
  if (held !== undefined) return new Response(held.body);
  const answer = await readThrough.read(key);
  return answer.kind === "fill" ? new Response(answer.item.body) : new Response(answer.kind, { status: 503 });
});
