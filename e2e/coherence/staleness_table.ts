import { describeViolation } from "./staleness_checker.ts";
import type { StalenessResult } from "./staleness_run.ts";

const LINE_CHARACTERS_MAX = 100;

/** Returns the outcome of a run as lines to print. */
export function stalenessTable(name: string, result: StalenessResult): string {
  const { counts, faults } = result;
  const rows: [label: string, value: string][] = [
    ["seed", `${result.seed}`],
    ["time", `${(result.elapsedMs / 1_000).toFixed(1)} s`],
    ["reads judged", number(counts.reads)],
    ["  of them hits", `${number(counts.hits)} (${(result.hitShare * 100).toFixed(1)} %)`],
    ["  values, absences, lists", [counts.values, counts.absences, counts.lists].map(number).join(", ")],
    ["reads failed (502, 503, 504)", number(counts.failures)],
    ["violations", number(counts.violations)],
    ["worst staleness", `${counts.worstCalmMs.toFixed(1)} ms`],
    ["worst staleness while stalled", `${counts.worstStalledMs.toFixed(1)} ms`],
    ["CLIENT KILLs, restarts, stalls", `${faults.kills}, ${faults.restarts}, ${faults.stalls}`],
    ["keys evicted by Redis", number(result.evictedKeys)],
    ["HTTP connections lost", number(result.lostConnections)],
    ["writes acknowledged", number(result.writes)],
  ];
  const width = Math.max(...rows.map(([label]) => label.length)) + 2;
  return [
    name,
    ...rows.map(([label, value]) => `  ${label.padEnd(width)}${value}`),
    ...wrapped([...result.written].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${kind} ${number(count)}`)),
    ...counts.firstViolations.map(describeViolation),
  ].join("\n");
}

/** Joins words to indented lines. */
function wrapped(words: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length > LINE_CHARACTERS_MAX) lines.push(`    ${word}`);
    else lines[lines.length - 1] = `${last}, ${word}`;
  }
  return lines;
}

function number(count: number): string {
  return count.toLocaleString("en-US");
}
