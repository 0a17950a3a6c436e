/**
 * Forced races: a write lands at a chosen step of a fill, and what Redis says of it arrives in a chosen way.
 *
 * The middleman holds every frame of both directions, and a trial lets them go. A fill is one GET and one PTTL:
 *
 *   step                      the write W is executed at Redis …
 *   before the read           before the read was asked for; its invalidation, if any, is still on the way
 *   before GET                when GET and PTTL were sent by the proxy, and neither has reached Redis
 *   between GET and PTTL      when Redis has answered GET, and PTTL has not reached it
 *   after PTTL                when Redis has answered both, and neither reply has reached the proxy
 *   between the replies       when the reply to GET has reached the proxy, and that to PTTL has not
 *   after the fill            when the read was answered; the invalidation is still on the way
 *
 * What is held then arrives all in one chunk, each frame in a chunk of its own, or in groups by chance, with turns of the
 * event loop in between, in which further reads are asked for by chance. A reconnect cuts the connection under six reads,
 * one at each step, with a W of each before the cut or after it.
 *
 * A trial fails when a read that was asked for after the proxy had heard the invalidation got an older value, or when
 * at the end, all frames delivered, the proxy answers other than Redis, or holds a value longer than Redis will.
 */

import type { RespClient } from "../support/resp_client.ts";
import type { TcpMiddleman } from "../support/tcp_middleman.ts";
import type { Random } from "./random.ts";
import type { Rig } from "./rig.ts";

/** What a write may be. */
export const RACE_KINDS = ["SET", "DEL", "EXPIRE", "FLUSHALL", "reconnect"] as const;
export type RaceKind = typeof RACE_KINDS[number];

/** Where in a fill it lands. */
export const RACE_STEPS = [
  "before the read",
  "before GET",
  "between GET and PTTL",
  "after PTTL",
  "between the replies",
  "after the fill",
] as const;
export type RaceStep = typeof RACE_STEPS[number];

/** What came of one trial. */
export interface RaceOutcome {
  readonly step: RaceStep;
  /** False when the read was a hit, so that W raced with nothing. */
  readonly isFill: boolean;
  /** What went wrong; null when nothing did. */
  readonly wrong: string | null;
  readonly readsAfter: number;
}

/** What a trial is made of. */
export interface RaceParts {
  readonly kind: RaceKind;
  readonly rig: Rig;
  readonly link: TcpMiddleman;
  /** Writes into Redis past the middleman. */
  readonly writer: RespClient;
  readonly random: Random;
  readonly trial: number;
  /** The key, or the beginning of the keys. */
  readonly name: string;
}
