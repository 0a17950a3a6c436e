/**
 * From the start of the process to its first right answer; and the size of the executable.
 */

import type { PeerKind } from "../peer.ts";
import { Peer } from "../peer.ts";
import { flask } from "../peers/flask.ts";
import { nginx } from "../peers/nginx.ts";
import { proxy } from "../peers/proxy.ts";
import { varnish } from "../peers/varnish.ts";
import { webdis } from "../peers/webdis.ts";
import { runRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";
import { Site } from "../site.ts";
import { writtenSpread } from "../spread.ts";
import { Table } from "../table.ts";
import { keyOf } from "../value.ts";

const valueBytes = 100;
const executable = new URL("../../dist/redis-proxy", import.meta.url);

export const startUp: Scenario = {
  name: "start-up",
  async run(effort) {
    await using site = await Site.open();
    await site.fill("start", { count: 1, valueBytes });
    const bytes = await sizeOf(executable);
    const ours = proxy({ name: bytes === null ? "redis-proxy (deno run)" : "redis-proxy (executable)" });
    const kinds: PeerKind[] = [ours, nginx, webdis, varnish, flask];
    const outcomes = await runRounds(kinds, {
      rounds: effort.quick ? 3 : 15,
      turn: async (kind) => {
        await using peer = await Peer.start(kind, {
          redisPort: site.redis.port,
          entriesMax: 1024,
          valueBytes,
          ttlSeconds: 3600,
          key: keyOf("start", 0),
          pinned: false,
          everyMs: 1,
        });
        return { firstAnswerMs: peer.firstAnswerMs, memoryMiB: peer.tree.memoryBytes / 2 ** 20 };
      },
    });
    const rows = [...outcomes].map(([name, outcome]) =>
      outcome.ok
        ? [
          name,
          writtenSpread(outcome.results.map((result) => result.firstAnswerMs)),
          writtenSpread(outcome.results.map((result) => result.memoryMiB)),
        ]
        : [name, `FAILED: ${outcome.reason}`]
    );
    return {
      title: "Start-up",
      notes: [
        "From the start of the process, with its working folder made and its files warm in memory, to the first right answer",
        "over HTTP for a key that is in Redis, asked for every 1 to 2 ms; on all cores.",
      ],
      tables: [{
        caption: "Time to the first right answer",
        table: new Table(["peer", "first answer ms", "memory then MiB"], rows),
      }],
      findings: [
        bytes === null
          ? "size of the executable: not measured, dist/redis-proxy is not there (`make build`)"
          : `size of the executable: ${(bytes / 2 ** 20).toFixed(1)} MiB`,
      ],
      commands: [],
    };
  },
};

async function sizeOf(file: URL): Promise<number | null> {
  try {
    return (await Deno.stat(file)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
