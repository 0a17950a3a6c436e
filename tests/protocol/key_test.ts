import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  detachedKey,
  type Key,
  keyArgument,
  keyBytes,
  keyFromBytes,
  type KeyResult,
  keyToBytes,
  readKey,
} from "../../lib/protocol/key.ts";
import { KEY_BYTES_MAX } from "../../lib/limits.ts";
import { SEED } from "../support/seed.ts";

const PREFIX = "http://host/get";

/** Reads the key of a target that ends with `encoded`, between things that do not belong to it. */
function read(encoded: string, bytesMax = 8_192): KeyResult {
  const target = `${PREFIX}/${encoded}?k=%zz`;
  return readKey(target, { start: PREFIX.length, end: PREFIX.length + 1 + encoded.length, bytesMax });
}

/** The key's bytes; fails when there is no key. */
function bytesOf(encoded: string): number[] {
  const result = read(encoded);
  assert.ok(result.ok, encoded);
  return [...keyToBytes(result.key)];
}

/** Encodes every byte, whether it needs to be or not. */
function encodeAll(bytes: Uint8Array): string {
  return [...bytes].map((byte) => "%" + byte.toString(16).padStart(2, "0")).join("");
}

/** Encodes what a client must encode, and here and there what it need not, as `lower` says. */
function encodeSome(bytes: Uint8Array, lower: boolean[]): string {
  return [...bytes].map((byte, i) => {
    const character = String.fromCharCode(byte);
    if (byte < 0x80 && /[A-Za-z0-9/._~!$&'()*+,;=:@-]/.test(character) && !lower[i % lower.length]) return character;
    const hex = byte.toString(16).padStart(2, "0");
    return "%" + (lower[(i + 1) % lower.length] ? hex : hex.toUpperCase());
  }).join("");
}

const MALFORMED: KeyResult = { ok: false, reason: "malformed" };
const TOO_LONG: KeyResult = { ok: false, reason: "too_long" };

Deno.test("any bytes survive the way into a key and back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const key = keyFromBytes(bytes);
      assert.deepEqual([...keyToBytes(key)], [...bytes]);
      assert.equal(keyBytes(key), bytes.length);
      assert.equal(keyFromBytes(keyToBytes(key)), key);
      assert.deepEqual([...Buffer.from(keyArgument(key) as string)], [...bytes]);
    }),
    { seed: SEED },
  );
});

Deno.test("a key is a string for the client library exactly when it is ASCII", () => {
  assert.equal(keyArgument("/"), "");
  assert.equal(keyArgument("/a\x00\x7f/"), "a\x00\x7f/");
  assert.deepEqual(keyArgument("/a\x80"), Buffer.from([0x61, 0x80]));
  assert.deepEqual(keyArgument("/\xff"), Buffer.from([0xff]));
});

Deno.test("each of the 256 bytes is a key of its own, from bytes and from a URL", () => {
  const keys = new Set<Key>();
  for (let byte = 0; byte < 256; byte++) {
    const key = keyFromBytes(new Uint8Array([byte]));
    assert.deepEqual([...keyToBytes(key)], [byte]);
    assert.deepEqual(read(encodeAll(new Uint8Array([byte]))), { ok: true, key });
    keys.add(key);
  }
  assert.equal(keys.size, 256);
});

Deno.test("a view in the middle of a buffer is read as it is", () => {
  const whole = new Uint8Array([1, 2, 3, 4, 5]);
  assert.equal(keyFromBytes(whole.subarray(1, 4)), "/\u0002\u0003\u0004");
  assert.equal(keyFromBytes(Buffer.from(whole.buffer, 1, 3)), "/\u0002\u0003\u0004");
});

Deno.test("two keys are equal exactly when their bytes are", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (bytes, at, by) => {
        const other = Uint8Array.from(bytes);
        other[at % bytes.length] ^= by;
        assert.notEqual(keyFromBytes(other), keyFromBytes(bytes));
        assert.notEqual(keyFromBytes(bytes.subarray(1)), keyFromBytes(bytes));
        assert.equal(keyFromBytes(Uint8Array.from(bytes)), keyFromBytes(bytes));
      },
    ),
    { seed: SEED },
  );
});

Deno.test("however bytes are encoded, the key is the same", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.string().map((text) => new TextEncoder().encode(text))),
      fc.array(fc.boolean(), { minLength: 2, maxLength: 9 }),
      (bytes, choices) => {
        const key = keyFromBytes(bytes);
        assert.deepEqual(read(encodeAll(bytes)), { ok: true, key });
        assert.deepEqual(read(encodeSome(bytes, choices)), { ok: true, key });
      },
    ),
    { seed: SEED, numRuns: 500 },
  );
});

Deno.test("a key that needs no decoding is the same as one that is decoded", () => {
  for (
    const text of [
      "",
      "a",
      "a/b//c",
      "/",
      "//",
      "..",
      "../../x",
      "a+b",
      "a&b=c",
      "__proto__",
      "~!$'()*,;:@",
      "0",
      "a b",
    ]
  ) {
    const plain = read(text);
    assert.deepEqual(plain, { ok: true, key: keyFromBytes(Buffer.from(text)) }, text);
    assert.deepEqual(read(encodeAll(Buffer.from(text))), plain, text);
  }
});

Deno.test("only percent signs are decoded", () => {
  assert.deepEqual(bytesOf("a+b"), [...Buffer.from("a+b")]);
  assert.deepEqual(bytesOf("%2B%20%252F"), [...Buffer.from("+ %2F")]);
  assert.deepEqual(bytesOf("%2e%2E/%2F"), [...Buffer.from("..//")]);
  assert.deepEqual(bytesOf("%3f%23"), [...Buffer.from("?#")]);
  assert.deepEqual(bytesOf("%00"), [0]);
});

Deno.test("a percent sign without two hex digits is malformed, wherever it stands", () => {
  const bad = [
    "%",
    "%%",
    "%4",
    "%zz",
    "%4z",
    "%z4",
    "%-1",
    "%+1",
    "% 1",
    "%1 ",
    "%0x",
    "%u0041",
    "%%41",
    "%\u00e9",
    "%4\u0661",
    "%`0",
    "%@0",
    "%G0",
    "%g0",
    "%/0",
    "%:0",
  ];
  for (const piece of bad) {
    for (const encoded of [piece, "a" + piece, "%41" + piece, "\u00e9" + piece]) {
      assert.deepEqual(read(encoded), MALFORMED, encoded);
    }
  }
  assert.deepEqual(read("a%4"), MALFORMED, "what follows the key is not the key's");
  assert.deepEqual(read("a%"), MALFORMED);
});

Deno.test("every character that is not a hex digit is refused after a percent sign", () => {
  for (let code = 0; code < 256; code++) {
    const character = String.fromCharCode(code);
    const isHex = /[0-9A-Fa-f]/.test(character);
    assert.equal(read("%" + character + "1").ok, isHex, `%${character}1`);
    assert.equal(read("%1" + character).ok, isHex, `%1${character}`);
  }
});

Deno.test("characters beyond ASCII stand for their UTF-8 bytes", () => {
  assert.deepEqual(bytesOf("\u00e9"), [0xc3, 0xa9]);
  assert.deepEqual(bytesOf("\u00e9%C3%A9"), [0xc3, 0xa9, 0xc3, 0xa9]);
  assert.deepEqual(bytesOf("\u{1f600}"), [...Buffer.from("\u{1f600}")]);
  assert.deepEqual(bytesOf("\ud800"), [0xef, 0xbf, 0xbd], "half a pair is the replacement character");
});

Deno.test("the limit is on the bytes after decoding, exactly", () => {
  const bytesMax = 10;
  for (const unit of ["a", "%41", "%ff"]) {
    for (const length of [0, 1, bytesMax - 1, bytesMax]) {
      const result = read(unit.repeat(length), bytesMax);
      assert.ok(result.ok, `${length} x ${unit}`);
      assert.equal(keyBytes(result.key), length);
    }
    for (const length of [bytesMax + 1, bytesMax * 3, bytesMax * 3 + 1, 1_000_000]) {
      assert.deepEqual(read(unit.repeat(length), bytesMax), TOO_LONG, `${length} x ${unit}`);
    }
  }
  assert.equal(read("\u00e9".repeat(5), bytesMax).ok, true);
  assert.deepEqual(read("\u00e9".repeat(5) + "a", bytesMax), TOO_LONG);
  assert.deepEqual(read("a%62c".repeat(3) + "d", bytesMax), { ok: true, key: "/abcabcabcd" });
  assert.deepEqual(read("a%62c".repeat(3) + "de", bytesMax), TOO_LONG);
});

Deno.test("a detached key is the same key", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const key = keyFromBytes(bytes);
      assert.equal(detachedKey(key), key);
      assert.ok(new Map([[key, 1]]).has(detachedKey(key)));
    }),
    { seed: SEED },
  );
});

Deno.test("a key is detached whole, however long it is", () => {
  for (const length of [0, 1, KEY_BYTES_MAX - 1, KEY_BYTES_MAX, KEY_BYTES_MAX + 1]) {
    const key = "/" + "\xff".repeat(length);
    assert.equal(detachedKey(key), key);
  }
});

Deno.test("any target gives a key or a reason, never a throw, and never more bytes than allowed", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 4 }),
    fc.constantFrom("%", "%4", "%zz", "%41", "%ff", "/", "?", "\ud800"),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(20), (pieces, bytesMax) => {
      const encoded = pieces.join("");
      const result = read(encoded, bytesMax);
      if (!result.ok) {
        assert.ok(result.reason === "too_long" || encoded.includes("%"), "only a % can be malformed");
        return;
      }
      assert.ok(result.key.startsWith("/") && keyBytes(result.key) <= bytesMax);
      assert.equal(keyFromBytes(keyToBytes(result.key)), result.key);
    }),
    { seed: SEED, numRuns: 20_000 },
  );
});
