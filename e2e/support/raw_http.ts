import { ByteReader } from "./byte_reader.ts";
import { withDeadline } from "./deadline.ts";

/** A response as it came over the wire. */
export interface RawResponse {
  /** As sent, without the CRLF. */
  statusLine: string;
  status: number;
  /** In the order and the letter case in which they were sent; bytes above 127 as Latin-1. */
  headers: [name: string, value: string][];
  /** Without the framing of chunks. */
  body: Uint8Array;
}

/** Returns the value of a header whatever its letter case; several are joined by a comma, none is undefined. */
export function headerOf(response: RawResponse, name: string): string | undefined {
  const values = response.headers.filter(([sent]) => sent.toLowerCase() === name.toLowerCase());
  return values.length === 0 ? undefined : values.map(([, value]) => value).join(", ");
}

/**
 * Sends `request` on a connection of its own, unchanged, and reads one response.
 *
 * ```ts
 * const response = await rawRequest(proxy.port, "GET /get/%ff HTTP/1.1\r\nHost: x\r\n\r\n");
 * ```
 *
 * @param request text stands for bytes: one character up to U+00FF, one byte
 * @throws Error when the response is not HTTP/1.1 or is not whole after 5 s
 */
export async function rawRequest(port: number, request: string | Uint8Array): Promise<RawResponse> {
  using connection = await RawConnection.connect(port);
  await connection.send(request);
  const method = typeof request === "string" ? request : latin1(request.subarray(0, 5));
  return await connection.response({ toHead: method.startsWith("HEAD ") });
}

/** One connection to an HTTP server for what `fetch` would not send: halves of requests, pipelines, odd targets. */
export class RawConnection {
  readonly #conn: Deno.TcpConn;
  readonly #reader: ByteReader;
  readonly #deadlineMs: number;
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
   * @param deadlineMs most time that each call below may take, 5,000 unless told
   */
  static async connect(port: number, { deadlineMs = 5_000 }: { deadlineMs?: number } = {}): Promise<RawConnection> {
    return new RawConnection(await Deno.connect({ hostname: "127.0.0.1", port }), deadlineMs);
  }

  /** Sends bytes unchanged; text stands for bytes: one character up to U+00FF, one byte. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? fromLatin1(data) : data;
    await this.#inTime(
      (async () => {
        for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
      })(),
      "room to send",
    );
  }

  /**
   * Reads the next response, interim ones (1xx) included.
   *
   * @param toHead true when it answers a HEAD request, and so has no body whatever its headers say
   */
  async response({ toHead = false }: { toHead?: boolean } = {}): Promise<RawResponse> {
    return await this.#inTime(readResponse(this.#reader, { toHead }), "a response");
  }

  /** Waits until the server ends the connection and returns the bytes that came before. */
  async end(): Promise<Uint8Array> {
    return await this.#inTime(this.#reader.toEnd(), "the connection's end");
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

  async #inTime<T>(work: Promise<T>, what: string): Promise<T> {
    try {
      return await withDeadline(work, { deadlineMs: this.#deadlineMs, what });
    } catch (error) {
      // After half a response nobody knows where the next one begins; closing also ends a read under way.
      this.close();
      await work.catch(() => {});
      throw error;
    }
  }
}

/** Reads one response, strictly: a server that sends bare line feeds or a signed length is not excused. */
async function readResponse(reader: ByteReader, { toHead }: { toHead: boolean }): Promise<RawResponse> {
  const first = await reader.line();
  if (first === null) throw new Error("Cannot read a response: a status line is needed: received the end");
  const statusLine = latin1(first);
  const status = Number(/^HTTP\/1\.[01] ([1-5]\d\d) /.exec(statusLine + " ")?.[1]);
  if (Number.isNaN(status)) {
    throw new Error(`Cannot read a response: a status line is needed: received ${JSON.stringify(statusLine)}`);
  }
  const headers = await readHeaders(reader);
  const response: RawResponse = { statusLine, status, headers, body: new Uint8Array(0) };
  // RFC 9112 section 6.3: these have no body, whatever the headers say.
  if (toHead || status < 200 || status === 204 || status === 304) return response;
  const coding = headerOf(response, "transfer-encoding");
  const length = headerOf(response, "content-length");
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked" || length !== undefined) {
      throw new Error(`Cannot read a body: one framing is needed: received ${coding} and length ${length}`);
    }
    response.body = await readChunks(reader);
  } else if (length !== undefined) {
    if (!/^\d+$/.test(length)) throw new Error(`Cannot read a body: one length is needed: received ${length}`);
    response.body = await reader.exactly(Number(length));
  } else {
    response.body = await reader.toEnd();
  }
  return response;
}

async function readHeaders(reader: ByteReader): Promise<[string, string][]> {
  const headers: [string, string][] = [];
  while (true) {
    const line = await reader.line();
    if (line === null) throw new Error("Cannot read headers: an empty line is needed: received the end");
    if (line.length === 0) return headers;
    const [, name, value] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(latin1(line)) ?? [];
    if (name === undefined) {
      throw new Error(`Cannot read a header: name and colon are needed: received ${JSON.stringify(latin1(line))}`);
    }
    headers.push([name, value]);
  }
}

async function readChunks(reader: ByteReader): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  while (true) {
    const line = latin1(await reader.line() ?? new Uint8Array(0));
    const size = /^([0-9a-f]+)(;.*)?$/i.exec(line)?.[1];
    if (size === undefined) {
      throw new Error(`Cannot read a chunk: its size is needed: received ${JSON.stringify(line)}`);
    }
    const count = Number.parseInt(size, 16);
    if (count === 0) break;
    const chunk = await reader.exactly(count + 2);
    if (latin1(chunk.subarray(-2)) !== "\r\n") throw new Error("Cannot read a chunk: CRLF is needed at its end");
    chunks.push(chunk.subarray(0, -2));
  }
  await readHeaders(reader); // trailers
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    if (code > 0xff) throw new TypeError(`Cannot send text: U+0000 to U+00FF is needed: received ${character}`);
    return code;
  });
}
