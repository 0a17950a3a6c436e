/**
 * One header of a request, without touching `request.headers`.
 *
 * Once somebody has had that object in hands, the runtime's HTTP server makes an array of every header that the client sent
 * and answers over two promises, in case it is looked at again later: a twentieth of the CPU of a hit when one header was
 * sent, a fifth with the fifteen of a browser. The request behind the request knows how to give one header alone. The
 * public API does not name it; where it is not as it was in Deno 2.9, `request.headers` is used.
 * `tests/http/request_header_test.ts` fails on that day.
 */

/** The request behind a request that a server was asked. */
interface Inner {
  header?(name: string): string | null;
}

/** Where the runtime keeps it; undefined when there is no such place. */
const place: symbol | undefined = Object.getOwnPropertySymbols(new Request("http://localhost/"))
  .find((symbol) => symbol.description === "request");

/**
 * Returns the header `name`, in lower case, of `request`; `null` when it was not sent. Several of one name come joined by
 * `, `. Cost: 0.1 us. Call it before the request is answered.
 */
export function requestHeader(request: Request, name: string): string | null {
  const inner = place === undefined ? undefined : (request as unknown as Record<symbol, Inner | undefined>)[place];
  return inner?.header === undefined ? request.headers.get(name) : inner.header(name);
}
