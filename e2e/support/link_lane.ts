import type { Socket } from "node:net";
import { clearImmediate, setImmediate } from "node:timers";
import { FrameScanner } from "./resp_frames.ts";

// Deno's timers fire 0.1 to 1.3 ms late [measured, Deno 2.9.6], which would make 2 ms of a link with 1 ms of delay.
// So a timer is set early by this much, and the rest is slept in slices with a turn of the event loop between them.
const timerLateMsMax = 1.4;
// The thread sleeps meanwhile and answers nobody: the price of a delay that is right to 0.2 ms without spinning.
const sliceMs = 0.1;
const neverWoken = new Int32Array(new SharedArrayBuffer(4));

/** Takes what is about to be delivered and returns what is delivered in its place. */
export type Garble = (bytes: Uint8Array, connection: number) => Uint8Array;

/** What ends a stream: a FIN or an RST. It must not overtake the bytes before it. */
export type StreamEnd = "end" | "reset";

/** What a direction does with bytes; one record is shared by all of its lanes and changes while they run. */
export interface LinkRules {
  holding: boolean;
  garble: Garble | null;
  delayMs: number;
  /** Which connections are delayed, counted from 1; null for all. */
  isDelayed: ((connection: number) => boolean) | null;
  /** True where a delay may be some ms more, and others are to be served meanwhile. */
  isRoughlyDelayed: boolean;
  stalled: boolean;
  trickle: { bytesEach: number; everyMs: number } | null;
  /** Bytes until the cut, over all lanes; null for never. */
  bytesToCut: number | null;
}

/** What a lane needs from around it. */
export interface LaneOptions {
  /** Counted from 1. */
  connection: number;
  rules: LinkRules;
  sink: Socket;
  /** Takes a whole frame, or the stream's end, that is to be held. */
  hold: (lane: Lane, frame: Uint8Array | StreamEnd) => void;
  /** Ends both halves of the connection, after `last` was written to the sink. */
  cut: (last: Uint8Array) => void;
}

/** One direction of one connection: a queue towards the sink, and at most one timer or immediate. */
export class Lane {
  readonly connection: number;
  readonly #options: LaneOptions;
  readonly #scanner = new FrameScanner();
  /** False once something came that is not RESP: then each chunk counts as a frame. */
  #isResp = true;
  /** Pieces of the frame that is being held and is not whole yet. */
  readonly #partial: Uint8Array[] = [];
  /** True while the frame under way began before frames were held. */
  #frameBegan = false;
  readonly #queue: { item: Uint8Array | StreamEnd; dueMs: number }[] = [];
  /** When the pause of a trickle ends. */
  #pausedToMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #immediate: ReturnType<typeof setImmediate> | undefined;
  #closed = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.connection = options.connection;
  }

  /** Takes a chunk from the source. */
  arrive(chunk: Uint8Array): void {
    const ends = this.#frameEnds(chunk);
    if (!this.#options.rules.holding) {
      this.#frameBegan = this.#isResp && !this.#scanner.atBoundary;
      return this.deliver(chunk);
    }
    let from = 0;
    for (const end of ends) {
      const piece = chunk.subarray(from, end);
      from = end;
      if (this.#frameBegan) {
        this.#frameBegan = false;
        this.deliver(piece);
      } else {
        this.#options.hold(this, join([...this.#partial.splice(0), piece]));
      }
    }
    const rest = chunk.subarray(from);
    if (rest.length === 0) return;
    if (this.#frameBegan) this.deliver(rest);
    else this.#partial.push(rest);
  }

  /** Takes the end of the source's stream. */
  arriveEnd(end: StreamEnd): void {
    if (!this.#options.rules.holding) return this.deliver(end);
    if (this.#partial.length > 0) this.#options.hold(this, join(this.#partial.splice(0)));
    this.#options.hold(this, end);
  }

  /** Sends bytes, or the end, on towards the sink. */
  deliver(item: Uint8Array | StreamEnd): void {
    const { garble, delayMs, isDelayed } = this.#options.rules;
    const out = typeof item === "string" || garble === null ? item : garble(item, this.connection);
    const isLate = delayMs > 0 && (isDelayed === null || isDelayed(this.connection));
    this.#queue.push({ item: out, dueMs: isLate ? performance.now() + delayMs : 0 });
    this.pump();
  }

  /** Delivers the piece of a frame that was kept back because the rest of it is missing. */
  deliverPartial(): void {
    if (this.#partial.length === 0) return;
    this.#frameBegan = true;
    this.deliver(join(this.#partial.splice(0)));
  }

  /** Writes what the rules allow now, and comes back for what they allow later. */
  pump(): void {
    const { rules, sink } = this.#options;
    while (!this.#closed && !rules.stalled && this.#queue.length > 0) {
      const [head] = this.#queue;
      const dueMs = Math.max(head.dueMs, this.#pausedToMs);
      // 0 is 'at once', and spares a link without delay the clock.
      const waitMs = dueMs === 0 ? 0 : dueMs - performance.now();
      if (waitMs > 0) return this.#wake(waitMs);
      this.#queue.shift();
      const { item } = head;
      if (item === "end") {
        sink.end();
      } else if (item === "reset") {
        sink.resetAndDestroy();
      } else if (rules.trickle !== null) {
        const { bytesEach, everyMs } = rules.trickle;
        if (item.length > bytesEach) this.#queue.unshift({ ...head, item: item.subarray(bytesEach) });
        this.#write(item.subarray(0, bytesEach));
        this.#pausedToMs = performance.now() + everyMs;
      } else {
        this.#write(item);
      }
    }
  }

  /** Drops what is queued; the sockets are the middleman's. */
  close(): void {
    this.#closed = true;
    this.#stopWaking();
    this.#queue.length = 0;
  }

  #frameEnds(chunk: Uint8Array): number[] {
    try {
      if (this.#isResp) return this.#scanner.ends(chunk);
    } catch {
      this.#isResp = false;
    }
    return [chunk.length];
  }

  #write(bytes: Uint8Array): void {
    const { rules, sink, cut } = this.#options;
    if (rules.bytesToCut === null) {
      sink.write(bytes);
    } else if (bytes.length < rules.bytesToCut) {
      rules.bytesToCut -= bytes.length;
      sink.write(bytes);
    } else {
      const last = bytes.subarray(0, rules.bytesToCut);
      rules.bytesToCut = null;
      this.close();
      cut(last);
    }
  }

  #wake(waitMs: number): void {
    this.#stopWaking();
    if (waitMs > timerLateMsMax || this.#options.rules.isRoughlyDelayed) {
      const earlyMs = this.#options.rules.isRoughlyDelayed ? 0 : timerLateMsMax;
      this.#timer = setTimeout(() => this.pump(), waitMs - earlyMs);
      return;
    }
    this.#immediate = setImmediate(() => {
      Atomics.wait(neverWoken, 0, 0, Math.min(waitMs, sliceMs));
      this.pump();
    });
  }

  #stopWaking(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }
}

/** Joins pieces to one. */
export function join(pieces: Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0];
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
