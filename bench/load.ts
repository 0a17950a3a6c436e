/**
 * A load of HTTP requests: wrk, on a core of its own.
 */

import { fileURLToPath } from "node:url";
import { withDeadline } from "../e2e/support/deadline.ts";
import { loadCore } from "./cores.ts";

const script = fileURLToPath(new URL("wrk.lua", import.meta.url));

/** Which keys are asked for; all but `one` are `prefix:0000000` and so on. */
export type KeyChoice =
  | { readonly kind: "one"; readonly key: string }
  /** Drawn by Zipf's law, from the same sequence for everybody; `start` is where in it to begin. */
  | {
    readonly kind: "zipf";
    readonly prefix: string;
    readonly count: number;
    readonly exponent: number;
    readonly start?: number;
  }
  | { readonly kind: "uniform"; readonly prefix: string; readonly count: number; readonly start?: number }
  /** One after another; round and round without `stop`, else up to that number. */
  | {
    readonly kind: "each";
    readonly prefix: string;
    readonly count: number;
    readonly start?: number;
    readonly stop?: number;
  };

/** What a load found. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  /** Of heads and bodies. */
  readonly bytesPerRequest: number;
  readonly badStatus: number;
  readonly socketErrors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** For whoever wants to do it again. */
  readonly commandLine: string;
}

/** One way to ask. */
export interface LoadOptions {
  readonly keys: KeyChoice;
  readonly clients: number;
  readonly seconds: number;
}

/**
 * Runs wrk against the service at `port`.
 *
 * @param pathOf the path of a key there
 * @throws Error when wrk is not installed, or fails
 */
export async function runLoad(
  { port, pathOf }: { port: number; pathOf: (key: string) => string },
  { keys, clients, seconds }: LoadOptions,
): Promise<LoadResult> {
  const { path, env } = describe(keys, pathOf);
  const url = `http://127.0.0.1:${port}${path}`;
  const words = ["-t1", `-c${clients}`, `-d${seconds}s`, "--timeout", "5s", "-s", script, url];
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value} `).join("");
  const commandLine = `${settings}taskset -c ${loadCore} wrk ${words.join(" ").replace(script, "bench/wrk.lua")}`;
  const child = new Deno.Command("taskset", {
    args: ["-c", `${loadCore}`, "wrk", ...words],
    env,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  try {
    const work = child.output();
    const { stdout, stderr } = await withDeadline(work, { deadlineMs: seconds * 1000 + 30_000, what: "wrk's end" });
    const text = new TextDecoder().decode(stdout);
    const line = text.split("\n").find((line) => line.startsWith('{"requests"'));
    if (line === undefined) throw new Error(`wrk failed: ${new TextDecoder().decode(stderr).trim() || text.trim()}`);
    const found = JSON.parse(line);
    return {
      requests: found.requests,
      seconds: found.micros / 1e6,
      requestsPerSecond: found.requests / (found.micros / 1e6),
      bytesPerRequest: found.bytes / Math.max(1, found.requests),
      badStatus: found.badStatus,
      socketErrors: found.socketErrors,
      p50Ms: found.p50Micros / 1000,
      p99Ms: found.p99Micros / 1000,
      commandLine,
    };
  } catch (error) {
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended.
    }
    throw error;
  }
}

/** The numbered keys in a choice, and what wrk's script must be told of them. */
function describe(keys: KeyChoice, pathOf: (key: string) => string): { path: string; env: Record<string, string> } {
  if (keys.kind === "one") return { path: pathOf(keys.key), env: { BENCH_KEYS: "one" } };
  const [before, after] = pathOf(`${keys.prefix}:#`).split("#");
  const env: Record<string, string> = {
    BENCH_KEYS: keys.kind,
    BENCH_BEFORE: before,
    BENCH_AFTER: after,
    BENCH_COUNT: `${keys.count}`,
    BENCH_START: `${keys.start ?? 0}`,
  };
  if (keys.kind === "zipf") env.BENCH_EXPONENT = `${keys.exponent}`;
  if (keys.kind === "each" && keys.stop !== undefined) env.BENCH_STOP = `${keys.stop}`;
  return { path: pathOf(`${keys.prefix}:0000000`), env };
}
