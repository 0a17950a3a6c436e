/**
 * A program of a peer as a child process, with a working folder of its own, and never left running.
 */

import { fileURLToPath } from "node:url";
import { Child } from "../e2e/support/child.ts";
import { ProcessTree } from "./process_tree.ts";

const stopDeadlineMs = 3_000;
const repository = fileURLToPath(new URL("..", import.meta.url));

/** One running program. */
export class Program {
  readonly folder: string;
  readonly commandLine: string;
  readonly #child: Child;

  private constructor(child: Child, { folder, commandLine }: { folder: string; commandLine: string }) {
    this.#child = child;
    this.folder = folder;
    this.commandLine = commandLine;
  }

  /**
   * Starts `command`.
   *
   * @param args its arguments; a function is given the working folder
   * @param files files to write into the working folder first; `{{folder}}` in them becomes its path
   * @throws Error when the program is not installed
   */
  static async start(command: string, { args, env = {}, files = {} }: {
    args: string[] | ((folder: string) => string[]);
    env?: Record<string, string>;
    files?: Record<string, string>;
  }): Promise<Program> {
    const folder = await Deno.makeTempDir({ prefix: "redis-proxy-bench-" });
    // Some programs give up root's rights and must still find their files.
    await Deno.chmod(folder, 0o755);
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text.replaceAll("{{folder}}", folder));
    }
    const words = typeof args === "function" ? args(folder) : args;
    const inherited = ["PATH", "HOME", "DENO_DIR"].flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value]];
    });
    try {
      const child = new Child(command, {
        args: words,
        cwd: folder,
        env: { ...Object.fromEntries(inherited), NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
      });
      const settings = Object.entries(env).map(([name, value]) => `${name}=${value} `).join("");
      const name = command.slice(command.lastIndexOf("/") + 1);
      const commandLine = `${settings}${[name, ...words].join(" ")}`.replaceAll(folder, ".")
        .replaceAll(repository, "");
      return new Program(child, { folder, commandLine });
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new Error(`${command} is not installed`);
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.running;
  }

  /** The last lines that it wrote. */
  get lastLines(): string {
    return [...this.#child.stdout, ...this.#child.stderr].slice(-5).join(" | ");
  }

  /** Ends it and all that it started, and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    const tree = new ProcessTree([this.pid]);
    const pids = tree.pids;
    const killing = setTimeout(() => tree.kill(), stopDeadlineMs);
    await this.#child.end("SIGTERM", { deadlineMs: stopDeadlineMs + 1_000 });
    clearTimeout(killing);
    // What it started and left behind: its own children have another parent now, so they are known by id alone.
    for (const pid of pids) if (pid !== this.pid) killQuietly(pid);
    await Deno.remove(this.folder, { recursive: true }).catch(() => {});
  }
}

function killQuietly(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It ended with its parent.
  }
}
