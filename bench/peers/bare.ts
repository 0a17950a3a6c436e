/** A bare `Deno.serve` with a constant body: the floor. */

import { fileURLToPath } from "node:url";
import { freePort } from "../../e2e/support/free_port.ts";
import type { PeerKind } from "../peer.ts";
import { Program } from "../program.ts";
import { peerOf } from "./programs.ts";

/** Returns the floor with 0, 1 or 3 headers. */
export function bareDenoServe({ headers }: { headers: 0 | 1 | 3 }): PeerKind {
  return {
    name: `Deno.serve, ${headers === 0 ? "no" : headers} header${headers === 1 ? "" : "s"}`,
    pathOf: (key) => `/get/${key}`,
    async start({ key, valueBytes }) {
      const port = freePort();
      const script = fileURLToPath(new URL("bare_deno_serve.ts", import.meta.url));
      const program = await Program.start(Deno.execPath(), {
        args: ["run", "--no-lock", "--allow-net", script, `${port}`, `${headers}`, key, `${valueBytes}`],
      });
      return peerOf([program], { port });
    },
  };
}
