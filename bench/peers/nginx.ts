/** nginx with Lua and a shared dictionary. */

import { freePort } from "../../e2e/support/free_port.ts";
import type { PeerKind, PeerNeeds } from "../peer.ts";
import { Program } from "../program.ts";
import { peerOf } from "./programs.ts";
import { fillTemplate } from "./template.ts";

const pageBytes = 4096;
/** What the dictionary adds to key and value: tree node, queue links, lengths, deadline. */
const nodeBytes = 80;

export const nginx: PeerKind = {
  name: "nginx + Lua",
  pathOf: (key) => `/get/${key}`,
  async start(needs) {
    const port = freePort();
    const { redisPort, ttlSeconds } = needs;
    const text = await fillTemplate("nginx.conf", { port, redisPort, ttlSeconds, dictKiB: dictKiB(needs) });
    const program = await Program.start("nginx", {
      args: (folder) => ["-e", "stderr", "-c", `${folder}/nginx.conf`],
      files: { "nginx.conf": text },
    });
    return peerOf([program], { port });
  },
};

/** Its slab allocator gives powers of two up to half a page, and whole pages above. */
function dictKiB({ entriesMax, valueBytes, key }: PeerNeeds): number {
  const bytes = valueBytes + key.length + nodeBytes;
  const slotBytes = bytes <= pageBytes / 2
    ? 2 ** Math.ceil(Math.log2(bytes))
    : Math.ceil(bytes / pageBytes) * pageBytes;
  // 2 % for its table of pages, and 32 KiB so that even one item fits.
  return Math.ceil(entriesMax * slotBytes * 1.02 / 1024) + 32;
}
