/**
 * The HTTP front door: which request is answered by what.
 *
 * A handler from `Request` to `Response`, without a socket. A hit is answered without a promise.
 */

import type { Admission } from "../admission.ts";
import type { Clock } from "../clock.ts";
import { KEY_BYTES_MAX, RETRY_AFTER_S } from "../limits.ts";
import type { Counters } from "../metrics/counters.ts";
import { readKey } from "../protocol/key.ts";
import { problem } from "../protocol/problem.ts";
import { outcomeOf } from "../read_through/read_outcome.ts";
import type { ReadThrough } from "../read_through/read_through.ts";
import type { Bearer } from "./bearer.ts";
import { answerResponse, hitResponse } from "./key_response.ts";
import { requestHeader } from "./request_header.ts";

/** Answers for the page and what it asks for. */
export interface Page {
  /** Answers `request`, whose target is `target`; `null` when it is for nothing of the page's. */
  handle(request: Request, target: string): Response | Promise<Response> | null;
}

/** What the front door needs. */
export interface AppOptions {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly admission: Admission;
  readonly readThrough: ReadThrough;
  /** Checks the password; `null` when none is set. */
  readonly bearer: Bearer | null;
  /** Returns the metrics as Prometheus text. */
  readonly metricsText: () => Promise<string>;
  readonly page: Page;
  /** Told of what went wrong in the door itself. */
  readonly onBug: (error: unknown) => void;
}

const READ_METHODS = { allow: "GET, HEAD" };

const badHost = problem(400, "the host header is not a host");
const badKey = problem(400, "the key is not percent-encoded: % must be followed by two hex digits");
const unauthorized = problem(401, "the password is missing or wrong", {
  "www-authenticate": 'Bearer realm="redis-proxy"',
});
const notFound = problem(404, "there is nothing here: keys are at /get/");
const notAllowed = problem(405, "only GET and HEAD are served", READ_METHODS);
const keyTooLong = problem(414, `a key may have ${KEY_BYTES_MAX} bytes`);
const internalError = problem(500, "the proxy failed: this is a bug");
const full = problem(503, "too many requests are in progress", { "retry-after": String(RETRY_AFTER_S) });

/**
 * What a Host header may hold: the characters of a URI's authority without user information (RFC 3986, 3.2).
 *
 * The runtime builds `request.url` as "http://" + Host + target, unchecked: a host with a slash or a question mark in it
 * would decide where the target begins.
 */
const HOST = /^[A-Za-z0-9.:_~!$&'()*+,;=%[\]-]*$/;

/** Index of the first character of the authority in a `request.url` that was built by the runtime. */
const AUTHORITY_START = "http://".length;

const SLASH = 0x2f;

/** Returns the index of the path in `url`, of any scheme; its length where there is none, as in "http://host?query". */
function pathStart(url: string): number {
  const authority = url.indexOf("://") + "://".length;
  const index = url.slice(authority).search(/[/?#]/);
  const start = authority + index;
  return index >= 0 && url.charCodeAt(start) === SLASH ? start : url.length;
}

/** Answers HTTP requests. */
export class App {
  readonly #options: AppOptions;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #admission: Admission;
  readonly #readThrough: ReadThrough;

  constructor(options: AppOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#counters = options.counters;
    this.#admission = options.admission;
    this.#readThrough = options.readThrough;
  }

  /** Answers `request`. Never throws; the promise is always fulfilled. */
  readonly handle = (request: Request): Response | Promise<Response> => {
    const { url } = request;
    const host = requestHeader(request, "host") ?? "";
    if (!HOST.test(host)) {
      this.#counters.http.invalid++;
      return badHost();
    }
    // Nearly always the path follows the Host; where it does not, the target named a host of its own (RFC 9112, 3.2.2).
    const end = AUTHORITY_START + host.length;
    const isUsual = host !== "" && url.charCodeAt(end) === SLASH && url.startsWith(host, AUTHORITY_START);
    const start = isUsual ? end : pathStart(url);
    if (url.startsWith("/get/", start)) return this.#get(request, start);
    return this.#other(request, url.slice(start));
  };

  /** Answers what went wrong in `handle` itself; for the server's last resort. */
  readonly onError = (error: unknown): Response => {
    this.#options.onBug(error);
    return internalError();
  };

  #get(request: Request, start: number): Response | Promise<Response> {
    const { url, method } = request;
    if (method !== "GET" && method !== "HEAD") {
      this.#counters.http.invalid++;
      return notAllowed();
    }
    const { bearer } = this.#options;
    if (bearer !== null && !bearer.admits(requestHeader(request, "authorization"))) {
      this.#counters.http.unauthorized++;
      return unauthorized();
    }
    if (this.#admission.isFull) {
      this.#counters.http.overloaded++;
      this.#counters.clientsTurnedAway++;
      return full();
    }
    const query = url.indexOf("?", start);
    const result = readKey(url, {
      start: start + "/get".length,
      end: query < 0 ? url.length : query,
      bytesMax: KEY_BYTES_MAX,
    });
    if (!result.ok) {
      this.#counters.http.invalid++;
      return result.reason === "too_long" ? keyTooLong() : badKey();
    }
    this.#clock.tick();
    const item = this.#readThrough.hit(result.key);
    if (item !== undefined) {
      this.#counters.http.hit++;
      return hitResponse(item, requestHeader(request, "if-none-match"));
    }
    const answer = this.#readThrough.read(result.key);
    const conditional = requestHeader(request, "if-none-match");
    if (!(answer instanceof Promise)) {
      this.#counters.http[outcomeOf(answer)]++;
      return answerResponse(answer, conditional);
    }
    this.#admission.clients++;
    return answer.then((answer) => {
      this.#admission.clients--;
      this.#counters.http[outcomeOf(answer)]++;
      return answerResponse(answer, conditional);
    });
  }

  #other(request: Request, target: string): Response | Promise<Response> {
    const path = target.replace(/[?#].*$/s, "");
    const answer = path === "/healthz"
      ? () => new Response("ok\n")
      : path === "/readyz"
      ? () => this.#readiness()
      : path === "/metrics"
      ? () => this.#metrics(request)
      : null;
    if (answer === null) return this.#options.page.handle(request, target) ?? notFound();
    return request.method === "GET" || request.method === "HEAD" ? answer() : notAllowed();
  }

  #readiness(): Response {
    const { isUp, coherence } = this.#readThrough;
    return Response.json({ redis: isUp ? "up" : "down", coherence }, { status: isUp ? 200 : 503 });
  }

  async #metrics(request: Request): Promise<Response> {
    const { bearer, metricsText } = this.#options;
    if (bearer !== null && !bearer.admits(requestHeader(request, "authorization"))) return unauthorized();
    return new Response(await metricsText(), {
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    });
  }
}
