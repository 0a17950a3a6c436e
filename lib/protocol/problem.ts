/**
 * Errors over HTTP as problem details (RFC 9457): one line of JSON, no stack, nothing of the request repeated.
 */

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  414: "URI Too Long",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/**
 * Makes a function that returns responses of this `status`, all alike; body and headers are prepared once.
 *
 * `detail` says what was wrong in words for a person. `headers` are sent beside the content type.
 */
export function problem(status: number, detail: string, headers: Record<string, string> = {}): () => Response {
  const body = JSON.stringify({ type: "about:blank", title: TITLES[status], status, detail }) + "\n";
  const init = { status, headers: { "content-type": "application/problem+json", ...headers } };
  return () => new Response(body, init);
}
