import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { Basic } from "../../lib/http/basic.ts";
import { SEED } from "../support/seed.ts";

const encoded = (text: string): string => Buffer.from(text).toString("base64");

Deno.test("who sends the password is admitted, whatever the user is called (RFC 7617)", () => {
  const basic = new Basic("open:sesame");
  for (const user of ["", "me", "Aladdin", "ö"]) {
    assert.equal(basic.admits(`Basic ${encoded(`${user}:open:sesame`)}`), true, user);
  }
  for (const scheme of ["basic", "BASIC", "Basic  "]) {
    assert.equal(basic.admits(`${scheme} ${encoded("me:open:sesame")}`), true, scheme);
  }
});

Deno.test("nobody else is", () => {
  const basic = new Basic("open:sesame");
  const bad = [
    null,
    "",
    "Basic",
    "Basic ",
    "Basic !!!",
    `Basic ${encoded("open:sesame")}`,
    `Basic ${encoded("sesame")}`,
    `Basic ${encoded("")}`,
    `Basic ${encoded("me:open:sesam")}`,
    `Basic ${encoded("me:open:sesame ")}`,
    `Bearer ${encoded("me:open:sesame")}`,
    `Basic me:open:sesame`,
    `Basic ${encoded("me:open:sesame")} x`,
    "Basic " + "A".repeat(100_000),
  ];
  for (const header of bad) assert.equal(basic.admits(header), false, String(header).slice(0, 40));
  assert.equal(new Basic("sesame").admits(`Basic ${encoded("sesame")}`), false, "a password without a user's colon");
});

Deno.test("every password that the settings allow works, and no other does", () => {
  const character = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));
  const password = fc.string({ unit: character, minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(password, password, (right, other) => {
      const basic = new Basic(right);
      assert.equal(basic.admits(`Basic ${encoded(`:${right}`)}`), true);
      assert.equal(basic.admits(`Basic ${encoded(`:${other}`)}`), right === other);
    }),
    { seed: SEED },
  );
});
