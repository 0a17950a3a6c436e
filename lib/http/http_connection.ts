/**
 * One connection that is served HTTP: what it is doing, and how it is ended.
 *
 * `Deno.serve` takes a port and shows nothing of its connections. The runtime also has a function that serves a single
 * connection with the same machinery at the same cost a request, which the public API does not name. It is used here
 * and nowhere else; `tests/http/http_connection_test.ts` fails on the day when a new version of Deno changes it.
 */

import { LongAnswer } from "./long_answer.ts";

/** Answers a request; may throw or reject, then `onError` answers. */
export type HttpHandler = (
  request: Request,
  info: Deno.ServeHandlerInfo<Deno.NetAddr>,
) => Response | Promise<Response>;

/** What the runtime gives back for a connection. `shutdown` after the end is harmless. */
interface ServedConnection {
  readonly finished: Promise<void>;
  shutdown(): Promise<void>;
}

/** The part of an `AbortSignal` that the runtime uses. */
interface CutSignal {
  addEventListener(type: "abort", listener: () => void): void;
}

type ServeConnection = (
  socket: Deno.TcpConn,
  signal: CutSignal,
  handler: HttpHandler,
  onError: (error: unknown) => Response | Promise<Response>,
  onListen: () => void,
) => ServedConnection;

function findServeConnection(): ServeConnection | undefined {
  const runtime = Deno as unknown as { internal?: symbol } & Record<symbol, Record<string, unknown> | undefined>;
  const found = runtime.internal && runtime[runtime.internal]?.serveHttpOnConnection;
  return typeof found === "function" ? found as ServeConnection : undefined;
}

const serveConnection = findServeConnection();

function ignore(): void {}

/** What a connection needs from its server. */
export interface HttpConnectionOptions {
  readonly handler: HttpHandler;
  readonly onError: (error: unknown) => Response | Promise<Response>;
  /** The server's round in which it was accepted. */
  readonly acceptedRound: number;
  /** Returns the server's coarse clock: a field's worth of cost, as it is read for every request. */
  readonly tick: () => number;
  /** Called once, when the first whole head has come. */
  readonly onFirstRequest: (connection: HttpConnection) => void;
  /** Called when the handler owes nothing any more; only after answers that were promises. */
  readonly onRest: (connection: HttpConnection) => void;
  /** Called once, when the connection has ended and its descriptor is free. */
  readonly onEnd: (connection: HttpConnection) => void;
}

/** Serves one connection. A request costs a few stores; only an answer that is a promise costs one more promise. */
export class HttpConnection {
  /** The server's round in which it was accepted. */
  readonly acceptedRound: number;

  /** The server's tick when it was accepted, when a request last came or was last answered by the handler. */
  activeTick: number;

  /** Whether a request came since somebody last reset this. */
  isUsed = false;

  readonly #options: HttpConnectionOptions;
  readonly #served: ServedConnection;
  #hasAsked = false;
  #owed = 0;
  #cut: () => void = ignore;

  /** Throws TypeError when this runtime cannot serve a single connection. */
  static assertSupported(): void {
    if (serveConnection !== undefined) return;
    throw new TypeError(
      `Cannot serve HTTP: a Deno that serves single connections, such as 2.9, is needed: received ${Deno.version.deno}`,
    );
  }

  /** Begins to serve `socket`, and owns it from here on. */
  constructor(socket: Deno.TcpConn, options: HttpConnectionOptions) {
    this.#options = options;
    this.acceptedRound = options.acceptedRound;
    this.activeTick = options.tick();
    // An AbortController would do, but what its listener throws is uncaught and ends the process; see `cut`.
    const signal: CutSignal = { addEventListener: (_, listener) => this.#cut = listener };
    this.#served = serveConnection!(socket, signal, this.#handle, options.onError, ignore);
    const onEnd = (): void => options.onEnd(this);
    this.#served.finished.then(onEnd, onEnd);
  }

  /**
   * Whether the handler has not answered yet, or with a `LongAnswer` that goes on. What else it answered may still be on
   * its way out: nothing tells.
   */
  get isWaiting(): boolean {
    return this.#owed > 0;
  }

  /**
   * Ends it after the answers in progress; at once when it is at rest or in the middle of a head. A client that does
   * not read a large answer holds it open, and after this it can no longer be cut.
   */
  leave(): void {
    this.#served.shutdown().catch(ignore);
  }

  /** Ends it at once, whatever it is doing. Does nothing after `leave`, nor when it is just ending by itself. */
  cut(): void {
    try {
      this.#cut();
    } catch {
      // The runtime has let go of the connection already and says `Bad resource ID`.
    }
  }

  readonly #handle = (
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ): Response | Promise<Response> => {
    this.isUsed = true;
    this.activeTick = this.#options.tick();
    if (!this.#hasAsked) {
      this.#hasAsked = true;
      this.#options.onFirstRequest(this);
    }
    const answer = this.#options.handler(request, info);
    if (answer instanceof Promise) {
      this.#owed++;
      answer.then(this.#onAnswer, this.#onAnswered);
    }
    return answer;
  };

  readonly #onAnswer = (answer: Response): void => {
    if (answer instanceof LongAnswer) void answer.ended.then(this.#onAnswered);
    else this.#onAnswered();
  };

  readonly #onAnswered = (): void => {
    this.#owed--;
    this.activeTick = this.#options.tick();
    if (this.#owed === 0) this.#options.onRest(this);
  };
}
