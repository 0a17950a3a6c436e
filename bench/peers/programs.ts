/**
 * A peer made of programs, the front one first.
 */

import type { StartedPeer } from "../peer.ts";
import type { Program } from "../program.ts";

/** Puts programs together to one peer that answers at `port`. */
export function peerOf(programs: readonly Program[], { port }: { port: number }): StartedPeer {
  return {
    port,
    pids: programs.map((program) => program.pid),
    commandLines: programs.map((program) => program.commandLine),
    get running() {
      return programs.every((program) => program.running);
    },
    get lastLines() {
      return programs.map((program) => program.lastLines).join(" | ");
    },
    async [Symbol.asyncDispose]() {
      for (const program of programs) await program[Symbol.asyncDispose]();
    },
  };
}
