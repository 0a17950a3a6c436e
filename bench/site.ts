/**
 * Where a scenario happens: a Redis with the keys it needs, and the peers in front of it.
 */

import { RedisServer } from "../e2e/support/redis_server.ts";
import { redisCore } from "./cores.ts";
import { fill } from "./fill.ts";
import { Peer, type PeerKind, type PeerNeeds } from "./peer.ts";
import { ProcessTree } from "./process_tree.ts";

/** How long and how often a scenario measures. */
export interface Effort {
  /** A quick look, for whether everything works: fewer rounds, shorter turns, fewer variants. */
  readonly quick: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
}

/** A Redis, and all that was started beside it; ended together. */
export class Site implements AsyncDisposable {
  readonly redis: RedisServer;
  readonly #peers: Peer[] = [];
  /** Kinds that could not be started, and why. */
  readonly failures: { name: string; reason: string }[] = [];

  private constructor(redis: RedisServer) {
    this.redis = redis;
  }

  /** Starts a Redis on its core. */
  static async open(): Promise<Site> {
    const redis = await RedisServer.start();
    await new ProcessTree([redis.pid]).pin(redisCore);
    return new Site(redis);
  }

  /** Gives `count` numbered keys their values. */
  async fill(prefix: string, options: { count: number; valueBytes: number }): Promise<void> {
    await fill(this.redis, { prefix, ...options });
  }

  /** Starts peers; one that cannot be started is noted in `failures` and left out. */
  async start(kinds: readonly PeerKind[], needs: Omit<PeerNeeds, "redisPort">): Promise<Peer[]> {
    const peers: Peer[] = [];
    for (const kind of kinds) {
      try {
        const peer = await Peer.start(kind, { ...needs, redisPort: this.redis.port });
        this.#peers.push(peer);
        peers.push(peer);
      } catch (error) {
        this.failures.push({ name: kind.name, reason: (error as Error).message.replace(/\s+/g, " ") });
      }
    }
    return peers;
  }

  /** Ends a peer before the site ends. */
  async end(peer: Peer): Promise<void> {
    this.#peers.splice(this.#peers.indexOf(peer), 1);
    await peer[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers.splice(0)) {
      // One that does not end must not keep the others running.
      await peer[Symbol.asyncDispose]().catch((error) => console.error(`bench: ${(error as Error).message}`));
    }
    await this.redis[Symbol.asyncDispose]();
  }
}
