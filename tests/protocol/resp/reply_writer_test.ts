/** Replies as bytes, for both protocols. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { bulkFrame, ReplyWriter } from "../../../lib/protocol/resp/reply_writer.ts";
import { readReply, ReplyError } from "../../../lib/protocol/resp/reply_value.ts";
import { SEED } from "../../support/seed.ts";
import { REPLY_BUFFER_BYTES_KEPT, REPLY_BUFFER_BYTES_MIN } from "../../../lib/limits.ts";

const CASES: [what: string, write: (writer: ReplyWriter) => void, resp2: string, resp3: string][] = [
  ["a status", (w) => w.simple("OK"), "+OK\r\n", "+OK\r\n"],
  ["an error", (w) => w.error("ERR no"), "-ERR no\r\n", "-ERR no\r\n"],
  ["an error of two lines", (w) => w.error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n"],
  ["a bulk of text", (w) => w.bulk("\xff12"), "$3\r\n\xff12\r\n", "$3\r\n\xff12\r\n"],
  [
    "a bulk of bytes",
    (w) => w.bulk(Buffer.alloc(12, 97)),
    `$12\r\n${"a".repeat(12)}\r\n`,
    `$12\r\n${"a".repeat(12)}\r\n`,
  ],
  ["the empty bulk", (w) => w.bulk(""), "$0\r\n\r\n", "$0\r\n\r\n"],
  [
    "digits",
    (w) => [0, 9, 10, -1].forEach((n) => w.integer(n)),
    ":0\r\n:9\r\n:10\r\n:-1\r\n",
    ":0\r\n:9\r\n:10\r\n:-1\r\n",
  ],
  ["a large integer", (w) => w.integer(9007199254740991), ":9007199254740991\r\n", ":9007199254740991\r\n"],
  ["none", (w) => w.null(), "$-1\r\n", "_\r\n"],
  ["an array", (w) => w.array(12), "*12\r\n", "*12\r\n"],
  ["a map", (w) => w.map(3), "*6\r\n", "%3\r\n"],
  ["a set", (w) => w.set(3), "*3\r\n", "~3\r\n"],
  ["what is RESP already", (w) => w.frame(bulkFrame(Buffer.from("ab"))), "$2\r\nab\r\n", "$2\r\nab\r\n"],
];

for (const [what, write, resp2, resp3] of CASES) {
  Deno.test(`reply: ${what}`, () => {
    for (const [protocol, wanted] of [[2, resp2], [3, resp3]] as const) {
      const writer = new ReplyWriter();
      writer.protocol = protocol;
      write(writer);
      assert.equal(writer.take().toString("latin1"), wanted, `RESP${protocol}`);
      assert.equal(writer.length, 0);
    }
  });
}

Deno.test("what is written reads back as what was meant", () => {
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 3_000 }).map((bytes) => Buffer.from(bytes)),
    fc.maxSafeInteger(),
    fc.constant(null),
  );
  fc.assert(
    fc.property(fc.array(value, { maxLength: 20 }), (values) => {
      const writer = new ReplyWriter();
      writer.protocol = 3;
      writer.array(values.length);
      for (const value of values) {
        if (value === null) writer.null();
        else if (typeof value === "number") writer.integer(value);
        else writer.bulk(value);
      }
      assert.deepEqual(readReply(writer.take()), values);
    }),
    { seed: SEED },
  );
});

Deno.test("the buffer grows as it must, keeps what is in it, and is given back when it grew far", () => {
  const writer = new ReplyWriter();
  const part = Buffer.alloc(REPLY_BUFFER_BYTES_MIN - 100, 120);
  for (let i = 0; i < 200; i++) writer.bulk(part);
  const { length } = writer;
  assert.ok(length > REPLY_BUFFER_BYTES_KEPT);
  const taken = writer.take();
  assert.equal(taken.length, length);
  assert.equal(taken.toString("latin1", 6, 9), "xxx");
  writer.bulk("another");
  assert.equal(taken.toString("latin1", 0, 6), `$${part.length}\r\n`, "the buffer that was taken is not used again");
  assert.equal(writer.take().buffer.byteLength, REPLY_BUFFER_BYTES_MIN);
});

Deno.test("a bulk's frame holds the value", () => {
  for (const length of [0, 1, 9, 10, 70_000]) {
    const value = Buffer.alloc(length, "value");
    assert.deepEqual(readReply(bulkFrame(value)), value);
  }
});

Deno.test("errors are read as values", () => {
  const writer = new ReplyWriter();
  writer.error("WRONGTYPE x");
  assert.deepEqual(readReply(writer.take()), new ReplyError("WRONGTYPE x"));
});
