/** Keys out of bytes, whatever was asked for before. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { keyFromBytes } from "../../../lib/protocol/key.ts";
import { KeyMemo } from "../../../lib/protocol/resp/key_memo.ts";
import { SEED } from "../../support/seed.ts";

/** The key of `key`, read out of the middle of other bytes, which must not change. */
function keyOf(memo: KeyMemo, key: Uint8Array): string {
  const bytes = Buffer.concat([Buffer.from("\r\n"), key, Buffer.from("\r\n")]);
  const before = Buffer.from(bytes);
  const read = memo.keyOf(bytes, { start: 2, end: 2 + key.length });
  assert.deepEqual(bytes, before);
  return read;
}

Deno.test("a key is what its bytes make it, at the first time and at the next", () => {
  const memo = new KeyMemo();
  // Few letters and lengths, so that many are alike; and some longer than what is remembered.
  const letter = fc.constantFrom(0, 47, 48, 255);
  const key = fc.oneof(
    fc.array(letter, { maxLength: 5 }),
    fc.array(letter, { minLength: 60, maxLength: 70 }),
    fc.array(fc.nat(255), { maxLength: 100 }),
  );
  fc.assert(
    fc.property(fc.array(key.map((bytes) => Uint8Array.from(bytes)), { maxLength: 50 }), (keys) => {
      for (const key of [...keys, ...keys]) assert.equal(keyOf(memo, key), keyFromBytes(key));
    }),
    { seed: SEED, numRuns: 300 },
  );
});

Deno.test("more keys than are remembered, in each other's places, are all themselves", () => {
  const memo = new KeyMemo();
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 20_000; i++) assert.equal(keyOf(memo, Buffer.from(`key:${i}`)), `/key:${i}`);
  }
});
