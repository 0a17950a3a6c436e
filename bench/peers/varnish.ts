/** Varnish in front of webdis. */

import { freePort } from "../../e2e/support/free_port.ts";
import type { PeerKind } from "../peer.ts";
import { Program } from "../program.ts";
import { peerOf } from "./programs.ts";
import { fillTemplate } from "./template.ts";
import { startWebdis, webdis } from "./webdis.ts";

/** What Varnish keeps of an object beside its body: about 1 KiB, by its own manual. */
const objectBytes = 1024;

export const varnish: PeerKind = {
  name: "varnish + webdis",
  pathOf: webdis.pathOf,
  async start({ redisPort, entriesMax, valueBytes, ttlSeconds }) {
    const [port, backendPort] = [freePort(), freePort()];
    const memoryKiB = Math.max(16_384, Math.ceil(entriesMax * (valueBytes + objectBytes) / 1024));
    const backend = await startWebdis({ port: backendPort, redisPort });
    try {
      const front = await Program.start("varnishd", {
        args: (folder) => [
          // Its jail would want folders and users of its own.
          ...["-j", "none", "-F", "-n", `${folder}/work`, "-f", `${folder}/varnish.vcl`],
          ...[
            "-a",
            `127.0.0.1:${port}`,
            "-s",
            `malloc,${memoryKiB}k`,
            "-p",
            "timeout_idle=300",
            "-p",
            "listen_depth=4096",
          ],
        ],
        files: { "varnish.vcl": await fillTemplate("varnish.vcl", { backendPort, ttlSeconds }) },
      });
      return peerOf([front, backend], { port });
    } catch (error) {
      await backend[Symbol.asyncDispose]();
      throw error;
    }
  },
};
