/**
 * A load for the tests of the page: readers of a few popular keys and many others, and a writer.
 */

import type { ProxyProcess } from "./proxy_process.ts";
import type { RedisServer } from "./redis_server.ts";

const keys = 200;

/** The name of a key of the load, the popular ones first. */
export function loadKey(rank: number): string {
  return `user:${rank}:profile`;
}

/** Reads and writes until it is disposed of. Every answer must be right. */
export class PageLoad implements AsyncDisposable {
  #isOver = false;
  readonly #work: Promise<unknown>;

  private constructor(
    proxy: ProxyProcess,
    redis: RedisServer,
    { readers, pauseMs }: { readers: number; pauseMs: number },
  ) {
    const all = Array.from({ length: readers }, () => this.#read(proxy, pauseMs));
    this.#work = Promise.all([...all, this.#write(redis, 10 * pauseMs)]);
    this.#work.catch(() => {}); // Told by `[Symbol.asyncDispose]`.
  }

  /** Gives Redis its keys and begins. `pauseMs` lies between two reads of a reader. */
  static async start(
    proxy: ProxyProcess,
    redis: RedisServer,
    { readers = 4, pauseMs = 5 }: { readers?: number; pauseMs?: number } = {},
  ): Promise<PageLoad> {
    await redis.pipeline(Array.from({ length: keys }, (_, i) => ["SET", loadKey(i), `{"id":${i}}`]));
    return new PageLoad(proxy, redis, { readers, pauseMs });
  }

  async #read(proxy: ProxyProcess, pauseMs: number): Promise<void> {
    while (!this.#isOver) {
      const response = await proxy.get(`/get/${loadKey(someRank())}`);
      const text = await response.text();
      if (!text.startsWith('{"id":')) throw new Error(`a wrong answer: ${response.status} ${text}`);
      await pause(pauseMs);
    }
  }

  async #write(redis: RedisServer, pauseMs: number): Promise<void> {
    while (!this.#isOver) {
      const rank = someRank();
      await redis.command("SET", loadKey(rank), `{"id":${rank}}`);
      await pause(pauseMs);
    }
  }

  /** Ends it. Throws when an answer was wrong. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }
}

/** Low ranks much more often than high ones. */
function someRank(): number {
  return Math.floor(keys * Math.random() ** 4);
}

function pause(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}
