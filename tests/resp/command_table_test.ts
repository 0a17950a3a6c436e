/** What Redis's table of commands says of each, for a cache. */

import assert from "node:assert/strict";
import { type Changes, CommandTable } from "../../lib/resp/command_table.ts";

type Entry = [
  name: string,
  arity: number,
  flags: string[] | Set<string>,
  first: number,
  last: number,
  step: number,
  ...rest: unknown[],
];

function entry(name: string, flags: string[], keys: [number, number, number] = [0, 0, 0]): Entry {
  return [name, 1, flags, ...keys, [], [], [], []];
}

const CASES: [entry: Entry, changes: Changes][] = [
  [entry("get", ["readonly", "fast"], [1, 1, 1]), "nothing"],
  [entry("set", ["write", "denyoom"], [1, 1, 1]), "its keys"],
  [entry("mset", ["write"], [1, -1, 2]), "its keys"],
  [entry("blpop", ["write", "blocking"], [1, -2, 1]), "its keys"],
  [entry("sort", ["write", "movablekeys"], [1, 1, 1]), "unknown"],
  [entry("lmpop", ["write", "movablekeys"]), "unknown"],
  [entry("sort_ro", ["readonly", "movablekeys"], [1, 1, 1]), "nothing"],
  [entry("eval", ["noscript", "movablekeys"]), "unknown"],
  [entry("eval_ro", ["noscript", "readonly", "movablekeys"]), "nothing"],
  [entry("function|load", ["write"]), "unknown"],
  [entry("flushall", ["write"]), "all keys"],
  [entry("flushdb", ["write"]), "all keys"],
  [entry("swapdb", ["write", "fast"]), "all keys"],
  [entry("pfcount", ["readonly"], [1, -1, 1]), "its keys"],
  [entry("exec", ["noscript", "loading"]), "unknown"],
  [entry("debug", ["admin", "noscript"]), "unknown"],
  [entry("tfcall_no_keys", ["module"]), "unknown"],
  [entry("json.set", ["write", "denyoom", "module"], [1, 1, 1]), "its keys"],
  [entry("json.get", ["readonly", "module"], [1, 1, 1]), "nothing"],
  [entry("ping", ["fast"]), "nothing"],
  [entry("publish", ["pubsub", "fast"]), "nothing"],
  [entry("watch", ["noscript", "fast"], [1, -1, 1]), "nothing"],
];

for (const [command, changes] of CASES) {
  Deno.test(`${command[0]} changes ${changes}`, () => {
    assert.equal(new CommandTable([command]).facts(command[0]).changes, changes);
  });
}

Deno.test("what is not in the table may change anything", () => {
  const table = new CommandTable([entry("get", ["readonly"], [1, 1, 1])]);
  for (const name of ["json.set", "constructor", "__proto__", "toString", ""]) {
    assert.deepEqual(table.facts(name), { changes: "unknown", isBlocking: false, keys: [0, 0, 0] });
    assert.equal(table.has(name), false);
    assert.equal(table.isGroup(name), false);
  }
  assert.equal(CommandTable.EMPTY.facts("get").changes, "unknown");
  // Redis 7.0 sends no invalidation for it, so waiting for one would not do.
  assert.equal(CommandTable.EMPTY.facts("swapdb").changes, "all keys");
});

Deno.test("subcommands are commands of their own; flags come as a list or as a set", () => {
  const table = new CommandTable([
    ["xgroup", -2, [], 0, 0, 0, [], [], [], [["xgroup|create", -5, new Set(["write"]), 2, 2, 1]]],
    entry("blpop", ["write", "blocking"], [1, -2, 1]),
  ]);
  assert.ok(table.has("xgroup") && table.has("xgroup|create"));
  assert.equal(table.isGroup("xgroup"), true);
  assert.deepEqual(table.facts("xgroup|create"), { changes: "its keys", isBlocking: false, keys: [2, 2, 1] });
  assert.equal(table.isGroup("blpop"), false);
  assert.equal(table.facts("blpop").isBlocking, true);
});

Deno.test("a reply that is no table makes a table that knows nothing", () => {
  for (const reply of [null, undefined, "ERR", 7, {}, [null, "get", [], ["get", 2, ["readonly"], "1", 1, 1]]]) {
    assert.equal(new CommandTable(reply).facts("get").changes, "unknown");
  }
});
