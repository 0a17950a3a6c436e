import { withDeadline } from "./deadline.ts";

/** How a child ended: `signal` is null when it ended by itself. */
export interface ChildEnd {
  code: number;
  signal: Deno.Signal | null;
}

/** A child process whose output is collected line by line, and which is never left running. */
export class Child {
  /** Lines of the standard output so far. */
  readonly stdout: string[] = [];
  /** Lines of the standard error so far. */
  readonly stderr: string[] = [];
  /** Settles when the child has ended and all of its output was collected. */
  readonly exited: Promise<ChildEnd>;
  readonly #process: Deno.ChildProcess;
  #running = true;

  constructor(command: string, options: { args: string[]; cwd: string; env: Record<string, string> }) {
    this.#process = new Deno.Command(command, {
      ...options,
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = [collectLines(this.#process.stdout, this.stdout), collectLines(this.#process.stderr, this.stderr)];
    this.exited = this.#process.status.then(async ({ code, signal }) => {
      this.#running = false;
      await Promise.all(output);
      return { code, signal };
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Sends a signal; does nothing when the child has ended. */
  signal(signal: Deno.Signal): void {
    if (!this.#running) return;
    try {
      this.#process.kill(signal);
    } catch (error) {
      // It ended just now: Deno knows already and says so by a TypeError, `status` is about to say so too.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /**
   * Sends `signal` and waits for the end; after `deadlineMs` sends SIGKILL, which then is the `signal` of the result.
   * A child under SIGSTOP is woken, since it would see nothing but SIGKILL.
   */
  async end(signal: Deno.Signal, { deadlineMs }: { deadlineMs: number }): Promise<ChildEnd & { elapsedMs: number }> {
    const startedAtMs = performance.now();
    this.signal(signal);
    this.signal("SIGCONT");
    try {
      await withDeadline(this.exited, { deadlineMs, what: "the child's end" });
    } catch {
      this.signal("SIGKILL");
    }
    return { ...await this.exited, elapsedMs: performance.now() - startedAtMs };
  }
}

/** Appends each line of `stream` to `lines`; what has no line end yet comes as a line of its own at the end. */
async function collectLines(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    lines.push(...parts);
  }
  if (rest !== "") lines.push(rest);
}
