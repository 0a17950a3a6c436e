import type { Socket } from "node:net";
import { withDeadline } from "./deadline.ts";
import { type Garble, join, Lane, type LinkRules, type StreamEnd } from "./link_lane.ts";
import { describeFrame, type FrameView } from "./resp_frames.ts";

/** A frame that is being held, and the connection (counted from 1) that it belongs to. */
export interface HeldFrame extends FrameView {
  connection: number;
}

/**
 * One direction of all connections of a middleman, those to come included.
 *
 * ```
 *  source ─▶ onChunk ─▶ holdFrames ─▶ garble ─▶ delay ─▶ stall ─▶ trickle ─▶ cutAfterBytes ─▶ sink
 * ```
 *
 * Order within a connection is kept whatever is set. There is no back pressure: what is held back is held in memory.
 */
export class LinkDirection {
  /** Is called with each chunk as it comes in, before anything is done with it. */
  onChunk: ((chunk: Uint8Array, connection: number) => void) | null = null;
  #bytes = 0;
  readonly #rules: LinkRules = {
    holding: false,
    garble: null,
    delayMs: 0,
    isDelayed: null,
    isRoughlyDelayed: false,
    stalled: false,
    trickle: null,
    bytesToCut: null,
  };
  readonly #lanes = new Set<Lane>();
  #held: { lane: Lane; frame: Uint8Array | StreamEnd }[] = [];
  readonly #waiters = new Set<() => void>();

  /** Bytes that have come in since the start, whatever became of them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Ends all that was set, and lets go what was held. The hook `onChunk` stays. */
  pass(): void {
    Object.assign(this.#rules, { garble: null, delayMs: 0, trickle: null, bytesToCut: null });
    this.release();
  }

  /** Holds all bytes from now on; connections stay open and new ones are taken. */
  stall(): void {
    this.#rules.stalled = true;
  }

  /** Ends `stall()` and `holdFrames()`: what was held goes on, in order. */
  release(): void {
    this.#rules.stalled = false;
    this.#rules.holding = false;
    this.releaseFrames(this.#held.length);
    for (const lane of this.#lanes) {
      lane.deliverPartial();
      lane.pump();
    }
  }

  /**
   * Delivers each chunk `ms` after it came in. Chunks overlap: ten that come together all arrive after `ms`.
   *
   * @param of says which connections are delayed, counted from 1; all unless told
   * @param isRough true where some ms more do not matter: then this process sleeps for nobody, and serves the others
   */
  delay(
    { ms, of = null, isRough = false }: {
      ms: number;
      of?: ((connection: number) => boolean) | null;
      isRough?: boolean;
    },
  ): void {
    this.#rules.delayMs = ms;
    this.#rules.isDelayed = of;
    this.#rules.isRoughlyDelayed = isRough;
  }

  /** Delivers at most `bytesEach` bytes of a connection in one write, and then nothing for `everyMs`. */
  trickle({ bytesEach, everyMs }: { bytesEach: number; everyMs: number }): void {
    this.#rules.trickle = { bytesEach, everyMs };
  }

  /** Delivers what `garble` makes of each chunk, or of each released frame, in its place; null ends it. */
  garble(garble: Garble | null): void {
    this.#rules.garble = garble;
  }

  /** Delivers `count` more bytes (1 or more), and then cuts the connection on which the last of them went. Once. */
  cutAfterBytes(count: number): void {
    this.#rules.bytesToCut = count;
  }

  /**
   * Holds every RESP frame from now on, until it is let go by `releaseFrames()`. A frame of which a part has already
   * gone through goes through. Bytes that are not RESP are held chunk by chunk, the end of a connection as a frame of
   * type `end` or `reset`. A connection that the middleman cuts or that the receiver leaves takes its frames with it.
   */
  holdFrames(): void {
    this.#rules.holding = true;
  }

  /** The frames that are held whole, the oldest first. */
  get frames(): HeldFrame[] {
    return this.#held.map(({ lane, frame }) => ({
      connection: lane.connection,
      ...(typeof frame === "string" ? { type: frame, bytesTotal: 0, start: "" } : describeFrame(frame)),
    }));
  }

  /**
   * Waits until at least `count` frames are held, and returns them. It does not poll, so that trials by the thousand
   * are quick.
   *
   * @throws Error after `deadlineMs`, 5,000 unless told
   */
  async waitForFrames(count: number, { deadlineMs = 5_000 }: { deadlineMs?: number } = {}): Promise<HeldFrame[]> {
    const arrived = Promise.withResolvers<void>();
    const look = () => {
      if (this.#held.length >= count) arrived.resolve();
    };
    this.#waiters.add(look);
    try {
      look();
      await withDeadline(arrived.promise, { deadlineMs, what: `a hold of ${count} frames` });
    } finally {
      this.#waiters.delete(look);
    }
    return this.frames;
  }

  /**
   * Lets go the oldest `count` frames, one unless told. Neighbours on one connection leave in one write and so arrive in
   * one chunk, most likely: what a client does with a reply and a push that come together is a case of its own.
   *
   * @throws RangeError when fewer are held
   */
  releaseFrames(count = 1): void {
    if (count > this.#held.length) {
      throw new RangeError(`Cannot release frames: ${count} held ones are needed: received ${this.#held.length}`);
    }
    const going = this.#held.splice(0, count);
    for (let at = 0; at < going.length;) {
      const { lane, frame } = going[at++];
      if (typeof frame === "string") {
        lane.deliver(frame);
        continue;
      }
      const together = [frame];
      for (; at < going.length && going[at].lane === lane; at++) {
        const next = going[at].frame;
        if (typeof next === "string") break;
        together.push(next);
      }
      lane.deliver(join(together));
    }
  }

  /** For the middleman: opens this direction of a new connection and takes what `source` sends from now on. */
  open(
    source: Socket,
    { sink, connection, cut }: { sink: Socket; connection: number; cut: (last: Uint8Array) => void },
  ): void {
    const lane = new Lane({
      connection,
      rules: this.#rules,
      sink,
      cut,
      hold: (lane, frame) => {
        this.#held.push({ lane, frame });
        for (const look of this.#waiters) look();
      },
    });
    this.#lanes.add(lane);
    source.on("data", (data: Uint8Array) => {
      const chunk = new Uint8Array(data);
      this.#bytes += chunk.length;
      this.onChunk?.(chunk, connection);
      lane.arrive(chunk);
    });
    source.on("end", () => lane.arriveEnd("end"));
    // A reset, or a target that refuses the connection.
    source.on("error", () => lane.arriveEnd("reset"));
    // Once nobody can read the rest there is no rest; the source's own end leaves it to be delivered.
    sink.on("close", () => {
      lane.close();
      this.#lanes.delete(lane);
      this.#held = this.#held.filter((held) => held.lane !== lane);
    });
  }
}
