import assert from "node:assert/strict";
import { canAssemble, okResponse } from "../../lib/http/assembled_response.ts";

const HEADERS = [["content-type", "text/plain"], ["etag", '"a"']] as const;

Deno.test("the runtime still keeps a response's parts where the public API does not promise them", () => {
  assert.ok(canAssemble);
});

for (const body of ["text \u00e9", "", new Uint8Array([0xff, 0x00]), new Uint8Array(0)]) {
  Deno.test(`an assembled response is as one that was constructed: ${JSON.stringify(body)}`, async () => {
    const constructed = new Response(body, { headers: HEADERS.map(([name, value]) => [name, value]) });
    const response = okResponse(body, HEADERS);
    assert.deepEqual([...response.headers], [...constructed.headers]);
    assert.equal(response.status, 200);
    assert.equal(response.statusText, constructed.statusText);
    assert.equal(response.bodyUsed, false);
    assert.deepEqual(await response.bytes(), await constructed.bytes());
    assert.equal(response.bodyUsed, true);
  });

  Deno.test(`a server sends an assembled response whole, each time: ${JSON.stringify(body)}`, async () => {
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => okResponse(body, HEADERS));
    const { port } = server.addr;
    for (const method of ["GET", "HEAD", "GET"]) {
      const response = await fetch(`http://127.0.0.1:${port}/`, { method });
      assert.equal(response.headers.get("content-type"), "text/plain");
      assert.equal(response.headers.get("etag"), '"a"');
      const expected = await new Response(body).bytes();
      assert.equal(response.headers.get("content-length"), String(expected.length));
      assert.deepEqual(await response.bytes(), method === "HEAD" ? new Uint8Array(0) : expected);
    }
  });
}
