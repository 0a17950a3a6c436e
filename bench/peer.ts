/**
 * One of those that are compared: a service that answers keys from Redis over HTTP, started, pinned and watched.
 */

import { withDeadline } from "../e2e/support/deadline.ts";
import { eventually } from "../e2e/support/eventually.ts";
import { serverCore } from "./cores.ts";
import { ProcessTree } from "./process_tree.ts";
import { valueOf } from "./value.ts";

const startDeadlineMs = 15_000;
const getDeadlineMs = 5_000;

/** What a peer is told before it starts. The same for all, so that they do the same work. */
export interface PeerNeeds {
  readonly redisPort: number;
  /** Items that its cache should hold; by memory where it knows nothing else. */
  readonly entriesMax: number;
  /** Length of each value; it tells how much memory that is. */
  readonly valueBytes: number;
  readonly ttlSeconds: number;
  /** A key that Redis holds, with `valueOf` it: the first answer is checked with it. */
  readonly key: string;
}

/** What a kind of peer has started. */
export interface StartedPeer extends AsyncDisposable {
  readonly port: number;
  /** The first processes. */
  readonly pids: readonly number[];
  /** How it was started, for whoever wants to do it again. */
  readonly commandLines: readonly string[];
  readonly running: boolean;
  /** What it said last, for an error. */
  readonly lastLines: string;
}

/** A kind of peer: how it is started, and where it keeps its keys. */
export interface PeerKind {
  readonly name: string;
  /** The path that answers the key; keys here hold nothing that must be encoded. */
  pathOf(key: string): string;
  start(needs: PeerNeeds): Promise<StartedPeer>;
}

/** A peer that has given a right answer. */
export class Peer implements AsyncDisposable {
  readonly kind: PeerKind;
  readonly needs: PeerNeeds;
  readonly tree: ProcessTree;
  /** From the start of its first program to its first right answer. */
  firstAnswerMs = NaN;
  /** Bytes of one whole answer, head and body, as they come over the wire; of the first one, before any load. */
  answerBytes = NaN;
  readonly #started: StartedPeer;

  private constructor(kind: PeerKind, { needs, started }: { needs: PeerNeeds; started: StartedPeer }) {
    this.kind = kind;
    this.needs = needs;
    this.#started = started;
    this.tree = new ProcessTree(started.pids);
  }

  /**
   * Starts a peer, waits for its first right answer, and then pins all of its threads to the server's core. It is not
   * pinned from the start: several would set up fewer threads then, and be another peer than on the whole machine.
   *
   * @param pinned false to leave it on all cores
   * @param everyMs pause between two tries to get the first answer
   * @throws Error with the reason, when it cannot be started or does not answer right in 15 s
   */
  static async start(
    kind: PeerKind,
    { pinned = true, everyMs = 10, ...needs }: PeerNeeds & { pinned?: boolean; everyMs?: number },
  ): Promise<Peer> {
    const beganAtMs = performance.now();
    const started = await kind.start(needs);
    const peer = new Peer(kind, { needs, started });
    try {
      await eventually(async () => {
        if (!started.running) return;
        const problem = await peer.problemWith([needs.key]);
        if (problem !== null) throw new Error(problem);
      }, { deadlineMs: startDeadlineMs, everyMs });
      peer.firstAnswerMs = performance.now() - beganAtMs;
      if (!started.running) throw new Error(`it ended at once: ${started.lastLines}`);
      peer.answerBytes = await peer.#plainAnswerBytes(needs.key);
      if (pinned) await peer.tree.pin(serverCore);
      return peer;
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
  }

  get name(): string {
    return this.kind.name;
  }

  get port(): number {
    return this.#started.port;
  }

  get commandLines(): readonly string[] {
    return this.#started.commandLines;
  }

  url(key: string): string {
    return `http://127.0.0.1:${this.port}${this.kind.pathOf(key)}`;
  }

  /** Reads a key. Throws when the answer is not 200, or does not come in 5 s. */
  async get(key: string): Promise<string> {
    const response = await fetch(this.url(key), { signal: AbortSignal.timeout(getDeadlineMs) });
    const body = await response.text();
    if (response.status !== 200) throw new Error(`${this.kind.pathOf(key)} answers ${response.status}`);
    return body;
  }

  /**
   * Asks as plainly as wrk does, which says less than `fetch`, and returns the bytes of the answer.
   * Throws when no answer that ends with the value comes in 5 s.
   */
  async #plainAnswerBytes(key: string): Promise<number> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    const head = `GET ${this.kind.pathOf(key)} HTTP/1.1\r\nHost: 127.0.0.1:${this.port}\r\n\r\n`;
    const value = valueOf(key, this.needs.valueBytes);
    const decoder = new TextDecoder();
    const read = async (): Promise<number> => {
      await connection.write(new TextEncoder().encode(head));
      let text = "";
      for await (const chunk of connection.readable) {
        text += decoder.decode(chunk);
        if (text.endsWith(value)) return text.length;
      }
      throw new Error(`wrong answer for ${key} to a plain client`);
    };
    try {
      return await withDeadline(read(), { deadlineMs: getDeadlineMs, what: `${this.name}'s answer to a plain client` });
    } finally {
      try {
        connection.close();
      } catch {
        // The stream has closed it.
      }
    }
  }

  /** Reads keys one after another; returns what is wrong with the first answer that is, `null` when all are right. */
  async problemWith(keys: readonly string[]): Promise<string | null> {
    for (const key of keys) {
      try {
        const body = await this.get(key);
        const expected = valueOf(key, this.needs.valueBytes);
        if (body === expected) continue;
        return `wrong answer for ${key}: ${body.length} bytes, beginning ${JSON.stringify(body.slice(0, 40))}`;
      } catch (error) {
        return `no answer for ${key}: ${(error as Error).message}`;
      }
    }
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await withDeadline(Promise.resolve(this.#started[Symbol.asyncDispose]()), {
      deadlineMs: 20_000,
      what: `the end of ${this.name}`,
    });
  }
}
