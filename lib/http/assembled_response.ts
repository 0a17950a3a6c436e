/**
 * A `Response` put together from parts that need no checking: 2 us less than the constructor takes for three headers.
 *
 * The constructor walks the characters of every header, copies a body of bytes, and, for the runtime's HTTP server, makes
 * a second copy of all of it outside of the engine, which a finaliser then has to watch over. Here the parts are put where
 * the constructor would put them: a list of headers as it is, and bytes that are sent from where they are.
 *
 * The public API does not name that place. So it is looked for once, in a response that the constructor made; where it is
 * not as it was in Deno 2.9, the constructor is used. `tests/http/assembled_response_test.ts` fails on that day.
 */

/** Name in lower case, and value. */
export type Header = readonly [name: string, value: string];

/** What the runtime keeps of a response. */
interface Inner {
  status: number;
  headerList: readonly Header[];
  body: InnerBody | null;
}

interface InnerBody {
  readonly streamOrStatic: { readonly body: unknown; readonly consumed: unknown };
}

interface Place {
  readonly inner: symbol;
  readonly InnerBody: new (content: { body: string | Uint8Array; consumed: boolean }) => InnerBody;
}

const place = findPlace();

/** True when this runtime's responses can be assembled. */
export const canAssemble = place !== null;

/**
 * Returns a response of status 200.
 *
 * @param body nobody may change its bytes, even after they were sent: it is not copied
 * @param headers known to be fit for a header, each name once
 */
export function okResponse(body: string | Uint8Array<ArrayBuffer>, headers: readonly Header[]): Response {
  if (place === null) return new Response(body, { headers: headers.map(([name, value]) => [name, value]) });
  const response = new Response(null);
  const inner = innerOf(response, place.inner);
  inner.body = new place.InnerBody({ body, consumed: false });
  inner.headerList = headers;
  return response;
}

function innerOf(response: Response, symbol: symbol): Inner {
  return (response as unknown as Record<symbol, Inner>)[symbol];
}

function findPlace(): Place | null {
  try {
    const bytes = new Uint8Array([1]);
    const full = new Response(bytes, { headers: [["a", "b"], ["c", "d"]] });
    const empty = new Response(null);
    const symbol = Object.getOwnPropertySymbols(full).find((symbol) => symbol.description === "response");
    if (symbol === undefined) return null;
    const { status, headerList, body } = innerOf(full, symbol);
    const { streamOrStatic, constructor } = body as InnerBody;
    const inEmpty = innerOf(empty, symbol);
    const isAsKnown = status === 200 && JSON.stringify(headerList) === '[["a","b"],["c","d"]]' &&
      (streamOrStatic.body as Uint8Array).length === 1 && streamOrStatic.consumed === false &&
      inEmpty.status === 200 && inEmpty.body === null && inEmpty.headerList.length === 0;
    return isAsKnown ? { inner: symbol, InnerBody: constructor as unknown as Place["InnerBody"] } : null;
  } catch {
    return null;
  }
}
