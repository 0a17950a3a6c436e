/** Requests out of bytes: what they are, where they end, what is wrong with them, and that chunks make no difference. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { keyFromBytes } from "../../../lib/protocol/key.ts";
import { RequestParser } from "../../../lib/protocol/resp/request_parser.ts";
import { SEED } from "../../support/seed.ts";
import { crumbs, cut, latin1, type Outcome, outcomeOf } from "./outcome.ts";
import {
  READ_BUFFER_BYTES_MAX,
  READ_BUFFER_BYTES_MIN,
  REQUEST_ARGUMENTS_MAX,
  REQUEST_BYTES_MAX,
  REQUEST_LINE_BYTES_MAX,
  UNAUTHENTICATED_ARGUMENTS_MAX,
  UNAUTHENTICATED_BULK_BYTES_MAX,
} from "../../../lib/limits.ts";

/** Shows requests as `GET k | PING`, and an error after them. */
function shown({ requests, error, isHalf }: Outcome): string {
  const parts = requests.map((words) => words.join(" "));
  return [...parts, ...(error === null ? [] : [`! ${error}`]), ...(isHalf ? ["…"] : [])].join(" | ");
}

const CASES: [bytes: string, shown: string][] = [
  ["", ""],
  ["*1\r\n$4\r\nPING\r\n", "PING"],
  ["*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n", "GET k | PING"],
  ["*2\r\n$3\r\nGET\r\n$0\r\n\r\n", "GET "],
  ["*2\r\n$3\r\nGET\r\n$4\r\n\r\n\0\xff\r\n", "GET \r\n\0\xff"],
  ["*2\r\n$3\r\nGET\r\n$12\r\n0123456789ab\r\n", "GET 0123456789ab"],
  ["*0\r\n*-1\r\n*-9223372036854775808\r\n*1\r\n$4\r\nPING\r\n", "PING"],
  ["*2\r\n$3\r\nGET\r\n$1\r\n", "…"],
  ["*2", "…"],
  // Redis does not look at the byte after a length's CR, nor at the two after a bulk.
  ["*1\rX$4\rXPINGXX*1\r\n$4\r\nPING\r\n", "PING | PING"],
  ["*x\r\n", "! Protocol error: invalid multibulk length"],
  ["*\r\n", "! Protocol error: invalid multibulk length"],
  ["*01\r\n", "! Protocol error: invalid multibulk length"],
  ["*+1\r\n", "! Protocol error: invalid multibulk length"],
  ["*1 \r\n", "! Protocol error: invalid multibulk length"],
  ["*-0\r\n", "! Protocol error: invalid multibulk length"],
  ["*-9223372036854775809\r\n", "! Protocol error: invalid multibulk length"],
  ["*99999999999999999999\r\n", "! Protocol error: invalid multibulk length"],
  [`*${REQUEST_ARGUMENTS_MAX + 1}\r\n`, "! Protocol error: invalid multibulk length"],
  [`*${REQUEST_ARGUMENTS_MAX}\r\n`, "…"],
  ["*1\r\nPING\r\n", "! Protocol error: expected '$', got 'P'"],
  ["*1\r\n\r\n", "! Protocol error: expected '$', got ' '"],
  ["*1\r\n$-1\r\n", "! Protocol error: invalid bulk length"],
  ["*1\r\n$x\r\n", "! Protocol error: invalid bulk length"],
  ["*1\r\n$\r\n", "! Protocol error: invalid bulk length"],
  ["*1\r\n$04\r\nPING\r\n", "! Protocol error: invalid bulk length"],
  [`*1\r\n$${REQUEST_BYTES_MAX + 1}\r\n`, "! Protocol error: invalid bulk length"],
  [`*1\r\n$${REQUEST_BYTES_MAX}\r\n`, "! Protocol error: too big request"],
  ["*1\r\n$4\r\nPING\r\n*1\r\n:4\r\n", "PING | ! Protocol error: expected '$', got ':'"],
  // A NUL hides the end of a line, as it does from C.
  ["*1\0\r\n$4\r\nPING\r\n", "…"],
  ["*1\r\n\x004\r\nPING\r\n", "…"],
  ["PING\r\n", "PING"],
  ["PING\n\n\r\n  \r\nPING\n", "PING | PING"],
  ["  set\tk  'a b'\r\n", "set k a b"],
  [`set "a\\"b\\n\\x41\\xzz\\q\\\\" 'it\\'s\\n'\r\n`, `set a"b\nAxzzq\\ it's\\n`],
  ['set "" k\r\n', "set  k"],
  ['set a"b"\n', "set ab"],
  ['set "a\r\n', "! Protocol error: unbalanced quotes in request"],
  ['set "a"b\r\n', "! Protocol error: unbalanced quotes in request"],
  ["set 'a\\'\r\n", "! Protocol error: unbalanced quotes in request"],
  ['set "a\\\r\n', "! Protocol error: unbalanced quotes in request"],
  ["PI", "…"],
  ["\r", "…"],
  ["$4\r\nPING\r\n", "$4 | PING"],
];

for (const [bytes, wanted] of CASES) {
  Deno.test(`request: ${JSON.stringify(bytes)}`, () => {
    const buffer = latin1(bytes);
    assert.equal(shown(outcomeOf([buffer])), wanted, "in one piece");
    assert.equal(shown(outcomeOf(crumbs(buffer))), wanted, "byte by byte");
    for (let at = 1; at < buffer.length; at++) {
      assert.equal(shown(outcomeOf(cut(buffer, [at]))), wanted, `cut at ${at}`);
    }
  });
}

Deno.test("the corpus means what it meant, however it is cut", async () => {
  const folder = new URL("corpus/", import.meta.url);
  const expected: Record<string, Outcome> = JSON.parse(await Deno.readTextFile(new URL("requests.json", folder)));
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).filter((name) => name.endsWith(".request"));
  assert.deepEqual(names.sort(), Object.keys(expected).sort());
  for (const name of names) {
    const bytes = await Deno.readFile(new URL(name, folder));
    assert.deepEqual(outcomeOf([bytes]), expected[name], `${name}: in one piece`);
    assert.deepEqual(outcomeOf(crumbs(bytes)), expected[name], `${name}: byte by byte`);
  }
});

const words = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 6 });
const places = fc.array(fc.nat(), { maxLength: 8 });

function encoded(requests: Uint8Array[][]): Buffer {
  return Buffer.concat(requests.flatMap((request) => [
    latin1(`*${request.length}\r\n`),
    ...request.flatMap((word) => [latin1(`$${word.length}\r\n`), word, latin1("\r\n")]),
  ]));
}

Deno.test("what is encoded is read back, however it is cut", () => {
  fc.assert(
    fc.property(fc.array(words, { maxLength: 40 }), places, (requests, places) => {
      const wanted = requests.map((request) => request.map((word) => Buffer.from(word).toString("latin1")));
      const outcome = outcomeOf(cut(encoded(requests), places));
      assert.deepEqual(outcome, { requests: wanted, error: null, isHalf: false });
    }),
    { seed: SEED, numRuns: 300 },
  );
});

Deno.test("mutated and random bytes mean the same however they are cut, and never throw", () => {
  const spice = fc.constantFrom(...Array.from("*$:+-\"'\\ \r\n\x00019x", (character) => character.charCodeAt(0)));
  const mutations = fc.array(fc.tuple(fc.nat(), fc.oneof(spice, fc.nat(255)), fc.nat(2)), { maxLength: 6 });
  const isAuthenticated = fc.boolean();
  const noise = fc.array(spice, { maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  const base = fc.oneof(fc.array(words, { maxLength: 6 }).map(encoded), noise);
  fc.assert(
    fc.property(base, mutations, places, isAuthenticated, (base, mutations, places, isAuthenticated) => {
      const bytes = Array.from(base);
      for (const [at, byte, kind] of mutations) {
        bytes.splice(at % (bytes.length + 1), kind === 0 ? 0 : 1, ...(kind === 2 ? [] : [byte]));
      }
      const buffer = Buffer.from(bytes);
      const whole = outcomeOf([buffer], { isAuthenticated });
      assert.deepEqual(outcomeOf(cut(buffer, places), { isAuthenticated }), whole);
      assert.deepEqual(outcomeOf(crumbs(buffer), { isAuthenticated }), whole);
    }),
    { seed: SEED, numRuns: 3_000 },
  );
});

Deno.test("strangers may send little", () => {
  const stranger = (bytes: string): string => shown(outcomeOf([latin1(bytes)], { isAuthenticated: false }));
  assert.equal(stranger(`*${UNAUTHENTICATED_ARGUMENTS_MAX}\r\n`), "…");
  assert.equal(
    stranger(`*${UNAUTHENTICATED_ARGUMENTS_MAX + 1}\r\n`),
    "! Protocol error: unauthenticated multibulk length",
  );
  assert.equal(stranger(`*1\r\n$${UNAUTHENTICATED_BULK_BYTES_MAX}\r\n`), "…");
  assert.equal(
    stranger(`*1\r\n$${UNAUTHENTICATED_BULK_BYTES_MAX + 1}\r\n`),
    "! Protocol error: unauthenticated bulk length",
  );
});

Deno.test("the bounds for strangers end with their being strangers, in the middle of a chunk too", () => {
  const parser = new RequestParser({ isAuthenticated: false });
  const bytes = latin1("*1\r\n$4\r\nAUTH\r\n*11\r\n" + "$1\r\na\r\n".repeat(11));
  parser.space().set(bytes);
  parser.received(bytes.length);
  assert.equal(parser.next(), "complete");
  parser.isAuthenticated = true;
  assert.equal(parser.next(), "complete");
  assert.equal(parser.argumentCount, 11);
});

Deno.test("lines have a bound, and it does not depend on the chunks", () => {
  const longest = "a".repeat(REQUEST_LINE_BYTES_MAX);
  for (const chunksOf of [(bytes: Uint8Array) => [bytes], (bytes: Uint8Array) => cut(bytes, [100, 65_535, 65_536])]) {
    assert.deepEqual(outcomeOf(chunksOf(latin1(longest + "\n"))).requests, [[longest]]);
    assert.equal(outcomeOf(chunksOf(latin1(longest + "a"))).error, "Protocol error: too big inline request");
    assert.equal(outcomeOf(chunksOf(latin1(longest + "a\n"))).error, "Protocol error: too big inline request");
    assert.equal(outcomeOf(chunksOf(latin1("*" + longest))).error, "Protocol error: too big mbulk count string");
    assert.equal(outcomeOf(chunksOf(latin1("*1\r\n$" + longest))).error, "Protocol error: too big bulk count string");
    assert.equal(outcomeOf(chunksOf(latin1("*1\0" + longest))).error, "Protocol error: too big mbulk count string");
  }
});

Deno.test("a request has a bound, whatever it is made of", () => {
  const parser = new RequestParser({ isAuthenticated: true, requestBytesMax: 100 });
  const part = "$10\r\n0123456789\r\n";
  assert.equal(outcomeOf([latin1("*9\r\n" + part.repeat(9))], { parser }).error, "Protocol error: too big request");
});

Deno.test("memory follows what came and not what was announced", () => {
  const parser = new RequestParser({ isAuthenticated: true });
  outcomeOf([latin1(`*${REQUEST_ARGUMENTS_MAX}\r\n$${REQUEST_BYTES_MAX - 100}\r\n`)], { parser });
  assert.equal(parser.bufferBytes, READ_BUFFER_BYTES_MIN);
  let received = 30;
  for (let i = 0; i < 2_000; i++) {
    outcomeOf([new Uint8Array(1_000)], { parser });
    received += 1_000;
    assert.ok(
      parser.bufferBytes <= Math.max(READ_BUFFER_BYTES_MAX, 2.5 * received),
      `${parser.bufferBytes} for ${received}`,
    );
  }
});

Deno.test("a buffer that grew for one long request is given back, one that is filled again and again grows a little", () => {
  const parser = new RequestParser({ isAuthenticated: true });
  const long = latin1(`*1\r\n$1000000\r\n${"x".repeat(1_000_000)}\r\n`);
  assert.equal(outcomeOf([long], { parser }).requests.length, 1);
  assert.ok(parser.bufferBytes > 1_000_000);
  outcomeOf([latin1("PING\r\n")], { parser });
  assert.equal(parser.bufferBytes, READ_BUFFER_BYTES_MAX);

  const busy = new RequestParser({ isAuthenticated: true });
  outcomeOf([latin1("*2\r\n$3\r\nGET\r\n$2\r\nk1\r\n".repeat(20_000))], { parser: busy });
  assert.equal(busy.bufferBytes, READ_BUFFER_BYTES_MAX);
});

Deno.test("a key is what its bytes make it, and reading it changes nothing", () => {
  fc.assert(
    fc.property(fc.array(words, { minLength: 1, maxLength: 4 }), (requests) => {
      const parser = new RequestParser({ isAuthenticated: true });
      const bytes = encoded(requests);
      parser.space().set(bytes);
      parser.received(bytes.length);
      for (const request of requests) {
        assert.equal(parser.next(), "complete");
        for (let i = 0; i < request.length; i++) {
          assert.equal(parser.key(i), keyFromBytes(request[i]));
          assert.equal(parser.key(i), keyFromBytes(request[i]), "the second time");
          assert.deepEqual(parser.argument(i), Buffer.from(request[i]));
        }
      }
      assert.equal(parser.next(), "incomplete");
    }),
    { seed: SEED },
  );
});

Deno.test("the first word of the first inline request has its slash too", () => {
  const parser = new RequestParser({ isAuthenticated: true });
  parser.space().set(latin1("ab cd\n"));
  parser.received(6);
  assert.equal(parser.next(), "complete");
  assert.deepEqual([parser.key(0), parser.key(1), parser.text(0)], ["/ab", "/cd", "ab"]);
});

Deno.test("names match in any case of letters, and nothing else matches", () => {
  const parser = new RequestParser({ isAuthenticated: true });
  const line = latin1("GeT g\u0045t- g e\x12t GETS\n");
  parser.space().set(line);
  parser.received(line.length);
  assert.equal(parser.next(), "complete");
  assert.equal(parser.matches(0, "get"), true);
  assert.equal(parser.matches(1, "get-"), true);
  assert.equal(parser.matches(1, "get\r"), false);
  assert.equal(parser.matches(2, "get"), false);
  assert.equal(parser.matches(3, "e2t"), false);
  assert.equal(parser.matches(4, "get"), false);
});

Deno.test("views of all requests of a chunk hold until the next chunk", () => {
  const parser = new RequestParser({ isAuthenticated: true });
  const bytes = latin1("*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n*1\r\n$1");
  parser.space().set(bytes);
  parser.received(bytes.length);
  const views: Buffer[] = [];
  while (parser.next() === "complete") views.push(parser.argument(0));
  assert.deepEqual(views.map(String), ["a", "b"]);
});
