/**
 * The pages that are open: each a stream of server-sent events (HTML Standard, 9.2), all told the same.
 *
 * Bounded three ways: so many pages, so many events that wait for each of them, and the end of all when the proxy stops.
 */

import { LongAnswer } from "../http/long_answer.ts";

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  // For proxies that would collect it first; nginx knows it.
  "x-accel-buffering": "no",
};

const encoder = new TextEncoder();

interface Viewer {
  readonly stream: ReadableStreamDefaultController<Uint8Array>;
  readonly onEnd: () => void;
}

/** Tells all open pages what is new. */
export class Viewers {
  readonly #viewersMax: number;
  readonly #eventsMax: number;
  readonly #retryMs: number;
  readonly #viewers = new Set<Viewer>();
  #isStopped = false;

  /** `eventsMax` may wait for a viewer; a viewer whose stream ended comes back after `retryMs`. */
  constructor(options: { viewersMax: number; eventsMax: number; retryMs: number }) {
    this.#viewersMax = options.viewersMax;
    this.#eventsMax = options.eventsMax;
    this.#retryMs = options.retryMs;
  }

  /** Pages that are open. */
  get size(): number {
    return this.#viewers.size;
  }

  /** True when no further page is told anything. */
  get isFull(): boolean {
    return this.#isStopped || this.#viewers.size >= this.#viewersMax;
  }

  /** Returns the stream of a new viewer, which begins with `first`. Throws RangeError when it is full. */
  admit(first: string): LongAnswer {
    if (this.isFull) {
      throw new RangeError(`Cannot admit a viewer: fewer than ${this.#viewersMax} are needed: received ${this.size}`);
    }
    const { promise: ended, resolve: onEnd } = Promise.withResolvers<void>();
    let viewer: Viewer;
    const body = new ReadableStream<Uint8Array>({
      start: (stream) => {
        viewer = { stream, onEnd };
        this.#viewers.add(viewer);
        stream.enqueue(encoder.encode(`retry: ${this.#retryMs}\n${first}`));
      },
      cancel: () => this.#forget(viewer),
    }, { highWaterMark: this.#eventsMax });
    return new LongAnswer(body, { headers: HEADERS, ended });
  }

  /** Sends `event` to all; who is too far behind is cut off. */
  send(event: string): void {
    const bytes = encoder.encode(event);
    for (const viewer of this.#viewers) {
      if (viewer.stream.desiredSize! > 0) viewer.stream.enqueue(bytes);
      else this.#end(viewer);
    }
  }

  /** Ends all streams, and admits nobody any more. */
  stop(): void {
    this.#isStopped = true;
    for (const viewer of this.#viewers) this.#end(viewer);
  }

  #end(viewer: Viewer): void {
    viewer.stream.close();
    this.#forget(viewer);
  }

  #forget(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    viewer.onEnd();
  }
}

/** Writes `data` as an event of a stream. */
export function serverSentEvent(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
