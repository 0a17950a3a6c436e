/**
 * Cold misses: every request is for a key that nobody holds.
 */

import { compare } from "../compare.ts";
import { commandLines, comparisonTable, pairedRatio, roundsNote, writtenTarget } from "../comparison.ts";
import { flask } from "../peers/flask.ts";
import { nginx } from "../peers/nginx.ts";
import { proxy } from "../peers/proxy.ts";
import { webdis } from "../peers/webdis.ts";
import type { Scenario } from "../scenario.ts";
import { Site } from "../site.ts";
import { keyOf } from "../value.ts";

const clients = 64;
const valueBytes = 100;
/** Held by each: far below the number of keys, which are asked for in a circle, so none is held when its turn comes. */
const entriesMax = 1024;
const readsPerRequestMin = 0.99;

export const coldMisses: Scenario = {
  name: "cold-misses",
  async run(effort) {
    const count = effort.quick ? 50_000 : 300_000;
    await using site = await Site.open();
    await site.fill("cold", { count, valueBytes });
    const one = proxy({ name: "redis-proxy, MAX_PARALLEL=1", env: { MAX_PARALLEL: "1" } });
    const four = proxy({ name: "redis-proxy, MAX_PARALLEL=4", env: { MAX_PARALLEL: "4" } });
    const peers = await site.start(effort.quick ? [one, four, webdis, nginx] : [one, four, webdis, nginx, flask], {
      entriesMax,
      valueBytes,
      ttlSeconds: 3600,
      key: keyOf("cold", count - 1),
    });
    const outcomes = await compare(peers, {
      site,
      effort,
      // On from where the last turn ended: what it asked for last would still be held.
      load: (requestsBefore) => ({
        keys: { kind: "each", prefix: "cold", count, start: requestsBefore % count },
        clients,
      }),
      samples: [0, 1, count / 2].map((number) => keyOf("cold", number)),
    });
    for (const [name, outcome] of outcomes) {
      if (!outcome.ok) continue;
      const fewest = Math.min(...outcome.results.map((turn) => turn.readsPerRequest));
      if (fewest >= readsPerRequestMin) continue;
      outcomes.set(name, { ok: false, reason: `not cold: only ${fewest.toFixed(3)} reads of Redis a request` });
    }
    const rate = (name: string) =>
      pairedRatio(outcomes.get(name), outcomes.get(webdis.name), (turn) => turn.requestsPerSecond);
    return {
      title: "Cold misses",
      notes: [
        roundsNote(effort),
        `${count} keys in a circle, each cache holds ${entriesMax}: everything is read from Redis. The proxy reads GET and PTTL,`,
        "the others GET alone. webdis and nginx send each request to Redis at once, over as many connections as there are",
        "requests; the proxy uses one connection, and has at most MAX_PARALLEL batches under way.",
        `MAX_PARALLEL is capped at 2 x cores, ${2 * navigator.hardwareConcurrency} here.`,
      ],
      tables: [{
        caption: `Cold misses of ${valueBytes} B, ${clients} clients`,
        table: comparisonTable(outcomes, { reads: true }),
      }],
      findings: [
        writtenTarget({
          text: "rate with MAX_PARALLEL=1 / webdis's",
          value: rate(one.name),
          bound: 0.5,
          is: "at least",
        }),
        writtenTarget({
          text: "rate with MAX_PARALLEL=4 / webdis's",
          value: rate(four.name),
          bound: 1,
          is: "at least",
        }),
      ],
      commands: [...peers.flatMap((peer) => peer.commandLines), ...commandLines(outcomes)],
    };
  },
};
