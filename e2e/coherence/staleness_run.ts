/**
 * One run of the staleness checker.
 *
 *   VersionWriter ──writes──────────────────────────▶ Redis ◀── Faults: CLIENT KILL, restart
 *        │                                              ▲
 *        ▼                                        TcpMiddleman ◀── Faults: stall
 *   VersionLog (shared memory)                          ▲
 *        │                                              │
 *        └──▶ StalenessChecker ◀── Reader (a thread) ─▶ proxy
 */

import { eventually } from "../support/eventually.ts";
import { RedisServer } from "../support/redis_server.ts";
import { TcpMiddleman } from "../support/tcp_middleman.ts";
import { type FaultCounts, Faults } from "./faults.ts";
import { Random } from "./random.ts";
import { Reader } from "./reader.ts";
import { type StalenessCounts, StallMark } from "./staleness_checker.ts";
import { VersionLog } from "./version_log.ts";
import { VersionWriter } from "./version_writer.ts";
import { WRITE_KINDS } from "./write_kinds.ts";

/** A proxy to be checked. */
export interface CheckedProxy extends AsyncDisposable {
  readonly port: number;
}

/** What a run is. */
export interface StalenessRunOptions {
  readonly seed: number;
  readonly startProxy: (redisPort: number) => Promise<CheckedProxy>;
  readonly faults: FaultCounts;
  /** Goes on until so many reads were judged and all faults are over. */
  readonly readsMin: number;
  /** Gives up after this time. */
  readonly deadlineMs: number;
  /** Ends at the first violation: for bugs that are planted. */
  readonly stopsAtViolation?: boolean;
  /** Redis evicts (`allkeys-lru`), and its memory is kept full. */
  readonly evicts?: boolean;
  readonly keys?: number;
  readonly writesPerSecond?: number;
  readonly flushEveryMs?: number;
  /** No middleman on the link: nothing of the test's is in the way of an invalidation, but no stalls either. */
  readonly isDirect?: boolean;
  /** Time that each chunk from Redis takes to arrive, in ms, so that more happens during a fill. */
  readonly linkDelayMs?: number;
  readonly connections?: number;
  readonly depth?: number;
}

/** What came of it. */
export interface StalenessResult {
  readonly seed: number;
  readonly counts: StalenessCounts;
  readonly hitShare: number;
  readonly written: ReadonlyMap<string, number>;
  readonly writes: number;
  readonly faults: FaultCounts;
  readonly lostConnections: number;
  /** Keys that Redis evicted, by its own count. */
  readonly evictedKeys: number;
  readonly elapsedMs: number;
}

/** What an answer may be late by, in ms after the acknowledgement. */
export const CALM_MS_MAX = 50;
/** A half-open link must be found in 3 s (promise 1 of the contract); the rest is for an answer under way. */
export const STALLED_MS_MAX = 3_000 + CALM_MS_MAX;

const KEYS = 64;
/** Of all keys together; 18 bytes each. */
const VERSIONS_MAX = 2 ** 21;
/** Memory is used up about as fast as a key is written again, so that keys that are read are among the idle ones. */
const EVICTING = {
  maxmemory: "4mb",
  keys: 512,
  paddingBytes: 1_000,
  fillerKeys: 2_000,
  fillerBytes: 4_000,
  everyMs: 2,
};

/** Writes, reads and breaks things until enough was read, and returns what was found. */
export async function runStaleness(options: StalenessRunOptions): Promise<StalenessResult> {
  const { seed, evicts = false, keys = evicts ? EVICTING.keys : KEYS } = options;
  const random = new Random(seed);
  const log = VersionLog.create({ keys, versionsMax: Math.floor(VERSIONS_MAX / keys), kinds: WRITE_KINDS });
  const stall = new StallMark();
  const args = evicts ? ["--maxmemory", EVICTING.maxmemory, "--maxmemory-policy", "allkeys-lru"] : [];
  await using redis = await RedisServer.start({ args });
  await using link = await TcpMiddleman.start({ targetPort: redis.port });
  if (options.linkDelayMs !== undefined) link.fromServer.delay({ ms: options.linkDelayMs });
  await using proxy = await options.startProxy(options.isDirect ? redis.port : link.port);
  const startedAtMs = performance.now();
  const writer = await VersionWriter.start({
    log,
    random,
    redisPort: redis.port,
    lanes: 4,
    ratePerSecond: options.writesPerSecond ?? 500,
    // Memory that is emptied again and again never runs short.
    flushEveryMs: options.flushEveryMs ?? (evicts ? Infinity : 1_500),
    paddingBytes: evicts ? EVICTING.paddingBytes : 60,
    evicts,
  });
  const reader = Reader.start({
    port: proxy.port,
    log: log.handle,
    stall: stall.buffer,
    bounds: { calmMs: CALM_MS_MAX, stalledMs: STALLED_MS_MAX, absenceIsJudged: !evicts },
    connections: options.connections ?? 16,
    depth: options.depth ?? 8,
    seed,
  });
  const faults = new Faults({ redis, link, writer, stall, random });
  if (evicts) await redis.pipeline(Array.from({ length: EVICTING.fillerKeys }, () => filler(random)));
  const filling = evicts
    ? setInterval(() => void redis.command(...filler(random)).catch(() => {}), EVICTING.everyMs)
    : undefined;
  let faultsAreOver = false;
  let failure: unknown = null;
  const breaking = faults.run(options.faults).catch((error) => failure = error).finally(() => faultsAreOver = true);
  let report;
  try {
    await eventually(() => {
      const counts = reader.report?.counts;
      if (failure !== null || writer.failure !== null || reader.report?.isLast) return true;
      if (options.stopsAtViolation && counts !== undefined && counts.violations > 0) return true;
      if (faultsAreOver && (counts?.reads ?? 0) >= options.readsMin) return true;
      throw new Error(
        `${counts?.reads ?? 0} reads of ${options.readsMin}, faults so far ${JSON.stringify(faults.done)}`,
      );
    }, { deadlineMs: options.deadlineMs, everyMs: 50 });
  } finally {
    clearInterval(filling);
    faults.stop();
    await breaking;
    await writer.stop();
    report = await reader.stop();
  }
  if (failure !== null) throw failure;
  return {
    seed,
    counts: report.counts,
    hitShare: report.counts.hits / Math.max(1, report.counts.reads),
    written: writer.written,
    writes: writer.count,
    faults: { ...faults.done },
    lostConnections: report.lostConnections,
    evictedKeys: await evictedKeys(redis),
    elapsedMs: performance.now() - startedAtMs,
  };
}

/** Returns a command that takes memory which others have. */
function filler(random: Random): string[] {
  return ["SET", `filler:${random.below(EVICTING.fillerKeys)}`, "x".repeat(EVICTING.fillerBytes)];
}

async function evictedKeys(redis: RedisServer): Promise<number> {
  const info = await redis.command("INFO", "stats");
  return Number(/^evicted_keys:(\d+)/m.exec(new TextDecoder().decode(info as Uint8Array))?.[1] ?? 0);
}
