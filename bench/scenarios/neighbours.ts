/**
 * Measurements that have scripts of their own in other folders of `bench/`: run as they are, and what they print is kept.
 */

import { fileURLToPath } from "node:url";
import type { Scenario } from "../scenario.ts";

const root = new URL("../../", import.meta.url);

interface Neighbour {
  readonly name: string;
  readonly title: string;
  /** Arguments of `deno`. */
  readonly args: readonly string[];
  readonly script: string;
  /** Arguments of the script for a quick look; `null` when it takes too long for one. */
  readonly quickArgs: readonly string[] | null;
  readonly deadlineMs: number;
}

/** The cache class beside npm's LRU packages. */
export const cacheClass: Scenario = scenarioOf({
  name: "cache-class",
  title: "The cache class beside packages of npm",
  args: ["run", "-A", "--v8-flags=--max-old-space-size=8000"],
  script: "bench/cache/throughput.ts",
  quickArgs: null,
  deadlineMs: 900_000,
});

/** The RESP codec without sockets. */
export const respCodec: Scenario = scenarioOf({
  name: "resp-codec",
  title: "The RESP codec, without sockets",
  args: ["bench", "-A"],
  script: "bench/resp/codec_bench.ts",
  quickArgs: null,
  deadlineMs: 300_000,
});

/** What tracking costs a fill; it keeps a results file of its own as well. */
export const trackedFills: Scenario = scenarioOf({
  name: "tracked-fills",
  title: "What tracking costs a fill",
  args: ["run", "-A"],
  script: "bench/coherence/fill_rate_bench.ts",
  quickArgs: null,
  deadlineMs: 300_000,
});

function scenarioOf({ name, title, args, script, quickArgs, deadlineMs }: Neighbour): Scenario {
  return {
    name,
    async run({ quick }) {
      const skipped = (reason: string) => ({
        title,
        notes: [],
        tables: [],
        findings: [`skipped: ${reason}`],
        commands: [],
      });
      if (quick && quickArgs === null) return skipped(`${script} takes too long for a quick look`);
      if (!await exists(script)) return skipped(`${script} is not there`);
      const words = [...args, script, ...(quick ? quickArgs ?? [] : [])];
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: words,
        cwd: fileURLToPath(root),
        env: { NO_COLOR: "1" },
        signal: AbortSignal.timeout(deadlineMs),
      }).output();
      const lines = (bytes: Uint8Array): string[] => new TextDecoder().decode(bytes).trimEnd().split("\n");
      if (code !== 0) throw new Error(`${script} ended with code ${code}: ${lines(stderr).slice(-5).join(" | ")}`);
      return { title, notes: [], tables: [], findings: lines(stdout), commands: [`deno ${words.join(" ")}`] };
    },
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(new URL(path, root))).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
