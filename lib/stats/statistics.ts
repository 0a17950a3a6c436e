/**
 * What the page shows, as data: figures of the last seconds, totals, the history, the hottest keys, the settings.
 *
 *   some hits:        HitSampler ──▶ HotKeys, RecentDurations          always; see there what it costs
 *   once a second:    counters, levels, quantiles ──▶ History          always; see there why
 *   when asked for:   History ──▶ series, figures; HotKeys ──▶ order   for a page that is open, or for `/stats`
 */

import type { Clock } from "../clock.ts";
import type { Counters, ReadOutcome } from "../metrics/counters.ts";
import type { Gauges } from "../metrics/metrics.ts";
import { keyToBytes } from "../protocol/key.ts";
import { percentEncoded } from "../protocol/percent_encoding.ts";
import type { HitWatch } from "../read_through/hit_watch.ts";
import {
  FIGURES_SECONDS,
  HISTORY_SECONDS,
  HIT_SAMPLES_PER_SECOND,
  HOT_KEY_BYTES_MAX,
  HOT_KEYS_COUNTED_PER_SHOWN,
  HOT_KEYS_HALF_LIFE_SECONDS,
} from "../limits.ts";
import { HitSampler } from "./hit_sampler.ts";
import { History } from "./history.ts";
import { HotKeys } from "./hot_keys.ts";
import { RecentDurations } from "./recent_durations.ts";
import {
  type Column,
  COLUMNS,
  type Row,
  SERIES_NAMES,
  seriesBetween,
  type SeriesName,
  type SeriesValues,
} from "./series.ts";

/** Where the numbers come from. */
export interface StatisticsSources {
  readonly clock: Clock;
  readonly counters: Counters;
  /** Is called once a second, and when somebody asks. */
  readonly gauges: () => Gauges;
  readonly redis: () => Pick<Snapshot["redis"], "state" | "coherence">;
  /** How many hot keys are named; `null` when none are, and none are counted. */
  readonly hotKeysShown: number | null;
  /** As they may be shown: secrets masked. */
  readonly settings: Readonly<Record<string, string | number | null>>;
  readonly clientsMax: number;
  readonly version: string;
  /** The time of day in ms since 1970, for the axis of the charts; `Date.now` unless told. */
  readonly wallMs?: () => number;
}

/** The figures of now; what is sent once a second. */
export interface Snapshot {
  readonly version: string;
  readonly deno: string;
  readonly uptimeSeconds: number;
  readonly redis: {
    readonly state: "up" | "connecting" | "down";
    readonly coherence: "tracking" | "ttl";
    readonly untrackedSeconds: number;
    readonly trackingTableKeys: number;
    readonly trackingTableKeysMax: number;
  };
  readonly held: {
    readonly items: number;
    readonly itemsMax: number;
    readonly bytes: number;
    readonly bytesMax: number;
    readonly absences: number;
  };
  readonly work: {
    readonly flights: number;
    readonly clients: number;
    readonly clientsMax: number;
    readonly httpConnections: number;
  };
  /** Over the last `seconds`; `null` where nothing happened that could be measured. */
  readonly figures: { readonly seconds: number } & SeriesValues;
  /** Since the start; the same numbers as in `/metrics`. */
  readonly totals: {
    readonly http: Readonly<Record<ReadOutcome, number>>;
    readonly resp: Readonly<Record<ReadOutcome, number>>;
    readonly removals: Gauges["removals"];
    readonly counters: Readonly<Record<string, number>>;
  };
  readonly hotKeys: HotKeysView | null;
  /** One hit in so many is timed, just now. */
  readonly sampledOneIn: number;
}

/** The hottest keys, each percent-encoded as after `/get/`. */
export interface HotKeysView {
  readonly halfLifeSeconds: number;
  readonly keys: readonly { readonly key: string; readonly sharePercent: number; readonly errorPercent: number }[];
}

/** Series as columns of equal length; `time` is in seconds since 1970. */
export type HistoryView =
  & { readonly time: readonly number[] }
  & Readonly<Record<SeriesName, readonly (number | null)[]>>;

/** The last entry of every series: what a page adds to the history that it has. */
export type LatestView = { readonly time: number } & SeriesValues;

/** Everything. */
export interface StatisticsDocument extends Snapshot {
  readonly settings: Readonly<Record<string, string | number | null>>;
  readonly history: HistoryView;
}

/** Old hits are faded this often, in seconds, so that the order of the hot keys moves smoothly. */
const FADE_SECONDS = 5;

/** Keeps the statistics of one proxy. */
export class Statistics {
  readonly #sources: StatisticsSources;
  readonly #wallMs: () => number;
  readonly #history = new History<Column>(COLUMNS, { rowsMax: HISTORY_SECONDS });
  readonly #hitDurations = new RecentDurations(FIGURES_SECONDS);
  readonly #waits = new RecentDurations(FIGURES_SECONDS);
  readonly #hotKeys: HotKeys | null;
  readonly #sampler: HitSampler;
  readonly #startedAtMs: number;
  #looks = 0;
  #hitsBefore = 0;

  /** Makes them empty. */
  constructor(sources: StatisticsSources) {
    const { clock, hotKeysShown, wallMs = Date.now } = sources;
    this.#sources = sources;
    this.#wallMs = wallMs;
    this.#startedAtMs = clock.nowMs;
    this.#hotKeys = hotKeysShown === null ? null : new HotKeys({
      countersMax: hotKeysShown * HOT_KEYS_COUNTED_PER_SHOWN,
      keyBytesMax: HOT_KEY_BYTES_MAX,
    });
    this.#sampler = new HitSampler({
      clock,
      samplesPerSecond: HIT_SAMPLES_PER_SECOND,
      durations: this.#hitDurations,
      hotKeys: this.#hotKeys,
    });
  }

  /** Is to be shown the hits. */
  get hitWatch(): HitWatch {
    return this.#sampler;
  }

  /** Counts a request that had to wait for Redis for `ms`. */
  waited(ms: number): void {
    this.#waits.add(ms);
  }

  /** Notes one second. Call it once a second. Cost: about 20 us. */
  look(): void {
    const { clock, counters } = this.#sources;
    clock.tick();
    this.#hitDurations.turn();
    this.#waits.turn();
    this.#history.add(this.#row());
    const hits = counters.http.hit + counters.resp.hit;
    this.#sampler.look(hits - this.#hitsBefore);
    this.#hitsBefore = hits;
    if (++this.#looks % FADE_SECONDS === 0) this.#hotKeys?.fade(0.5 ** (FADE_SECONDS / HOT_KEYS_HALF_LIFE_SECONDS));
  }

  /** Returns the figures of now; those of the last seconds end with the last look. */
  snapshot(): Snapshot {
    const { clock, counters, gauges, redis, clientsMax, version } = this.#sources;
    const now = gauges();
    const { http, resp, ...others } = counters;
    return {
      version,
      deno: Deno.version.deno,
      uptimeSeconds: Math.round((clock.tick() - this.#startedAtMs) / 1000),
      redis: {
        ...redis(),
        untrackedSeconds: Math.round(now.untrackedSeconds),
        trackingTableKeys: now.trackingTableKeys,
        trackingTableKeysMax: now.trackingTableKeysMax,
      },
      held: {
        items: now.itemsHeld,
        itemsMax: now.itemsMax,
        bytes: now.bytesHeld,
        bytesMax: now.bytesMax,
        absences: now.absencesHeld,
      },
      work: { flights: now.flights, clients: now.clients, clientsMax, httpConnections: now.connections },
      figures: { seconds: FIGURES_SECONDS, ...this.#figures() },
      totals: { http, resp, removals: now.removals, counters: others },
      hotKeys: this.#hotKeysView(),
      sampledOneIn: this.#sampler.gap,
    };
  }

  /** Returns everything. Cost: about 1 ms when the history is full. */
  all(): StatisticsDocument {
    return { ...this.snapshot(), settings: this.#sources.settings, history: this.#historyView() };
  }

  /** Returns what the last look adds to the history; `null` before the second look. */
  latest(): LatestView | null {
    const to = this.#history.length - 1;
    return to < 1 ? null : { time: this.#wallSeconds(to), ...seriesBetween(this.#history, { from: to - 1, to }) };
  }

  #row(): Row {
    const { clock, counters, gauges } = this.#sources;
    const now = gauges();
    const http = sum(counters.http);
    const resp = sum(counters.resp);
    const each = (outcome: ReadOutcome): number => counters.http[outcome] + counters.resp[outcome];
    return {
      timeMs: clock.nowMs,
      httpRequests: http,
      respRequests: resp,
      reads: http + resp - each("invalid") - each("unauthorized"),
      readsFromMemory: each("hit") + each("stale") + each("absent_remembered"),
      redisReads: counters.keysRead,
      roundTrips: counters.roundTrips,
      invalidations: counters.invalidatedKeys + counters.invalidatedAll,
      ...now.removals,
      items: now.itemsHeld,
      bytes: now.bytesHeld,
      redisUp: Number(now.redisUp),
      tracked: Number(now.tracked),
      hitP50Ms: this.#hitDurations.quantileMs(0.5) ?? NaN,
      hitP99Ms: this.#hitDurations.quantileMs(0.99) ?? NaN,
      fillP50Ms: this.#waits.quantileMs(0.5) ?? NaN,
      fillP99Ms: this.#waits.quantileMs(0.99) ?? NaN,
    };
  }

  #figures(): SeriesValues {
    const to = this.#history.length - 1;
    if (to < 1) return Object.fromEntries(SERIES_NAMES.map((name) => [name, null])) as SeriesValues;
    return seriesBetween(this.#history, { from: Math.max(0, to - FIGURES_SECONDS), to });
  }

  #hotKeysView(): HotKeysView | null {
    if (this.#hotKeys === null) return null;
    const percent = (share: number): number => Number((100 * share).toPrecision(3));
    return {
      halfLifeSeconds: HOT_KEYS_HALF_LIFE_SECONDS,
      keys: this.#hotKeys.hottest(this.#sources.hotKeysShown ?? 0).map(({ key, share, error }) => ({
        key: percentEncoded(keyToBytes(key)),
        sharePercent: percent(share),
        errorPercent: percent(error),
      })),
    };
  }

  #historyView(): HistoryView {
    const time: number[] = [];
    const columns = SERIES_NAMES.map((name): [SeriesName, (number | null)[]] => [name, []]);
    for (let to = 1; to < this.#history.length; to++) {
      time.push(this.#wallSeconds(to));
      const values = seriesBetween(this.#history, { from: to - 1, to });
      for (const [name, column] of columns) column.push(values[name]);
    }
    return { time, ...Object.fromEntries(columns) as Record<SeriesName, (number | null)[]> };
  }

  /** The clock of the rows never jumps; the time of day is put on when somebody looks. */
  #wallSeconds(index: number): number {
    const agoMs = this.#sources.clock.nowMs - this.#history.at(index, "timeMs");
    return Math.round((this.#wallMs() - agoMs) / 100) / 10;
  }
}

function sum(counts: Readonly<Record<string, number>>): number {
  let total = 0;
  for (const name in counts) total += counts[name];
  return total;
}
