/**
 * A RESP front door over a source under the test's hand.
 */

import { Buffer } from "node:buffer";
import { LruTtlCache } from "../../lib/cache/lru_ttl_cache.ts";
import { Clock } from "../../lib/clock.ts";
import { newCounters } from "../../lib/metrics/counters.ts";
import type { IntegerReply, IntegerSource } from "../../lib/read_through/integer_source.ts";
import type { Item } from "../../lib/read_through/item.ts";
import { ReadThrough } from "../../lib/read_through/read_through.ts";
import { Asker } from "../../lib/resp/asker.ts";
import { Client, type Services } from "../../lib/resp/client.ts";
import type { Relaying } from "../../lib/resp/drop_in.ts";
import { execute } from "../../lib/resp/commands.ts";
import { MgetWarmer } from "../../lib/resp/mget_warmer.ts";
import { Pace } from "../../lib/resp/pace.ts";
import { Password } from "../../lib/password.ts";
import { HandSource } from "../support/hand_source.ts";

const TIMEOUT_MS = 60_000;

/** One question that a test answers. */
export interface HandQuestion {
  readonly words: string[];
  readonly resolve: (reply: IntegerReply) => void;
  readonly reject: () => void;
}

/** Everything below the commands, and what a test needs to steer it. */
export class Parts implements Disposable {
  readonly source = new HandSource();
  readonly questions: HandQuestion[] = [];
  readonly readThrough: ReadThrough;
  readonly services: Services;

  constructor(
    { password = null, isUp = true, relaying = null, tracked = true, negativeTtlMs = 0 }: {
      password?: string | null;
      isUp?: boolean;
      relaying?: Relaying | null;
      tracked?: boolean;
      negativeTtlMs?: number;
    } = {},
  ) {
    const clock = new Clock();
    const counters = newCounters();
    this.readThrough = new ReadThrough({
      clock,
      source: this.source,
      counters,
      cache: new LruTtlCache<Item>({ entriesMax: 10_000, ttlMs: TIMEOUT_MS, nowMs: () => clock.nowMs }),
      absent: negativeTtlMs === 0
        ? null
        : new LruTtlCache<true>({ entriesMax: 1_000, ttlMs: negativeTtlMs, nowMs: () => clock.nowMs }),
      itemBytesMax: 100_000_000,
      ttlMs: TIMEOUT_MS,
      negativeTtlMs,
      staleTtlMs: 0,
      framed: true,
      timeoutMs: TIMEOUT_MS,
      parallelMax: 8,
    });
    if (isUp) this.readThrough.connected({ tracked });
    const integers: IntegerSource = {
      integer: (words) =>
        new Promise((resolve, reject) => {
          this.questions.push({ words: words.map(String), resolve, reject: () => reject(new Error("lost")) });
        }),
    };
    this.services = {
      clock,
      readThrough: this.readThrough,
      asker: new Asker(integers, TIMEOUT_MS),
      outcomes: newCounters().http,
      password: password === null ? null : new Password(password),
      version: "0.0.0",
      relaying,
      pace: new Pace(clock),
      longRequests: { bytes: 0 },
      mgetWarmer: new MgetWarmer(this.readThrough, clock),
    };
  }

  /** A client without a socket. */
  client(): Client {
    return new Client(7, { address: "127.0.0.1:1", services: this.services });
  }

  /** Holds `value` under `key`, as if somebody had read it. */
  async hold(key: string, value: string | Uint8Array): Promise<void> {
    const read = this.readThrough.read("/" + key);
    await Promise.resolve();
    this.source.last.reply({ kind: "value", bytes: Buffer.from(value), remainingMs: null });
    await read;
  }

  [Symbol.dispose](): void {
    this.readThrough.close();
    this.services.pace.close();
  }
}

/** Executes all requests in `text`, a line each, and returns a function that waits for their replies. */
export function send(client: Client, text: string): () => Promise<string> {
  const { request, replies } = client;
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at < bytes.length;) {
    const space = request.space();
    const part = bytes.subarray(at, at + space.length);
    space.set(part);
    request.received(part.length);
    at += part.length;
    while (!client.isLeaving && !client.isUnwanted && request.next() === "complete") execute(client);
  }
  return async () => {
    const sent: Buffer[] = [];
    if (!replies.isEmpty) await replies.flush((bytes) => Promise.resolve(void sent.push(Buffer.from(bytes))));
    return Buffer.concat(sent).toString("latin1");
  };
}

/** Executes all requests in `text`, and returns their replies. */
export function ask(client: Client, text: string): Promise<string> {
  return send(client, text)();
}
