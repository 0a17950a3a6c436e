/** webdis: HTTP in front of Redis, without a cache. */

import { freePort } from "../../e2e/support/free_port.ts";
import { cores } from "../cores.ts";
import type { PeerKind } from "../peer.ts";
import { Program } from "../program.ts";
import { peerOf } from "./programs.ts";

/** Starts webdis on `port`. */
export async function startWebdis({ port, redisPort }: { port: number; redisPort: number }): Promise<Program> {
  const config = JSON.parse(await Deno.readTextFile(new URL("webdis.json", import.meta.url)));
  const text = JSON.stringify({ ...config, redis_port: redisPort, http_port: port, threads: cores });
  return await Program.start("webdis", {
    args: (folder) => [`${folder}/webdis.json`],
    files: { "webdis.json": text },
  });
}

export const webdis: PeerKind = {
  name: "webdis",
  // With the extension the value comes as it is, as text/plain; without it, in JSON.
  pathOf: (key) => `/GET/${key}.txt`,
  async start({ redisPort }) {
    const port = freePort();
    return peerOf([await startWebdis({ port, redisPort })], { port });
  },
};
