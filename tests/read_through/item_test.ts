import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { FRAME_OVERHEAD_BYTES, TEXT_BYTES_MAX } from "../../lib/limits.ts";
import { Item } from "../../lib/read_through/item.ts";
import { SEED } from "../support/seed.ts";

function item(bytes: Uint8Array | number[], { framed = false }: { framed?: boolean } = {}): Item {
  return new Item(Uint8Array.from(bytes), { readAtMs: 0, freshUntilMs: 5, framed });
}

const bom = [0xef, 0xbb, 0xbf, 0x61];
const texts = [[], [0x61], [0x61, 0x00], [0x61, 0xc3, 0xa9], bom, [0xf0, 0x9f, 0x98, 0x80]];

Deno.test("a framed item keeps the bytes once for both front doors, in a buffer of its own", () => {
  const chunk = new Uint8Array([9, 1, 2, 3, 9]);
  const item = new Item(chunk.subarray(1, 4), { readAtMs: 0, freshUntilMs: 5, framed: true });
  chunk.fill(0);
  const body = item.body as Uint8Array;
  assert.deepEqual([...body], [1, 2, 3]);
  assert.deepEqual([...item.frame], [...Buffer.from("$3\r\n\x01\x02\x03\r\n")]);
  assert.equal(body.buffer, item.frame.buffer);
  assert.equal(body.buffer.byteLength, item.frame.length, "neither a chunk nor a pool is kept alive");
  assert.equal(item.heldBytes, item.frame.length + FRAME_OVERHEAD_BYTES);
  assert.equal(item.freshUntilMs, 5);
});

Deno.test("without a RESP door a short text is held as a string that encodes to the same bytes", () => {
  for (const bytes of texts) {
    const { body, heldBytes, length } = item(bytes);
    assert.equal(typeof body, "string");
    assert.deepEqual([...new TextEncoder().encode(body as string)], bytes);
    assert.equal(length, bytes.length);
    assert.ok(heldBytes === bytes.length || heldBytes === 2 * (body as string).length);
  }
  assert.equal(item([0x61, 0x62]).heldBytes, 2);
  assert.equal(item([0xe2, 0x82, 0xac, 0x61]).heldBytes, 4, "two characters, of two bytes each");
  assert.equal(typeof item(new Uint8Array(TEXT_BYTES_MAX).fill(0x61)).body, "string");
});

Deno.test("what is no text, or long, is held as a frame", () => {
  for (const bytes of [Uint8Array.from([0xff]), new Uint8Array(TEXT_BYTES_MAX + 1).fill(0x61)]) {
    assert.deepEqual(item(bytes).body, bytes);
    assert.equal(item(bytes).heldBytes, item(bytes).frame.length + FRAME_OVERHEAD_BYTES);
  }
});

Deno.test("the frame is the same, however the value is held", () => {
  for (const bytes of [...texts, [0xff, 0x00]]) {
    const expected = Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), Uint8Array.from(bytes), Buffer.from("\r\n")]);
    for (const framed of [false, true]) assert.deepEqual([...item(bytes, { framed }).frame], [...expected]);
  }
});

Deno.test("valid UTF-8 is text, anything else is not", () => {
  const text = ["", "a", "\u00e9", "\u{1f600}", "\u0000", "\n", "\uffff"];
  for (const one of text) assert.equal(item(Buffer.from(one)).isText, true, one);
  const binary = [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x61, 0x80], [
    0x89,
    0x50,
  ]];
  for (const bytes of binary) assert.equal(item(bytes).isText, false, String(bytes));
});

Deno.test("the tag is strong, fit for a header, and equal exactly when the bytes are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), (a, b) => {
      const [first, second] = [item(a), item(b, { framed: true })];
      assert.match(first.etag, /^"[\x21\x23-\x7e]{22}"$/);
      assert.equal(item(a, { framed: true }).etag, first.etag);
      assert.equal(first.etag === second.etag, Buffer.from(a).equals(Buffer.from(b)));
    }),
    { seed: SEED },
  );
});

Deno.test("the tag is the same in every process: the beginning of the bytes' SHA-256", () => {
  assert.equal(item(Buffer.from("hello")).etag, '"LPJNul-wow4m6Dsqxbninh"');
});
