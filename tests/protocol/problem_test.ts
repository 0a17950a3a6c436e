import assert from "node:assert/strict";
import { problem } from "../../lib/protocol/problem.ts";

Deno.test("a problem is one line of RFC 9457 JSON, with the status in both places", async () => {
  const response = problem(409, "the key holds something else")();
  assert.equal(response.status, 409);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const text = await response.text();
  assert.match(text, /^[^\n]+\n$/);
  assert.deepEqual(JSON.parse(text), {
    type: "about:blank",
    title: "Conflict",
    status: 409,
    detail: "the key holds something else",
  });
});

Deno.test("headers are sent beside the content type", () => {
  const { headers } = problem(503, "full", { "retry-after": "1" })();
  assert.deepEqual([...headers], [["content-type", "application/problem+json"], ["retry-after", "1"]]);
});

Deno.test("each call gives a response of its own", async () => {
  const make = problem(404, "nothing");
  const first = make();
  first.headers.set("x", "changed");
  await first.text();
  const second = make();
  assert.equal(second.headers.has("x"), false);
  assert.equal((await second.json()).status, 404);
});

Deno.test("every status that the proxy answers with has a title", async () => {
  for (const status of [400, 401, 404, 405, 409, 414, 500, 502, 503, 504]) {
    const { title } = await problem(status, "d")().json();
    assert.match(title, /^[A-Z][A-Za-z -]+$/, String(status));
  }
});
