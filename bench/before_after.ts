/**
 * The proxy as it is here beside the proxy of another commit: `deno run -A bench/before_after.ts [COMMIT] [--work NAME]
 * [--bytes N] [--rounds N]`. The commit is HEAD unless told, so what is not committed yet is compared with what is.
 *
 * Many short rounds in turns: on a machine that others use as well, only the ratio of neighbours means something.
 */

import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { compare } from "./compare.ts";
import { pairedRatios } from "./comparison.ts";
import { endAllOnInterrupt } from "./interrupt.ts";
import type { KeyChoice } from "./load.ts";
import { checkout } from "./peers/checkout.ts";
import { Site } from "./site.ts";
import { spreadOf, writtenSpread } from "./spread.ts";
import { Table } from "./table.ts";
import type { TurnResult } from "./turn.ts";
import { keyOf } from "./value.ts";

const clients = 64;
const prefix = "pair";
/** Far more than are held, for misses. */
const missCount = 50_000;
const missEntriesMax = 1024;
const here = fileURLToPath(new URL("..", import.meta.url));

const { values, positionals: [commit = "HEAD"] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    work: { type: "string", default: "hits" },
    bytes: { type: "string", default: "100" },
    rounds: { type: "string", default: "15" },
  },
});
const [valueBytes, rounds] = [Number(values.bytes), Number(values.rounds)];
if (!["hits", "misses"].includes(values.work) || !(valueBytes > 0) || !(rounds > 0)) {
  console.error("usage: deno run -A bench/before_after.ts [COMMIT] [--work hits|misses] [--bytes N] [--rounds N]");
  Deno.exit(2);
}
endAllOnInterrupt();
const folder = await Deno.makeTempDir({ prefix: "redis-proxy-before-" });
try {
  await unpack(commit, folder);
  await compareWith(folder);
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function compareWith(before: string): Promise<void> {
  const areHits = values.work === "hits";
  const count = areHits ? 1 : missCount;
  await using site = await Site.open();
  await site.fill(prefix, { count, valueBytes });
  const kinds = [checkout({ name: "after", root: here }), checkout({ name: "before", root: before })];
  const peers = await site.start(kinds, {
    entriesMax: areHits ? 100 : missEntriesMax,
    valueBytes,
    ttlSeconds: 3600,
    key: keyOf(prefix, count - 1),
  });
  const keys = (requestsBefore: number): KeyChoice =>
    areHits ? { kind: "one", key: keyOf(prefix, 0) } : { kind: "each", prefix, count, start: requestsBefore % count };
  const outcomes = await compare(peers, {
    site,
    effort: { quick: true, rounds, seconds: 1, warmupSeconds: 2 },
    load: (requestsBefore) => ({ keys: keys(requestsBefore), clients }),
    samples: [keyOf(prefix, 0)],
  });
  const rows = [...outcomes].map(([name, outcome]) => {
    if (!outcome.ok) return [name, `FAILED: ${outcome.reason}`];
    const spread = (of: (turn: TurnResult) => number): string => writtenSpread(outcome.results.map(of));
    return [name, spread((t) => t.cpuMicrosPerRequest), spread((t) => t.requestsPerSecond), spread((t) => t.p99Ms)];
  });
  console.log(`${new Table(["state", "CPU us/request", "requests/s", "p99 ms"], rows)}`);
  for (const [what, of] of [["CPU", cpuOf], ["rate", rateOf]] as const) {
    const ratios = pairedRatios(outcomes.get("after"), outcomes.get("before"), of);
    if (ratios.length === 0) Deno.exit(1);
    const { median, min, max } = spreadOf(ratios);
    console.log(
      `${what}, after / before: ${median.toFixed(3)} (${min.toFixed(3)}–${max.toFixed(3)}), ${rounds} rounds`,
    );
  }
}

function cpuOf(turn: TurnResult): number {
  return turn.cpuMicrosPerRequest;
}

function rateOf(turn: TurnResult): number {
  return turn.requestsPerSecond;
}

/** Writes the files of a commit into a folder. */
async function unpack(commit: string, folder: string): Promise<void> {
  const archive = `${folder}/archive.tar`;
  for (
    const [command, ...args] of [
      ["git", "-C", here, "archive", "--output", archive, commit],
      ["tar", "-xf", archive, "-C", folder],
    ]
  ) {
    const { success, stderr } = await new Deno.Command(command, { args }).output();
    if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr).trim()}`);
  }
}
