import { ByteReader } from "./byte_reader.ts";
import { withDeadline } from "./deadline.ts";

/** What Redis refused, as a value: a test decides itself whether it is a failure. */
export class ReplyError extends Error {
  override readonly name = "ReplyError";
}

/** A RESP2 reply: a status is a string, a bulk is bytes, nil is null. Integers beyond 2⁵³ lose digits. */
export type Reply = string | number | Uint8Array | null | ReplyError | Reply[];

/** Words of one command: text is sent as UTF-8, bytes as they are. */
export type CommandWords = (string | Uint8Array)[];

/**
 * A RESP2 client over one socket, for tests alone. It shares no code with the product on purpose: a bug in one cannot
 * hide in the other.
 */
export class RespClient {
  readonly #conn: Deno.Conn;
  readonly #reader: ByteReader;
  readonly #deadlineMs: number;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(conn: Deno.TcpConn, deadlineMs: number) {
    conn.setNoDelay();
    this.#conn = conn;
    this.#reader = new ByteReader(conn);
    this.#deadlineMs = deadlineMs;
  }

  /**
   * Connects to a loopback port.
   *
   * @param deadlineMs most time that a command or a whole pipeline may take, 5,000 unless told
   * @throws Deno.errors.ConnectionRefused when nothing listens there
   */
  static async connect(port: number, { deadlineMs = 5_000 }: { deadlineMs?: number } = {}): Promise<RespClient> {
    return new RespClient(await Deno.connect({ hostname: "127.0.0.1", port }), deadlineMs);
  }

  /** Sends one command and returns its reply. */
  async command(...words: CommandWords): Promise<Reply> {
    return (await this.pipeline([words]))[0];
  }

  /**
   * Sends all commands in one write and returns their replies in order. Calls made meanwhile wait for their turn.
   *
   * @throws Error when the connection ends or the deadline passes; the connection is closed then
   */
  pipeline(commands: CommandWords[]): Promise<Reply[]> {
    const replies = this.#turn.then(() => this.#exchange(commands));
    this.#turn = replies.catch(() => {});
    return replies;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #exchange(commands: CommandWords[]): Promise<Reply[]> {
    if (this.#closed) throw new Error("Cannot send a command: an open connection is needed: received a closed one");
    const work = this.#sendAndRead(commands);
    try {
      return await withDeadline(work, { deadlineMs: this.#deadlineMs, what: `a reply to ${nameOf(commands)}` });
    } catch (error) {
      // What was asked may still arrive, and would be taken for the reply to the next command.
      this.close();
      await work.catch(() => {});
      throw error;
    }
  }

  async #sendAndRead(commands: CommandWords[]): Promise<Reply[]> {
    const bytes = encode(commands);
    for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
    const replies: Reply[] = [];
    for (let i = 0; i < commands.length; i++) replies.push(await this.#reply());
    return replies;
  }

  async #reply(): Promise<Reply> {
    const line = await this.#reader.line();
    if (line === null) throw new Error("Cannot read a reply: an open connection is needed: received its end");
    const type = String.fromCharCode(line[0]);
    const rest = new TextDecoder().decode(line.subarray(1));
    switch (type) {
      case "+":
        return rest;
      case "-":
        return new ReplyError(rest);
      case ":":
        return Number(rest);
      case "$": {
        if (rest === "-1") return null;
        const body = await this.#reader.exactly(Number(rest) + 2);
        return body.subarray(0, -2);
      }
      case "*": {
        if (rest === "-1") return null;
        const items: Reply[] = [];
        for (let i = Number(rest); i > 0; i--) items.push(await this.#reply());
        return items;
      }
      default:
        throw new Error(`Cannot read a reply: a RESP2 type is needed: received ${JSON.stringify(type + rest)}`);
    }
  }
}

/** The commands as the server reads them: an array of bulks each. */
export function encode(commands: CommandWords[]): Uint8Array {
  const text = new TextEncoder();
  const parts: Uint8Array[] = [];
  for (const words of commands) {
    parts.push(text.encode(`*${words.length}\r\n`));
    for (const word of words) {
      const bytes = typeof word === "string" ? text.encode(word) : word;
      parts.push(text.encode(`$${bytes.length}\r\n`), bytes, text.encode("\r\n"));
    }
  }
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function nameOf(commands: CommandWords[]): string {
  const first = commands[0]?.[0];
  const name = typeof first === "string" ? first : "a command";
  return commands.length > 1 ? `${name} and ${commands.length - 1} more` : name;
}
