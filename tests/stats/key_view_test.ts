import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ITEM_OVERHEAD_BYTES, PREVIEW_BYTES_MAX } from "../../lib/limits.ts";
import { keyFromBytes } from "../../lib/protocol/key.ts";
import type { Holding } from "../../lib/read_through/holding.ts";
import { Item } from "../../lib/read_through/item.ts";
import { keyView } from "../../lib/stats/key_view.ts";

const NOTHING: Holding = { nowMs: 1_000, item: null, isFresh: false, absentForMs: null, flight: null };

function holding(bytes: Uint8Array, { framed = false } = {}): Holding {
  return { ...NOTHING, isFresh: true, item: new Item(bytes, { readAtMs: 400.4, freshUntilMs: 5_000.5, framed }) };
}

Deno.test("a value is told with its times, sizes and hits", () => {
  const held = holding(Buffer.from("hello"));
  held.item!.hits = 12;
  assert.deepEqual(keyView(keyFromBytes(Buffer.from([0x61, 0xff, 0x2f])), held), {
    key: "a%FF%2F",
    keyBytes: 3,
    value: {
      isFresh: true,
      ageMs: 600,
      remainingMs: 4_001,
      bytes: 5,
      chargedBytes: 3 + 5 + ITEM_OVERHEAD_BYTES,
      etag: '"LPJNul-wow4m6Dsqxbninh"',
      hits: 12,
      preview: { encoding: "text", data: "hello", bytes: 5 },
    },
    absence: null,
    flight: null,
  });
});

Deno.test("a preview is bounded, cuts no character in two, and keeps a byte order mark", () => {
  const preview = (bytes: Uint8Array, framed = false) => keyView("/k", holding(bytes, { framed })).value!.preview;
  // Held as bytes, since it is long or a RESP door is there, and as a string.
  for (const [characters, framed] of [[1_000_000, false], [1_000, true], [1_000, false]] as const) {
    const long = preview(Buffer.from("\ufeff" + "é".repeat(characters)), framed);
    assert.equal(long.data, "\ufeff" + "é".repeat((PREVIEW_BYTES_MAX - 4) / 2));
    assert.equal(long.bytes, PREVIEW_BYTES_MAX - 1);
  }
  assert.deepEqual(preview(new Uint8Array(0)), { encoding: "text", data: "", bytes: 0 });
  const binary = preview(new Uint8Array(1_048_576).fill(0xfe));
  assert.deepEqual(binary, { encoding: "hex", data: "fe".repeat(PREVIEW_BYTES_MAX), bytes: PREVIEW_BYTES_MAX });
});

Deno.test("what begins as text and is none is shown in hex", () => {
  const bytes = Buffer.concat([Buffer.from("x".repeat(10_000)), Buffer.from([0xff])]);
  assert.equal(keyView("/k", holding(bytes)).value!.preview.encoding, "hex");
});

Deno.test("nothing, an absence and a read under way are told apart", () => {
  assert.deepEqual(keyView("/", NOTHING), { key: "", keyBytes: 0, value: null, absence: null, flight: null });
  const flight = { isSent: true, waiters: 2 };
  const view = keyView("/", { ...NOTHING, absentForMs: 99.6, flight });
  assert.deepEqual([view.absence, view.flight], [{ remainingMs: 100 }, flight]);
});
