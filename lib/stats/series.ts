/**
 * What is charted: which numbers are noted once a second, and what is worked out from two such rows.
 *
 * Noted are counters as they stand, so that any two rows give the rate between them, and levels.
 */

import type { History } from "./history.ts";

/** What is noted once a second. Counters only rise; levels are as they are at that moment. NaN: there was nothing. */
export const COLUMNS = [
  "timeMs",
  "httpRequests",
  "respRequests",
  "reads",
  "readsFromMemory",
  "redisReads",
  "roundTrips",
  "invalidations",
  "expired",
  "evicted",
  "deleted",
  "replaced",
  "cleared",
  "items",
  "bytes",
  "redisUp",
  "tracked",
  "hitP50Ms",
  "hitP99Ms",
  "fillP50Ms",
  "fillP99Ms",
] as const;

/** The name of a number that is noted. */
export type Column = typeof COLUMNS[number];

/** The numbers of one second. */
export type Row = Readonly<Record<Column, number>>;

/** Works a number out from the rows `from` and `to`; `null` where it has no value. */
type Derivation = (history: History<Column>, rows: { from: number; to: number }) => number | null;

/** What is charted, and shown as the figures of the last seconds. */
export const SERIES = {
  /** Reads answered from memory, in percent of all; requests refused unread are none. */
  hitPercent: percent("readsFromMemory", "reads"),
  httpPerSecond: rate("httpRequests"),
  respPerSecond: rate("respRequests"),
  redisReadsPerSecond: rate("redisReads"),
  roundTripsPerSecond: rate("roundTrips"),
  hitP50Ms: level("hitP50Ms"),
  hitP99Ms: level("hitP99Ms"),
  fillP50Ms: level("fillP50Ms"),
  fillP99Ms: level("fillP99Ms"),
  items: level("items"),
  bytes: level("bytes"),
  expiredPerSecond: rate("expired"),
  evictedPerSecond: rate("evicted"),
  deletedPerSecond: rate("deleted"),
  replacedPerSecond: rate("replaced"),
  clearedPerSecond: rate("cleared"),
  invalidationsPerSecond: rate("invalidations"),
  /** 1 or 0. */
  redisUp: level("redisUp"),
  /** 1 while Redis invalidates, else 0. */
  tracked: level("tracked"),
} satisfies Record<string, Derivation>;

/** The name of a series. */
export type SeriesName = keyof typeof SERIES;

/** One number of each series. */
export type SeriesValues = Record<SeriesName, number | null>;

/** The names in the order of the table. */
export const SERIES_NAMES = Object.keys(SERIES) as SeriesName[];

/** Returns what every series comes to between two rows; of levels, at the later one. */
export function seriesBetween(history: History<Column>, rows: { from: number; to: number }): SeriesValues {
  const values = SERIES_NAMES.map((name) => [name, SERIES[name](history, rows)]);
  return Object.fromEntries(values) as SeriesValues;
}

function level(column: Column): Derivation {
  return (history, { to }) => {
    const value = history.at(to, column);
    return Number.isNaN(value) ? null : rounded(value);
  };
}

function rate(column: Column): Derivation {
  return (history, rows) => rounded(difference(history, column, rows) / (difference(history, "timeMs", rows) / 1000));
}

function percent(part: Column, whole: Column): Derivation {
  return (history, rows) => {
    const all = difference(history, whole, rows);
    return all === 0 ? null : rounded(100 * difference(history, part, rows) / all);
  };
}

function difference(history: History<Column>, column: Column, { from, to }: { from: number; to: number }): number {
  return history.at(to, column) - history.at(from, column);
}

/** Four digits are more than a chart shows; whole numbers, such as bytes, stay exact. */
function rounded(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(4));
}
