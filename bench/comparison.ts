/**
 * A comparison: what each subject's turns gave, side by side, with ratios to the first subject.
 */

import type { Outcome } from "./rounds.ts";
import { spreadOf, written, writtenSpread } from "./spread.ts";
import { Table } from "./table.ts";
import type { TurnResult } from "./turn.ts";

/** A number of the contract or of the issue, and what became of it. */
export interface Target {
  readonly text: string;
  readonly value: number | null;
  readonly bound: number;
  readonly is: "at most" | "at least" | "exactly";
}

/** Writes a target and whether it was met. */
export function writtenTarget({ text, value, bound, is }: Target): string {
  if (value === null) return `target: ${text} ${is} ${bound}: not measured`;
  const met = is === "at most" ? value <= bound : is === "at least" ? value >= bound : value === bound;
  return `target: ${text} ${is} ${bound}: ${written(value)}, ${met ? "met" : "MISSED"}`;
}

/** Returns `numerator / denominator` of each round, both of the same round; none when one of the two has failed. */
export function pairedRatios<R>(
  numerator: Outcome<R> | undefined,
  denominator: Outcome<R> | undefined,
  of: (result: R) => number,
): number[] {
  if (!numerator?.ok || !denominator?.ok) return [];
  return numerator.results.map((result, i) => of(result) / of(denominator.results[i]));
}

/** Returns the median of `pairedRatios`, `null` when there are none. Noise that lasts longer than a turn is in both and goes. */
export function pairedRatio<R>(
  numerator: Outcome<R> | undefined,
  denominator: Outcome<R> | undefined,
  of: (result: R) => number,
): number | null {
  const ratios = pairedRatios(numerator, denominator, of);
  return ratios.length === 0 ? null : spreadOf(ratios).median;
}

/** Returns the table of what `measureTurn` gave. The ratios compare the first subject with each of the others. */
export function comparisonTable(
  outcomes: ReadonlyMap<string, Outcome<TurnResult>>,
  { reads = false }: { reads?: boolean } = {},
): Table {
  const [first] = outcomes.values();
  const [ours] = outcomes.keys();
  const columns = [
    "peer",
    "requests/s",
    "CPU us/request",
    "core busy",
    "p50 ms",
    "p99 ms",
    "memory MiB",
    ...(reads ? ["reads of Redis/request"] : []),
    `rate of ${ours} / this`,
    `CPU of ${ours} / this`,
  ];
  const rows = [...outcomes].map(([name, outcome]) => {
    if (!outcome.ok) return [name, `FAILED: ${outcome.reason}`];
    const spread = (of: (result: TurnResult) => number): string => writtenSpread(outcome.results.map(of));
    const ratio = (of: (result: TurnResult) => number): string => {
      const value = pairedRatio(first, outcome, of);
      return value === null ? "-" : written(value);
    };
    return [
      name,
      spread((result) => result.requestsPerSecond),
      spread((result) => result.cpuMicrosPerRequest),
      spread((result) => result.busy),
      spread((result) => result.p50Ms),
      spread((result) => result.p99Ms),
      spread((result) => result.memoryMiB),
      ...(reads ? [spread((result) => result.readsPerRequest)] : []),
      ratio((result) => result.requestsPerSecond),
      ratio((result) => result.cpuMicrosPerRequest),
    ];
  });
  return new Table(columns, rows);
}

/** The command lines of the last turns, one for each subject that did not fail. */
export function commandLines(outcomes: ReadonlyMap<string, Outcome<TurnResult>>): string[] {
  return [...outcomes.values()].flatMap((outcome) => outcome.ok ? outcome.results.slice(-1) : [])
    .map((result) => result.commandLine);
}

/** How the rounds were run, in a sentence for the notes. */
export function roundsNote({ rounds, seconds }: { rounds: number; seconds: number }): string {
  return `${rounds} interleaved rounds of ${seconds} s each; median (min-max). Ratios are medians of the rounds' own ratios.`;
}
