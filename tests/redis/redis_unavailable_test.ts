import assert from "node:assert/strict";
import { outageOfCode, RedisUnavailable } from "../../lib/redis/redis_unavailable.ts";

Deno.test("what Redis repeats of a command that it does not know is not in the message", () => {
  for (
    const text of [
      "ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'proxy' 'secret' ",
      "ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `proxy`, `sec\nret`, ",
    ]
  ) {
    assert.match(new RedisUnavailable(text, outageOfCode(text)).message, /^ERR unknown command .HELLO.$/);
  }
});

Deno.test("a full Redis is one that cannot be reached for now, and refuses nobody", () => {
  assert.equal(outageOfCode("ERR max number of clients reached").kind, "unreachable");
  assert.deepEqual(outageOfCode("ERR unknown command"), { kind: "refused", code: "ERR" });
  assert.deepEqual(outageOfCode("LOADING Redis is loading the dataset in memory"), {
    kind: "loading",
    code: "LOADING",
  });
});
