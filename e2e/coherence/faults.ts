/**
 * What goes wrong during a run: the proxy's connection is killed at Redis, Redis is restarted, the link is stalled.
 */

import { eventually } from "../support/eventually.ts";
import type { RedisServer } from "../support/redis_server.ts";
import type { TcpMiddleman } from "../support/tcp_middleman.ts";
import type { Random } from "./random.ts";
import type { StallMark } from "./staleness_checker.ts";
import type { VersionWriter } from "./version_writer.ts";

/** How many of each. */
export interface FaultCounts {
  readonly kills: number;
  readonly restarts: number;
  readonly stalls: number;
}

type Fault = keyof FaultCounts;

/** A kill is followed by this long a rest and up to as much more, so that much is read with the connection in place. */
const REST_MS = 250;
/** Stalls are by turns too short to be noticed, and longer than the proxy may take to notice. */
const SHORT_STALL_MS = 1_000;
const LONG_STALL_MS = 4_500;

/** Brings faults about, one after another, in an order by chance. */
export class Faults {
  /** Those that happened. */
  readonly done = { kills: 0, restarts: 0, stalls: 0 };
  readonly #at: { redis: RedisServer; link: TcpMiddleman; writer: VersionWriter; stall: StallMark; random: Random };
  #stopping = false;

  constructor(
    at: { redis: RedisServer; link: TcpMiddleman; writer: VersionWriter; stall: StallMark; random: Random },
  ) {
    this.#at = at;
  }

  /** Brings all of `counts` about. Resolves after the last, or soon after `stop`. */
  async run(counts: FaultCounts): Promise<void> {
    const faults = (Object.keys(counts) as Fault[]).flatMap((fault) => Array<Fault>(counts[fault]).fill(fault));
    for (const fault of this.#at.random.shuffled(faults)) {
      if (this.#stopping) return;
      await this.#pause(REST_MS + this.#at.random.below(REST_MS));
      if (fault === "kills") await this.#kill();
      else if (fault === "restarts") await this.#restart();
      else await this.#stall();
      this.done[fault]++;
    }
    await this.#pause(2 * REST_MS);
  }

  /** Begins no further fault. */
  stop(): void {
    this.#stopping = true;
  }

  /** Ends the proxy's connection by CLIENT KILL. */
  async #kill(): Promise<void> {
    const { redis } = this.#at;
    const id = await eventually(async () => {
      const list = await redis.command("CLIENT", "LIST");
      const text = new TextDecoder().decode(list as Uint8Array);
      const found = /^id=(\d+) .*\bname=redis-proxy\b/m.exec(text)?.[1];
      if (found === undefined) throw new Error("the proxy is not in CLIENT LIST");
      return found;
    }, { deadlineMs: 10_000 });
    await redis.command("CLIENT", "KILL", "ID", id);
  }

  /** Ends Redis by turns as an operator does and as a crash does, and starts it again, empty. */
  async #restart(): Promise<void> {
    const { redis, writer } = this.#at;
    const isCrash = this.done.restarts % 2 === 0;
    await writer.restarting(async (lost) => {
      await (isCrash ? redis.kill() : redis.stop());
      lost();
      await redis.restart();
    });
  }

  async #stall(): Promise<void> {
    const { link, stall } = this.#at;
    stall.begin();
    link.stall();
    await this.#pause(this.done.stalls % 2 === 0 ? LONG_STALL_MS : SHORT_STALL_MS);
    stall.end();
    link.release();
  }

  /** In slices, so that `stop` is soon heard. */
  async #pause(ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    while (!this.#stopping && performance.now() < endMs) {
      await new Promise((wake) => setTimeout(wake, Math.max(0, Math.min(50, endMs - performance.now()))));
    }
  }
}
