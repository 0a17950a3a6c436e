/**
 * An answer that goes on for as long as somebody listens, such as a stream of events.
 *
 * Its connection is not at rest meanwhile, and is not ended for that; whoever gives it ends it, at the latest when the
 * server stops. A handler gives it as a promise: only those are looked at, so that a hit pays nothing for it.
 */
export class LongAnswer extends Response {
  /** Fulfilled when it has ended, by either side. */
  readonly ended: Promise<void>;

  constructor(body: ReadableStream<Uint8Array>, { headers, ended }: { headers: HeadersInit; ended: Promise<void> }) {
    super(body, { headers });
    this.ended = ended;
  }
}
