/**
 * Which hits are looked at more closely: their key, and how long they took.
 *
 * A hit costs about as much as one reading of the clock, so most of them only count down. At most about
 * `samplesPerSecond` are looked at whatever the rate; below that rate it is all of them. The gaps are random, so that
 * a client that asks for its keys in a fixed order does not hide one of them.
 */

import type { Clock } from "../clock.ts";
import type { Key } from "../protocol/key.ts";
import type { HitWatch } from "../read_through/hit_watch.ts";
import type { HotKeys } from "./hot_keys.ts";
import type { RecentDurations } from "./recent_durations.ts";

/** What a sampler is made of. */
export interface HitSamplerOptions {
  readonly clock: Clock;
  readonly samplesPerSecond: number;
  /** Takes the time from the request's reading of the clock until its answer was handed over. */
  readonly durations: RecentDurations;
  /** Takes the keys; `null` when nobody wants to know. */
  readonly hotKeys: HotKeys | null;
  /** For the gaps; from 0 to below 1. */
  readonly random?: () => number;
}

/** Samples hits. */
export class HitSampler implements HitWatch {
  readonly #options: HitSamplerOptions;
  readonly #random: () => number;
  #gap = 1;
  #samples = 0;

  countdown = 1;

  constructor(options: HitSamplerOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /** For how many hits a sampled one stands, just now. */
  get gap(): number {
    return this.#gap;
  }

  sample(key: Key): void {
    const { clock, durations, hotKeys, samplesPerSecond } = this.#options;
    const startedAtMs = clock.nowMs;
    hotKeys?.add(key, this.#gap);
    // It runs when the front door is done: with the answer to a request, or over RESP with all that came in one chunk.
    queueMicrotask(() => durations.add(clock.tick() - startedAtMs));
    // The rate has risen since the last second: look at half as many, and so on.
    if (++this.#samples % samplesPerSecond === 0) this.#gap *= 2;
    // From 1 to 2 gap - 1: gap on average.
    this.countdown = 1 + Math.floor(this.#random() * (2 * this.#gap - 1));
  }

  /** Adapts to the rate: `hits` came in the last second. Call it once a second. */
  look(hits: number): void {
    this.#gap = Math.max(1, Math.ceil(hits / this.#options.samplesPerSecond));
    this.#samples = 0;
    this.countdown = Math.min(this.countdown, 2 * this.#gap - 1);
  }
}
