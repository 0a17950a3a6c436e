/**
 * The page and what it asks for: which request is answered by what.
 *
 *   GET /                the page                    GET  /stats/key?key=…    what is held of a key
 *   GET /stats           everything, as JSON         POST /stats/drop?key=…   drops it
 *   GET /stats/events    the same, as it changes
 *
 * The key is in the query and not in the path, since a browser takes `.` and `..` out of a path however they are encoded;
 * but for that it is written as after `/get/`.
 *
 * None of this counts against MAX_CONNECTIONS: it has a bound of its own, and is looked at when that one is reached.
 */

import { KEY_BYTES_MAX, RETRY_AFTER_S, VIEWER_EVENTS_MAX, VIEWER_RETRY_MS, VIEWERS_MAX } from "../limits.ts";
import { type Key, readKey } from "../protocol/key.ts";
import { problem } from "../protocol/problem.ts";
import type { ReadThrough } from "../read_through/read_through.ts";
import { keyView } from "../stats/key_view.ts";
import type { Statistics } from "../stats/statistics.ts";
import { PageDocument } from "./page_document.ts";
import { isSameOrigin } from "./same_origin.ts";
import { serverSentEvent, Viewers } from "./viewers.ts";

/** Tells whether a value of `authorization` holds the password. */
interface Credentials {
  admits(header: string | null): boolean;
}

/** What the page needs. */
export interface PageDoorOptions {
  readonly statistics: Statistics;
  readonly readThrough: Pick<ReadThrough, "inspect" | "drop">;
  /** Check the password; `null` when none is set. */
  readonly credentials: { readonly basic: Credentials; readonly bearer: Credentials } | null;
}

const DATA_HEADERS = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
};

const QUERY = /^\/[^?#]*\?key=/;

const badKey = problem(400, "the key is to be given as ?key=, percent-encoded: % must be followed by two hex digits");
const unauthorized = problem(401, "the password is missing or wrong", {
  // What browsers know how to ask for, with a user name that does not matter. A bearer token is taken as well.
  "www-authenticate": 'Basic realm="redis-proxy", charset="UTF-8"',
});
const foreign = problem(403, "only the proxy's own page may do this, or who sends the password as a bearer token");
const onlyRead = problem(405, "only GET and HEAD are served", { allow: "GET, HEAD" });
const onlyPost = problem(405, "only POST is served", { allow: "POST" });
const keyTooLong = problem(414, `a key may have ${KEY_BYTES_MAX} bytes`);
const full = problem(503, "too many pages are open", { "retry-after": String(RETRY_AFTER_S) });

/** Answers for the page. */
export class PageDoor {
  readonly #options: PageDoorOptions;
  readonly #document = new PageDocument();
  readonly #viewers = new Viewers({ viewersMax: VIEWERS_MAX, eventsMax: VIEWER_EVENTS_MAX, retryMs: VIEWER_RETRY_MS });

  constructor(options: PageDoorOptions) {
    this.#options = options;
  }

  /** Answers `request`, whose target is `target`; `null` when it is for nothing of the page's. Never throws. */
  handle(request: Request, target: string): Response | Promise<Response> | null {
    const answer = this.#route(target.replace(/[?#].*$/s, ""), target);
    if (answer === null) return null;
    const { credentials } = this.#options;
    const authorization = request.headers.get("authorization");
    const isBearer = credentials !== null && credentials.bearer.admits(authorization);
    if (credentials !== null && !isBearer && !credentials.basic.admits(authorization)) return unauthorized();
    if (answer.changes) {
      if (request.method !== "POST") return onlyPost();
      // A browser sends the Basic password by itself, whoever made it ask; a token is put in by hand.
      if (!isBearer && !isSameOrigin(request.headers)) return foreign();
    } else if (request.method !== "GET" && request.method !== "HEAD") return onlyRead();
    return answer.run(request);
  }

  /** Tells the open pages what the last second brought; does nothing where there is none. */
  tell(): void {
    const { statistics } = this.#options;
    if (this.#viewers.size === 0) return;
    this.#viewers.send(serverSentEvent("second", { ...statistics.snapshot(), latest: statistics.latest() }));
  }

  /** Ends all streams. */
  stop(): void {
    this.#viewers.stop();
  }

  #route(path: string, target: string): {
    /** True when it changes something. */
    readonly changes: boolean;
    readonly run: (request: Request) => Response | Promise<Response>;
  } | null {
    const { statistics, readThrough } = this.#options;
    switch (path) {
      case "/":
        return { changes: false, run: () => this.#document.response() };
      case "/stats":
        return { changes: false, run: () => json(statistics.all()) };
      case "/stats/events":
        return { changes: false, run: (request) => this.#events(request) };
      case "/stats/key":
        return {
          changes: false,
          run: () => withKey(target, (key) => json(keyView(key, readThrough.inspect(key)))),
        };
      case "/stats/drop":
        return {
          changes: true,
          run: () =>
            withKey(target, (key) => {
              readThrough.drop(key);
              return json({ dropped: true });
            }),
        };
      default:
        return null;
    }
  }

  #events(request: Request): Response | Promise<Response> {
    if (this.#viewers.isFull) return full();
    if (request.method === "HEAD") return new Response(null, { headers: { "content-type": "text/event-stream" } });
    return Promise.resolve(this.#viewers.admit(serverSentEvent("all", this.#options.statistics.all())));
  }
}

function json(data: unknown): Response {
  return new Response(JSON.stringify(data) + "\n", { headers: DATA_HEADERS });
}

function withKey(target: string, answer: (key: Key) => Response): Response {
  const query = QUERY.exec(target);
  if (query === null) return badKey();
  // As in a path: the slash before the key is a part of what is read.
  const encoded = "/" + target.slice(query[0].length).replace(/#.*$/s, "");
  const result = readKey(encoded, { start: 0, end: encoded.length, bytesMax: KEY_BYTES_MAX });
  if (result.ok) return answer(result.key);
  return result.reason === "too_long" ? keyTooLong() : badKey();
}
