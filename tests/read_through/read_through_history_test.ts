/**
 * Random histories of one Redis, its one connection, and a read-through, in search of a stale answer.
 *
 * Each run is a list of steps: somebody asks, somebody writes, at Redis or through us, Redis executes so many commands, so
 * many messages arrive in one chunk, promises continue, the connection goes and comes. Steps without a `turn` between them happen before any
 * promise can continue, so every order of replies, pushes and continuations comes up.
 *
 * What must hold: see `History`. That these checks find mistakes is shown with mistakes, at the end.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Key } from "../../lib/protocol/key.ts";
import type { Answer } from "../../lib/read_through/answer.ts";
import type { ReadThrough } from "../../lib/read_through/read_through.ts";
import type { SourceListener } from "../../lib/read_through/source.ts";
import { FakeRedis, type Version } from "../support/fake_redis.ts";
import { settled } from "../support/hand_time.ts";
import { key, Rig, type RigOptions, textOf } from "../support/read_through_rig.ts";
import { SEED } from "../support/seed.ts";

const KEYS = ["a", "b", "c"].map(key);
const TTL_MS = 1_000_000;

type Step =
  | { readonly kind: "ask" | "write" | "remove"; readonly key: Key }
  /** Redis executes a write of a client of ours: of a key that we know of, or by a script. Its reply comes later. */
  | { readonly kind: "own" | "script"; readonly key: Key }
  | { readonly kind: "execute" | "deliver" | "lose"; readonly count: number }
  | { readonly kind: "connect"; readonly tracked: boolean }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "flush" | "turn" | "calm" | "fail" | "reply" };

/** What the listener hears; a mistake is planted by hearing something else. */
type Plant = (
  heard: SourceListener,
  scene: { redis: FakeRedis; afterTurn: (late: () => void) => void },
) => SourceListener;

const NO_MISTAKE: Plant = (heard) => heard;

/** How often something of interest happened, over all runs: a test in which nothing happens proves nothing. */
type Tally = Record<
  "hits" | "stored" | "overtaken" | "repeated" | "stale" | "remembered" | "collapsed" | "owned",
  number
>;

function newTally(): Tally {
  return { hits: 0, stored: 0, overtaken: 0, repeated: 0, stale: 0, remembered: 0, collapsed: 0, owned: 0 };
}

/** What is done when the reply to a client's write has come; fulfilled when the client may have it. */
type Replied = (
  readThrough: ReadThrough,
  write: { readonly key: Key; readonly isScript: boolean },
) => Promise<void> | void;

const REPLIED: Replied = (readThrough, { key, isScript }) =>
  isScript ? readThrough.caughtUp({ wrote: true }) : readThrough.wrote(key);

/**
 * One run. It fails when
 *  - an answer is older than what was known when the question came: from an invalidation that was heard, a connection
 *    that was made, a write of a client of ours that was replied to, or an answer that was given before;
 *  - an answer was never true;
 *  - something is fresh while nobody listens;
 *  - a question is never answered;
 *  - after all is quiet something stale is held, or a value with another version's time to live.
 */
class History {
  readonly #rig: Rig;
  readonly #redis = new FakeRedis(KEYS);
  /** Per key, the newest version that an answer has shown. */
  readonly #shown = new Map<Key, number>();
  readonly #sentAtMs = new Set<number>();
  readonly #replied: Replied;
  /** Writes of our clients whose replies are on their way. */
  readonly #writes: { key: Key; number: number; isScript: boolean }[] = [];
  #late: (() => void)[] = [];
  #unanswered = 0;
  #violation: string | null = null;

  constructor(options: RigOptions, { plant, replied }: { plant: Plant; replied: Replied }) {
    this.#replied = replied;
    this.#rig = new Rig({
      ttlMs: TTL_MS,
      timeoutMs: 100_000,
      batchKeysMax: 2,
      parallelMax: 2,
      ...options,
      source: {
        read: (keys) => {
          this.#sentAtMs.add(this.#rig.time.clock.nowMs);
          return this.#redis.read(keys);
        },
        caughtUp: () => this.#redis.caughtUp(),
      },
    });
    this.#redis.listener = plant(this.#rig.readThrough, {
      redis: this.#redis,
      afterTurn: (late) => this.#late.push(late),
    });
  }

  async run(steps: readonly Step[], tally: Tally): Promise<void> {
    try {
      for (const step of steps) await this.#take(step);
      await this.#finish();
      const { counters } = this.#rig;
      tally.stored += counters.fillsStored;
      tally.overtaken += counters.fillsOvertaken;
      tally.repeated += counters.flightsRepeated;
      for (const kind of Object.keys(this.#tally) as (keyof Tally)[]) tally[kind] += this.#tally[kind];
    } finally {
      this.#rig[Symbol.dispose]();
    }
    if (this.#violation !== null) throw new Error(this.#violation);
  }

  readonly #tally = newTally();

  async #take(step: Step): Promise<void> {
    const redis = this.#redis;
    switch (step.kind) {
      case "ask":
        return this.#ask(step.key);
      case "write":
        return redis.change(step.key, true);
      case "remove":
        return redis.change(step.key, false);
      case "own":
      case "script":
        redis.change(step.key, true);
        this.#writes.push({ key: step.key, number: redis.now(step.key).number, isScript: step.kind === "script" });
        return;
      case "reply":
        return this.#reply();
      case "flush":
        return redis.flush();
      case "execute":
        return redis.execute(step.count);
      case "deliver":
        return redis.deliver(step.count);
      case "connect":
        return redis.connect(step.tracked);
      case "lose":
        // What arrives in the last chunk, arrives.
        redis.deliver(step.count);
        return redis.lose();
      case "fail":
        return redis.fail({ kind: "unreachable", code: "UNREACHABLE" });
      case "pass":
        await this.#rig.time.pass(step.ms);
        return this.#runLate();
      case "turn":
        await settled();
        return this.#runLate();
      case "calm":
        // What was asked is sent, executed, and lands, without a race.
        await settled();
        redis.execute(Infinity);
        redis.deliver(Infinity);
        await settled();
        return this.#runLate();
    }
  }

  #reply(): void {
    const write = this.#writes.shift();
    if (write === undefined) return;
    const known = (): void => {
      this.#redis.mustKnow(write.key, write.number);
      this.#tally.owned++;
    };
    const done = this.#replied(this.#rig.readThrough, write);
    if (done === undefined) known();
    else void done.then(known);
  }

  #runLate(): void {
    for (const late of this.#late.splice(0)) late();
  }

  #ask(key: Key): void {
    const floor = Math.max(this.#redis.floors.get(key) ?? 0, this.#shown.get(key) ?? 0);
    this.#rig.time.clock.tick();
    const item = this.#rig.readThrough.hit(key);
    const answer = item === undefined ? this.#rig.readThrough.read(key) : { kind: "hit" as const, item };
    if (!(answer instanceof Promise)) {
      const isFresh = answer.kind === "hit" || answer.kind === "absent";
      if (isFresh && this.#redis.isDeaf) this.#violate(`${key}: fresh while nobody listens`);
      return this.#answered(key, floor, answer);
    }
    this.#unanswered++;
    answer.then((answer) => {
      this.#unanswered--;
      this.#answered(key, floor, answer);
    });
  }

  #answered(key: Key, floor: number, answer: Answer): void {
    if (answer.kind === "hit") this.#tally.hits++;
    if (answer.kind === "stale") this.#tally.stale++;
    if (answer.kind === "absent" && answer.remembered) this.#tally.remembered++;
    if ("collapsed" in answer && answer.collapsed) this.#tally.collapsed++;
    const history = this.#redis.histories.get(key)!;
    let version: Version | undefined;
    if (answer.kind === "absent") {
      // Which absence it was cannot be told: the oldest that may be.
      version = history.find(({ number, present }) => number >= floor && !present);
      if (version === undefined) this.#violate(`${key}: absent, which was not so since version ${floor}`);
    } else if ("item" in answer) {
      const number = Number(textOf(answer.item));
      version = history.find((one) => one.number === number);
      if (number < floor) this.#violate(`${key}: ${answer.kind} of version ${number} after ${floor} was known`);
      if (!version?.present) this.#violate(`${key}: version ${number}, which never was`);
    }
    if (version !== undefined) this.#shown.set(key, Math.max(version.number, this.#shown.get(key) ?? 0));
  }

  #violate(what: string): void {
    this.#violation ??= what;
  }

  /** Lets all that is under way come to its end, and looks at what is held then. */
  async #finish(): Promise<void> {
    const redis = this.#redis;
    redis.connect(true);
    for (let i = 0; i < 100; i++) {
      await settled();
      this.#runLate();
      if (redis.isQuiet && this.#rig.readThrough.flights === 0) break;
      redis.execute(Infinity);
      redis.deliver(Infinity);
    }
    assert.equal(this.#rig.readThrough.flights, 0, "flights are left");
    if (this.#unanswered > 0) this.#violate(`${this.#unanswered} questions were never answered`);
    if (this.#rig.readThrough.coherence !== "tracking") return; // Then what is held is true by time alone.
    for (const [key, item] of this.#rig.cache) {
      const { number, present, remainingMs } = redis.now(key);
      const held = Number(textOf(item));
      if (!present || held !== number) this.#violate(`${key}: version ${held} is held, ${number} is true`);
      // Times of sending are whole seconds, and no version's time to live is.
      else if (!this.#sentAtMs.has(item.freshUntilMs - remainingMs)) this.#violate(`${key}: another version's time`);
    }
    for (const [key] of this.#rig.absent ?? []) {
      if (redis.now(key).present) this.#violate(`${key}: is held as absent and is there`);
    }
  }
}

/** One key most of the time: what meets nothing else is no race. */
const anyKey = fc.constantFrom(KEYS[0], KEYS[0], KEYS[0], KEYS[1], KEYS[2]);
const count = fc.integer({ min: 1, max: 5 });
const COMMON: fc.WeightedArbitrary<Step>[] = [
  { weight: 6, arbitrary: fc.constant({ kind: "turn" }) },
  { weight: 2, arbitrary: fc.constant({ kind: "calm" }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("ask"), key: anyKey }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("write"), key: anyKey }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove"), key: anyKey }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("own", "script"), key: anyKey }) },
  { weight: 3, arbitrary: fc.constant({ kind: "reply" }) },
  { weight: 1, arbitrary: fc.constant({ kind: "flush" }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("execute"), count }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("deliver"), count }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("pass"), ms: fc.constantFrom(1_000, 30_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose"), count: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.constant({ kind: "fail" }) },
];
const CONNECT_TRACKED: fc.WeightedArbitrary<Step> = {
  weight: 3,
  arbitrary: fc.constant({ kind: "connect", tracked: true }),
};
const CONNECT_EITHER: fc.WeightedArbitrary<Step> = {
  weight: 3,
  arbitrary: fc.record({ kind: fc.constant("connect"), tracked: fc.boolean() }),
};

function histories(connect: fc.WeightedArbitrary<Step>): fc.Arbitrary<Step[]> {
  return fc.tuple(
    connect.arbitrary,
    fc.array(fc.oneof(...COMMON, connect), { minLength: 10, maxLength: 60, size: "max" }),
  ).map(([first, steps]) => [first, ...steps]);
}

interface Hunt {
  readonly connect: fc.WeightedArbitrary<Step>;
  readonly options: RigOptions;
  readonly runs: number;
  readonly plant?: Plant;
  readonly replied?: Replied;
}

/** Plays `runs` random histories and returns the first that fails, if any, and what happened in all of them. */
async function hunt({ connect, options, runs, plant = NO_MISTAKE, replied = REPLIED }: Hunt) {
  const tally = newTally();
  const result = await fc.check(
    fc.asyncProperty(histories(connect), (steps) => new History(options, { plant, replied }).run(steps, tally)),
    // A mistake that was planted is only to be found; one that was not is to be made small.
    { seed: SEED, numRuns: runs, endOnFailure: plant !== NO_MISTAKE || replied !== REPLIED },
  );
  return { result, tally };
}

/** Fails with the shortest history that was found, if any. */
async function assertNothingStale(hunted: Hunt): Promise<Tally> {
  const { result, tally } = await hunt(hunted);
  const found = result.errorInstance instanceof Error ? result.errorInstance.message : "";
  assert.equal(result.failed, false, `${found}\n${fc.defaultReportMessage(result)}`);
  assert.equal(result.numRuns, hunted.runs);
  return tally;
}

Deno.test("tracked: whatever comes in whatever order, nothing stale is answered or kept", async () => {
  const tally = await assertNothingStale({
    connect: CONNECT_TRACKED,
    options: { negativeTtlMs: 20_000 },
    runs: 20_000,
  });
  for (const kind of ["hits", "stored", "overtaken", "repeated", "remembered", "collapsed", "owned"] as const) {
    assert.ok(tally[kind] > 1_000, `${kind}: ${tally[kind]}`);
  }
});

Deno.test("tracked or not, with a stale window: no answer is older than one that was given before", async () => {
  const tally = await assertNothingStale({
    connect: CONNECT_EITHER,
    options: { negativeTtlMs: 20_000, staleTtlMs: 60_000 },
    runs: 40_000,
  });
  assert.ok(tally.stale > 100, `stale: ${tally.stale}`);
});

/** Passes on what is heard, but for what `mistake` does otherwise. */
function mishear(heard: SourceListener, mistake: Partial<SourceListener>): SourceListener {
  return {
    connected: (link) => heard.connected(link),
    disconnected: () => heard.disconnected(),
    unavailable: (outage) => heard.unavailable(outage),
    invalidated: (key) => heard.invalidated(key),
    invalidatedAll: () => heard.invalidatedAll(),
    ...mistake,
  };
}

const MISTAKES: Record<string, Plant> = {
  "an invalidation of all is ignored": (heard) => mishear(heard, { invalidatedAll: () => {} }),
  "what was overtaken is stored": (heard, { redis }) =>
    mishear(heard, { invalidated: (key) => redis.isReading(key) ? undefined : heard.invalidated(key) }),
  "invalidations are heard after the replies of their chunk": (heard, { afterTurn }) =>
    mishear(heard, { invalidated: (key) => afterTurn(() => heard.invalidated(key)) }),
  "an invalidation in three is lost": (heard) => {
    let heardSoFar = 0;
    return mishear(heard, { invalidated: (key) => ++heardSoFar % 3 === 0 ? undefined : heard.invalidated(key) });
  },
  "a connection without tracking is taken for one with": (heard) =>
    mishear(heard, { connected: () => heard.connected({ tracked: true }) }),
};

const REPLY_MISTAKES: Record<string, Replied> = {
  "keys that were written are not dropped": (readThrough, { key, isScript }) =>
    isScript ? REPLIED(readThrough, { key, isScript }) : undefined,
  "a script's reply waits for nothing": (readThrough, { key, isScript }) =>
    isScript ? undefined : readThrough.wrote(key),
  "a script's reply drops nothing where Redis does not invalidate": (readThrough, { key, isScript }) =>
    isScript ? readThrough.caughtUp({ wrote: false }) : readThrough.wrote(key),
};

const PLANTED: Record<string, Pick<Hunt, "plant" | "replied">> = {
  ...Object.fromEntries(Object.entries(MISTAKES).map(([name, plant]) => [name, { plant }])),
  ...Object.fromEntries(Object.entries(REPLY_MISTAKES).map(([name, replied]) => [name, { replied }])),
};

for (const [mistake, planted] of Object.entries(PLANTED)) {
  Deno.test(`the search finds a planted mistake: ${mistake}`, async () => {
    const { result } = await hunt({ connect: CONNECT_EITHER, options: {}, runs: 5_000, ...planted });
    assert.equal(result.failed, true);
    const message = (result.errorInstance as Error).message;
    assert.match(message, /after \d+ was known|is held, \d+ is true|is held as absent|not so since|nobody listens/);
  });
}
