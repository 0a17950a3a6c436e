/**
 * One turn of a peer under load: what was measured, and whether it can be believed.
 */

import type { RedisServer } from "../e2e/support/redis_server.ts";
import { type LoadOptions, runLoad } from "./load.ts";
import type { Peer } from "./peer.ts";

/** What one turn measured. */
export interface TurnResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** CPU time of the peer's processes, user and system, for one request. */
  readonly cpuMicrosPerRequest: number;
  /** The part of the turn in which the peer used its core, 0 to 1: near 1, it was what limited the rate. */
  readonly busy: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly memoryMiB: number;
  /** GETs that Redis ran for one request. */
  readonly readsPerRequest: number;
  readonly commandLine: string;
}

/** The part of requests that may fail as the load closes: wrk counts none of them, but a peer may reset some. */
const socketErrorsFractionMax = 0.0001;

/**
 * Puts `peer` under `load`, and asks for `samples` before, in the middle and after.
 *
 * @throws Error when an answer was wrong or missing, before, meanwhile or after
 */
export async function measureTurn(
  peer: Peer,
  { load, redis, samples, meanwhile }: {
    load: LoadOptions;
    redis: RedisServer;
    samples: readonly string[];
    /** Is run beside the load, and told when the load is over; the answers are checked again when it is done. */
    meanwhile?: (loadIsOver: AbortSignal) => Promise<void>;
  },
): Promise<TurnResult> {
  await mustAnswer(peer, samples);
  const readsBefore = await redis.commandCalls("get");
  const cpuBeforeMs = peer.tree.cpuMs;
  const over = new AbortController();
  const beside = meanwhile?.(over.signal) ?? Promise.resolve();
  // Looked at below: until then its failure is nobody's, and must not end the process.
  beside.catch(() => {});
  // Who changes values meanwhile looks at them as well.
  const inTheMiddle = new Promise((wake) => setTimeout(wake, load.seconds * 500))
    .then(() => meanwhile === undefined ? mustAnswer(peer, samples) : undefined);
  inTheMiddle.catch(() => {});
  let found;
  let cpuMs;
  try {
    found = await runLoad({ port: peer.port, pathOf: peer.kind.pathOf }, load);
    cpuMs = peer.tree.cpuMs - cpuBeforeMs;
  } finally {
    over.abort();
  }
  await beside;
  await inTheMiddle;
  const reads = await redis.commandCalls("get") - readsBefore;
  const memoryMiB = peer.tree.memoryBytes / 2 ** 20;
  await mustAnswer(peer, samples);
  if (found.requests === 0) throw new Error("it answered no request");
  if (found.badStatus > 0) throw new Error(`${found.badStatus} of ${found.requests} answers were not 200`);
  if (found.socketErrors > found.requests * socketErrorsFractionMax) {
    throw new Error(`${found.socketErrors} connections failed or timed out in ${found.requests} requests`);
  }
  // Whatever the status says: answers that are shorter than the right one are not the right one. Heads differ by a few
  // bytes between a hit and a miss.
  if (found.bytesPerRequest < peer.answerBytes - peer.needs.valueBytes / 2) {
    throw new Error(`answers of ${found.bytesPerRequest.toFixed(0)} bytes under load, of ${peer.answerBytes} without`);
  }
  return {
    requests: found.requests,
    requestsPerSecond: found.requestsPerSecond,
    cpuMicrosPerRequest: cpuMs * 1000 / found.requests,
    busy: cpuMs / 1000 / found.seconds,
    p50Ms: found.p50Ms,
    p99Ms: found.p99Ms,
    memoryMiB,
    readsPerRequest: reads / found.requests,
    commandLine: found.commandLine,
  };
}

async function mustAnswer(peer: Peer, samples: readonly string[]): Promise<void> {
  const problem = await peer.problemWith(samples);
  if (problem !== null) throw new Error(problem);
}
