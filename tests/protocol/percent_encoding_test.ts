import assert from "node:assert/strict";
import fc from "fast-check";
import { readKey } from "../../lib/protocol/key.ts";
import { percentEncoded } from "../../lib/protocol/percent_encoding.ts";
import { SEED } from "../support/seed.ts";

Deno.test("what is written is read as the same bytes, and holds nothing but what a URL and HTML leave alone", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const encoded = "/" + percentEncoded(bytes);
      assert.match(encoded, /^\/[A-Za-z0-9._~%-]*$/);
      const result = readKey(encoded, { start: 0, end: encoded.length, bytesMax: 100 });
      assert.ok(result.ok);
      assert.deepEqual([...result.key.slice(1)].map((character) => character.charCodeAt(0)), [...bytes]);
    }),
    { seed: SEED },
  );
});
