/**
 * Writes rising versions straight into Redis, by every kind of write, and logs when each was acknowledged.
 *
 * Each lane has a connection and keys of its own, so that the order of a key's versions is the order of its lane's
 * replies. What touches all keys happens while every lane rests.
 */

import { type CommandWords, type Reply, ReplyError, RespClient } from "../support/resp_client.ts";
import type { Random } from "./random.ts";
import { Turnstile } from "./turnstile.ts";
import { nowMs, type VersionLog, type VersionState } from "./version_log.ts";
import { counterValue, keyName, textValue } from "./versioned_value.ts";
import { type Change, CHANGES, type OtherKind } from "./write_kinds.ts";

/** What a writer is made of. */
export interface VersionWriterOptions {
  readonly log: VersionLog;
  readonly random: Random;
  readonly redisPort: number;
  readonly lanes: number;
  /** Writes a second, of all lanes together. */
  readonly ratePerSecond: number;
  /** Pause between two writes of all keys, in ms. */
  readonly flushEveryMs: number;
  readonly paddingBytes: number;
  /** True where Redis evicts: then no write relies on a value that may be gone, and losses are looked for. */
  readonly evicts: boolean;
}

/** A key that its lane may write; one that waits for its end may not. */
interface Lane {
  readonly keys: readonly number[];
  readonly busy: Set<number>;
  client: RespClient;
}

/** Redis rounds an expiry to its own millisecond, and reads its clock once a command. */
const EXPIRY_MARGIN_MS = 3;
/** How often writes are made one at a time, and how often as an expiry, several keys and so on. */
const CHANGE_PART = 0.75;
/** How many of the changes of one key make a value, and how many of those of a number count on. */
const VALUE_PART = 0.75;
const COUNTING_PART = 0.7;
/** An eviction is looked for once in so many writes. */
const PROBE_PART = 0.3;
/** Several keys are at most so many. */
const SEVERAL_MAX = 4;

/** Writes until it is stopped. */
export class VersionWriter {
  /** Acknowledged writes by kind. */
  readonly written = new Map<string, number>();
  readonly #options: VersionWriterOptions;
  readonly #log: VersionLog;
  readonly #random: Random;
  readonly #turnstile = new Turnstile();
  readonly #counters = new Set<number>();
  readonly #lanes: Lane[] = [];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #running: Promise<unknown> = Promise.resolve();
  #failure: Error | null = null;
  #stopping = false;

  private constructor(options: VersionWriterOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#random = options.random;
  }

  /** Connects and begins to write. */
  static async start(options: VersionWriterOptions): Promise<VersionWriter> {
    const writer = new VersionWriter(options);
    const keys = Array.from({ length: options.log.handle.keys }, (_, key) => key);
    for (let lane = 0; lane < options.lanes; lane++) {
      writer.#lanes.push({
        keys: keys.filter((key) => key % options.lanes === lane),
        busy: new Set(),
        client: await RespClient.connect(options.redisPort),
      });
    }
    const loops = [...writer.#lanes.map((lane) => writer.#writeAll(lane)), writer.#flushAll()];
    writer.#running = Promise.all(loops.map((loop) =>
      loop.catch((error) => {
        writer.#failure ??= error;
        writer.#stopping = true;
      })
    ));
    return writer;
  }

  /** What ended the writing before it was stopped; null when nothing did. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Writes acknowledged so far. */
  get count(): number {
    return [...this.written.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Runs `restart`, which must leave Redis without data, while nobody writes; every key is absent from its `lost` on. */
  async restarting(restart: (lost: () => void) => Promise<void>): Promise<void> {
    await this.#turnstile.alone(async () => {
      for (const lane of this.#lanes) lane.client.close();
      const versions = this.#beginAll("restart");
      await restart(() => this.#ackAll(versions));
      for (const lane of this.#lanes) lane.client = await RespClient.connect(this.#options.redisPort);
      this.#count("restart");
    });
  }

  /** Stops writing, waits for what is under way, and throws when a write had failed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#running;
    for (const lane of this.#lanes) lane.client.close();
    if (this.#failure !== null) throw this.#failure;
  }

  async #writeAll(lane: Lane): Promise<void> {
    const everyMs = 1_000 * this.#options.lanes / this.#options.ratePerSecond;
    let dueMs = performance.now();
    while (!this.#stopping) {
      await this.#turnstile.together(() => this.#writeOne(lane));
      // A schedule and not pauses alone, since a timer is late by about as much as the pause; what was missed is not
      // caught up in a burst.
      dueMs = Math.max(dueMs + everyMs, performance.now() - 20);
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise((wake) => setTimeout(wake, waitMs));
    }
  }

  async #flushAll(): Promise<void> {
    const kinds = ["FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB", "FLUSHDB and SET in MULTI"] as const;
    for (let turn = 0; !this.#stopping; turn++) {
      const endMs = performance.now() + this.#options.flushEveryMs;
      while (!this.#stopping && performance.now() < endMs) await new Promise((wake) => setTimeout(wake, 20));
      if (this.#stopping) return;
      await this.#turnstile.alone(() => this.#flush(kinds[turn % kinds.length]));
    }
  }

  async #writeOne(lane: Lane): Promise<void> {
    const random = this.#random;
    if (this.#options.evicts && random.chance(PROBE_PART)) return await this.#probe(lane);
    if (random.chance(CHANGE_PART)) return await this.#change(lane);
    const work = [
      () =>
        this.#expire(lane, random.pick(["SET PX, short", "PEXPIRE, short", "EXPIRE 1", "PEXPIREAT, short"] as const)),
      () => this.#persist(lane),
      () =>
        this.#several(lane, random.pick(["MSET", "DEL of several", "MULTI of several", "EVAL of several"] as const)),
    ];
    await random.pick(work)();
  }

  async #change(lane: Lane): Promise<void> {
    const key = this.#free(lane);
    if (key === null) return;
    const change = this.#pickChange(key);
    const version = this.#log.begin(key, { kind: change.kind, state: change.makes });
    const counter = counterValue({ key, version });
    const replies = await this.#send(
      lane,
      change.commands({ key: keyName(key), spare: `spare:${key}`, text: this.#text(key, version), counter }),
    );
    this.#log.ack(key, version);
    if (change.need === "counter" && String(replies[0]) !== counter) {
      throw new Error(`Cannot go on: ${change.kind} of key ${key} must make ${counter}: received ${replies[0]}`);
    }
    this.#setForm(key, change.makesCounter === true);
    this.#count(change.kind);
  }

  /** Mostly values, so that there is something to be read; a number is mostly counted on. */
  #pickChange(key: number): Change {
    const random = this.#random;
    const allowed = CHANGES.filter((change) => this.#allows(change, key));
    const counting = allowed.filter(({ need }) => need === "counter");
    if (counting.length > 0 && random.chance(COUNTING_PART)) return random.pick(counting);
    const makesValue = random.chance(VALUE_PART);
    return random.pick(allowed.filter(({ makes }) => (makes === "value") === makesValue));
  }

  #allows({ need, makes, usesSpare = false }: Change, key: number): boolean {
    if (this.#options.evicts && (usesSpare || makes === "list")) return false;
    if (need === "nothing") return true;
    const state = this.#log.state(key);
    if (need === "no list") return state !== "list";
    // Where Redis evicts, a value may be gone without our knowing.
    if (this.#options.evicts || state !== "value") return false;
    return need === "value" || this.#counters.has(key);
  }

  /** Gives a key an end; nobody writes it until then. */
  async #expire(lane: Lane, kind: OtherKind): Promise<void> {
    const key = this.#free(lane);
    if (key === null || (kind !== "SET PX, short" && this.#log.state(key) !== "value")) return;
    const name = keyName(key);
    const ttlMs = kind === "EXPIRE 1" ? 1_000 : 20 + this.#random.below(100);
    let version: number | null = null;
    let command: CommandWords;
    switch (kind) {
      case "SET PX, short":
        version = this.#log.begin(key, { kind, state: "value" });
        command = ["SET", name, this.#text(key, version), "PX", `${ttlMs}`];
        break;
      case "EXPIRE 1":
        command = ["EXPIRE", name, "1"];
        break;
      case "PEXPIREAT, short":
        command = ["PEXPIREAT", name, `${Date.now() + ttlMs}`];
        break;
      default:
        command = ["PEXPIRE", name, `${ttlMs}`];
    }
    const absence = this.#log.begin(key, { kind, state: "absent" });
    await this.#send(lane, [command]);
    const ackedAtMs = nowMs();
    if (version !== null) this.#log.ack(key, version, ackedAtMs);
    this.#log.ack(key, absence, ackedAtMs + ttlMs + EXPIRY_MARGIN_MS);
    this.#setForm(key, false);
    this.#count(kind);
    lane.busy.add(key);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      lane.busy.delete(key);
    }, ttlMs + 2 * EXPIRY_MARGIN_MS);
    this.#timers.add(timer);
  }

  /** Gives a key an end and takes it back: what was read meanwhile knows the end, but the value stays. */
  async #persist(lane: Lane): Promise<void> {
    const key = this.#free(lane);
    if (key === null || this.#log.state(key) !== "value") return;
    await this.#send(lane, [["PEXPIRE", keyName(key), "2000"]]);
    await new Promise((wake) => setTimeout(wake, 10));
    await this.#send(lane, [["PERSIST", keyName(key)]]);
    this.#count("PERSIST");
  }

  async #several(lane: Lane, kind: OtherKind): Promise<void> {
    const count = 2 + this.#random.below(SEVERAL_MAX - 1);
    const keys = this.#random.shuffled(lane.keys.filter((key) => !lane.busy.has(key))).slice(0, count);
    if (keys.length < 2) return;
    // The last one goes where the others are set.
    const goes = (at: number): boolean => kind === "DEL of several" || (kind !== "MSET" && at === keys.length - 1);
    const changes = keys.map((key, at) => {
      const state: VersionState = goes(at) ? "absent" : "value";
      const version = this.#log.begin(key, { kind, state });
      return { key, version, name: keyName(key), text: this.#text(key, version), goes: goes(at) };
    });
    const names = changes.map(({ name }) => name);
    const words = changes.map((one): CommandWords => one.goes ? ["DEL", one.name] : ["SET", one.name, one.text]);
    switch (kind) {
      case "MSET":
        await this.#send(lane, [["MSET", ...changes.flatMap(({ name, text }) => [name, text])]]);
        break;
      case "DEL of several":
        await this.#send(lane, [["DEL", ...names]]);
        break;
      case "MULTI of several":
        await this.#send(lane, [["MULTI"], ...words, ["EXEC"]]);
        break;
      default: {
        const script =
          "for i = 1, #KEYS - 1 do redis.call('SET', KEYS[i], ARGV[i]) end; redis.call('DEL', KEYS[#KEYS])";
        await this.#send(lane, [["EVAL", script, `${keys.length}`, ...names, ...changes.map(({ text }) => text)]]);
      }
    }
    for (const { key, version } of changes) {
      this.#log.ack(key, version);
      this.#setForm(key, false);
    }
    this.#count(kind);
  }

  async #flush(kind: OtherKind): Promise<void> {
    const lane = this.#lanes[0];
    const versions = this.#beginAll(kind);
    if (kind !== "FLUSHDB and SET in MULTI") {
      await this.#send(lane, [kind.split(" ")]);
    } else {
      const key = this.#free(lane) ?? lane.keys[0];
      const version = this.#log.begin(key, { kind, state: "value" });
      await this.#send(lane, [["MULTI"], ["FLUSHDB"], ["SET", keyName(key), this.#text(key, version)], ["EXEC"]]);
      this.#log.ack(key, version);
    }
    this.#ackAll(versions);
    this.#count(kind);
  }

  /** Looks whether a key is gone that nobody removed. */
  async #probe(lane: Lane): Promise<void> {
    const key = this.#free(lane);
    if (key === null || this.#log.state(key) !== "value") return;
    const version = this.#log.newest(key);
    const [exists] = await this.#send(lane, [["EXISTS", keyName(key)]]);
    if (exists !== 0 || this.#log.newest(key) !== version) return;
    this.#log.ack(key, this.#log.begin(key, { kind: "eviction", state: "absent" }));
    this.#count("eviction");
  }

  #beginAll(kind: OtherKind): number[] {
    this.#counters.clear();
    return Array.from({ length: this.#log.handle.keys }, (_, key) => this.#log.begin(key, { kind, state: "absent" }));
  }

  #ackAll(versions: number[]): void {
    versions.forEach((version, key) => this.#log.ack(key, version));
  }

  #free(lane: Lane): number | null {
    const key = this.#random.pick(lane.keys);
    return lane.busy.has(key) ? null : key;
  }

  #text(key: number, version: number): string {
    return textValue({ key, version }, this.#options.paddingBytes);
  }

  #setForm(key: number, isCounter: boolean): void {
    if (isCounter) this.#counters.add(key);
    else this.#counters.delete(key);
  }

  async #send(lane: Lane, commands: CommandWords[]): Promise<Reply[]> {
    const replies = await lane.client.pipeline(commands);
    for (const reply of replies.flat()) {
      if (reply instanceof ReplyError) throw new Error(`Cannot write ${JSON.stringify(commands[0])}: ${reply.message}`);
    }
    return replies;
  }

  #count(kind: string): void {
    this.written.set(kind, (this.written.get(kind) ?? 0) + 1);
  }
}
