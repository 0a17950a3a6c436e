/**
 * The log: one line of JSON an event, on standard error, so that standard output stays free for answers.
 */

import { configure, getJsonLinesFormatter, getLogger } from "@logtape/logtape";
import type { LogLevel } from "./config/settings.ts";
import { LIMIT_LOG_INTERVAL_MS } from "./limits.ts";

const LEVELS = { debug: "debug", info: "info", warn: "warning", error: "error" } as const;

/** Sends what is at least as severe as `level` to standard error. Call it once, before anything is logged. */
export async function configureLog(level: LogLevel): Promise<void> {
  const formatter = getJsonLinesFormatter({ properties: "flatten", categorySeparator: "." });
  const encoder = new TextEncoder();
  await configure({
    sinks: {
      stderr: (record) => {
        // A log that nobody reads any more must not stop the proxy.
        try {
          Deno.stderr.writeSync(encoder.encode(formatter(record)));
        } catch { /* Nowhere is left to say so. */ }
      },
    },
    loggers: [
      { category: "redis-proxy", lowestLevel: LEVELS[level], sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["stderr"] },
    ],
  });
}

/** The logger of the process itself: start, settings, stop. */
export const processLogger = getLogger(["redis-proxy", "process"]);

/** Returns what logs an error that only a mistake of ours can cause, with its stack: one in `LIMIT_LOG_INTERVAL_MS`. */
export function bugLogger(): (error: unknown) => void {
  let loggedAtMs = -Infinity;
  return (error) => {
    const nowMs = performance.now();
    if (nowMs - loggedAtMs < LIMIT_LOG_INTERVAL_MS) return;
    loggedAtMs = nowMs;
    const reason = error instanceof Error ? error.stack ?? error.message : String(error);
    processLogger.error("a request failed in the proxy itself: this is a bug", { reason });
  };
}
