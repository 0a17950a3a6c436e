/** The same bytes to our parser of requests and to a real Redis: the same requests, the same errors. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { RequestParser } from "../lib/protocol/resp/request_parser.ts";
import { crumbs, cut, latin1, outcomeOf } from "../tests/protocol/resp/outcome.ts";
import { SEED } from "../tests/support/seed.ts";
import { RedisServer } from "./support/redis_server.ts";
import { FrameScanner } from "./support/resp_frames.ts";

/** Sends `chunks` to Redis, one write each, then ends; returns each frame that came back, as text. */
async function repliesOf(redis: RedisServer, chunks: Uint8Array[]): Promise<string[]> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: redis.port });
  connection.setNoDelay();
  const received = readToEnd(connection);
  try {
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) at += await connection.write(chunk.subarray(at));
    }
    await connection.closeWrite();
  } catch {
    // Redis ends the connection at the first error, whatever is still coming.
  }
  const bytes = await received;
  const ends = new FrameScanner().ends(bytes);
  return ends.map((end, i) => bytes.toString("latin1", ends[i - 1] ?? 0, end));
}

/** Returns all that comes until the other side ends, or resets the connection since not all it was sent was wanted. */
async function readToEnd(connection: Deno.Conn): Promise<Buffer> {
  const parts: Buffer[] = [];
  try {
    while (true) {
      const part = Buffer.alloc(4_096);
      const count = await connection.read(part);
      if (count === null) break;
      parts.push(part.subarray(0, count));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return Buffer.concat(parts);
}

/** What Redis must answer if it reads what we read: ECHO and PING in full, of anything else that it is an error. */
function expectedOf(chunks: Uint8Array[], isAuthenticated: boolean): string[] {
  const { requests, error } = outcomeOf(chunks, { isAuthenticated });
  const replies = requests.map(([name, ...words]) => {
    if (isAuthenticated && /^(?:echo|ping)$/i.test(name) && words.length === 1) {
      return `$${words[0].length}\r\n${words[0]}\r\n`;
    }
    if (isAuthenticated && /^ping$/i.test(name) && words.length === 0) return "+PONG\r\n";
    return "-";
  });
  return error === null ? replies : [...replies, `-ERR ${error}\r\n`];
}

function alike(replies: string[], expected: string[]): string[] {
  return replies.map((reply, i) => expected[i] === "-" && reply.startsWith("-") ? "-" : reply);
}

const BYTES: string[] = [
  "*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\nPING\r\n",
  "*0\r\n*-1\r\n*-9223372036854775808\r\nPING\n",
  "*1\rX$4\rXPINGXX*1\r\n$4\r\nPING\r\n",
  "PING\r\n*x\r\n",
  "*\r\n",
  "*01\r\n",
  "*+1\r\n",
  "*1 \r\n",
  "*-0\r\n",
  "*-9223372036854775809\r\n",
  "*99999999999999999999\r\n",
  "*1\r\nPING\r\n",
  "*1\r\n\r\n",
  "*1\r\n\n\r\n",
  "*1\r\n$-1\r\n",
  "*1\r\n$x\r\n",
  "*1\r\n$\r\n",
  "*1\r\n$04\r\nPING\r\n",
  "*1\r\n$99999999999\r\n",
  "*1\0\r\n$4\r\nPING\r\n",
  "*1\r\n$4\0\r\nPING\r\nPING\r\n",
  "PI\0NG\r\nPING\r\n",
  "PING\r\n\r\n  \r\nPING\n",
  "  echo\t'a b'\r\n\v\fping \r\n",
  `echo "a\\"b\\n\\r\\t\\b\\a\\x41\\xzz\\q\\\\"\r\n`,
  "echo 'it\\'s\\n'\r\n",
  'echo ""\r\n',
  'echo a"b"\r\n',
  'echo a"b"c\r\n',
  'echo "a\r\n',
  "echo 'a\r\n",
  'echo "a\\\r\n',
  "echo 'a\\'\r\n",
  'echo "\\x4"\r\n',
  "echo \xff\xfe\r\n",
  "PING",
  "*2\r\n$4\r\nECHO\r\n$3\r\nab",
];

Deno.test("the same requests and errors as Redis, from a list", async () => {
  await using redis = await RedisServer.start();
  for (const text of BYTES) {
    const bytes = latin1(text);
    const expected = expectedOf([bytes], true);
    assert.deepEqual(alike(await repliesOf(redis, [bytes]), expected), expected, JSON.stringify(text));
  }
});

Deno.test("the same requests and errors as Redis, from a corpus", async () => {
  await using redis = await RedisServer.start();
  const folder = new URL("../tests/protocol/resp/corpus/", import.meta.url);
  for (const { name } of Deno.readDirSync(folder)) {
    // Redis ends a connection at once for what HTTP sends, and for QUIT; a count that it allows, we do not.
    if (!name.endsWith(".request") || /^(?:http|pipeline|huge-count)/.test(name)) continue;
    const bytes = await Deno.readFile(new URL(name, folder));
    const { requests, error } = outcomeOf([bytes]);
    const replies = await repliesOf(redis, [bytes]);
    assert.equal(replies.length, requests.length + (error === null ? 0 : 1), name);
    if (error !== null) assert.equal(replies.at(-1), `-ERR ${error}\r\n`, name);
  }
});

Deno.test("the same requests and errors as Redis, from chance", async () => {
  await using redis = await RedisServer.start();
  const spice = fc.constantFrom(...Array.from("*$\"'\\ \r\n\x00019xE", (character) => character.charCodeAt(0)));
  const request = fc.constantFrom(
    "*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\n",
    "*1\r\n$4\r\nPING\r\n",
    "PING\r\n",
    "echo 'a\\'b'\r\n",
    'ECHO "a\\x41\\n"\r\n',
    "*0\r\n",
  );
  const base = fc.array(request, { minLength: 1, maxLength: 4 }).map((requests) => requests.join(""));
  const mutations = fc.array(fc.tuple(fc.nat(), spice, fc.nat(2)), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(base, mutations, fc.array(fc.nat(), { maxLength: 2 }), async (base, mutations, places) => {
      const bytes = Array.from(latin1(base));
      for (const [at, byte, kind] of mutations) {
        bytes.splice(at % (bytes.length + 1), kind === 0 ? 0 : 1, ...(kind === 2 ? [] : [byte]));
      }
      const chunks = cut(Buffer.from(bytes), places);
      const expected = expectedOf([Buffer.from(bytes)], true);
      assert.deepEqual(alike(await repliesOf(redis, chunks), expected), expected);
      assert.deepEqual(expectedOf(crumbs(Buffer.from(bytes)), true), expected);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

Deno.test("strangers meet the same bounds as at Redis", async () => {
  await using redis = await RedisServer.start({ args: ["--requirepass", "secret"] });
  for (
    const text of [
      "*10\r\n" + "$4\r\nPING\r\n".repeat(10),
      "*11\r\n",
      "*1\r\n$16384\r\n" + "x".repeat(16_384) + "\r\n",
      "*1\r\n$16385\r\n",
      "PING\r\n*11\r\n",
    ]
  ) {
    const expected = expectedOf([latin1(text)], false);
    assert.deepEqual(
      alike(await repliesOf(redis, [latin1(text)]), expected),
      expected,
      JSON.stringify(text.slice(0, 40)),
    );
  }
});

Deno.test("lines are as long as at Redis, at most", async () => {
  await using redis = await RedisServer.start();
  for (const head of ["", "*", "*1\r\n$"]) {
    const bytes = latin1(head + "1".repeat(65_537));
    const expected = [`-ERR ${outcomeOf([bytes]).error}\r\n`];
    assert.match(expected[0], /too big/);
    assert.deepEqual(await repliesOf(redis, [bytes]), expected, head);
  }
  assert.equal(new RequestParser({ isAuthenticated: true }).next(), "incomplete");
});
