/**
 * What the page costs a hit: `deno run -A bench/page_cost.ts --before FOLDER`, a minute; again and again.
 *
 * Three proxies answer the same load by turns: one of another checkout (FOLDER, before there was a page), one whose page
 * is closed, one whose page is open: its stream is read, and a key is looked up once a second. CPU is that of the whole
 * process by the kernel's count of nanoseconds. Who comes when is drawn for each round, and the ratio is taken within it,
 * so that what else the machine does falls on all.
 *
 * A process is some percent faster or slower than the next of its kind for as long as it lives, so one run says little
 * however long it is. Every run adds to `.tools/page_cost.jsonl`; the results are of all runs, each counting once. The
 * middle is a median, since what disturbs a turn only ever makes it slower, now and then by half.
 *
 *   --rounds N   rounds of this run; 6 unless told; 0 sums up what is there
 *   --fresh      forgets earlier runs
 */

import { parseArgs } from "node:util";
import { eventually } from "../e2e/support/eventually.ts";
import { proxyOfCheckout, ProxyProcess } from "../e2e/support/proxy_process.ts";
import { RedisServer } from "../e2e/support/redis_server.ts";
import { loadCore, pin, redisCore, serverCore, stepAside } from "./cores.ts";
import { machine } from "./coherence/machine.ts";
import { endAllOnInterrupt } from "./interrupt.ts";
import { runLoad } from "./load.ts";
import { spreadOf, written, writtenSpread } from "./spread.ts";

const CLOSED_MAX = 1.01;
const OPEN_MAX = 1.03;
const CLIENTS = 64;
const SECONDS = 2;
const WARMUP_SECONDS = 2;
/** With fewer there is no interval. */
const RUNS_MIN = 6;
const KEY = "bench:0000000";
const RESULTS = new URL("results/page-cost.txt", import.meta.url);
const ROUNDS = new URL("../.tools/page_cost.jsonl", import.meta.url);

const { values } = parseArgs({
  args: Deno.args,
  options: {
    before: { type: "string" },
    rounds: { type: "string", default: "6" },
    fresh: { type: "boolean", default: false },
  },
});

/** CPU of a hit in microseconds, by who answered; `before` only where there was one. */
type Round = { readonly run: string } & Partial<Record<Name, number>>;
type Name = "before" | "closed" | "open";

/** One proxy under load by turns. */
class Subject implements AsyncDisposable {
  readonly name: Name;
  readonly #proxy: ProxyProcess;
  readonly #page: AbortController | null;

  private constructor(name: Name, proxy: ProxyProcess) {
    this.name = name;
    this.#proxy = proxy;
    this.#page = name === "open" ? new AbortController() : null;
    if (this.#page !== null) void this.#look(this.#page.signal);
  }

  static async start(name: Name, redis: RedisServer): Promise<Subject> {
    const program = name === "before" ? await proxyOfCheckout(values.before!) : undefined;
    const proxy = await ProxyProcess.start({ redisPort: redis.port, program, env: { LOG_LEVEL: "warn" } });
    await pin(proxy.pid, serverCore);
    return new Subject(name, proxy);
  }

  /** Puts the proxy under load and returns the CPU of a hit. Throws when an answer was wrong. */
  async turn(seconds: number): Promise<number> {
    const beforeNs = cpuNs(this.#proxy.pid);
    const found = await runLoad({ port: this.#proxy.port, pathOf: (key) => `/get/${key}` }, {
      keys: { kind: "one", key: KEY },
      clients: CLIENTS,
      seconds,
    });
    const ns = cpuNs(this.#proxy.pid) - beforeNs;
    if (found.badStatus > 0 || found.requests === 0) throw new Error(`${this.name}: ${found.badStatus} wrong answers`);
    return ns / 1000 / found.requests;
  }

  /** Does what an open page does. */
  async #look(signal: AbortSignal): Promise<void> {
    try {
      const { body } = await fetch(this.#proxy.url("/stats/events"), { signal });
      for await (const _ of body!) await (await this.#proxy.get(`/stats/key?key=${KEY}`)).text();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#page?.abort();
    await this.#proxy[Symbol.asyncDispose]();
  }
}

/** CPU time of all threads of a process so far. */
function cpuNs(pid: number): number {
  let ns = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    ns += Number(Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`).split(" ")[0]);
  }
  return ns;
}

/** Measures in processes that are started for it. */
async function measure(rounds: number): Promise<Round[]> {
  const run = new Date().toISOString();
  await using redis = await RedisServer.start();
  await pin(redis.pid, redisCore);
  await redis.command("SET", KEY, "v".repeat(100));
  const names: Name[] = values.before === undefined ? ["closed", "open"] : ["before", "closed", "open"];
  const subjects: Subject[] = [];
  try {
    for (const name of names) subjects.push(await Subject.start(name, redis));
    await using _aside = await stepAside();
    for (const subject of subjects) await eventually(() => subject.turn(WARMUP_SECONDS), { deadlineMs: 30_000 });
    const results: Round[] = [];
    for (let i = 0; i < rounds; i++) {
      const round: Round = { run };
      for (const subject of shuffled(subjects)) round[subject.name] = await subject.turn(SECONDS);
      results.push(round);
    }
    return results;
  } finally {
    for (const subject of subjects) await subject[Symbol.asyncDispose]();
  }
}

async function earlierRounds(): Promise<Round[]> {
  if (values.fresh) return [];
  const text = await Deno.readTextFile(ROUNDS).catch(() => "");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

function shuffled<T>(all: readonly T[]): T[] {
  return all.map((one) => ({ one, at: Math.random() })).sort((a, b) => a.at - b.at).map(({ one }) => one);
}

/** A median, and the interval that holds the true one in 95 of 100 benches: between two values by their rank. */
interface Middle {
  readonly median: number;
  readonly from: number;
  readonly to: number;
}

/** Returns the ratio over all runs; `null` when there are too few. */
function ratio(rounds: readonly Round[], name: Name, to: Name): Middle | null {
  const both = rounds.filter((round) => round[name] !== undefined && round[to] !== undefined);
  const runs = [...Map.groupBy(both, (round) => round.run).values()];
  if (runs.length < RUNS_MIN) return null;
  const ratios = runs
    .map((of) => spreadOf(of.map((round) => round[name]! / round[to]!)).median)
    .sort((a, b) => a - b);
  const rank = Math.max(0, Math.floor((ratios.length - 1.96 * Math.sqrt(ratios.length)) / 2));
  return { median: spreadOf(ratios).median, from: ratios[rank], to: ratios[ratios.length - 1 - rank] };
}

function verdict(text: string, middle: Middle | null, max: number): string {
  if (middle === null) return `target: ${text} at most ${max}: not measured`;
  const { median, from, to } = middle;
  const word = to <= max ? "met" : from > max ? "MISSED" : `${median <= max ? "met" : "missed"} by the median alone`;
  return `target: ${text} at most ${written(max)}: ${median.toFixed(3)} (${from.toFixed(3)}–${to.toFixed(3)}), ${word}`;
}

endAllOnInterrupt();
const earlier = await earlierRounds();
const rounds = [...earlier, ...(values.rounds === "0" ? [] : await measure(Number(values.rounds)))];
await Deno.mkdir(new URL(".", ROUNDS), { recursive: true });
await Deno.writeTextFile(ROUNDS, rounds.map((round) => JSON.stringify(round) + "\n").join(""));
const row = (name: Name, what: string): string => {
  const all = rounds.flatMap((round) => round[name] ?? []);
  return `  ${what.padEnd(24)}${all.length === 0 ? "not measured" : writtenSpread(all)}`;
};
const text = [
  "command   deno run -A bench/page_cost.ts --before FOLDER, several times",
  ...await machine(),
  `${
    new Set(rounds.map(({ run }) => run)).size
  } runs, ${rounds.length} rounds of ${SECONDS} s each; hits of 100 bytes over HTTP by ${CLIENTS} clients; server on core ${serverCore}, load on core ${loadCore}`,
  "CPU us of a hit, user and system: median (min-max); ratios are of the same round, a median for each run: median of runs (95 % interval)",
  "",
  row("before", "before there was a page"),
  row("closed", "page closed"),
  row("open", "page open"),
  "",
  verdict("CPU of a hit, page closed / before", ratio(rounds, "closed", "before"), CLOSED_MAX),
  verdict("CPU of a hit, page open / closed", ratio(rounds, "open", "closed"), OPEN_MAX),
  verdict("CPU of a hit, page open / before", ratio(rounds, "open", "before"), OPEN_MAX),
].join("\n");
console.log(text);
await Deno.writeTextFile(RESULTS, `${text}\n`);
