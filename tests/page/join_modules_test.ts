import assert from "node:assert/strict";
import { joinModules } from "../../lib/page/join_modules.ts";

Deno.test("comments on lines of their own are left out, and what looks like one within a line is not", () => {
  const script = joinModules({
    "a.js": [
      "/** A comment. */",
      "export const a = 'https://x'; // stays",
      "  // goes",
      "/**",
      " * goes as well",
      " */",
      "/** @type {number} */ const b = 1; /** stays */",
      "const c = 2;",
      "",
    ].join("\n"),
  });
  assert.equal(
    script,
    "const a = 'https://x'; // stays\n/** @type {number} */ const b = 1; /** stays */\nconst c = 2;\n",
  );
});

Deno.test("what it does not understand it refuses", () => {
  const refused = {
    "a module that comes later": { "a.js": 'import { b } from "./b.js";\n', "b.js": "export const b = 1;\n" },
    "a module that is not there": { "a.js": 'import { b } from "./c.js";\n' },
    "a default import": { "a.js": "export const a = 1;\n", "b.js": 'import a from "./a.js";\n' },
    "a list of exports": { "a.js": "const a = 1;\nexport { a };\n" },
    "a default export": { "a.js": "export default 1;\n" },
    "another address": { "a.js": 'import { b } from "https://example.org/b.js";\n' },
  };
  for (const [what, modules] of Object.entries(refused)) {
    assert.throws(() => joinModules(modules), SyntaxError, what);
  }
});
