/**
 * A race of one fill with one write, the steps of which are forced; see `race.ts`.
 */

import { keyFromBytes } from "../../lib/protocol/key.ts";
import { eventually } from "../support/eventually.ts";
import type { LinkDirection } from "../support/link_direction.ts";
import { type CommandWords, type Reply, ReplyError } from "../support/resp_client.ts";
import { heldFrame, someTurns, textOf, textOfReply } from "./race_tools.ts";
import type { RaceOutcome, RaceParts, RaceStep } from "./race.ts";

const NO_REPLY = /^(?:\$-1|_)\r\n$/;

/** One race of a fill with one write. */
export class FillRace {
  readonly #parts: RaceParts;
  readonly #step: RaceStep;
  #readsAfter = 0;
  readonly #key: string;
  /** Reads that had to be new, and were not. */
  #wrong: string | null = null;
  readonly #reads: Promise<void>[] = [];
  #isWritten = false;
  /** True when W changes what a reader gets at once. */
  #isNewValue = true;
  #isTracked = false;
  #heardBefore = 0;

  constructor(parts: RaceParts, step: RaceStep) {
    this.#parts = parts;
    this.#step = step;
    this.#key = keyFromBytes(new TextEncoder().encode(parts.name));
  }

  /** Runs it. */
  async run(): Promise<RaceOutcome> {
    const { link, rig } = this.#parts;
    const step = this.#step;
    await this.#prepare();
    link.fromClient.holdFrames();
    link.fromServer.holdFrames();
    const toServer = link.fromClient;
    const toProxy = link.fromServer;

    if (step === "before the read") await this.#write();
    const first = this.#ask();
    // Answered from memory: then there is no fill, and W lands after a hit.
    const isFill = rig.readThrough.flights > 0;
    if (isFill) {
      await this.#passThrough(toServer, "GET", { but: true });
      if (step === "before GET") await this.#write();
    }
    if (isFill) {
      await this.#passThrough(toServer, "GET");
      await heldFrame(toProxy, (frame) => this.#isReplyToGet(frame));
      this.#isTracked = true;
      if (step === "between GET and PTTL") await this.#write();
    }
    if (isFill) {
      await this.#passThrough(toServer, "PTTL");
      await heldFrame(toProxy, (frame) => frame.start.startsWith(":"));
      if (step === "after PTTL") await this.#write();
    }
    if (isFill && (step === "between the replies" || step === "after the fill")) {
      toProxy.releaseFrames(1 + toProxy.frames.findIndex((frame) => this.#isReplyToGet(frame)));
      if (step === "between the replies") await this.#write();
    }
    if (isFill && step === "after the fill") {
      toProxy.releaseFrames(1 + toProxy.frames.findIndex((frame) => frame.start.startsWith(":")));
      await first;
    }
    if (!this.#isWritten) await this.#write();
    await this.#deliver();
    link.release();
    await Promise.all(this.#reads);
    return { step, isFill, wrong: this.#wrong ?? await this.#verdict(), readsAfter: this.#readsAfter };
  }

  /** Brings key and cache into one of the states that a race may begin in. */
  async #prepare(): Promise<void> {
    const { random, rig, name, kind } = this.#parts;
    await rig.isUp();
    const isAbsent = kind !== "DEL" && kind !== "EXPIRE" && random.chance(0.3);
    await this.#command(isAbsent ? ["DEL", name] : ["SET", name, this.#value("old"), "PX", "3600000"]);
    // Held, or cold though Redis tracks it; else as the last trial left it.
    if (random.chance(0.5)) {
      await this.#barrier("to begin with");
      await rig.read(this.#key);
      if (random.chance(0.7)) rig.readThrough.invalidated(this.#key);
    }
    // So that what is heard from here on is heard of W.
    await this.#barrier("before");
  }

  /** Executes W at Redis, and waits until Redis's word of it is held. */
  async #write(): Promise<void> {
    const { link } = this.#parts;
    const heldBefore = link.fromServer.frames.filter((frame) => this.#isPush(frame)).length;
    this.#heardBefore = this.#heard;
    await this.#command(this.#words());
    this.#isWritten = true;
    // A key that Redis has answered for since its last invalidation is tracked, so word of it must come.
    if (this.#isTracked) {
      await heldFrame(
        link.fromServer,
        () => link.fromServer.frames.filter((frame) => this.#isPush(frame)).length > heldBefore,
      );
    }
  }

  /** Lets all that is held arrive at the proxy, in one of three ways. */
  async #deliver(): Promise<void> {
    const { link, random } = this.#parts;
    const way = random.pick(["together", "each alone", "in groups"] as const);
    while (link.fromServer.frames.length > 0) {
      const held = link.fromServer.frames.length;
      link.fromServer.releaseFrames(way === "together" ? held : way === "each alone" ? 1 : 1 + random.below(held));
      await someTurns(this.#parts.random);
      this.#askByChance();
    }
  }

  /** All frames are delivered: is what the proxy says, and what it holds, what Redis says? */
  async #verdict(): Promise<string | null> {
    const { rig, name, kind } = this.#parts;
    await rig.isUp();
    await this.#barrier("after");
    // An end in a few ms: wait for it, so that an item without that end is seen.
    if (kind === "EXPIRE") {
      await eventually(async () => (await this.#command(["PTTL", name])) as number > 1_000 || await this.#isGone());
    }
    const [truth, remainingMs] = await this.#parts.writer.pipeline([["GET", name], ["PTTL", name]]);
    const expected = textOfReply(truth);
    for (const which of ["first", "second"]) {
      const seen = textOf(await rig.read(this.#key));
      if (seen !== expected) return `after the dust: the ${which} read got ${seen}, Redis has ${expected}`;
    }
    const held = rig.cache.peek(this.#key);
    if (held !== undefined && (remainingMs as number) >= 0) {
      const tooLongMs = held.freshUntilMs - rig.clock.tick() - (remainingMs as number);
      // A millisecond for Redis's rounding, and what passed since Redis answered only makes it less.
      if (tooLongMs > 1) return `after the dust: held for ${tooLongMs} ms longer than Redis will`;
    }
    return null;
  }

  async #isGone(): Promise<boolean> {
    return await this.#command(["EXISTS", this.#parts.name]) === 0;
  }

  /** Returns W. */
  #words(): CommandWords {
    const { kind, random, name } = this.#parts;
    switch (kind) {
      case "SET":
        return ["SET", name, this.#value("new")];
      case "DEL":
        return [random.pick(["DEL", "UNLINK"]), name];
      case "EXPIRE": {
        // An end far away, one that comes soon, and one at once.
        const ttlMs = random.pick([60_000, 4, -1]);
        this.#isNewValue = ttlMs < 0;
        return ["PEXPIRE", name, `${ttlMs}`];
      }
      default:
        return random.chance(0.5) ? ["FLUSHALL"] : ["FLUSHDB"];
    }
  }

  #value(age: "old" | "new"): string {
    return `${this.#parts.name} ${age} ${this.#parts.trial}`;
  }

  /** Asks the proxy for the key; what was asked for after it had heard of W must be new. */
  #ask(): Promise<void> {
    const { rig } = this.#parts;
    const mustBeNew = this.#isWritten && this.#isNewValue && this.#heard > this.#heardBefore;
    const old = this.#value("old");
    if (mustBeNew) this.#readsAfter++;
    const answer = rig.read(this.#key);
    const read = Promise.resolve(answer).then((answer) => {
      const seen = textOf(answer);
      if (answer.kind === "failed") this.#wrong ??= `a read failed: ${seen}`;
      if (mustBeNew && seen === old) {
        this.#wrong ??= "a read asked for after the invalidation was heard got the old value";
      }
    });
    this.#reads.push(read);
    return read;
  }

  #askByChance(): void {
    if (this.#parts.random.chance(0.5)) void this.#ask();
  }

  /** What the proxy has heard so far of what W makes Redis say. */
  get #heard(): number {
    const { counters } = this.#parts.rig;
    switch (this.#parts.kind) {
      case "FLUSHALL":
        return counters.invalidatedAll;
      default:
        return counters.invalidatedKeys;
    }
  }

  #isReplyToGet({ start }: { start: string }): boolean {
    return NO_REPLY.test(start) || (start.startsWith("$") && start.includes(`\r\n${this.#parts.name} `));
  }

  #isPush({ start }: { start: string }): boolean {
    if (!start.startsWith(">")) return false;
    const isNull = /invalidate\r\n(?:_|\$-1|\*-1)\r\n$/.test(start);
    return this.#parts.kind === "FLUSHALL" ? isNull : start.endsWith(`\r\n${this.#parts.name}\r\n`);
  }

  /** Lets go all frames up to the command of this name, or up to the one before it. */
  async #passThrough(
    direction: LinkDirection,
    command: string,
    { but = false }: { but?: boolean } = {},
  ): Promise<void> {
    const at = await heldFrame(direction, ({ start }) => start.includes(`\r\n${command}\r\n`));
    direction.releaseFrames(but ? at : at + 1);
  }

  /** Waits until the proxy has heard all that Redis has pushed: the reply to a fill comes after it. */
  async #barrier(when: string): Promise<void> {
    const { rig, name, trial } = this.#parts;
    await rig.read(keyFromBytes(new TextEncoder().encode(`barrier:${name}:${trial}:${when}`)));
  }

  async #command(words: CommandWords): Promise<Reply> {
    const reply = await this.#parts.writer.command(...words);
    if (reply instanceof ReplyError) throw reply;
    return reply;
  }
}
