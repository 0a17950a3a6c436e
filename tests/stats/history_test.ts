import assert from "node:assert/strict";
import { History } from "../../lib/stats/history.ts";

Deno.test("rows are kept in order, and the oldest goes when it is full", () => {
  const history = new History(["a", "b"] as const, { rowsMax: 3 });
  assert.equal(history.length, 0);
  for (let i = 1; i <= 5; i++) {
    history.add({ a: i, b: -i });
    const length = Math.min(i, 3);
    assert.equal(history.length, length);
    const rows = Array.from({ length }, (_, row) => [history.at(row, "a"), history.at(row, "b")]);
    assert.deepEqual(rows, Array.from({ length }, (_, row) => [i - length + 1 + row, -(i - length + 1 + row)]));
  }
});

Deno.test("a row that is not there is an error", () => {
  const history = new History(["a"] as const, { rowsMax: 3 });
  history.add({ a: 1 });
  for (const index of [-1, 1, NaN]) assert.throws(() => history.at(index, "a"), RangeError);
});
