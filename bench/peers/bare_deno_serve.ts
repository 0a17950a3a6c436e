/**
 * The floor under any HTTP service in Deno: one constant body, with as many headers as the second argument says.
 *
 * Arguments: port, number of headers (0, 1 or 3: the three of a hit of the proxy), the key and its value's length.
 */

import { valueOf } from "../value.ts";

const [port, count, key, bytes] = Deno.args;
const body = new TextEncoder().encode(valueOf(key, Number(bytes)));
const all: [string, string][] = [
  ["content-type", "text/plain; charset=utf-8"],
  ["etag", '"0123456789abcdefghijkl"'],
  ["cache-status", "redis-proxy; hit"],
];
const headers = all.slice(0, Number(count));

Deno.serve(
  { hostname: "127.0.0.1", port: Number(port), onListen: () => {} },
  headers.length === 0 ? () => new Response(body) : () => new Response(body, { headers }),
);
