import config from "../../deno.json" with { type: "json" };
import { fileURLToPath } from "node:url";
import type { ReadOutcome } from "../../lib/metrics/counters.ts";
import { Child, type ChildEnd } from "./child.ts";
import { withDeadline } from "./deadline.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free_port.ts";

const startDeadlineMs = 15_000;
const stopDeadlineMs = 15_000;
const runDeadlineMs = 20_000;
const getDeadlineMs = 5_000;

const executable = pathOf("dist/redis-proxy");

/** The flags of `deno task start`, so that the tests run under the permissions of the task and cannot drift from it. */
export const startFlags: readonly string[] = flagsOf(config);

/** One line of the proxy's log, parsed. */
export type LogRecord = Record<string, unknown>;

/** The program to run in place of the proxy: for the tests of this class, and for benches. */
export interface Program {
  command: string;
  args: string[];
}

interface Surroundings {
  /** All that the proxy finds in its environment, beside PATH, HOME and Deno's own folder. */
  env?: Record<string, string>;
  /** Arguments of the proxy. */
  args?: string[];
  /** Text of the `.env` file in its working folder, which is empty otherwise. */
  dotenv?: string;
  program?: Program;
}

/**
 * The proxy as a process of its own: `dist/redis-proxy` when that was built, else `deno run` with the flags of the
 * "start" task. Its working folder is empty and its environment clean, so that nothing of this machine gets in.
 *
 * ```ts
 * await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_TTL: "1" } });
 * const response = await proxy.get("/get/greeting");
 * ```
 */
export class ProxyProcess {
  readonly port: number;
  /** Port of the RESP service, which is off unless `start` was told otherwise. */
  readonly respPort: number;
  readonly #password: string | undefined;
  readonly #child: Child;
  readonly #folder: string;

  private constructor(
    child: Child,
    { port, respPort, password, folder }: { port: number; respPort: number; password?: string; folder: string },
  ) {
    this.port = port;
    this.respPort = respPort;
    this.#password = password;
    this.#child = child;
    this.#folder = folder;
  }

  /**
   * Starts the proxy on a free port and waits for it.
   *
   * @param redisPort becomes REDIS_PORT; `env` wins over it
   * @param respCommands becomes RESP_COMMANDS, with a free port as RESP_PORT; without it there is no RESP service
   * @param waitFor `"ready"`, the default, waits until /readyz answers 200, which needs a Redis that answers; `"live"`
   * waits for /healthz; `"nothing"` returns at once
   * @throws Error with the last lines of output, when the proxy ends or does not answer in 15 s
   */
  static async start(
    { redisPort, respCommands, waitFor = "ready", env = {}, ...surroundings }: Surroundings & {
      redisPort: number;
      respCommands?: "read" | "all";
      waitFor?: "ready" | "live" | "nothing";
    },
  ): Promise<ProxyProcess> {
    for (let tries = 1;; tries++) {
      const port = freePort();
      const respPort = freePort();
      const resp: Record<string, string> = respCommands === undefined
        ? {}
        : { RESP_PORT: `${respPort}`, RESP_COMMANDS: respCommands };
      const { child, folder } = await spawn({
        ...surroundings,
        env: { REDIS_PORT: `${redisPort}`, PROXY_PORT: `${port}`, ...resp, ...env },
      });
      const proxy = new ProxyProcess(child, { port, respPort, password: env.PROXY_PASSWORD, folder });
      try {
        if (waitFor !== "nothing") await proxy.#answers(waitFor === "ready" ? "/readyz" : "/healthz");
        return proxy;
      } catch (error) {
        await proxy[Symbol.asyncDispose]();
        const output = [...child.stdout, ...child.stderr];
        // A free port is not a reserved one: somebody else may have been faster.
        const clash = output.some((line) => /AddrInUse|address already in use/i.test(line));
        if (clash && tries < 5) continue;
        throw new Error(`Cannot start the proxy: ${(error as Error).message}\n${output.slice(-10).join("\n")}`);
      }
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Settles when the proxy has ended. */
  get exited(): Promise<ChildEnd> {
    return this.#child.exited;
  }

  /** All lines that it wrote so far, those of the standard output first. */
  get lines(): string[] {
    return [...this.#child.stdout, ...this.#child.stderr];
  }

  /** The lines among them that are JSON objects, parsed. */
  get logs(): LogRecord[] {
    return this.lines.flatMap((line) => {
      try {
        return line.startsWith("{") ? [JSON.parse(line) as LogRecord] : [];
      } catch {
        return [];
      }
    });
  }

  /**
   * Waits for a log record, among those already written too, and returns the first that fits.
   *
   * @param nth which of those that fit, 1 unless told: for what is logged again and again
   * @throws Error after `deadlineMs`, 5,000 unless told
   */
  async waitForLog(
    predicate: (record: LogRecord) => boolean,
    { deadlineMs = 5_000, nth = 1 }: { deadlineMs?: number; nth?: number } = {},
  ): Promise<LogRecord> {
    return await eventually(() => {
      const found = this.logs.filter(predicate)[nth - 1];
      if (found === undefined) {
        throw new Error(`no such log record; the last lines are:\n${this.lines.slice(-10).join("\n")}`);
      }
      return found;
    }, { deadlineMs });
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /**
   * Fetches a path, with a deadline for the whole of it. `fetch` normalises paths and pools connections; where that
   * matters, use `RawConnection`. The body must be read or cancelled by the caller.
   *
   * @throws DOMException "TimeoutError" after `deadlineMs`, 5,000 unless told
   */
  get(
    path: string,
    { deadlineMs = getDeadlineMs, ...init }: RequestInit & { deadlineMs?: number } = {},
  ): Promise<Response> {
    return fetch(this.url(path), { redirect: "manual", signal: AbortSignal.timeout(deadlineMs), ...init });
  }

  /**
   * Returns a number of /metrics.
   *
   * @param name as it stands there, with its labels where it has some
   */
  async metric(name: string): Promise<number> {
    const headers = this.#password === undefined ? undefined : { authorization: `Bearer ${this.#password}` };
    const text = await (await this.get("/metrics", { headers })).text();
    const line = text.split("\n").find((line) => line.startsWith(`${name} `));
    if (line === undefined) {
      throw new Error(`Cannot read a metric: a line of /metrics is needed: received none of ${name}`);
    }
    return Number(line.slice(name.length + 1));
  }

  /** Returns how many reads through the RESP service ended as `outcome`. */
  async respReads(outcome: ReadOutcome): Promise<number> {
    return await this.metric(`redis_proxy_reads_total{door="resp",outcome="${outcome}"}`);
  }

  /** Sends any signal. */
  signal(signal: Deno.Signal): void {
    this.#child.signal(signal);
  }

  /** Sends SIGTERM and waits for the end. When 15 s do not suffice it is killed, and `signal` is SIGKILL. */
  async stop(): Promise<ChildEnd & { elapsedMs: number }> {
    return await this.#child.end("SIGTERM", { deadlineMs: stopDeadlineMs });
  }

  /** Sends SIGKILL and waits for the end. */
  async kill(): Promise<void> {
    await this.#child.end("SIGKILL", { deadlineMs: stopDeadlineMs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #answers(path: string): Promise<void> {
    await eventually(async () => {
      if (!this.#child.running) return;
      const response = await this.get(path, { deadlineMs: 1_000 });
      const text = await response.text();
      if (!response.ok) throw new Error(`${path} answers ${response.status}: ${text}`);
    }, { deadlineMs: startDeadlineMs });
    if (this.#child.running) return;
    await this.#child.exited;
    throw new Error("it ended at once");
  }
}

/**
 * Runs the proxy to its own end: for `--help`, `--version` and settings that it refuses. Nothing is set in its
 * environment but `env`.
 *
 * @throws Error when it is still running after 20 s; it is killed then
 */
export async function runToEnd(
  surroundings: Surroundings = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { child, folder } = await spawn(surroundings);
  try {
    const { code } = await withDeadline(child.exited, { deadlineMs: runDeadlineMs, what: "the proxy's own end" });
    return { code, stdout: text(child.stdout), stderr: text(child.stderr) };
  } finally {
    await child.end("SIGKILL", { deadlineMs: stopDeadlineMs });
    await Deno.remove(folder, { recursive: true });
  }
}

async function spawn(
  { env = {}, args = [], dotenv, program = proxyProgram() }: Surroundings,
): Promise<{ child: Child; folder: string }> {
  const folder = await Deno.makeTempDir({ prefix: "redis-proxy-e2e-" });
  if (dotenv !== undefined) await Deno.writeTextFile(`${folder}/.env`, dotenv);
  const inherited = ["PATH", "HOME", "DENO_DIR"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  const child = new Child(program.command, {
    args: [...program.args, ...args],
    cwd: folder,
    env: { ...Object.fromEntries(inherited), NO_COLOR: "1", ...env },
  });
  return { child, folder };
}

/** The proxy of another checkout, by `deno run` with the flags of its own "start" task: for benches. */
export async function proxyOfCheckout(folder: string): Promise<Program> {
  const config = JSON.parse(await Deno.readTextFile(`${folder}/deno.json`));
  return {
    command: Deno.execPath(),
    args: ["run", ...flagsOf(config), "--config", `${folder}/deno.json`, `${folder}/main.ts`],
  };
}

function proxyProgram(): Program {
  if (isFile(executable)) {
    announceOnce("e2e: testing dist/redis-proxy");
    return { command: executable, args: [] };
  }
  if (startFlags.length === 0) {
    throw new Error('Cannot start the proxy: flags in the "start" task of deno.json are needed: received none');
  }
  announceOnce(`e2e: testing deno run ${startFlags.join(" ")} main.ts`);
  // Named, since the working folder is not the one in which Deno would look for it.
  const paths = ["--config", pathOf("deno.json"), pathOf("main.ts")];
  return { command: Deno.execPath(), args: ["run", ...startFlags, ...paths] };
}

function flagsOf(config: object): string[] {
  const task = (config as { tasks?: Record<string, string | { command?: string }> }).tasks?.start;
  const command = typeof task === "string" ? task : task?.command ?? "";
  // What follows main.ts are arguments of the proxy, not flags of Deno.
  return command.split("main.ts")[0].split(/\s+/).filter((word) => word.startsWith("--"));
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(`../../${name}`, import.meta.url));
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

// Each test file runs with modules of its own, but all share one process and its environment.
function announceOnce(text: string): void {
  if (Deno.env.get("E2E_ANNOUNCED_BY") === `${Deno.pid}`) return;
  Deno.env.set("E2E_ANNOUNCED_BY", `${Deno.pid}`);
  console.log(text);
}

function text(lines: string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
