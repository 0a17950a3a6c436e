/**
 * The usual course of a scenario: warm everybody up, then interleaved rounds of the same load.
 */

import { stepAside } from "./cores.ts";
import type { LoadOptions } from "./load.ts";
import type { Peer } from "./peer.ts";
import { type Outcome, runRounds } from "./rounds.ts";
import type { Effort, Site } from "./site.ts";
import { measureTurn, type TurnResult } from "./turn.ts";

/** Someone in the table: a peer, and what is special about its load. */
export interface Subject {
  readonly name: string;
  readonly peer: Peer;
  readonly meanwhile?: (loadIsOver: AbortSignal) => Promise<void>;
}

/**
 * Puts all subjects under load in turns. Kinds of the site that could not be started are in the outcome as failed.
 *
 * @param load what is asked, when this peer was asked so often before
 * @param samples keys that are asked for and checked before and after each turn
 */
export async function compare(
  subjects: readonly (Subject | Peer)[],
  { site, effort, load, samples, warmupSeconds = effort.warmupSeconds }: {
    site: Site;
    effort: Effort;
    load: (requestsBefore: number) => Omit<LoadOptions, "seconds">;
    samples: readonly string[];
    warmupSeconds?: number;
  },
): Promise<Map<string, Outcome<TurnResult>>> {
  const all = subjects.map((subject): Subject => "peer" in subject ? subject : { name: subject.name, peer: subject });
  const requestsBefore = new Map<Peer, number>();
  const turn = (seconds: number) => async ({ peer, meanwhile }: Subject): Promise<TurnResult> => {
    const before = requestsBefore.get(peer) ?? 0;
    const options = { load: { ...load(before), seconds }, redis: site.redis, samples, meanwhile };
    const result = await measureTurn(peer, options);
    // Those that were under way when the load ended were asked for as well.
    requestsBefore.set(peer, before + result.requests + options.load.clients);
    return result;
  };
  await using _aside = await stepAside();
  // What goes wrong here goes wrong again below, where it is told.
  await runRounds(all, { rounds: 1, turn: turn(warmupSeconds) });
  const outcomes = await runRounds(all, { rounds: effort.rounds, turn: turn(effort.seconds) });
  for (const { name, reason } of site.failures) outcomes.set(name, { ok: false, reason });
  return outcomes;
}
