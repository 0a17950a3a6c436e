/** The proxy itself: `dist/redis-proxy` where it was built, else by `deno run`, with the permissions of the task. */

import { ProxyProcess } from "../../e2e/support/proxy_process.ts";
import type { PeerKind } from "../peer.ts";

/** Returns the proxy with these settings beside those that every peer is told. */
export function proxy({ name = "redis-proxy", env = {} }: {
  name?: string;
  env?: Record<string, string>;
} = {}): PeerKind {
  return {
    name,
    pathOf: (key) => `/get/${key}`,
    async start({ redisPort, entriesMax, valueBytes, ttlSeconds }) {
      const settings: Record<string, string> = {
        CACHE_MAXSIZE: `${entriesMax}`,
        // By number, as the others: an item is charged its bytes and a fixed overhead, and must be under an eighth.
        CACHE_MAXBYTES: `${Math.max(268_435_456, entriesMax * (valueBytes + 2048), 16 * valueBytes)}`,
        CACHE_TTL: `${ttlSeconds}`,
        LOG_LEVEL: "warn",
        ...env,
      };
      const running = await ProxyProcess.start({ redisPort, waitFor: "nothing", env: settings });
      let ended = false;
      running.exited.then(() => ended = true);
      const line = Object.entries(settings).map(([name, value]) => `${name}=${value}`).join(" ");
      return {
        port: running.port,
        pids: [running.pid],
        commandLines: [`REDIS_PORT=${redisPort} PROXY_PORT=${running.port} ${line} redis-proxy`],
        get running() {
          return !ended;
        },
        get lastLines() {
          return running.lines.slice(-5).join(" | ");
        },
        [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
      };
    },
  };
}
