const chunkBytes = 65_536;
const cr = 13;
const lf = 10;

/** Reads lines and counted bytes from a connection, holding what came too early. */
export class ByteReader {
  readonly #source: { read(into: Uint8Array): Promise<number | null> };
  #held = new Uint8Array(0);

  constructor(source: { read(into: Uint8Array): Promise<number | null> }) {
    this.#source = source;
  }

  /** Reads up to the next CRLF and returns what came before it, or null when the other side ended before any byte. */
  async line(): Promise<Uint8Array | null> {
    let from = 0;
    while (true) {
      for (let at = this.#held.indexOf(lf, from); at !== -1; at = this.#held.indexOf(lf, at + 1)) {
        if (this.#held[at - 1] === cr) return this.#take(at + 1).subarray(0, at - 1);
      }
      from = this.#held.length;
      if (await this.#more()) continue;
      if (from === 0) return null;
      throw new Error(`Cannot read a line: CRLF is needed: received an end after ${from} bytes`);
    }
  }

  /** Reads exactly `count` bytes. */
  async exactly(count: number): Promise<Uint8Array> {
    if (this.#held.length >= count) return this.#take(count);
    // Filled in place: joining chunks would be quadratic for values of many megabytes.
    const bytes = new Uint8Array(count);
    let have = this.#held.length;
    bytes.set(this.#take(have));
    while (have < count) {
      const got = await this.#source.read(bytes.subarray(have));
      if (got === null) throw new Error(`Cannot read: ${count} bytes are needed: received ${have} and then the end`);
      have += got;
    }
    return bytes;
  }

  /** Reads all that comes until the other side ends. */
  async toEnd(): Promise<Uint8Array> {
    while (await this.#more());
    return this.#take(this.#held.length);
  }

  async #more(): Promise<boolean> {
    const chunk = new Uint8Array(chunkBytes);
    const got = await this.#source.read(chunk);
    if (got === null) return false;
    const joined = new Uint8Array(this.#held.length + got);
    joined.set(this.#held);
    joined.set(chunk.subarray(0, got), this.#held.length);
    this.#held = joined;
    return true;
  }

  #take(count: number): Uint8Array {
    const taken = this.#held.slice(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }
}
