/**
 * How a read is counted, whichever front door it came through.
 */

import type { ReadOutcome } from "../metrics/counters.ts";
import type { Answer } from "./answer.ts";

/** Returns under which outcome `answer` is counted. */
export function outcomeOf(answer: Answer): ReadOutcome {
  switch (answer.kind) {
    case "fill":
      return answer.collapsed ? "collapsed" : "fill";
    case "absent":
      return answer.remembered ? "absent_remembered" : "absent";
    case "failed":
      return answer.failure;
    default:
      return answer.kind;
  }
}
