import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { TEXT_BODY_BYTES_MAX } from "../../lib/limits.ts";
import { Item } from "../../lib/read_through/item.ts";
import { SEED } from "../support/seed.ts";

function itemOf(bytes: Uint8Array): Item {
  return new Item(bytes, { readAtMs: 0, freshUntilMs: 5 });
}

Deno.test("an item keeps the bytes once for both front doors, in a buffer of its own", () => {
  const chunk = new Uint8Array([9, 1, 2, 3, 9]);
  const item = itemOf(chunk.subarray(1, 4));
  chunk.fill(0);
  assert.deepEqual([...item.bytes], [1, 2, 3]);
  assert.deepEqual([...item.frame], [...Buffer.from("$3\r\n\x01\x02\x03\r\n")]);
  assert.equal(item.bytes.buffer, item.frame.buffer);
  assert.equal(item.bytes.buffer.byteLength, item.frame.length, "neither a chunk nor a pool is kept alive");
  assert.equal(item.freshUntilMs, 5);
});

Deno.test("an empty value has a frame, too", () => {
  assert.equal(Buffer.from(itemOf(new Uint8Array(0)).frame).toString(), "$0\r\n\r\n");
});

Deno.test("an empty value is text, with a tag", () => {
  const item = itemOf(new Uint8Array(0));
  assert.equal(item.bytes.length, 0);
  assert.equal(item.isText, true);
  assert.match(item.etag, /^"[^"]+"$/);
});

Deno.test("a short text is sent as a string that encodes to the same bytes; anything else as bytes", () => {
  const bom = [0xef, 0xbb, 0xbf, 0x61];
  for (const bytes of [[], [0x61], [0x61, 0x00, 0xc3, 0xa9], bom, [0xf0, 0x9f, 0x98, 0x80]]) {
    const item = itemOf(Uint8Array.from(bytes));
    assert.equal(typeof item.body, "string");
    assert.equal(item.body, item.body);
    assert.deepEqual([...new TextEncoder().encode(item.body as string)], bytes);
    assert.equal(item.heldBytes, bytes.length * 2);
  }
  for (const bytes of [Uint8Array.from([0xff]), new Uint8Array(TEXT_BODY_BYTES_MAX + 1).fill(0x61)]) {
    const item = itemOf(bytes);
    assert.deepEqual(item.body, bytes);
    assert.equal(item.heldBytes, bytes.length);
  }
  assert.equal(typeof itemOf(new Uint8Array(TEXT_BODY_BYTES_MAX).fill(0x61)).body, "string");
});

Deno.test("valid UTF-8 is text, anything else is not", () => {
  const text = ["a", "\u00e9", "\u{1f600}", "\u0000", "\n", "\uffff"];
  for (const one of text) assert.equal(itemOf(Buffer.from(one)).isText, true, one);
  const binary = [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x61, 0x80], [
    0x89,
    0x50,
  ]];
  for (const bytes of binary) assert.equal(itemOf(Uint8Array.from(bytes)).isText, false, String(bytes));
});

Deno.test("the tag is strong, fit for a header, and equal exactly when the bytes are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), (a, b) => {
      const [first, second] = [itemOf(a), itemOf(b)];
      assert.match(first.etag, /^"[\x21\x23-\x7e]{22}"$/);
      assert.equal(itemOf(Uint8Array.from(a)).etag, first.etag);
      assert.equal(first.etag === second.etag, Buffer.from(a).equals(Buffer.from(b)));
    }),
    { seed: SEED },
  );
});

Deno.test("the tag is the same in every process: the beginning of the bytes' SHA-256", () => {
  assert.equal(itemOf(Buffer.from("hello")).etag, '"LPJNul-wow4m6Dsqxbninh"');
});
