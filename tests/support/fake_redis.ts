/**
 * A Redis with versions instead of values, and the one connection to it: what was written and not yet executed, what
 * was said and not yet heard. The test says when each step happens.
 *
 *   read ──▶ inbox ──execute──▶ keys, tracking ──▶ outbox ──deliver──▶ replies settle, pushes are heard
 *
 * What `deliver` hands over is one chunk: pushes are heard at once, in their order; replies are promises, which continue
 * when the test lets them, so after later pushes of the chunk. That is how the real client behaves.
 */

import { Buffer } from "node:buffer";
import type { Key } from "../../lib/protocol/key.ts";
import type { KeyReply, Outage, Source, SourceListener } from "../../lib/read_through/source.ts";

/** What was true of a key for a while. Versions count up over all changes of that key. */
export interface Version {
  readonly number: number;
  readonly present: boolean;
  /** The key's own time to live: another one for each version, so that a mix of two is seen. */
  readonly remainingMs: number;
}

/** What a PING is told of. */
const NOBODY: Version = { number: 0, present: false, remainingMs: 0 };

type Message =
  | { readonly kind: "reply"; readonly settle: () => void; readonly reject: (reason: Error) => void }
  /** `floors`: the versions of which the listener knows once it has heard. */
  | { readonly kind: "push"; readonly key: Key | null; readonly floors: ReadonlyMap<Key, number> };

interface Command {
  /** `null` for a PING. */
  readonly key: Key | null;
  readonly run: (version: Version) => () => void;
  readonly reject: (reason: Error) => void;
}

/** The source of a read-through under test, and its Redis. */
export class FakeRedis implements Source {
  /** Every version that a key ever had; the last is the present one. */
  readonly histories = new Map<Key, Version[]>();
  /** For each key, the version that the listener must know of. */
  readonly floors = new Map<Key, number>();
  /** Hears what happens; set it before anything does. */
  listener!: SourceListener;

  readonly #inbox: Command[] = [];
  readonly #outbox: Message[] = [];
  #tracked: Set<Key> | null = null;
  #isConnected = false;
  #wasTracked = false;
  readonly #reading = new Map<Key, number>();

  /** Makes a Redis in which none of `keys` is there. */
  constructor(keys: readonly Key[]) {
    for (const key of keys) this.histories.set(key, [{ number: 0, present: false, remainingMs: 0 }]);
  }

  /** The version of `key` now. */
  now(key: Key): Version {
    return this.histories.get(key)!.at(-1)!;
  }

  /** True while a connection is there. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** True when nothing is under way in either direction. */
  get isQuiet(): boolean {
    return this.#inbox.length === 0 && this.#outbox.length === 0;
  }

  /** True while `key` is being read. */
  isReading(key: Key): boolean {
    return (this.#reading.get(key) ?? 0) > 0;
  }

  /** Reads as the real connection does: all commands at once, replies awaited one by one. */
  async read(keys: readonly Key[]): Promise<KeyReply[]> {
    if (!this.#isConnected) throw new Error("a read without a connection");
    for (const key of keys) this.#reading.set(key, (this.#reading.get(key) ?? 0) + 1);
    try {
      const sent = keys.map((key) => ({
        get: this.#send(key, ({ number, present }) => present ? Buffer.from(String(number)) : null),
        pttl: this.#send(key, ({ remainingMs }) => remainingMs),
      }));
      for (const { get, pttl } of sent) for (const promise of [get, pttl]) promise.catch(() => {});
      const replies: KeyReply[] = [];
      for (const { get, pttl } of sent) {
        const [bytes, remainingMs] = [await get, await pttl];
        replies.push(bytes === null ? { kind: "absent" } : { kind: "value", bytes, remainingMs });
      }
      return replies;
    } finally {
      for (const key of keys) this.#reading.set(key, this.#reading.get(key)! - 1);
    }
  }

  /** A PING behind everything that was asked. */
  async caughtUp(): Promise<void> {
    if (!this.#isConnected) throw new Error("a PING without a connection");
    await this.#send(null, () => {});
  }

  #send<T>(key: Key | null, reply: (version: Version) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#inbox.push({
        key,
        run: (version) => {
          const result = reply(version);
          return () => resolve(result);
        },
        reject,
      });
    });
  }

  /** Changes `key`, as any other client may. */
  change(key: Key, present: boolean): void {
    this.#advance(key, present);
    if (this.#tracked?.delete(key)) {
      this.#outbox.push({ kind: "push", key, floors: new Map([[key, this.now(key).number]]) });
    }
  }

  /** Removes all keys. */
  flush(): void {
    for (const key of this.histories.keys()) this.#advance(key, false);
    if (this.#tracked === null) return;
    this.#tracked.clear();
    this.#outbox.push({ kind: "push", key: null, floors: this.#versions() });
  }

  #advance(key: Key, present: boolean): void {
    const number = this.now(key).number + 1;
    this.histories.get(key)!.push({ number, present, remainingMs: 20_000 + number });
  }

  #versions(): Map<Key, number> {
    return new Map([...this.histories.keys()].map((key) => [key, this.now(key).number]));
  }

  /** Executes the next `count` commands of the connection. */
  execute(count: number): void {
    for (const { key, run, reject } of this.#inbox.splice(0, count)) {
      if (key !== null) this.#tracked?.add(key);
      this.#outbox.push({ kind: "reply", settle: run(key === null ? NOBODY : this.now(key)), reject });
    }
  }

  /** Hands the next `count` messages over, in one chunk. */
  deliver(count: number): void {
    for (const message of this.#outbox.splice(0, count)) {
      if (message.kind === "reply") {
        message.settle();
        continue;
      }
      if (message.key === null) this.listener.invalidatedAll();
      else this.listener.invalidated(message.key);
      this.#raise(message.floors);
    }
  }

  /** Makes a connection, where there is none. */
  connect(tracked: boolean): void {
    if (this.#isConnected) return;
    this.#isConnected = true;
    const wasTracked = this.#wasTracked;
    this.#tracked = tracked ? new Set() : null;
    this.#wasTracked = tracked;
    this.listener.connected({ tracked });
    if (tracked || wasTracked) this.#raise(this.#versions());
  }

  /** Loses the connection with all that is under way, where there is one. */
  lose(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#tracked = null;
    this.listener.disconnected();
    for (const lost of [...this.#outbox.splice(0), ...this.#inbox.splice(0)]) {
      if ("reject" in lost) lost.reject(new Error("the connection was lost"));
    }
  }

  /** True when the last connection was tracked, and so nothing may be fresh until there is another. */
  get isDeaf(): boolean {
    return !this.#isConnected && this.#wasTracked;
  }

  /** Says that no connection came about, where there is none. */
  fail(outage: Outage): void {
    if (!this.#isConnected) this.listener.unavailable(outage);
  }

  /** Notes that the listener must know of version `number` of `key` from here on. */
  mustKnow(key: Key, number: number): void {
    this.#raise(new Map([[key, number]]));
  }

  #raise(floors: ReadonlyMap<Key, number>): void {
    for (const [key, number] of floors) this.floors.set(key, Math.max(number, this.floors.get(key) ?? 0));
  }
}
