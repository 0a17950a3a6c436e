import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  decodedBytes,
  encodedBytes,
  hexRows,
  plainText,
  typedBytes,
  visibleKey,
  visibleValue,
} from "../../../lib/page/browser/visible_text.js";
import { percentEncoded } from "../../../lib/protocol/percent_encoding.ts";
import { SEED } from "../../support/seed.ts";

function shown(key: string | Uint8Array): string {
  return plainText(visibleKey(percentEncoded(Buffer.from(key as string))));
}

Deno.test("what is shown of a key can be typed and means the same bytes", () => {
  const character = fc.constantFrom(
    "a",
    "\\",
    "\\x41",
    "\\u{41}",
    "\u202e",
    "\u0000",
    "é",
    "\ud83d\ude00",
    "\n",
    "%41",
  );
  const key = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.array(character, { maxLength: 10 }).map((parts) => new TextEncoder().encode(parts.join(""))),
    fc.string({ unit: "binary", maxLength: 10 }).map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(key, (bytes) => {
      const encoded = percentEncoded(bytes);
      assert.deepEqual([...decodedBytes(encoded)], [...bytes]);
      const text = plainText(visibleKey(encoded));
      assert.deepEqual([...typedBytes(text)], [...bytes], text);
      assert.deepEqual([...decodedBytes(encodedBytes(typedBytes(text)))], [...bytes]);
    }),
    { seed: SEED },
  );
});

Deno.test("whatever comes, nothing that is shown is invisible or turns the line around", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 30 }), (text) => {
      assert.doesNotMatch(shown(text), /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u);
      assert.doesNotMatch(plainText(visibleValue(text)), /(?![\n\t])[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u);
    }),
    { seed: SEED },
  );
});

Deno.test("keys of every kind", () => {
  const cases: [string | Uint8Array, string][] = [
    ["user:1", "user:1"],
    ["<script>alert(1)</script>", "<script>alert(1)</script>"],
    ["a\u202egpj.exe", "a\\u{202e}gpj.exe"],
    ["\u200f\u2066x\u2069", "\\u{200f}\\u{2066}x\\u{2069}"],
    ["line\nbreak\0", "line\\x0abreak\\x00"],
    ["no\u00a0break", "no\\u{a0}break"],
    ["\ufeffmark", "\\u{feff}mark"],
    ["back\\slash", "back\\\\slash"],
    ["שלום", "שלום"],
    [new Uint8Array([0x61, 0xff, 0x00, 0xc3]), "a\\xff\\x00\\xc3"],
    ["", ""],
  ];
  for (const [key, text] of cases) assert.equal(shown(key), text);
});

Deno.test("escapes are told apart from what only looks like one", () => {
  assert.deepEqual(visibleValue("\\u{202e}\u202e\u202e."), [
    { text: "\\u{202e}", isEscape: false },
    { text: "\\u{202e}\\u{202e}", isEscape: true },
    { text: ".", isEscape: false },
  ]);
});

Deno.test("what is typed without escapes is itself, stray backslashes too", () => {
  for (const typed of ["plain", "a\\b", "\\", "\\x4", "\\xzz", "\\u{110000}", "\\u{}", "é"]) {
    assert.deepEqual([...typedBytes(typed)], [...new TextEncoder().encode(typed)], typed);
  }
});

Deno.test("bytes in rows of eight, with their ASCII", () => {
  assert.equal(
    hexRows("48656c6c6f00ff0a41"),
    "0000  48 65 6c 6c 6f 00 ff 0a  Hello···\n0008  41                       A",
  );
  assert.equal(hexRows(""), "");
});
