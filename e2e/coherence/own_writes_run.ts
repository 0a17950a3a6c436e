/**
 * One run of write/read pairs through a drop-in: what was written must be read, wherever it is read, by whoever.
 *
 *   lanes    write keys of their own, each by a connection of its own ─▶ once the reply is there, read them anywhere
 *   fillers  read all keys all the while, through both doors, so that a fill of what was there before is always under way
 *
 * What touches all keys is written while every lane rests; the fillers do not rest.
 */

import { Buffer } from "node:buffer";
import { eventually } from "../support/eventually.ts";
import { type Reply, ReplyError, RespClient } from "../support/resp_client.ts";
import {
  Contents,
  type Expected,
  NO_STRING,
  OWN_WRITE_KINDS,
  OWN_WRITES,
  OWN_WRITES_OF_ALL,
  PREPARATION,
} from "./own_write_kinds.ts";
import type { Random } from "./random.ts";
import { Turnstile } from "./turnstile.ts";

/** A drop-in to be checked. */
export interface CheckedDropIn {
  readonly respPort: number;
  /** Null where there is no HTTP door. */
  readonly port: number | null;
}

/** What a run is. */
export interface OwnWritesOptions {
  readonly dropIn: CheckedDropIn;
  readonly random: Random;
  /** Goes on until so many writes were read back. */
  readonly pairs: number;
  /** Gives up after this time. */
  readonly deadlineMs: number;
  /** Ends at the first old value: for faults that are planted. */
  readonly stopsAtOld?: boolean;
}

/** What came of it. */
export interface OwnWritesResult {
  readonly pairs: number;
  readonly pairsByKind: ReadonlyMap<string, number>;
  readonly pairsByReader: ReadonlyMap<string, number>;
  /** Every read that did not get what was written before it. */
  readonly wrong: readonly string[];
}

const LANES = 12;
/** Writes that go out together, and how often they do; else each is read back before the next. */
const PIPELINED_WRITES = 64;
const SINGLE_WRITES = 4;
const PIPELINED_PART = 0.8;
/** How often all keys are written, in turns of a lane. */
const ALL_PART = 0.01;
/** How often the same keys are read again, when what was read first may be held. */
const AGAIN_PART = 0.25;
/** HTTP costs more than the rest of a pair. */
const HTTP_KEYS_MAX = 4;
const FILLERS = 4;
const FILLER_KEYS = 16;
const NUMBER_MAX = 1_000_000;
const OLD_SHOWN_MAX = 10;

const HTTP = "HTTP";
const READERS = ["GET, own connection", "GET, another connection", "MGET", HTTP];

interface Lane {
  readonly keys: string[];
  readonly own: RespClient;
  readonly other: RespClient;
}

/** Writes and reads until enough was read, of every kind. */
export async function runOwnWrites(options: OwnWritesOptions): Promise<OwnWritesResult> {
  await using run = await OwnWritesRun.start(options);
  return await run.end();
}

class OwnWritesRun implements AsyncDisposable {
  readonly #options: OwnWritesOptions;
  readonly #random: Random;
  readonly #contents = new Contents();
  readonly #turnstile = new Turnstile();
  readonly #lanes: Lane[] = [];
  readonly #pairsByKind = new Map<string, number>();
  readonly #pairsByReader = new Map<string, number>();
  readonly #wrong: string[] = [];
  readonly #clients: RespClient[] = [];
  #pairs = 0;
  #values = 0;
  #writesOfAll = 0;
  #isOver = false;

  private constructor(options: OwnWritesOptions) {
    this.#options = options;
    this.#random = options.random;
  }

  static async start(options: OwnWritesOptions): Promise<OwnWritesRun> {
    const run = new OwnWritesRun(options);
    for (let lane = 0; lane < LANES; lane++) {
      const keys = Array.from({ length: 2 * PIPELINED_WRITES }, (_, i) => `own:${lane}:${i}`);
      run.#lanes.push({ keys, own: await run.#connect(), other: await run.#connect() });
    }
    await run.#lanes[0].own.pipeline(PREPARATION);
    return run;
  }

  async end(): Promise<OwnWritesResult> {
    const { pairs, deadlineMs, dropIn, stopsAtOld = false } = this.#options;
    const tasks = this.#lanes.map((lane) => this.#untilOver(() => this.#turn(lane)));
    for (let filler = 0; filler < FILLERS; filler++) {
      const client = await this.#connect();
      tasks.push(this.#untilOver(() => this.#fill(client)));
    }
    if (dropIn.port !== null) tasks.push(this.#untilOver(() => this.#fillOverHttp(dropIn.port!)));
    const failed = Promise.all(tasks);
    failed.catch(() => this.#isOver = true);
    try {
      await eventually(() => {
        const isEnough = this.#pairs >= pairs && this.#pairsByKind.size === OWN_WRITE_KINDS.length;
        if (this.#isOver || isEnough || (stopsAtOld && this.#wrong.length > 0)) return;
        throw new Error(
          `${this.#pairs} of ${pairs} pairs, ${this.#pairsByKind.size} of ${OWN_WRITE_KINDS.length} kinds`,
        );
      }, { deadlineMs });
    } finally {
      this.#isOver = true;
      await failed;
    }
    return {
      pairs: this.#pairs,
      pairsByKind: this.#pairsByKind,
      pairsByReader: this.#pairsByReader,
      wrong: this.#wrong,
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    return Promise.resolve();
  }

  async #connect(): Promise<RespClient> {
    const client = await RespClient.connect(this.#options.dropIn.respPort, { deadlineMs: 20_000 });
    this.#clients.push(client);
    return client;
  }

  async #untilOver(step: () => Promise<void>): Promise<void> {
    while (!this.#isOver) await step();
  }

  #turn(lane: Lane): Promise<void> {
    if (this.#random.chance(ALL_PART)) return this.#turnstile.alone(() => this.#writeAll(lane));
    return this.#turnstile.together(() =>
      this.#random.chance(PIPELINED_PART) ? this.#writeTogether(lane) : this.#writeOneByOne(lane)
    );
  }

  /** One pipeline of writes; its keys are read when all replies are there. */
  async #writeTogether(lane: Lane): Promise<void> {
    const writes = Array.from({ length: PIPELINED_WRITES }, (_, i) => this.#write(lane, i));
    await lane.own.pipeline(writes.flatMap(({ commands }) => commands));
    await this.#check(lane, { kinds: writes.map(({ kind }) => kind), keys: writes.flatMap(({ keys }) => keys) });
  }

  async #writeOneByOne(lane: Lane): Promise<void> {
    for (let i = 0; i < SINGLE_WRITES && !this.#isOver; i++) {
      const { kind, keys, commands } = this.#write(lane, this.#random.below(PIPELINED_WRITES));
      // A session's state lies between the commands, too.
      for (const words of commands) await lane.own.command(...words);
      await this.#check(lane, { kinds: [kind], keys });
    }
  }

  async #writeAll(lane: Lane): Promise<void> {
    // In turn, as there are few of them.
    const kinds = Object.keys(OWN_WRITES_OF_ALL);
    const kind = kinds[this.#writesOfAll++ % kinds.length];
    await lane.own.pipeline(OWN_WRITES_OF_ALL[kind](this.#contents));
    await Promise.all(this.#lanes.map((lane) => this.#check(lane, { kinds: [kind], keys: lane.keys })));
  }

  #write(lane: Lane, i: number) {
    const kind = this.#random.pick(Object.keys(OWN_WRITES));
    const [a, b] = [lane.keys[2 * i], lane.keys[2 * i + 1]];
    const parts = {
      a,
      b,
      value: `v${++this.#values}`,
      number: this.#random.below(NUMBER_MAX),
      contents: this.#contents,
    };
    const commands = OWN_WRITES[kind](parts);
    return { kind, keys: this.#contents.takeChanged(), commands };
  }

  async #check(lane: Lane, { kinds, keys }: { kinds: string[]; keys: string[] }): Promise<void> {
    const chosen = this.#random.pick(READERS);
    const reader = chosen === HTTP && (this.#options.dropIn.port === null || keys.length > HTTP_KEYS_MAX)
      ? READERS[1]
      : chosen;
    const texts = await this.#read(lane, reader, keys);
    const isMget = reader === "MGET";
    keys.forEach((key, i) => {
      const expected = textOf(this.#contents.get(key), isMget);
      if (texts[i] !== expected) this.#wrong.push(`${kinds} ${key} by ${reader}: ${texts[i]} in place of ${expected}`);
    });
    this.#pairs += kinds.length;
    for (const kind of kinds) this.#pairsByKind.set(kind, (this.#pairsByKind.get(kind) ?? 0) + 1);
    this.#pairsByReader.set(reader, (this.#pairsByReader.get(reader) ?? 0) + kinds.length);
    if (this.#wrong.length > OLD_SHOWN_MAX) this.#isOver = true;
    else if (kinds.length > 0 && this.#random.chance(AGAIN_PART)) await this.#check(lane, { kinds: [], keys });
  }

  #read({ own, other }: Lane, reader: string, keys: string[]): Promise<string[]> {
    switch (reader) {
      case "GET, own connection":
        return own.pipeline(keys.map((key) => ["GET", key])).then((replies) => replies.map(said));
      case "GET, another connection":
        return other.pipeline(keys.map((key) => ["GET", key])).then((replies) => replies.map(said));
      case "MGET":
        return other.command("MGET", ...keys).then((reply) => (reply as Reply[]).map(said));
      default:
        return Promise.all(keys.map((key) => saidOverHttp(this.#options.dropIn.port!, key)));
    }
  }

  async #fill(client: RespClient): Promise<void> {
    const keys = Array.from({ length: FILLER_KEYS }, () => this.#random.pick(this.#random.pick(this.#lanes).keys));
    await client.pipeline(keys.map((key) => ["GET", key]));
  }

  async #fillOverHttp(port: number): Promise<void> {
    await saidOverHttp(port, this.#random.pick(this.#random.pick(this.#lanes).keys));
  }
}

const WRONG_TYPE = "(no string)";
const NIL = "(nil)";

function textOf(expected: Expected, isMget: boolean): string {
  if (expected === NO_STRING) return isMget ? NIL : WRONG_TYPE;
  return expected ?? NIL;
}

function said(reply: Reply): string {
  if (reply instanceof ReplyError) return reply.message.startsWith("WRONGTYPE ") ? WRONG_TYPE : reply.message;
  return reply === null ? NIL : Buffer.from(reply as Uint8Array).toString();
}

async function saidOverHttp(port: number, key: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/get/${key}`);
  const text = await response.text();
  return response.status === 200 ? text : response.status === 404 ? NIL : response.status === 409 ? WRONG_TYPE : text;
}
