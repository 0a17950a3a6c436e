/**
 * Judges reads: each must be as new as what was acknowledged a while before it began.
 *
 * A read that saw version v of a key is stale by the time from the acknowledgement of v + 1 to its own beginning, and it
 * violates when that is more than the bound. While the link to Redis is stalled, the bound is the time in which a
 * half-open link must be found; what is found must then be acted upon, so there are no hits later than that.
 *
 * An absence does not say which one it is: the newest is taken, which only ever excuses.
 */

import { parseValue } from "./versioned_value.ts";
import { nowMs, type VersionLog, type VersionRecord } from "./version_log.ts";

/** How old an answer may be, in ms after the acknowledgement of the next version. */
export interface StalenessBounds {
  readonly calmMs: number;
  readonly stalledMs: number;
  /** False where Redis evicts: then any key may be absent at any time. */
  readonly absenceIsJudged: boolean;
}

/** A stall of the link, shared between threads: when it began, and when it ended (0 while it lasts). */
export class StallMark {
  readonly buffer: SharedArrayBuffer;
  readonly #ms: Float64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.buffer = buffer;
    this.#ms = new Float64Array(buffer);
  }

  /** Call it before the link is stalled. */
  begin(): void {
    this.#ms[1] = 0;
    this.#ms[0] = nowMs();
  }

  /** Call it before the link is let go. */
  end(): void {
    this.#ms[1] = nowMs();
  }

  get beganAtMs(): number {
    return this.#ms[0];
  }

  /** When the last stall ended; Infinity while it lasts, 0 when there was none. */
  get endedAtMs(): number {
    return this.#ms[0] !== 0 && this.#ms[1] === 0 ? Infinity : this.#ms[1];
  }
}

/** One answer of the proxy. */
export interface Read {
  readonly key: number;
  readonly begunAtMs: number;
  readonly status: number;
  readonly isHit: boolean;
  readonly body: string;
}

/** A read that should not have been, and what there was to know. Instants are relative to the read's beginning. */
export interface Violation {
  readonly what: "stale" | "wrong bytes" | "hit after a stall was to be found" | "status";
  readonly read: Read;
  readonly staleMs: number;
  readonly newest: number;
  readonly history: readonly VersionRecord[];
}

/** All that was counted. */
export interface StalenessCounts {
  /** Reads that were answered by a value, an absence or a list. */
  reads: number;
  hits: number;
  values: number;
  absences: number;
  lists: number;
  /** 502, 503 and 504: not judged. */
  failures: number;
  violations: number;
  worstCalmMs: number;
  worstStalledMs: number;
  /** The first few. */
  readonly firstViolations: Violation[];
}

const VIOLATIONS_KEPT = 5;
const HISTORY_VERSIONS = 12;

/** Judges and counts. */
export class StalenessChecker {
  readonly #log: VersionLog;
  readonly #stall: StallMark;
  readonly #bounds: StalenessBounds;
  readonly counts: StalenessCounts = {
    reads: 0,
    hits: 0,
    values: 0,
    absences: 0,
    lists: 0,
    failures: 0,
    violations: 0,
    worstCalmMs: 0,
    worstStalledMs: 0,
    firstViolations: [],
  };

  constructor({ log, stall, bounds }: { log: VersionLog; stall: StallMark; bounds: StalenessBounds }) {
    this.#log = log;
    this.#stall = stall;
    this.#bounds = bounds;
  }

  /** Judges one answer. Call it when the answer has just arrived. */
  judge(read: Read): void {
    const { counts } = this;
    if (read.status >= 502 && read.status <= 504) {
      counts.failures++;
      return;
    }
    counts.reads++;
    if (read.isHit) counts.hits++;
    const version = this.#versionSeen(read);
    if (version === null) return;
    const stall = this.#stall;
    if (read.isHit && stall.endedAtMs === Infinity && read.begunAtMs > stall.beganAtMs + this.#bounds.stalledMs) {
      this.#violates("hit after a stall was to be found", read, 0);
    }
    const nextAckedAtMs = this.#log.ackedAtMs(read.key, version + 1);
    if (nextAckedAtMs === 0) return;
    const staleMs = read.begunAtMs - nextAckedAtMs;
    if (staleMs <= 0 || (read.status === 404 && !this.#bounds.absenceIsJudged)) return;
    // What was held up arrives when the link is let go, and then has the usual time.
    const isStalled = read.begunAtMs >= stall.beganAtMs && read.begunAtMs <= stall.endedAtMs + this.#bounds.calmMs;
    if (isStalled) counts.worstStalledMs = Math.max(counts.worstStalledMs, staleMs);
    else counts.worstCalmMs = Math.max(counts.worstCalmMs, staleMs);
    if (staleMs > (isStalled ? this.#bounds.stalledMs : this.#bounds.calmMs)) this.#violates("stale", read, staleMs);
  }

  /** Returns the version that a read saw; null when it is none, which is a violation of another kind. */
  #versionSeen(read: Read): number | null {
    const { counts } = this;
    switch (read.status) {
      case 404:
        counts.absences++;
        return this.#log.newestOf(read.key, "absent");
      case 409:
        counts.lists++;
        return this.#log.newestOf(read.key, "list");
      case 200: {
        counts.values++;
        const value = parseValue(read.body);
        if (value !== null && value.key === read.key && this.#log.isValue(read.key, value.version)) {
          return value.version;
        }
        this.#violates("wrong bytes", read, 0);
        return null;
      }
      default:
        this.#violates("status", read, 0);
        return null;
    }
  }

  #violates(what: Violation["what"], read: Read, staleMs: number): void {
    this.counts.violations++;
    if (this.counts.firstViolations.length >= VIOLATIONS_KEPT) return;
    const newest = this.#log.newest(read.key);
    const seen = what === "stale" ? this.#seenOf(read) : newest;
    // From shortly before the version that was seen: the write that should have replaced it is among them.
    const from = Math.max(1, Math.min(seen - 2, newest - HISTORY_VERSIONS + 1));
    const history: VersionRecord[] = [];
    for (let version = from; version <= newest && history.length < HISTORY_VERSIONS; version++) {
      history.push(this.#log.record(read.key, version));
    }
    this.counts.firstViolations.push({ what, read, staleMs, newest, history });
  }

  #seenOf(read: Read): number {
    if (read.status !== 200) return this.#log.newestOf(read.key, read.status === 404 ? "absent" : "list");
    return parseValue(read.body)?.version ?? 1;
  }
}

/** Returns a violation as lines to print. */
export function describeViolation({ what, read, staleMs, newest, history }: Violation): string {
  const seen = read.status === 200 ? read.body.slice(0, 60) : `status ${read.status}`;
  const since = (ms: number | null): string => ms === null ? "never" : `${(ms - read.begunAtMs).toFixed(1)} ms`;
  return [
    `${what}: key ${read.key}, ${read.isHit ? "hit" : "fill"}, saw ${seen}; ${
      staleMs.toFixed(1)
    } ms stale, newest ${newest}`,
    ...history.map((one) =>
      `  version ${one.version} ${one.state} by ${one.kind}: begun ${since(one.begunAtMs)}, acknowledged ${
        since(one.ackedAtMs)
      }`
    ),
  ].join("\n");
}
