import { withDeadline } from "../support/deadline.ts";
import type { ReaderCommand, ReaderOrder, ReaderReport } from "./reader_worker.ts";

const STOP_DEADLINE_MS = 15_000;

/** The thread that reads the proxy and judges what it says. */
export class Reader {
  readonly #worker: Worker;
  readonly #ended = Promise.withResolvers<ReaderReport>();
  #last: ReaderReport | null = null;

  private constructor() {
    this.#worker = new Worker(new URL("./reader_worker.ts", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<ReaderReport>) => {
      this.#last = data;
      if (data.isLast) this.#ended.resolve(data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#ended.reject(new Error(`Cannot read: ${event.message}`));
    };
    this.#ended.promise.catch(() => {});
  }

  /** Begins to read. */
  static start(order: ReaderOrder): Reader {
    const reader = new Reader();
    reader.#say({ order });
    return reader;
  }

  /** What was read so far, up to 100 ms old; null before the first report. */
  get report(): ReaderReport | null {
    return this.#last;
  }

  /** Stops reading and returns what was read. Throws when reading had failed. */
  async stop(): Promise<ReaderReport> {
    this.#say({ stop: true });
    try {
      const report = await withDeadline(this.#ended.promise, {
        deadlineMs: STOP_DEADLINE_MS,
        what: "the reader's end",
      });
      if (report.failure !== null) throw new Error(`Cannot read: ${report.failure}`);
      return report;
    } finally {
      this.#worker.terminate();
    }
  }

  #say(command: ReaderCommand): void {
    this.#worker.postMessage(command);
  }
}
