/**
 * A scenario: one piece of work that all peers do, measured and told as a report.
 */

import type { Report } from "./report.ts";
import type { Effort } from "./site.ts";

export interface Scenario {
  /** As in `--only NAME` and in the name of the results file. */
  readonly name: string;
  run(effort: Effort): Promise<Report>;
}
