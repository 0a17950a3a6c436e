import assert from "node:assert/strict";
import { helpText, parseArguments } from "../../lib/config/arguments.ts";
import { SETTING_DEFINITIONS } from "../../lib/config/settings.ts";

Deno.test("no arguments mean serving, each known one its question", () => {
  assert.equal(parseArguments([]), "serve");
  assert.equal(parseArguments(["--help"]), "help");
  assert.equal(parseArguments(["-h"]), "help");
  assert.equal(parseArguments(["--version"]), "version");
  assert.equal(parseArguments(["-V"]), "version");
  assert.equal(parseArguments(["--healthcheck"]), "healthcheck");
});

Deno.test("anything else is not understood", () => {
  for (
    const argument of [
      "",
      "help",
      "--HELP",
      "--help ",
      "--port=5000",
      "-",
      "--",
      "constructor",
      "__proto__",
      "toString",
    ]
  ) {
    assert.equal(parseArguments([argument]), null, argument);
  }
  assert.equal(parseArguments(["--help", "--version"]), null);
  assert.equal(parseArguments(["--help", ""]), null);
});

Deno.test("the help names every setting once, with what it means, must be, and is by default", () => {
  const lines = helpText("9.8.7").split("\n");
  assert.ok(lines[0].startsWith("redis-proxy 9.8.7"));
  for (const { name, meaning, must, default: fallback } of SETTING_DEFINITIONS) {
    const at = lines.flatMap((line, index) => line.trimStart().startsWith(`${name} `) ? [index] : []);
    assert.equal(at.length, 1, name);
    assert.ok(lines[at[0]].endsWith(meaning), lines[at[0]]);
    assert.equal(lines[at[0] + 1].trim(), `default ${fallback ?? "unset"}; ${must}`);
  }
});

Deno.test("the help names every argument that is understood", () => {
  for (const argument of ["--help", "--version", "--healthcheck"]) {
    assert.ok(helpText("1").includes(argument), argument);
  }
});
