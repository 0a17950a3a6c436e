/**
 * Reads while a writer changes the same keys in Redis.
 */

import type { RedisServer } from "../../e2e/support/redis_server.ts";
import { RespClient } from "../../e2e/support/resp_client.ts";
import { compare, type Subject } from "../compare.ts";
import { commandLines, comparisonTable, roundsNote } from "../comparison.ts";
import type { Peer } from "../peer.ts";
import { proxy } from "../peers/proxy.ts";
import { webdis } from "../peers/webdis.ts";
import type { Scenario } from "../scenario.ts";
import { Site } from "../site.ts";
import { keyOf, valueOf } from "../value.ts";

const clients = 64;
const valueBytes = 100;
const count = 1_000;
const tickMs = 10;
/** An invalidation may be on its way for this long after the write's reply: then the new value must be read. */
const settleMs = 50;

/** What the writers did, over all turns. */
interface Tally {
  writes: number;
  writingMs: number;
  checks: number;
  stale: number;
}

export const invalidations: Scenario = {
  name: "invalidations",
  async run(effort) {
    await using site = await Site.open();
    await site.fill("inv", { count, valueBytes });
    const peers = await site.start(effort.quick ? [proxy()] : [proxy(), webdis], {
      entriesMax: 2 * count,
      valueBytes,
      ttlSeconds: 3600,
      key: keyOf("inv", 0),
    });
    const rates = effort.quick ? [0, 1_000] : [0, 100, 1_000, 10_000];
    const tallies = new Map<string, Tally>();
    const subjects = peers.flatMap((peer) =>
      rates.filter((rate) => peer.name !== webdis.name || rate === 0 || rate === 1_000).map((rate): Subject => {
        const name = `${peer.name}, ${rate} writes/s`;
        const tally: Tally = { writes: 0, writingMs: 0, checks: 0, stale: 0 };
        if (rate > 0) tallies.set(name, tally);
        const meanwhile = (over: AbortSignal) => write(over, { redis: site.redis, peer, rate, tally });
        return rate === 0 ? { name, peer } : { name, peer, meanwhile };
      })
    );
    const outcomes = await compare(subjects, {
      site,
      effort,
      load: (requestsBefore) => ({ keys: { kind: "uniform", prefix: "inv", count, start: requestsBefore }, clients }),
      samples: Array.from({ length: 20 }, (_, i) => keyOf("inv", i * 47)),
    });
    return {
      title: "Reads while a writer changes the same keys",
      notes: [
        roundsNote(effort),
        `${count} keys of ${valueBytes} B, read evenly by ${clients} clients over HTTP, all of them held; one writer SETs keys among them.`,
        `About every ${
          2 * settleMs
        } ms one key is written, and read ${settleMs} ms after the write's reply: an older value fails the peer.`,
        "After each turn all keys get their first value again, and 20 of them must be answered with it; so each turn begins with",
        `a cache that was emptied by invalidations, and ${count} reads of Redis belong to that.`,
      ],
      tables: [{
        caption: `Reads under writes, ${clients} clients`,
        table: comparisonTable(outcomes, { reads: true }),
      }],
      findings: [...tallies].map(([name, { writes, writingMs, checks, stale }]) =>
        `${name}: ${
          Math.round(writes / (writingMs / 1000))
        } writes/s were made; ${checks} reads after a write, ${stale} of them old`
      ),
      commands: [...peers.flatMap((peer) => peer.commandLines), ...commandLines(outcomes)],
    };
  },
};

/** Writes until the load is over, then gives every key its value back. Throws when an old value was read. */
async function write(
  over: AbortSignal,
  { redis, peer, rate, tally }: { redis: RedisServer; peer: Peer; rate: number; tally: Tally },
): Promise<void> {
  using client = await RespClient.connect(redis.port);
  const staleBefore = tally.stale;
  const checking = check(over, { redis, peer, tally });
  const startedAtMs = performance.now();
  let written = 0;
  while (!over.aborted) {
    const due = Math.floor((performance.now() - startedAtMs) / 1000 * rate) - written;
    if (due > 0) {
      // The last key is the checker's.
      const keys = Array.from({ length: due }, (_, i) => keyOf("inv", (written + i) * 7 % (count - 1)));
      await client.pipeline(keys.map((key) => ["SET", key, valueOf(`${written}:${key}`, valueBytes)]));
      written += due;
    }
    await new Promise((wake) => setTimeout(wake, tickMs));
  }
  tally.writes += written;
  tally.writingMs += performance.now() - startedAtMs;
  await checking;
  const all = Array.from({ length: count }, (_, number) => keyOf("inv", number));
  await client.pipeline(all.map((key) => ["SET", key, valueOf(key, valueBytes)]));
  await new Promise((wake) => setTimeout(wake, settleMs));
  if (tally.stale > staleBefore) throw new Error(`${tally.stale - staleBefore} old values were read after a write`);
}

async function check(
  over: AbortSignal,
  { redis, peer, tally }: { redis: RedisServer; peer: Peer; tally: Tally },
): Promise<void> {
  using client = await RespClient.connect(redis.port);
  const key = keyOf("inv", count - 1);
  for (let version = 0; !over.aborted; version++) {
    const value = valueOf(`version ${version}`, valueBytes);
    await client.command("SET", key, value);
    await new Promise((wake) => setTimeout(wake, settleMs));
    tally.checks++;
    if (await peer.get(key) !== value) tally.stale++;
    await new Promise((wake) => setTimeout(wake, settleMs));
  }
}
