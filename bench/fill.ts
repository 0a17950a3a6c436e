/**
 * Numbered keys with their values, written into Redis.
 */

import type { RedisServer } from "../e2e/support/redis_server.ts";
import { keyOf, valueOf } from "./value.ts";

/** Most bytes of values, and most keys, written in one pipeline. */
const pipelineBytes = 4 * 2 ** 20;
const pipelineKeys = 5_000;

/** Sets `count` keys, the first of which has the number `at`. */
export async function fill(
  redis: RedisServer,
  { prefix, count, valueBytes, at = 0 }: { prefix: string; count: number; valueBytes: number; at?: number },
): Promise<void> {
  const each = Math.max(1, Math.min(pipelineKeys, Math.floor(pipelineBytes / valueBytes)));
  for (let from = at; from < at + count; from += each) {
    const keys = Array.from({ length: Math.min(each, at + count - from) }, (_, i) => keyOf(prefix, from + i));
    await redis.pipeline(keys.map((key) => ["SET", key, valueOf(key, valueBytes)]));
  }
}
