/**
 * Resident memory with few and with many items.
 */

import { freePort } from "../../e2e/support/free_port.ts";
import { RedisServer } from "../../e2e/support/redis_server.ts";
import { fill } from "../fill.ts";
import { runLoad } from "../load.ts";
import type { Peer } from "../peer.ts";
import { flask } from "../peers/flask.ts";
import { nginx } from "../peers/nginx.ts";
import { proxy } from "../peers/proxy.ts";
import { ProcessTree } from "../process_tree.ts";
import type { Scenario } from "../scenario.ts";
import { Site } from "../site.ts";
import { Table } from "../table.ts";
import { keyOf } from "../value.ts";

const valueBytes = 100;
const prefix = "item";
/** A step that would take longer than this is not waited for; it is told from the first pieces of it. */
const fillMsMax = 240_000;
const judgedAfterMs = 20_000;
/** Time at rest before memory is read, so that what is only waiting to be collected may go. */
const restMs = 3_000;
const quickRestMs = 1_000;

export const itemMemory: Scenario = {
  name: "item-memory",
  async run(effort) {
    const steps = effort.quick ? [1, 20_000] : [1, 100_000, 1_000_000];
    const seconds = effort.quick ? 1 : 2;
    const atRestMs = effort.quick ? quickRestMs : restMs;
    const most = steps[steps.length - 1];
    await using site = await Site.open();
    await site.fill(prefix, { count: most, valueBytes });
    const rows: string[][] = [];
    const commands: string[] = [];
    const withResp = proxy({ name: "redis-proxy with RESP_PORT", env: { RESP_PORT: `${freePort()}` } });
    for (const kind of effort.quick ? [proxy(), nginx] : [proxy(), withResp, nginx, flask]) {
      const key = keyOf(prefix, 0);
      const [peer] = await site.start([kind], { entriesMax: most, valueBytes, ttlSeconds: 86_400, key });
      if (peer === undefined) {
        rows.push([kind.name, `FAILED: ${site.failures[site.failures.length - 1].reason}`]);
        continue;
      }
      rows.push(await peerRow(peer, { site, steps, seconds, atRestMs }));
      commands.push(...peer.commandLines);
      await site.end(peer);
    }
    rows.push(await redisRow(steps));
    return {
      title: "Memory",
      notes: [
        `Values of ${valueBytes} B under names of ${
          keyOf(prefix, 0).length
        } B, each read once over HTTP; memory is resident, read`,
        `${
          restMs / 1000
        } s after the last. Redis holds the same items by SET. 'bytes/item' is what each item added beyond the first.`,
        "With RESP_PORT the proxy holds values in the form in which RESP sends them; without it short texts as strings.",
      ],
      tables: [{
        caption: `Resident memory, values of ${valueBytes} B`,
        table: new Table([
          "peer",
          ...steps.map((step) => `MiB with ${step.toLocaleString("en-US")}`),
          "bytes/item",
        ], rows),
      }],
      findings: [],
      commands,
    };
  },
};

function row(name: string, { bytes, steps }: { bytes: number[]; steps: readonly number[] }): string[] {
  const missing = steps.slice(bytes.length).map(() => "not reached");
  const added = bytes.length < 2
    ? "-"
    : ((bytes[bytes.length - 1] - bytes[0]) / (steps[bytes.length - 1] - steps[0])).toFixed(0);
  return [name, ...bytes.map((each) => (each / 2 ** 20).toFixed(1)), ...missing, added];
}

async function peerRow(
  peer: Peer,
  { site, steps, seconds, atRestMs }: {
    site: Site;
    steps: readonly number[];
    /** Length of a piece of the filling. */
    seconds: number;
    atRestMs: number;
  },
): Promise<string[]> {
  const bytes: number[] = [];
  const before = await site.redis.commandCalls("get");
  try {
    for (const stop of steps) {
      const beganAtMs = performance.now();
      const first = (steps[bytes.length - 1] ?? 1) - 1;
      for (let start = first; start < stop;) {
        const elapsedMs = performance.now() - beganAtMs;
        const expectedMs = elapsedMs * (stop - first) / Math.max(1, start - first);
        if (elapsedMs > judgedAfterMs && expectedMs > fillMsMax) return row(peer.name, { bytes, steps });
        const keys = { kind: "each", prefix, count: stop, start, stop } as const;
        const found = await runLoad({ port: peer.port, pathOf: peer.kind.pathOf }, { keys, clients: 64, seconds });
        if (found.badStatus > 0) throw new Error(`${found.badStatus} answers were not 200`);
        // Those that were cut off when the load ended are asked for again.
        start += found.requests;
      }
      await new Promise((wake) => setTimeout(wake, atRestMs));
      const samples = Array.from({ length: 20 }, (_, i) => keyOf(prefix, Math.floor(i * stop / 20)));
      const problem = await peer.problemWith(samples);
      if (problem !== null) throw new Error(problem);
      const reads = await site.redis.commandCalls("get") - before;
      if (reads < stop - 1) throw new Error(`only ${reads} reads of Redis for ${stop} items`);
      bytes.push(peer.tree.memoryBytes);
    }
    // The first ones would be the first to go.
    const readsBefore = await site.redis.commandCalls("get");
    const problem = await peer.problemWith(Array.from({ length: 20 }, (_, i) => keyOf(prefix, i)));
    if (problem !== null) throw new Error(problem);
    if (await site.redis.commandCalls("get") > readsBefore) throw new Error("not all items are held");
  } catch (error) {
    return [peer.name, `FAILED: ${(error as Error).message}`];
  }
  return row(peer.name, { bytes, steps });
}

async function redisRow(steps: readonly number[]): Promise<string[]> {
  await using redis = await RedisServer.start();
  const tree = new ProcessTree([redis.pid]);
  const bytes: number[] = [];
  for (const stop of steps) {
    const at = bytes.length === 0 ? 0 : steps[bytes.length - 1];
    await fill(redis, { prefix, count: stop - at, valueBytes, at });
    bytes.push(tree.memoryBytes);
  }
  return row("redis-server itself", { bytes, steps });
}
