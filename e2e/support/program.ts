/** Programs of the system, as a user runs them. */

import { withDeadline } from "./deadline.ts";

const deadlineMsDefault = 20_000;

/** How a program ended, and all that it said: standard output first. */
export interface Run {
  code: number;
  output: string;
}

/**
 * Runs a program to its end; null when it is not there.
 *
 * @param input is typed into it, and then the end of file
 * @throws Error after `deadlineMs`, 20,000 unless told; it is killed then
 */
export async function runProgram(
  command: string,
  args: string[],
  { input = "", deadlineMs = deadlineMsDefault }: { input?: string | Uint8Array; deadlineMs?: number } = {},
): Promise<Run | null> {
  try {
    const child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
    const output = child.output();
    const writer = child.stdin.getWriter();
    // It may end before it has read all.
    const typed = writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input)
      .then(() => writer.close()).catch(() => {});
    try {
      const { code, stdout, stderr } = await withDeadline(output, { deadlineMs, what: `${command}'s end` });
      return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
    } catch (error) {
      child.kill("SIGKILL");
      await output;
      throw error;
    } finally {
      await typed;
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Types `lines` at the prompts of an interactive `command`, then ends it; returns what the terminal showed. */
export async function typeInto(command: string, lines: string[]): Promise<string> {
  const child = new Deno.Command("script", {
    args: ["-qec", `stty cols 200 rows 24; exec ${command}`, "/dev/null"],
    env: { TERM: "xterm" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  let shown = "";
  const typed = (async () => {
    const prompts = [...lines, "quit"];
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      shown += chunk;
      // What is typed before the prompt is there would be thrown away.
      if (prompts.length > 0 && /[>] $/.test(shown)) {
        await writer.write(new TextEncoder().encode(prompts.shift() + "\r"));
      }
    }
  })();
  try {
    await withDeadline(typed, { deadlineMs: deadlineMsDefault, what: `the end of ${command}` });
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended by itself, as it should.
    }
    await typed;
    await child.status;
    await writer.close().catch(() => {});
  }
  return shown;
}
