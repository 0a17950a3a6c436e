import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { entityTag, ifNoneMatch } from "../../lib/protocol/entity_tag.ts";
import { SEED } from "../support/seed.ts";

const ETAG = '"abc"';

Deno.test("a tag is the first 132 bits of a digest in base64url, in quotes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (digest) => {
      const bytes = Buffer.from(digest);
      assert.equal(entityTag(bytes.toString("hex")), `"${bytes.toString("base64url").slice(0, 22)}"`);
    }),
    { seed: SEED },
  );
});

Deno.test("a single tag matches when it is ours, weak or strong", () => {
  assert.equal(ifNoneMatch('"abc"', ETAG), true);
  assert.equal(ifNoneMatch('W/"abc"', ETAG), true);
  for (const other of ['"abd"', '"ab"', '"abcd"', '""', '"ABC"', '" abc"', '"abc "', 'W/"abd"']) {
    assert.equal(ifNoneMatch(other, ETAG), false, other);
  }
  assert.equal(ifNoneMatch('""', '""'), true);
});

Deno.test("* matches anything, and is no list", () => {
  assert.equal(ifNoneMatch("*", ETAG), true);
  assert.equal(ifNoneMatch('"*"', ETAG), false);
  assert.equal(ifNoneMatch('*, "x"', ETAG), false);
  assert.equal(ifNoneMatch("**", ETAG), false);
  assert.equal(ifNoneMatch("W/*", ETAG), false);
});

Deno.test("a list matches when one of its members does, wherever it stands", () => {
  for (
    const header of [
      '"abc", "x"',
      '"x", "abc"',
      '"x","abc","y"',
      '"x" , W/"abc"\t,"y"',
      'W/"x",W/"abc"',
      '"x", "", "abc"',
    ]
  ) {
    assert.equal(ifNoneMatch(header, ETAG), true, header);
  }
  assert.equal(ifNoneMatch('"x", "y", W/"z"', ETAG), false);
});

Deno.test("empty members of a list are passed over (RFC 9110, 5.6.1.2)", () => {
  for (const header of [',"abc"', '"x",,"abc"', ' , , "x" , ,\t"abc",', '"abc",', ',,,"abc",,,']) {
    assert.equal(ifNoneMatch(header, ETAG), true, header);
  }
  for (const header of ["", ",", ", ,", " "]) assert.equal(ifNoneMatch(header, ETAG), false, header);
});

Deno.test("commas inside quotes do not divide", () => {
  assert.equal(ifNoneMatch('"a,b"', '"a,b"'), true);
  assert.equal(ifNoneMatch('"x,", "a,b"', '"a,b"'), true);
  assert.equal(ifNoneMatch('"x,abc,y"', ETAG), false);
  assert.equal(ifNoneMatch('"x,\\"abc"', ETAG), false, "a backslash escapes nothing in a tag");
});

Deno.test("bytes above ASCII may be in a tag, blanks and quotes may not", () => {
  assert.equal(ifNoneMatch('"\u00e9\u00ff", "abc"', ETAG), true);
  assert.equal(ifNoneMatch('"\u00e9"', '"\u00e9"'), true);
  assert.equal(ifNoneMatch('"a b", "abc"', ETAG), false);
  assert.equal(ifNoneMatch('"a\u007f", "abc"', ETAG), false);
});

Deno.test("what is no list of tags does not match beyond the point where it stops making sense", () => {
  const bad = [
    "abc",
    "'abc'",
    '"abc',
    'abc"',
    '"',
    '"abc"x',
    'x"abc"',
    '"x" "abc"',
    '"x"; "abc"',
    'w/"abc"',
    'W/ "abc"',
    'W"abc"',
    'W/W/"abc"',
    '""abc""',
    "W/",
    '"x", abc, "abc"',
  ];
  for (const header of bad) assert.equal(ifNoneMatch(header, ETAG), false, header);
  assert.equal(ifNoneMatch('"abc", nonsense', ETAG), true);
});

Deno.test("the answer does not depend on what was asked before", () => {
  for (let i = 0; i < 3; i++) {
    assert.equal(ifNoneMatch('"x", "y", "abc", "z"', ETAG), true);
    assert.equal(ifNoneMatch('"x", broken', ETAG), false);
    assert.equal(ifNoneMatch(', "abc"', ETAG), true);
  }
});

/** What may stand in a tag: etagc of RFC 9110, 8.8.3. */
const TAG_CHARACTERS = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code))
  .filter((character) => /[\x21\x23-\x7e\x80-\xff]/.test(character));

const tag = fc.string({ unit: fc.constantFrom(...TAG_CHARACTERS), maxLength: 6 }).map((text) => `"${text}"`);
const blank = fc.string({ unit: fc.constantFrom(" ", "\t"), maxLength: 2 });
const comma = fc.array(blank, { minLength: 2, maxLength: 3 }).map((blanks) => blanks.join(","));
const member = fc.record({ weak: fc.boolean(), tag, after: comma });

Deno.test("a tag matches a well-formed list exactly when it is in it", () => {
  fc.assert(
    fc.property(fc.array(member, { minLength: 1, maxLength: 8 }), tag, fc.nat(), (members, other, at) => {
      const header = members.map(({ weak, tag, after }, i) =>
        (weak ? "W/" : "") + tag + (i + 1 < members.length ? after : "")
      ).join("");
      const tags = members.map(({ tag }) => tag);
      assert.equal(ifNoneMatch(header, tags[at % tags.length]), true);
      assert.equal(ifNoneMatch(header, other), tags.includes(other));
    }),
    { seed: SEED, numRuns: 5_000 },
  );
});

Deno.test("any header gives an answer", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'"",, \tW/*ab\\\u00e9'), maxLength: 40 }), (header) => {
      assert.equal(typeof ifNoneMatch(header, ETAG), "boolean");
      // What begins with our tag and a comma matches whatever follows.
      assert.equal(ifNoneMatch(`${ETAG},${header}`, ETAG), true);
    }),
    { seed: SEED, numRuns: 5_000 },
  );
});

// Anything worse than linear in a million characters would not end while somebody waits.
for (const unit of ['"', ",", " ", "\t,", '"",', '"a" ', "W/", 'W/"', '"a", ', "\u00e9"]) {
  Deno.test(`a megabyte of ${JSON.stringify(unit)} ends`, () => {
    const header = unit.repeat(Math.ceil(1_000_000 / unit.length));
    assert.equal(ifNoneMatch(header, ETAG), false);
    assert.equal(ifNoneMatch('"' + header, ETAG), false);
    assert.equal(ifNoneMatch('"x"' + header + "x", ETAG), false);
  });
}
