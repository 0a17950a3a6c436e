/**
 * Runs scenarios one after another and keeps what they found.
 */

import { endAllOnInterrupt } from "./interrupt.ts";
import { ReportWriter } from "./report.ts";
import type { Scenario } from "./scenario.ts";
import type { Effort } from "./site.ts";

const thorough: Effort = { quick: false, rounds: 5, seconds: 4, warmupSeconds: 2 };
const quickLook: Effort = { quick: true, rounds: 2, seconds: 1, warmupSeconds: 1 };

/**
 * Prints a table for each scenario and writes it to `bench/results/`, or for a quick look to `bench/results/quick/`, so
 * that a look does not replace what was measured with care. Returns the exit code: 1 when a scenario failed as a whole.
 */
export async function runScenarios(scenarios: readonly Scenario[], { quick }: { quick: boolean }): Promise<number> {
  endAllOnInterrupt();
  const writer = await ReportWriter.open(new URL(quick ? "results/quick/" : "results/", import.meta.url));
  let exitCode = 0;
  for (const scenario of scenarios) {
    const startedAtMs = performance.now();
    try {
      await writer.write(scenario.name, await scenario.run(quick ? quickLook : thorough));
      console.log(`\n(${scenario.name} took ${((performance.now() - startedAtMs) / 1000).toFixed(0)} s)`);
    } catch (error) {
      exitCode = 1;
      console.error(`\nbench: ${scenario.name} failed: ${(error as Error).stack}`);
    }
  }
  return exitCode;
}
