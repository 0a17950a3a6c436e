/**
 * One side of a connection, as a test plays it.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { withDeadline } from "../../e2e/support/deadline.ts";

const DEADLINE_MS = 5_000;

/** A connection to loopback whose bytes are texts, a character for each byte. */
export class TextSocket implements Disposable {
  readonly #socket: Deno.TcpConn;
  #isClosed = false;

  constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  static async connect(port: number): Promise<TextSocket> {
    return new TextSocket(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async write(text: string): Promise<void> {
    const bytes = Buffer.from(text, "latin1");
    for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
  }

  /** Reads until as many characters have come as `text` has, and asserts that they are these. */
  async expect(text: string): Promise<void> {
    const bytes = Buffer.alloc(text.length);
    let length = 0;
    while (length < bytes.length) {
      const reading = this.#socket.read(bytes.subarray(length));
      const count = await withDeadline(reading, { deadlineMs: DEADLINE_MS, what: "a reply" });
      if (count === null) break;
      length += count;
    }
    assert.equal(bytes.toString("latin1", 0, length), text);
  }

  /** Asserts that the other side ends the connection without a further word. */
  async expectEnd(): Promise<void> {
    const reading = this.#socket.read(new Uint8Array(1)).catch(() => null);
    assert.equal(await withDeadline(reading, { deadlineMs: DEADLINE_MS, what: "the end" }), null);
  }

  /** Ends this side; the other may still write. */
  closeWrite(): Promise<void> {
    return this.#socket.closeWrite();
  }

  [Symbol.dispose](): void {
    if (!this.#isClosed) this.#socket.close();
    this.#isClosed = true;
  }
}
