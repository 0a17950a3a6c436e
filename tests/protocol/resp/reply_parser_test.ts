/** Where replies end, however they are cut; and what they say. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { ReplyParser } from "../../../lib/protocol/resp/reply_parser.ts";
import { readReply, ReplyError, type ReplyValue } from "../../../lib/protocol/resp/reply_value.ts";
import { SEED } from "../../support/seed.ts";
import { crumbs, cut, latin1 } from "./outcome.ts";
import { REPLY_DEPTH_MAX } from "../../../lib/limits.ts";

/** Offsets after each frame, each with the mark of its value; then how it ended. */
function scan(chunks: Uint8Array[]): string {
  const parser = new ReplyParser();
  const found: string[] = [];
  let before = 0;
  for (const chunk of chunks) {
    for (let at = 0;;) {
      const status = parser.next(chunk, at);
      if (status === "invalid") return [...found, "invalid"].join(" ");
      if (status === "incomplete") break;
      at = parser.end;
      found.push(String.fromCharCode(parser.mark) + (before + at) + (parser.isPush ? "!" : ""));
    }
    before += chunk.length;
  }
  return [...found, ...(parser.isBetween ? [] : ["half"])].join(" ");
}

const CASES: [bytes: string, found: string, value?: ReplyValue][] = [
  ["", ""],
  ["+OK\r\n", "+5", "OK"],
  ["+\r\n", "+3", ""],
  ["+a\nb\r\n", "+6", "a\nb"],
  ["-ERR no\r\n", "-9", new ReplyError("ERR no")],
  [":-12\r\n", ":6", -12],
  [":9007199254740993\r\n", ":19", 9007199254740993n],
  ["$-1\r\n", "$5", null],
  ["*-1\r\n", "*5", null],
  ["_\r\n", "_3", null],
  ["$0\r\n\r\n", "$6", Buffer.alloc(0)],
  ["$4\r\n\r\n\r\n\r\n", "$10", Buffer.from("\r\n\r\n")],
  ["*0\r\n", "*4", []],
  ["*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "*19", [Buffer.from("a"), [1]]],
  ["*3\r\n*0\r\n%0\r\n~0\r\n", "*16", [[], new Map(), []]],
  ["%1\r\n$1\r\na\r\n*1\r\n:1\r\n", "%19", new Map([["a", [1]]])],
  ["~2\r\n#t\r\n#f\r\n", "~12", [true, false]],
  [",1.5\r\n", ",6", 1.5],
  [",-inf\r\n", ",7", -Infinity],
  ["(3492890328409238509324850943850943825024385\r\n", "(46", 3492890328409238509324850943850943825024385n],
  ["=7\r\ntxt:abc\r\n", "=13", Buffer.from("abc")],
  ["!6\r\nERR no\r\n", "!12", new ReplyError("ERR no")],
  [">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n+OK\r\n", ">32! +37"],
  ["|1\r\n+ttl\r\n:3\r\n$1\r\na\r\n", "$21", Buffer.from("a")],
  ["|0\r\n:1\r\n", ":8", 1],
  ["*2\r\n|1\r\n+ttl\r\n*1\r\n:3\r\n:1\r\n:2\r\n", "*30", [1, 2]],
  ["$?\r\n;2\r\nab\r\n;1\r\nc\r\n;0\r\n", "$23", Buffer.from("abc")],
  ["*?\r\n:1\r\n*?\r\n.\r\n.\r\n", "*18", [1, []]],
  ["%?\r\n+a\r\n:1\r\n.\r\n", "%15", new Map([["a", 1]])],
  ["~?\r\n.\r\n", "~7", []],
  ["*2\r\n$1\r\na\r\n", "half"],
  ["|1\r\n+a\r\n+b\r\n", "half"],
  ["$3\r\nabc\r", "half"],
  ["+OK\r\n?\r\n", "+5 invalid"],
  ["\r\n", "invalid"],
  ["GET k\r\n", "invalid"],
  ["$x\r\n", "invalid"],
  ["$\r\n", "invalid"],
  ["$-2\r\n", "invalid"],
  ["$--1\r\n", "invalid"],
  ["$1?\r\n", "invalid"],
  ["%-1\r\n", "invalid"],
  [">?\r\n", "invalid"],
  ["$3\rabc\r\n", "invalid"],
  ["*9999999999999999\r\n", "invalid"],
  [".\r\n", "invalid"],
  ["*1\r\n.\r\n", "invalid"],
  ["*?\r\n.1\r\n", "invalid"],
  [";1\r\na\r\n", "invalid"],
  ["$?\r\n$1\r\na\r\n", "invalid"],
  ["*1\r\n".repeat(REPLY_DEPTH_MAX) + ":1\r\n", `*${4 * REPLY_DEPTH_MAX + 4}`],
  ["*1\r\n".repeat(REPLY_DEPTH_MAX + 1) + ":1\r\n", "invalid"],
];

for (const [bytes, found, value] of CASES) {
  Deno.test(`frame: ${JSON.stringify(bytes.length > 60 ? bytes.slice(0, 60) + "…" : bytes)}`, () => {
    const buffer = latin1(bytes);
    assert.equal(scan([buffer]), found, "in one piece");
    assert.equal(scan(crumbs(buffer)), found, "byte by byte");
    for (let at = 1; at < buffer.length; at++) assert.equal(scan(cut(buffer, [at])), found, `cut at ${at}`);
    if (value !== undefined) assert.deepEqual(readReply(buffer), value);
    else if (!/^\S\d+!?$/.test(found)) assert.throws(() => readReply(buffer), TypeError);
  });
}

/** Values as frames, and how many bytes that makes. */
const { frame } = fc.letrec<{ frame: string }>((tie) => {
  const text = fc.string({ unit: fc.constantFrom(..."ab\n19$*"), maxLength: 9 });
  const children = fc.array(tie("frame"), { maxLength: 4 });
  const pairs = fc.array(fc.tuple(tie("frame"), tie("frame")).map((pair) => pair.join("")), { maxLength: 3 });
  return {
    frame: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      text.map((text) => `+${text}\r\n`),
      fc.integer().map((value) => `:${value}\r\n`),
      fc.constantFrom("$-1\r\n", "_\r\n", "#t\r\n", ",1.25\r\n", "-ERR x\r\n", "(123456789012345678901\r\n"),
      fc.string({ unit: "binary-ascii", maxLength: 30 }).map((body) => `$${body.length}\r\n${body}\r\n`),
      fc.array(text.filter((text) => text !== ""), { maxLength: 3 }).map((chunks) =>
        `$?\r\n${chunks.map((chunk) => `;${chunk.length}\r\n${chunk}\r\n`).join("")};0\r\n`
      ),
      fc.tuple(fc.constantFrom("*", "~", ">"), children).map(([mark, values]) =>
        `${mark}${values.length}\r\n${values.join("")}`
      ),
      children.map((values) => `*?\r\n${values.join("")}.\r\n`),
      pairs.map((pairs) => `%${pairs.length}\r\n${pairs.join("")}`),
      fc.tuple(pairs, tie("frame")).map(([pairs, value]) => `|${pairs.length}\r\n${pairs.join("")}${value}`),
    ),
  };
});

Deno.test("every frame of a stream is found, however it is cut, and can be read", () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 8 }), (frames, places) => {
      const buffer = latin1(frames.join(""));
      const ends = frames.map((_, i) => frames.slice(0, i + 1).join("").length);
      const found = scan(cut(buffer, places));
      assert.deepEqual(found.match(/\d+/g)?.map(Number) ?? [], ends);
      assert.equal(scan(crumbs(buffer)), found);
      for (const frame of frames) readReply(latin1(frame));
    }),
    { seed: SEED, numRuns: 1_000 },
  );
});

Deno.test("mutated and random bytes mean the same however they are cut, and never throw", () => {
  const spice = fc.constantFrom(
    ...Array.from("*$:+-_#,(~%|>=!;.?\r\n\x00019x", (character) => character.charCodeAt(0)),
  );
  const mutations = fc.array(fc.tuple(fc.nat(), spice, fc.nat(2)), { maxLength: 4 });
  const places = fc.array(fc.nat(), { maxLength: 8 });
  const noise = fc.array(spice, { maxLength: 40 }).map((bytes) => String.fromCharCode(...bytes));
  const base = fc.oneof(fc.array(frame, { maxLength: 3 }).map((frames) => frames.join("")), noise);
  fc.assert(
    fc.property(base, mutations, places, (base, mutations, places) => {
      const bytes = Array.from(latin1(base));
      for (const [at, byte, kind] of mutations) {
        bytes.splice(at % (bytes.length + 1), kind === 0 ? 0 : 1, ...(kind === 2 ? [] : [byte]));
      }
      const buffer = Buffer.from(bytes);
      const whole = scan([buffer]);
      assert.equal(scan(cut(buffer, places)), whole);
      assert.equal(scan(crumbs(buffer)), whole);
    }),
    { seed: SEED, numRuns: 3_000 },
  );
});
