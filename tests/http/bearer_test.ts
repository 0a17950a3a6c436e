import assert from "node:assert/strict";
import fc from "fast-check";
import { Bearer } from "../../lib/http/bearer.ts";
import { SEED } from "../support/seed.ts";

Deno.test("who sends the password is admitted, however the scheme is written (RFC 9110, 11.1)", () => {
  const bearer = new Bearer("open-sesame");
  for (const scheme of ["Bearer", "bearer", "BEARER", "bEaReR"]) {
    assert.equal(bearer.admits(`${scheme} open-sesame`), true);
  }
  assert.equal(bearer.admits("Bearer   open-sesame"), true, "more than one space (RFC 9110, 11.6.2: 1*SP)");
});

Deno.test("nobody else is", () => {
  const bearer = new Bearer("open-sesame");
  const bad = [
    null,
    "",
    " ",
    "open-sesame",
    "Bearer",
    "Bearer ",
    "Beareropen-sesame",
    "Bearer\topen-sesame",
    "Bearer open-sesam",
    "Bearer open-sesamee",
    "Bearer Open-sesame",
    "Bearer open-sesame x",
    "Bearer x open-sesame",
    "Bearer Bearer open-sesame",
    'Bearer "open-sesame"',
    "Bearer open-sesame,",
    "Bearer open-sesame\u0000",
    "Basic open-sesame",
    "Basic OnBlbi1zZXNhbWU=",
    "Bearer undefined",
    "Bearer null",
    "Bearer " + "x".repeat(100_000),
    "Bearer" + " ".repeat(100_000),
  ];
  for (const header of bad) assert.equal(bearer.admits(header), false, String(header).slice(0, 40));
});

Deno.test("every password that the settings allow works, and no other does", () => {
  const character = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));
  const password = fc.string({ unit: character, minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(password, password, (right, other) => {
      const bearer = new Bearer(right);
      assert.equal(bearer.admits(`Bearer ${right}`), true);
      assert.equal(bearer.admits(`Bearer ${other}`), right === other);
      assert.equal(bearer.admits(`Bearer ${right}${other}`), false);
    }),
    { seed: SEED },
  );
  const longest = "p".repeat(512);
  assert.equal(new Bearer(longest).admits(`Bearer ${longest}`), true);
});
