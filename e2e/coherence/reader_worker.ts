/**
 * Reads the proxy as fast as it answers, in a thread of its own, and judges each answer as it arrives.
 *
 *   parent ── ReaderOrder ──▶ worker ── StalenessCounts, 10 times a second and at the end ──▶ parent
 */

import { Random } from "./random.ts";
import { ResponseStream } from "./response_stream.ts";
import { type StalenessBounds, StalenessChecker, type StalenessCounts, StallMark } from "./staleness_checker.ts";
import { nowMs, VersionLog, type VersionLogHandle } from "./version_log.ts";
import { keyName } from "./versioned_value.ts";

/** What to read, and how it is judged. */
export interface ReaderOrder {
  readonly port: number;
  readonly log: VersionLogHandle;
  readonly stall: SharedArrayBuffer;
  readonly bounds: StalenessBounds;
  readonly connections: number;
  /** Requests written at once on every other connection; the rest write one at a time, which waits for nobody. */
  readonly depth: number;
  readonly seed: number;
}

/** What the parent says: begin, or stop. */
export type ReaderCommand = { readonly order: ReaderOrder } | { readonly stop: true };

/** What the worker says; the last one is `isLast`. */
export interface ReaderReport {
  readonly counts: StalenessCounts;
  /** Connections that ended under a read. */
  readonly lostConnections: number;
  readonly isLast: boolean;
  /** What ended the reading; null when it was stopped. */
  readonly failure: string | null;
}

const REPORT_EVERY_MS = 100;
const CHUNK_BYTES = 65_536;
/** Pause after a failed answer, so that a proxy without Redis is not asked for 503 as fast as it can. */
const FAILURE_PAUSE_MS = 5;
/** A proxy that does not answer at all is a failure of the run: far above its deadline for Redis. */
const SILENCE_MS_MAX = 10_000;

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<ReaderCommand>) => void) | null;
  postMessage(report: ReaderReport): void;
  close(): void;
};

const latin1 = new TextDecoder("latin1");
const encoder = new TextEncoder();
let isStopping = false;
let lostConnections = 0;

scope.onmessage = ({ data }) => {
  if ("stop" in data) isStopping = true;
  else void readAll(data.order);
};

async function readAll(order: ReaderOrder): Promise<void> {
  const log = new VersionLog(order.log);
  const checker = new StalenessChecker({ log, stall: new StallMark(order.stall), bounds: order.bounds });
  const report = (isLast: boolean, failure: string | null = null): void =>
    scope.postMessage({ counts: checker.counts, lostConnections, isLast, failure });
  const reporting = setInterval(() => report(false), REPORT_EVERY_MS);
  let failure: string | null = null;
  await Promise.all(
    Array.from(
      { length: order.connections },
      (_, at) =>
        readOn(at % 2 === 0 ? order : { ...order, depth: 1 }, { checker, random: new Random(order.seed + at) }).catch(
          (error) => {
            failure ??= String((error as Error).stack ?? error);
            isStopping = true;
          },
        ),
    ),
  );
  clearInterval(reporting);
  report(true, failure);
  scope.close();
}

/** Reads over one connection, and over a new one when that is lost. */
async function readOn(
  order: ReaderOrder,
  { checker, random }: { checker: StalenessChecker; random: Random },
): Promise<void> {
  while (!isStopping) {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: order.port });
    conn.setNoDelay();
    const stream = new ResponseStream();
    const chunk = new Uint8Array(CHUNK_BYTES);
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      while (!isStopping) {
        timer = setTimeout(() => conn.close(), SILENCE_MS_MAX);
        const keys = Array.from({ length: order.depth }, () => random.below(order.log.keys));
        const request = encoder.encode(
          keys.map((key) => `GET /get/${keyName(key)} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""),
        );
        const begunAtMs = nowMs();
        for (let sent = 0; sent < request.length;) sent += await conn.write(request.subarray(sent));
        let hasFailed = false;
        for (const key of keys) {
          let response = stream.next();
          for (; response === null; response = stream.next()) {
            const got = await conn.read(chunk);
            if (got === null) throw new Deno.errors.UnexpectedEof();
            stream.push(latin1.decode(chunk.subarray(0, got)));
          }
          checker.judge({ key, begunAtMs, ...response });
          hasFailed ||= response.status >= 500;
        }
        clearTimeout(timer);
        if (hasFailed) await new Promise((wake) => setTimeout(wake, FAILURE_PAUSE_MS));
      }
    } catch (error) {
      const isLoss = error instanceof Deno.errors.UnexpectedEof || error instanceof Deno.errors.ConnectionReset ||
        error instanceof Deno.errors.BrokenPipe;
      if (!isLoss) throw error;
      lostConnections++;
    } finally {
      clearTimeout(timer);
    }
  }
}
