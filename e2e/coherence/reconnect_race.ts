/**
 * A race of a loss of the connection with six reads and their writes: one read at each step (see `race.ts`).
 *
 *   key          at the cut                                     frames let go before it
 *   0            answered                                       GET, PTTL and both replies
 *   1            the reply to GET has reached the proxy         GET, PTTL and the first reply
 *   2            both replies are on the way                    GET, PTTL
 *   3            Redis has answered GET, and has not got PTTL   GET
 *   4            GET has not reached Redis                      none
 *   5            not asked for; held from earlier, or not       -
 *
 * A connection keeps the order of frames, so one cut can find all of them. Each key's W is executed before the cut or
 * after it, by chance, and so are further reads.
 */

import { keyFromBytes } from "../../lib/protocol/key.ts";
import type { CommandWords } from "../support/resp_client.ts";
import { heldFrame, someTurns, textOf, textOfReply } from "./race_tools.ts";
import { RACE_STEPS, type RaceOutcome, type RaceParts, type RaceStep } from "./race.ts";

/** The step of each key. */
const STEPS: readonly RaceStep[] = [...RACE_STEPS].reverse();
const ANSWERED = 0;
const BETWEEN_GET_AND_PTTL = 3;
const NOT_ASKED = 5;

/** One key of the race. */
interface Racer {
  readonly step: RaceStep;
  readonly name: string;
  readonly key: string;
  readonly old: string;
  isWritten: boolean;
  wrong: string | null;
  readsAfter: number;
}

/** One cut. */
export class ReconnectRace {
  readonly #parts: RaceParts;
  readonly #racers: Racer[];
  readonly #reads: Promise<void>[] = [];
  #disconnectsBefore = 0;

  constructor(parts: RaceParts) {
    this.#parts = parts;
    this.#racers = STEPS.map((step, at) => {
      const name = `${parts.name}:${at}`;
      const key = keyFromBytes(new TextEncoder().encode(name));
      return { step, name, key, old: `${name} old ${parts.trial}`, isWritten: false, wrong: null, readsAfter: 0 };
    });
  }

  /** Runs it; one outcome for each step. */
  async run(): Promise<RaceOutcome[]> {
    const { link, rig, random } = this.#parts;
    await this.#prepare();
    link.fromClient.holdFrames();
    link.fromServer.holdFrames();
    await this.#bringToTheirSteps();
    this.#disconnectsBefore = rig.counters.disconnects;
    for (const racer of this.#racers) if (random.chance(0.5)) await this.#write(racer);
    // Part of what Redis says of it may arrive before the cut.
    if (random.chance(0.3)) link.fromServer.releaseFrames(random.below(link.fromServer.frames.length + 1));
    await someTurns(random);
    await (random.chance(0.5) ? link.cut() : link.reset());
    link.release();
    this.#askByChance();
    await someTurns(random);
    for (const racer of this.#racers) if (!racer.isWritten) await this.#write(racer);
    this.#askByChance();
    await rig.isUp();
    this.#askByChance();
    await Promise.all(this.#reads);
    await this.#judge();
    return this.#racers.map(({ step, wrong, readsAfter }) => ({
      step,
      isFill: true,
      wrong,
      readsAfter,
    }));
  }

  async #prepare(): Promise<void> {
    const { rig, writer, random } = this.#parts;
    await rig.isUp();
    const words = this.#racers.map((racer): CommandWords =>
      random.chance(0.2) ? ["DEL", racer.name] : ["SET", racer.name, racer.old]
    );
    await writer.pipeline(words);
    await this.#barrier("before");
    for (const racer of this.#racers) {
      if (random.chance(0.5)) await rig.read(racer.key);
      // Whoever is to be read must be cold, though Redis may track it.
      if (racer !== this.#racers[NOT_ASKED]) rig.readThrough.invalidated(racer.key);
    }
  }

  async #bringToTheirSteps(): Promise<void> {
    const { link, random } = this.#parts;
    const reads = [];
    for (const racer of this.#racers.slice(0, NOT_ASKED)) {
      reads.push(this.#ask(racer));
      // By chance they travel together; the first is alone, or it would be answered with the others.
      if (reads.length === 1 || random.chance(0.5)) await new Promise<void>((sent) => queueMicrotask(sent));
    }
    const lastName = this.#racers[BETWEEN_GET_AND_PTTL].name;
    const lastGet = await heldFrame(
      link.fromClient,
      ({ start }) => start.includes("GET") && start.includes(`\r\n${lastName}\r\n`),
    );
    link.fromClient.releaseFrames(lastGet + 1);
    const repliesCount = 2 * BETWEEN_GET_AND_PTTL + 1;
    await heldFrame(link.fromServer, () => this.#replies().length >= repliesCount);
    // Both replies of the first key, and the second key's to GET.
    link.fromServer.releaseFrames(this.#replies()[2] + 1);
    await reads[ANSWERED];
  }

  /** Returns where the replies to GET and PTTL are among what is held. */
  #replies(): number[] {
    return this.#parts.link.fromServer.frames.flatMap(({ start }, at) => /^[$:_]/.test(start) ? [at] : []);
  }

  async #write(racer: Racer): Promise<void> {
    const { writer, random, trial } = this.#parts;
    await writer.command(
      ...(random.chance(0.7) ? ["SET", racer.name, `${racer.name} new ${trial}`] : ["DEL", racer.name]),
    );
    racer.isWritten = true;
  }

  /** Asks the proxy; what was asked for after W, when the loss was known, must not be from before it. */
  #ask(racer: Racer): Promise<void> {
    const { rig } = this.#parts;
    const mustBeNew = racer.isWritten && rig.counters.disconnects > this.#disconnectsBefore;
    if (mustBeNew) racer.readsAfter++;
    const read = Promise.resolve(rig.read(racer.key)).then((answer) => {
      if (mustBeNew && textOf(answer) === racer.old) {
        racer.wrong ??= "a read asked for after the write and the loss got the old value";
      }
    });
    this.#reads.push(read);
    return read;
  }

  #askByChance(): void {
    for (const racer of this.#racers) if (this.#parts.random.chance(0.3)) void this.#ask(racer);
  }

  async #judge(): Promise<void> {
    const { rig, writer } = this.#parts;
    await this.#barrier("after");
    const truths = await writer.pipeline(this.#racers.map(({ name }) => ["GET", name]));
    for (const [at, racer] of this.#racers.entries()) {
      const expected = textOfReply(truths[at]);
      for (const which of ["first", "second"]) {
        const seen = textOf(await rig.read(racer.key));
        if (seen !== expected) racer.wrong ??= `after the dust: the ${which} read got ${seen}, Redis has ${expected}`;
      }
    }
  }

  /** Waits until the proxy has heard all that Redis has pushed. */
  async #barrier(when: string): Promise<void> {
    const { rig, name, trial } = this.#parts;
    await rig.read(keyFromBytes(new TextEncoder().encode(`barrier:${name}:${trial}:${when}`)));
  }
}
