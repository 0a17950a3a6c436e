/** The original design: `flask_app.py` under gunicorn, one worker, two threads a core. */

import { fileURLToPath } from "node:url";
import { freePort } from "../../e2e/support/free_port.ts";
import { cores } from "../cores.ts";
import type { PeerKind } from "../peer.ts";
import { Program } from "../program.ts";
import { peerOf } from "./programs.ts";

export const flask: PeerKind = {
  name: "flask + gunicorn",
  pathOf: (key) => `/get/${key}`,
  async start({ redisPort, entriesMax, ttlSeconds }) {
    const port = freePort();
    const program = await Program.start("gunicorn", {
      args: [
        ...["--workers", "1", "--worker-class", "gthread", "--threads", `${2 * cores}`],
        ...["--worker-connections", "4096", "--backlog", "4096", "--keep-alive", "300", "--graceful-timeout", "1"],
        ...["--bind", `127.0.0.1:${port}`, "flask_app:app"],
      ],
      env: {
        PYTHONPATH: fileURLToPath(new URL(".", import.meta.url)),
        PYTHONDONTWRITEBYTECODE: "1",
        REDIS_PORT: `${redisPort}`,
        CACHE_MAXSIZE: `${entriesMax}`,
        CACHE_TTL: `${ttlSeconds}`,
      },
    });
    return peerOf([program], { port });
  },
};
