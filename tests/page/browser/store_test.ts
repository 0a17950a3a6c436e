import assert from "node:assert/strict";
import { SECONDS, Store } from "../../../lib/page/browser/store.js";

Deno.test("entries are added in order, old ones let go, and what is known already is left", () => {
  const store = new Store();
  store.replace({ time: [1, 2], a: [10, null] });
  store.add({ time: 3, a: 30 });
  store.add({ time: 3, a: 99 });
  store.add({ time: 2, a: 99 });
  store.add(null);
  assert.deepEqual([store.time, store.column("a"), store.column("b")], [[1, 2, 3], [10, null, 30], []]);
  store.add({ time: SECONDS + 2, a: 40 });
  assert.deepEqual([store.time, store.column("a")], [[2, 3, SECONDS + 2], [null, 30, 40]]);
});
