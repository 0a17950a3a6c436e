import assert from "node:assert/strict";
import { HttpConnection } from "../../lib/http/http_connection.ts";

Deno.test("the runtime still serves single connections, which its public API does not promise", () => {
  assert.doesNotThrow(() => HttpConnection.assertSupported());
});
