/**
 * The Redis protocol, against redis-server itself, at several depths of pipelining: hits in both modes, relayed writes.
 */

import { freePort } from "../../e2e/support/free_port.ts";
import { RedisServer } from "../../e2e/support/redis_server.ts";
import { RespClient } from "../../e2e/support/resp_client.ts";
import { pairedRatio } from "../comparison.ts";
import { loadCore, serverCore } from "../cores.ts";
import { fill } from "../fill.ts";
import { proxy } from "../peers/proxy.ts";
import { ProcessTree } from "../process_tree.ts";
import { type Outcome, runRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";
import { Site } from "../site.ts";
import { written, writtenSpread } from "../spread.ts";
import { Table } from "../table.ts";
import { keyOf, valueOf } from "../value.ts";

const clients = 64;
const valueBytes = 100;
const key = keyOf("resp", 0);
/** Requests of the first turn, from which the number for the others is found. */
const trialRequests = 50_000;
/** Keys drawn at random in one of the tables; `__rand_int__` in a request becomes one of them, in twelve digits. */
const randomKeys = 100_000;
const randomKeyOf = (number: number): string => `random:${`${number}`.padStart(12, "0")}`;

interface RespSubject {
  readonly name: string;
  readonly port: number;
  readonly tree: ProcessTree;
  /** Found by a trial, so that turns of the fast and the slow take equally long. */
  requestsPerSecond: number;
}

interface RespResult {
  readonly requestsPerSecond: number;
  readonly cpuMicrosPerRequest: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly commandLine: string;
}

/** One table: what redis-benchmark is told, and how many requests it sends before it reads the replies. */
interface Work {
  readonly caption: string;
  readonly words: readonly string[];
  readonly depths: readonly number[];
}

const READS: readonly Work[] = [
  { caption: "Hits over RESP", words: ["get", key], depths: [1, 16, 64] },
  {
    caption: `Hits over RESP of ${randomKeys} keys at random`,
    words: ["-r", `${randomKeys}`, "get", "random:__rand_int__"],
    depths: [64],
  },
];
const WRITES: readonly Work[] = [
  {
    caption: "Writes over RESP, relayed",
    words: ["set", key, valueOf(key, valueBytes)],
    depths: [1, 16],
  },
];

export const respHits: Scenario = {
  name: "resp-hits",
  async run(effort) {
    await using site = await Site.open();
    await site.fill("resp", { count: 1, valueBytes });
    await using itself = await RedisServer.start();
    await fill(itself, { prefix: "resp", count: 1, valueBytes });
    if (!effort.quick) { for (const redis of [site.redis, itself]) await fillRandomKeys(redis); }
    const ports = { read: freePort(), all: freePort() };
    const peers = await site.start(
      (["read", "all"] as const).map((mode) =>
        proxy({
          name: mode === "read" ? "redis-proxy" : "redis-proxy, RESP_COMMANDS=all",
          env: { RESP_PORT: `${ports[mode]}`, RESP_COMMANDS: mode },
        })
      ),
      { entriesMax: 2 * randomKeys, valueBytes, ttlSeconds: 3600, key },
    );
    if (peers.length < 2) {
      return {
        title: "The Redis protocol",
        notes: [],
        tables: [],
        findings: [`skipped: the proxy does not start with RESP_PORT: ${site.failures[0].reason}`],
        commands: [],
      };
    }
    const itselfTree = new ProcessTree([itself.pid]);
    await itselfTree.pin(serverCore);
    const tables = [];
    const commands: string[] = peers.flatMap(({ commandLines }) => [...commandLines]);
    const all = { name: peers[1].name, port: ports.all, tree: peers[1].tree };
    const redis = { name: "redis-server", port: itself.port, tree: itselfTree };
    // A quick look is at one table; the others would take a minute.
    const quickTableaus = [{ ...READS[0], depths: [16] }];
    const tableaus = [
      ...(effort.quick ? quickTableaus : READS).map((work) => ({
        work,
        subjects: [{ name: peers[0].name, port: ports.read, tree: peers[0].tree }, all, redis],
      })),
      ...(effort.quick ? [] : WRITES).map((work) => ({ work, subjects: [all, redis] })),
    ];
    if (!effort.quick) { for (const port of Object.values(ports)) await warm(port); }
    for (const { work, subjects } of tableaus) {
      for (const depth of work.depths) {
        const timed: RespSubject[] = subjects.map((subject) => ({ ...subject, requestsPerSecond: 0 }));
        await runRounds(timed, {
          rounds: 2,
          turn: async (subject) => {
            const result = await measure(subject, { work, depth, requests: trialRequests });
            subject.requestsPerSecond = result.requestsPerSecond;
          },
        });
        const outcomes = await runRounds(timed, {
          rounds: effort.rounds,
          turn: (subject) => {
            const requests = Math.ceil(subject.requestsPerSecond * effort.seconds) || trialRequests;
            return measure(subject, { work, depth, requests });
          },
        });
        tables.push({
          caption: `${work.caption}, ${depth} deep, ${valueBytes} B, ${clients} clients`,
          table: tableOf(outcomes),
        });
        for (const outcome of outcomes.values()) if (outcome.ok) commands.push(outcome.results[0].commandLine);
      }
    }
    return {
      title: "The Redis protocol",
      notes: [
        `${effort.rounds} interleaved rounds of about ${effort.seconds} s by redis-benchmark; median (min-max).`,
        "'depth' is how many requests a client sends before it reads the replies.",
      ],
      tables,
      findings: [],
      commands,
    };
  },
};

async function fillRandomKeys(redis: RedisServer): Promise<void> {
  for (let from = 0; from < randomKeys; from += 1_000) {
    const names = Array.from({ length: 1_000 }, (_, i) => randomKeyOf(from + i));
    await redis.pipeline(names.map((name) => ["SET", name, valueOf(name, valueBytes)]));
  }
}

/** Has the proxy hold all keys. */
async function warm(port: number): Promise<void> {
  using client = await RespClient.connect(port);
  for (let from = 0; from < randomKeys; from += 1_000) {
    await client.pipeline(Array.from({ length: 1_000 }, (_, i) => ["GET", randomKeyOf(from + i)]));
  }
}

async function measure(
  { port, tree }: RespSubject,
  { work, depth, requests }: { work: Work; depth: number; requests: number },
): Promise<RespResult> {
  await mustAnswer(port);
  const cpuBeforeMs = tree.cpuMs;
  const words = ["-p", `${port}`, "-c", `${clients}`, "-n", `${requests}`, "-P", `${depth}`, "--csv", ...work.words];
  const { success, stdout, stderr } = await new Deno.Command("taskset", {
    args: ["-c", `${loadCore}`, "timeout", "120", "redis-benchmark", ...words],
  }).output();
  const cpuMs = tree.cpuMs - cpuBeforeMs;
  const text = new TextDecoder().decode(stdout);
  const cells = text.trim().split("\n").pop()!.split(",").map((cell) => cell.replaceAll('"', ""));
  const [, rate, , , p50, , p99] = cells;
  if (!success || !(Number(rate) > 0)) {
    throw new Error(`redis-benchmark failed: ${new TextDecoder().decode(stderr).trim() || text.trim()}`);
  }
  await mustAnswer(port);
  return {
    requestsPerSecond: Number(rate),
    cpuMicrosPerRequest: cpuMs * 1000 / requests,
    p50Ms: Number(p50),
    p99Ms: Number(p99),
    commandLine: `taskset -c ${loadCore} redis-benchmark ${words.join(" ")}`,
  };
}

async function mustAnswer(port: number): Promise<void> {
  using client = await RespClient.connect(port);
  const reply = await client.command("GET", key);
  const value = reply instanceof Uint8Array ? new TextDecoder().decode(reply) : String(reply);
  if (value !== valueOf(key, valueBytes)) throw new Error(`wrong answer for ${key}: ${value.slice(0, 60)}`);
}

function tableOf(outcomes: ReadonlyMap<string, Outcome<RespResult>>): Table {
  const [first] = outcomes.values();
  const rows = [...outcomes].map(([name, outcome]) => {
    if (!outcome.ok) return [name, `FAILED: ${outcome.reason}`];
    const spread = (of: (result: RespResult) => number) => writtenSpread(outcome.results.map(of));
    const ratio = (of: (result: RespResult) => number) => {
      const value = pairedRatio(first, outcome, of);
      return value === null ? "-" : written(value);
    };
    return [
      name,
      spread((result) => result.requestsPerSecond),
      spread((result) => result.cpuMicrosPerRequest),
      spread((result) => result.p50Ms),
      spread((result) => result.p99Ms),
      ratio((result) => result.requestsPerSecond),
      ratio((result) => result.cpuMicrosPerRequest),
    ];
  });
  const columns = ["peer", "requests/s", "CPU us/request", "p50 ms", "p99 ms"];
  return new Table([...columns, "rate of redis-proxy / this", "CPU of redis-proxy / this"], rows);
}
