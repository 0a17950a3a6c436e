import { RACE_STEPS } from "./race.ts";
import type { RaceResult } from "./races.ts";

/** Returns the outcomes of races as lines to print, with the first failures of each kind. */
export function racesTable(name: string, results: readonly RaceResult[]): string {
  const head = ["kind", "trials", "failures", "overtaken", "stored", "asked after", "seconds", ...RACE_STEPS];
  const rows = results.map((result) => [
    result.kind,
    `${result.trials}`,
    `${result.failures.length}`,
    `${result.overtaken}`,
    `${result.stored}`,
    `${result.readsAfter}`,
    (result.elapsedMs / 1_000).toFixed(1),
    ...RACE_STEPS.map((step) => `${result.steps[step]}`),
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const failures = results.flatMap(({ kind, failures }) =>
    failures.slice(0, 5).map(({ trial, step, what }) => `  ${kind}, trial ${trial}, ${step}: ${what}`)
  );
  return [
    name,
    ...[head, ...rows].map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd()}`),
    ...failures,
  ].join("\n");
}
