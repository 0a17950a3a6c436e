import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { comparable } from "./alike.ts";
import { bytesOf, type Step, type Words } from "./random_requests.ts";
import { RespWire } from "./resp_wire.ts";

/**
 * Two connections, one to Redis and one to the proxy, that are told the same and must be answered alike.
 *
 * It knows how many frames a request is answered by: one, but for subscriptions, which have one for each channel.
 */
export class Twin {
  readonly #redis: RespWire;
  readonly #proxy: RespWire;
  readonly #channels = new Set<string>();
  readonly #patterns = new Set<string>();
  #isInTransaction = false;

  private constructor(redis: RespWire, proxy: RespWire) {
    this.#redis = redis;
    this.#proxy = proxy;
  }

  static async connect({ redisPort, proxyPort }: { redisPort: number; proxyPort: number }): Promise<Twin> {
    return new Twin(await RespWire.connect(redisPort), await RespWire.connect(proxyPort));
  }

  /** Sends requests to both, cut into the same pieces, and asserts that the replies are the same. */
  async burst({ requests, places }: Step & { kind: "burst" }): Promise<void> {
    const sent = requests.map((words) => this.#allowed(words));
    let frames = 0;
    for (const words of sent) frames += this.#framesOf(words);
    const bytes = Buffer.concat(sent.map(bytesOf));
    const cuts = [0, ...places.map((place) => place % bytes.length).sort((a, b) => a - b), bytes.length];
    const pieces = cuts.slice(1).map((to, i) => bytes.subarray(cuts[i], to));
    const told = async (wire: RespWire): Promise<string[]> => {
      for (const piece of pieces) await wire.send(piece);
      return await wire.frames(frames);
    };
    const [theirs, ours] = await Promise.all([told(this.#redis), told(this.#proxy)]);
    assert.deepEqual(ours.map(comparable), theirs.map(comparable));
  }

  /** Asserts that a message that was published is heard alike. */
  async hear(channel: string): Promise<void> {
    const frames = Number(this.#channels.has(channel)) + Number(this.#patterns.has("n*") && channel.startsWith("n"));
    if (frames === 0) return;
    const [theirs, ours] = await Promise.all([this.#redis.frames(frames), this.#proxy.frames(frames)]);
    assert.deepEqual(ours, theirs);
  }

  close(): void {
    this.#redis.close();
    this.#proxy.close();
  }

  /** Queued, a subscription is answered later, and by more than one frame: it is not sent then. */
  #allowed(words: Words): Words {
    const name = words[0].toUpperCase();
    if (name === "MULTI") this.#isInTransaction = true;
    if (["EXEC", "DISCARD", "RESET"].includes(name)) this.#isInTransaction = false;
    return this.#isInTransaction && /SUBSCRIBE$/.test(name) ? ["PING"] : words;
  }

  #framesOf([name, ...channels]: Words): number {
    if (name === "RESET") {
      this.#channels.clear();
      this.#patterns.clear();
    }
    if (!/SUBSCRIBE$/.test(name)) return 1;
    const known = name.startsWith("P") ? this.#patterns : this.#channels;
    for (const channel of channels) /UNSUB/.test(name) ? known.delete(channel) : known.add(channel);
    return channels.length;
  }
}
