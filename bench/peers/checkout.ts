/** The proxy of some checkout of this repository, by `deno run` with the permissions of its own task. */

import { join } from "node:path";
import { freePort } from "../../e2e/support/free_port.ts";
import { startFlags } from "../../e2e/support/proxy_process.ts";
import type { PeerKind } from "../peer.ts";
import { Program } from "../program.ts";
import { peerOf } from "./programs.ts";

/**
 * Returns the proxy in the folder `root`.
 *
 * @param flags more of Deno's flags, for a profile
 * @param env settings beside those that every peer is told
 */
export function checkout(
  { name, root, flags = [], env = {} }: {
    name: string;
    root: string;
    flags?: readonly string[];
    env?: Record<string, string>;
  },
): PeerKind {
  return {
    name,
    pathOf: (key) => `/get/${key}`,
    async start({ redisPort, entriesMax, ttlSeconds }) {
      const port = freePort();
      const program = await Program.start(Deno.execPath(), {
        args: ["run", ...startFlags, ...flags, "--config", join(root, "deno.json"), join(root, "main.ts")],
        env: {
          REDIS_PORT: `${redisPort}`,
          PROXY_PORT: `${port}`,
          CACHE_MAXSIZE: `${entriesMax}`,
          CACHE_TTL: `${ttlSeconds}`,
          LOG_LEVEL: "warn",
          ...env,
        },
      });
      return peerOf([program], { port });
    },
  };
}
