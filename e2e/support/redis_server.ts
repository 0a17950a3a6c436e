import { Child } from "./child.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free_port.ts";
import { type CommandWords, type Reply, ReplyError, RespClient } from "./resp_client.ts";

const startDeadlineMs = 10_000;
const stopDeadlineMs = 5_000;

/**
 * A real redis-server on loopback, without persistence, for one test.
 *
 * ```ts
 * await using redis = await RedisServer.start();
 * await redis.command("SET", "greeting", "hello");
 * ```
 */
export class RedisServer {
  readonly port: number;
  readonly #args: string[];
  #child: Child | null = null;
  #client: Promise<RespClient> | null = null;
  #folder: string | null = null;

  private constructor(port: number, args: string[]) {
    this.port = port;
    this.#args = args;
  }

  /**
   * Starts a server and waits until it answers PING.
   *
   * @param args more of redis-server's arguments, as in `["--maxmemory", "1mb"]`
   * @param port the port to listen on; a free one unless told
   * @throws Error when redis-server is not installed, or does not answer in 10 s
   */
  static async start({ args = [], port }: { args?: string[]; port?: number } = {}): Promise<RedisServer> {
    for (let tries = 1;; tries++) {
      const server = new RedisServer(port ?? freePort(), args);
      try {
        await server.#run();
        return server;
      } catch (error) {
        // A free port is not a reserved one: somebody else may have been faster.
        const clash = error instanceof Error && /address already in use/i.test(error.message);
        if (!clash || port !== undefined || tries === 5) throw error;
      }
    }
  }

  get pid(): number {
    return this.#running().pid;
  }

  /**
   * Sends one command on a connection of the test's own and returns the reply; errors of Redis come back as
   * `ReplyError`, not thrown. The connection is made at the first command and again after it was lost.
   *
   * @throws Error when Redis does not answer in 5 s
   */
  async command(...words: CommandWords): Promise<Reply> {
    return (await this.pipeline([words]))[0];
  }

  /** Sends all commands in one write and returns their replies in order. */
  async pipeline(commands: CommandWords[]): Promise<Reply[]> {
    this.#client ??= RespClient.connect(this.port);
    const client = this.#client;
    try {
      return await (await client).pipeline(commands);
    } catch (error) {
      if (this.#client === client) this.#client = null;
      throw error;
    }
  }

  /**
   * Returns how often Redis has run a command since its start or `CONFIG RESETSTAT`, by any client.
   *
   * @param name in lower case; a subcommand is written `client|tracking`
   */
  async commandCalls(name: string): Promise<number> {
    return await this.#info("commandstats", `cmdstat_${name}:calls=`) ?? 0;
  }

  /** Returns the most bytes that Redis has held at once since its start, replies not taken yet included. */
  async peakBytes(): Promise<number> {
    const bytes = await this.#info("memory", "used_memory_peak:");
    if (bytes === null) throw new Error("Cannot tell the peak: used_memory_peak is needed: received none");
    return bytes;
  }

  /** Stops the server as an operator would (SIGTERM), and waits for its end. `restart()` brings it back, empty. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Ends the server by SIGKILL: its sockets are closed by the kernel. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Stops the server's clock (SIGSTOP): connections are accepted by the kernel and stay open, nothing is answered. */
  pause(): void {
    this.#running().signal("SIGSTOP");
  }

  /** Ends `pause()`. */
  resume(): void {
    this.#running().signal("SIGCONT");
  }

  /** Starts the server again on the same port, without its data; stops it first when it runs. */
  async restart(): Promise<void> {
    await this.stop();
    await this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is to be saved, and SIGTERM is seen only ten times a second.
    await this.#end("SIGKILL");
  }

  #running(): Child {
    if (!this.#child?.running) throw new Error("Cannot do that: a running redis-server is needed: received none");
    return this.#child;
  }

  /** Returns the number behind `prefix` in a section of INFO, `null` where there is none. */
  async #info(section: string, prefix: string): Promise<number | null> {
    const info = await this.command("INFO", section);
    if (!(info instanceof Uint8Array)) throw new Error(`Cannot read: INFO is needed: received ${info}`);
    const line = new TextDecoder().decode(info).split("\r\n").find((line) => line.startsWith(prefix));
    return line === undefined ? null : Number.parseInt(line.slice(prefix.length), 10);
  }

  async #run(): Promise<void> {
    this.#folder = await Deno.makeTempDir({ prefix: "redis-proxy-e2e-redis-" });
    try {
      const child = spawn(this.port, { args: this.#args, folder: this.#folder });
      this.#child = child;
      await eventually(() => !child.running || answers(child, this.port), { deadlineMs: startDeadlineMs });
      if (child.running) return;
      const { code, signal } = await child.exited;
      throw new Error(
        `it ended at once, by ${signal ?? `code ${code}`}:\n${[...child.stdout, ...child.stderr].slice(-5).join("\n")}`,
      );
    } catch (error) {
      await this.#end("SIGKILL");
      if (error instanceof Deno.errors.NotFound) throw error;
      throw new Error(`Cannot start redis-server on port ${this.port}: ${(error as Error).message}`, { cause: error });
    }
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const client = this.#client;
    this.#client = null;
    // Closed first, so that a command under way fails now and not at its deadline.
    await client?.then((client) => client.close(), () => {});
    await this.#child?.end(signal, { deadlineMs: stopDeadlineMs });
    this.#child = null;
    if (this.#folder !== null) await Deno.remove(this.#folder, { recursive: true });
    this.#folder = null;
  }
}

function spawn(port: number, { args, folder }: { args: string[]; folder: string }): Child {
  const fixed = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--loglevel", "warning"];
  const transient = ["--save", "", "--appendonly", "no"];
  try {
    return new Child("redis-server", {
      args: [...fixed, ...transient, ...args],
      cwd: folder,
      env: { PATH: Deno.env.get("PATH") ?? "" },
    });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Deno.errors.NotFound(
      "Cannot start redis-server: the program is needed: received no such file in PATH; `make tools` installs it",
    );
  }
}

/**
 * True when `child` is ready for commands; one that wants a password first is, one that loads its data is not.
 * The process is asked for its id, since another server that holds the port would answer as well.
 */
async function answers(child: Child, port: number): Promise<boolean> {
  using client = await RespClient.connect(port, { deadlineMs: 1_000 });
  const [pong, info] = await client.pipeline([["PING"], ["INFO", "server"]]);
  if (pong instanceof ReplyError) return pong.message.startsWith("NOAUTH");
  return info instanceof Uint8Array && new TextDecoder().decode(info).includes(`process_id:${child.pid}\r\n`);
}
