/**
 * Fills over a link of 1 ms: batches of up to 128 keys against batches of one. Both by `batching_server.ts`.
 *
 *   wrk, 64 clients ──▶ Deno.serve + ReadThrough ──▶ middleman, + 1 ms ──▶ Redis
 */

import { fileURLToPath } from "node:url";
import { eventually } from "../e2e/support/eventually.ts";
import { freePort } from "../e2e/support/free_port.ts";
import { BATCH_KEYS_MAX } from "../lib/limits.ts";
import { compare } from "./compare.ts";
import { commandLines, comparisonTable, pairedRatio, roundsNote, writtenTarget } from "./comparison.ts";
import { redisCore } from "./cores.ts";
import type { PeerKind } from "./peer.ts";
import { peerOf } from "./peers/programs.ts";
import { ProcessTree } from "./process_tree.ts";
import { Program } from "./program.ts";
import { runScenarios } from "./runner.ts";
import type { Scenario } from "./scenario.ts";
import { Site } from "./site.ts";
import { keyOf } from "./value.ts";

const clients = 64;
const valueBytes = 100;
const roundTripMs = 1;

export const batching: Scenario = {
  name: "batching",
  async run(effort) {
    const count = effort.quick ? 30_000 : 100_000;
    await using site = await Site.open();
    await site.fill("link", { count, valueBytes });
    await using link = await Program.start(Deno.execPath(), {
      args: ["run", "-A", pathOf("middleman.ts"), `${site.redis.port}`, `${roundTripMs}`],
    });
    const linkPort = await eventually(() => Number(link.lastLines) || Promise.reject(new Error(link.lastLines)));
    await new ProcessTree([link.pid]).pin(redisCore);
    const many = serverWith({ batchKeysMax: BATCH_KEYS_MAX, linkPort });
    const one = serverWith({ batchKeysMax: 1, linkPort });
    const peers = await site.start([many, one], {
      entriesMax: 1024,
      valueBytes,
      ttlSeconds: 3600,
      key: keyOf("link", count - 1),
    });
    const outcomes = await compare(peers, {
      site,
      effort,
      // On from where the last turn ended: what it asked for last would still be held.
      load: (requestsBefore) => ({
        keys: { kind: "each", prefix: "link", count, start: requestsBefore % count },
        clients,
      }),
      samples: [0, 1, count / 2].map((number) => keyOf("link", number)),
    });
    const ratio = pairedRatio(outcomes.get(many.name), outcomes.get(one.name), (turn) => turn.requestsPerSecond);
    return {
      title: "Fills over a link of 1 ms",
      notes: [
        roundsNote(effort),
        `Cold misses of ${valueBytes} B, one round trip at a time; each takes ${roundTripMs} ms longer than on loopback.`,
      ],
      tables: [{
        caption: `Cold misses with a round trip of ${roundTripMs} ms, ${clients} clients`,
        table: comparisonTable(outcomes, { reads: true }),
      }],
      findings: [
        writtenTarget({
          text: `rate with batches of up to ${BATCH_KEYS_MAX} / with batches of one`,
          value: ratio,
          bound: 5,
          is: "at least",
        }),
      ],
      commands: [link.commandLine, ...peers.flatMap((peer) => peer.commandLines), ...commandLines(outcomes)],
    };
  },
};

function serverWith({ batchKeysMax, linkPort }: { batchKeysMax: number; linkPort: number }): PeerKind {
  return {
    name: batchKeysMax === 1 ? "batches of one" : `batches of up to ${batchKeysMax}`,
    pathOf: (key) => `/get/${key}`,
    async start() {
      const port = freePort();
      const config = ["--config", pathOf("../deno.json")];
      const words = [pathOf("batching_server.ts"), `${port}`, `${linkPort}`, `${batchKeysMax}`];
      return peerOf([await Program.start(Deno.execPath(), { args: ["run", "-A", ...config, ...words] })], { port });
    },
  };
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

if (import.meta.main) Deno.exit(await runScenarios([batching], { quick: Deno.args.includes("--quick") }));
