/** Races by the thousand; what a race is stands in `race.ts`. */

import type { RedisServer } from "../support/redis_server.ts";
import { RespClient } from "../support/resp_client.ts";
import { TcpMiddleman } from "../support/tcp_middleman.ts";
import { FillRace } from "./fill_race.ts";
import type { PlantedBug } from "./planted_bug.ts";
import { RACE_STEPS, type RaceKind, type RaceStep } from "./race.ts";
import { Random } from "./random.ts";
import { ReconnectRace } from "./reconnect_race.ts";
import { Rig } from "./rig.ts";

/** A race that went wrong. */
export interface RaceFailure {
  readonly trial: number;
  readonly step: RaceStep;
  readonly what: string;
}

/** What came of many trials of one kind. */
export interface RaceResult {
  readonly kind: RaceKind;
  /** At least as many as were asked for. */
  readonly trials: number;
  /** How many of them at each step. A cut is a trial of every step at once. */
  readonly steps: Record<RaceStep, number>;
  readonly failures: RaceFailure[];
  /** Fills that were not stored since they were overtaken, and those that were stored: both must occur. */
  readonly overtaken: number;
  readonly stored: number;
  /** Reads that were asked for after the invalidation was heard, and so had to be new. */
  readonly readsAfter: number;
  readonly elapsedMs: number;
}

/** What is run. */
export interface RaceOptions {
  readonly redis: RedisServer;
  readonly kind: RaceKind;
  readonly trials: number;
  readonly seed: number;
  readonly bug?: PlantedBug;
}

/** After a cut the source pauses, up to 250 ms: so many reconnects go on side by side. */
const RECONNECT_LANES = 8;
/** Few, so that each trial begins with what the last one of its key has left. */
const KEYS = 8;

/** Runs `trials` trials or a few more. Those of a reconnect go on in several lanes, with a connection and keys of its own each. */
export async function runRaces(options: RaceOptions): Promise<RaceResult> {
  const startedAtMs = performance.now();
  const lanesCount = options.kind === "reconnect" ? RECONNECT_LANES : 1;
  const lanes = await Promise.all(
    Array.from({ length: lanesCount }, (_, at) => RaceLane.start(options, { at, of: lanesCount })),
  );
  try {
    await Promise.all(lanes.map((lane) => lane.run()));
  } finally {
    for (const lane of lanes) await lane[Symbol.asyncDispose]();
  }
  const sum = (of: (lane: RaceLane) => number): number => lanes.reduce((total, lane) => total + of(lane), 0);
  return {
    kind: options.kind,
    trials: sum((lane) => lane.trials),
    steps: Object.fromEntries(RACE_STEPS.map((step) => [step, sum((lane) => lane.steps[step])])) as RaceResult["steps"],
    failures: lanes.flatMap((lane) => lane.failures),
    overtaken: sum((lane) => lane.overtaken),
    stored: sum((lane) => lane.stored),
    readsAfter: sum((lane) => lane.readsAfter),
    elapsedMs: performance.now() - startedAtMs,
  };
}

/** One rig, one middleman, one writer; one trial after another. */
class RaceLane implements AsyncDisposable {
  readonly failures: RaceFailure[] = [];
  readonly steps = Object.fromEntries(RACE_STEPS.map((step) => [step, 0])) as Record<RaceStep, number>;
  trials = 0;
  readsAfter = 0;
  readonly #options: RaceOptions;
  readonly #lane: { at: number; of: number };
  readonly #link: TcpMiddleman;
  readonly #writer: RespClient;
  readonly #rig: Rig;
  readonly #random: Random;

  private constructor(
    options: RaceOptions,
    lane: { at: number; of: number },
    parts: { link: TcpMiddleman; writer: RespClient; rig: Rig },
  ) {
    this.#options = options;
    this.#lane = lane;
    this.#link = parts.link;
    this.#writer = parts.writer;
    this.#rig = parts.rig;
    this.#random = new Random(options.seed + lane.at);
  }

  static async start(options: RaceOptions, lane: { at: number; of: number }): Promise<RaceLane> {
    const link = await TcpMiddleman.start({ targetPort: options.redis.port });
    const writer = await RespClient.connect(options.redis.port);
    const rig = await Rig.start({
      redisPort: link.port,
      bug: options.bug,
      // Reads of several keys at several steps are round trips of their own.
      parallelMax: options.kind === "reconnect" ? RACE_STEPS.length : 1 + options.seed % 4,
      random: () => 0,
    });
    return new RaceLane(options, lane, { link, writer, rig });
  }

  get overtaken(): number {
    return this.#rig.counters.fillsOvertaken;
  }

  get stored(): number {
    return this.#rig.counters.fillsStored;
  }

  async run(): Promise<void> {
    const { kind, trials } = this.#options;
    // A read that was a hit raced with nothing, and does not count.
    let left = Math.ceil(trials / this.#lane.of);
    for (let round = this.#lane.at; left > 0; round += this.#lane.of) {
      const parts = {
        kind,
        rig: this.#rig,
        link: this.#link,
        writer: this.#writer,
        random: this.#random,
        trial: round,
        name: `lane:${this.#lane.at}:${this.#random.below(KEYS)}`,
      };
      const outcomes = kind === "reconnect"
        ? await new ReconnectRace(parts).run()
        : [await new FillRace(parts, RACE_STEPS[round % RACE_STEPS.length]).run()];
      for (const { step, isFill, wrong, readsAfter } of outcomes) {
        if (wrong !== null) this.failures.push({ trial: parts.trial, step, what: wrong });
        this.readsAfter += readsAfter;
        if (!isFill) continue;
        this.steps[step]++;
        this.trials++;
        left--;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rig[Symbol.asyncDispose]();
    this.#writer.close();
    await this.#link[Symbol.asyncDispose]();
  }
}
