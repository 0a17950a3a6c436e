import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { withDeadline } from "./deadline.ts";
import { FrameScanner } from "./resp_frames.ts";

const chunkBytes = 65_536;

/**
 * One connection to a server of RESP, for what `RespClient` would not send or could not read: halves of requests,
 * garbage, RESP3, messages that nobody asked for. Frames come as text, one character a byte.
 *
 * ```ts
 * using wire = await RespWire.connect(proxy.respPort);
 * await wire.send("PING\r\n");
 * assert.equal(await wire.frame(), "+PONG\r\n");
 * ```
 */
export class RespWire {
  readonly #conn: Deno.TcpConn;
  readonly #deadlineMs: number;
  readonly #scanner = new FrameScanner();
  /** Whole frames that were not asked for yet. */
  readonly #frames: Buffer[] = [];
  /** Bytes of a frame that is not whole yet. */
  #parts: Uint8Array[] = [];
  #closed = false;

  private constructor(conn: Deno.TcpConn, deadlineMs: number) {
    conn.setNoDelay();
    this.#conn = conn;
    this.#deadlineMs = deadlineMs;
  }

  /**
   * Connects to a loopback port.
   *
   * @param deadlineMs most time that each call below may take, 10,000 unless told
   */
  static async connect(port: number, { deadlineMs = 10_000 }: { deadlineMs?: number } = {}): Promise<RespWire> {
    return new RespWire(await Deno.connect({ hostname: "127.0.0.1", port }), deadlineMs);
  }

  /** Sends bytes unchanged; text stands for bytes: one character up to U+00FF, one byte. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    await this.#inTime(
      (async () => {
        for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
      })(),
      "room to send",
    );
  }

  /** Sends a command and returns the next frame. */
  async ask(...words: (string | Uint8Array)[]): Promise<string> {
    await this.send(requestOf(...words));
    return await this.frame();
  }

  /** Returns the next frame: a reply, or a push. */
  async frame(): Promise<string> {
    return (await this.frames(1))[0];
  }

  /** Returns the next `count` frames. */
  async frames(count: number): Promise<string[]> {
    const read = async (): Promise<void> => {
      while (this.#frames.length < count) {
        if (!(await this.#more())) throw new Error("Cannot read a frame: a whole one is needed: received the end");
      }
    };
    await this.#inTime(read(), `${count} frames`);
    return this.#frames.splice(0, count).map((frame) => frame.toString("latin1"));
  }

  /** Returns all that comes until the server ends the connection, or resets it since it did not want all we sent. */
  async end(): Promise<string> {
    const read = async (): Promise<void> => {
      try {
        while (await this.#more());
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
      }
    };
    await this.#inTime(read(), "the connection's end");
    return Buffer.concat([...this.#frames.splice(0), ...this.#parts.splice(0)]).toString("latin1");
  }

  /** Ends our half: the server reads an end of file and may still answer. */
  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #more(): Promise<boolean> {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    const count = await this.#conn.read(chunk);
    if (count === null) return false;
    const bytes = chunk.subarray(0, count);
    let from = 0;
    for (const end of this.#scanner.ends(bytes)) {
      this.#frames.push(Buffer.concat([...this.#parts.splice(0), bytes.subarray(from, end)]));
      from = end;
    }
    if (from < count) this.#parts.push(bytes.subarray(from));
    return true;
  }

  async #inTime<T>(work: Promise<T>, what: string): Promise<T> {
    try {
      return await withDeadline(work, { deadlineMs: this.#deadlineMs, what });
    } catch (error) {
      // Closing also ends a read under way.
      this.close();
      await work.catch(() => {});
      throw error;
    }
  }
}

/** A command as bytes: an array of bulks. Text stands for its UTF-8 bytes. */
export function requestOf(...words: (string | Uint8Array)[]): Buffer {
  return Buffer.concat([
    Buffer.from(`*${words.length}\r\n`),
    ...words.flatMap((word) => {
      const bytes = typeof word === "string" ? Buffer.from(word) : word;
      return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")];
    }),
  ]);
}

/** Sends bytes, whole or in pieces, ends our half, and returns all that comes back. */
export async function talk(port: number, ...pieces: (string | Uint8Array)[]): Promise<string> {
  using wire = await RespWire.connect(port);
  for (const piece of pieces) {
    await wire.send(piece);
    // What is sent in one turn may arrive in one piece.
    if (pieces.length > 1) await new Promise<void>((wake) => setImmediate(wake));
  }
  await wire.closeWrite();
  return await wire.end();
}
