/**
 * One hot key that expires once a second under many clients: how often is Redis read for each expiry?
 */

import type { RedisServer } from "../../e2e/support/redis_server.ts";
import { writtenTarget } from "../comparison.ts";
import { stepAside } from "../cores.ts";
import { runLoad } from "../load.ts";
import type { Peer } from "../peer.ts";
import { flask } from "../peers/flask.ts";
import { nginx } from "../peers/nginx.ts";
import { proxy } from "../peers/proxy.ts";
import { varnish } from "../peers/varnish.ts";
import { runRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";
import { Site } from "../site.ts";
import { spreadOf, written, writtenSpread } from "../spread.ts";
import { Table } from "../table.ts";
import { keyOf } from "../value.ts";

const clients = 1000;
const valueBytes = 100;
/** Reads that are closer together belong to one expiry: those are a second apart. */
const gapMs = 300;
const lookEveryMs = 10;

interface ExpiryResult {
  readonly requestsPerSecond: number;
  /** Reads of Redis for each expiry. */
  readonly reads: number[];
  readonly commandLine: string;
}

export const hotKeyExpiry: Scenario = {
  name: "hot-key-expiry",
  async run(effort) {
    const seconds = effort.quick ? 4 : 15;
    const key = keyOf("hot", 0);
    await using site = await Site.open();
    await site.fill("hot", { count: 1, valueBytes });
    const ours = proxy({ env: { CACHE_COHERENCE: "ttl" } });
    const peers = await site.start(effort.quick ? [ours, nginx] : [ours, nginx, varnish, flask], {
      entriesMax: 100,
      valueBytes,
      ttlSeconds: 1,
      key,
    });
    await using _aside = await stepAside();
    const outcomes = await runRounds(peers, {
      rounds: effort.quick ? 1 : 3,
      turn: (peer) => measureExpiries(peer, { redis: site.redis, key, seconds }),
    });
    for (const { name, reason } of site.failures) outcomes.set(name, { ok: false, reason });
    const rows = [...outcomes].map(([name, outcome]) => {
      if (!outcome.ok) return [name, `FAILED: ${outcome.reason}`];
      const reads = outcome.results.flatMap((result) => result.reads);
      return [
        name,
        writtenSpread(outcome.results.map((result) => result.requestsPerSecond)),
        `${reads.length}`,
        `${written(spreadOf(reads).median)} (${Math.min(...reads)}–${Math.max(...reads)})`,
      ];
    });
    const proxyOutcome = outcomes.get(ours.name);
    const most = proxyOutcome?.ok ? Math.max(...proxyOutcome.results.flatMap((result) => result.reads)) : null;
    return {
      title: "One hot key that expires every second",
      notes: [
        `${clients} clients ask for one key that each cache keeps for 1 s (the proxy with CACHE_COHERENCE=ttl).`,
        `Redis's own count of GETs is looked at every ${lookEveryMs} ms; reads less than ${gapMs} ms apart belong to one expiry.`,
        "Redis is near and idle here: a slower one lets more requests come while the first read is under way.",
      ],
      tables: [{
        caption: `Reads of Redis for each expiry, ${clients} clients`,
        table: new Table(["peer", "requests/s", "expiries", "reads of Redis/expiry"], rows),
      }],
      findings: [
        writtenTarget({
          text: "most reads of Redis for one expiry, redis-proxy",
          value: most,
          bound: 1,
          is: "exactly",
        }),
      ],
      commands: [
        ...peers.flatMap((peer) => peer.commandLines),
        ...[...outcomes.values()].flatMap((outcome) => outcome.ok ? [outcome.results[0].commandLine] : []),
      ],
    };
  },
};

async function measureExpiries(
  peer: Peer,
  { redis, key, seconds }: { redis: RedisServer; key: string; seconds: number },
): Promise<ExpiryResult> {
  const problemBefore = await peer.problemWith([key]);
  if (problemBefore !== null) throw new Error(problemBefore);
  const load = runLoad({ port: peer.port, pathOf: peer.kind.pathOf }, { keys: { kind: "one", key }, clients, seconds });
  let over = false;
  load.then(() => over = true, () => over = true);
  const reads: number[] = [];
  let [last, lastReadAtMs] = [await redis.commandCalls("get"), -Infinity];
  while (!over) {
    const calls = await redis.commandCalls("get");
    const nowMs = performance.now();
    if (calls > last) {
      if (nowMs - lastReadAtMs > gapMs) reads.push(0);
      reads[reads.length - 1] += calls - last;
      [last, lastReadAtMs] = [calls, nowMs];
    }
    await new Promise((wake) => setTimeout(wake, lookEveryMs));
  }
  const found = await load;
  if (found.badStatus > 0) throw new Error(`${found.badStatus} of ${found.requests} answers were not 200`);
  if (found.socketErrors > 0) throw new Error(`${found.socketErrors} connections failed or timed out`);
  if (found.bytesPerRequest < valueBytes) throw new Error("answers are shorter than the value");
  const problemAfter = await peer.problemWith([key]);
  if (problemAfter !== null) throw new Error(problemAfter);
  if (reads.length === 0) throw new Error("no expiry was seen");
  return { requestsPerSecond: found.requestsPerSecond, reads, commandLine: found.commandLine };
}
