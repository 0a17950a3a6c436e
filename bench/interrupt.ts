/**
 * What happens when somebody stops a measurement: nothing that it started may go on.
 */

import { ProcessTree } from "./process_tree.ts";

/** From now on SIGINT and SIGTERM end everything below this process, and then this process, with exit code 130. */
export function endAllOnInterrupt(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      const children = new ProcessTree([Deno.pid]).pids.filter((pid) => pid !== Deno.pid);
      for (const pid of children) {
        try {
          Deno.kill(pid, "SIGKILL");
        } catch {
          // It ended with its parent.
        }
      }
      console.error("\nbench: stopped");
      Deno.exit(130);
    });
  }
}
