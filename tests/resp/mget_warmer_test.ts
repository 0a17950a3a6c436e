/** What an MGET missed is read for the next one, unless that would be in vain. */

import assert from "node:assert/strict";
import { Clock } from "../../lib/clock.ts";
import { MGET_HINT_MS } from "../../lib/limits.ts";
import type { Answer } from "../../lib/read_through/answer.ts";
import { MgetWarmer } from "../../lib/resp/mget_warmer.ts";
import { settled } from "../support/hand_time.ts";

const ABSENT: Answer = { kind: "absent", remembered: false, stored: false, collapsed: false };
const WRONG_TYPE: Answer = { kind: "wrong_type", collapsed: false };
const FAILED: Answer = { kind: "failed", failure: "timeout", code: "TIMEOUT" };

/** A warmer whose reads are answered by what `answers` says, `FAILED` otherwise. */
function scene(answers: Record<string, Answer>) {
  const time = { nowMs: 0 };
  const clock = new Clock(() => time.nowMs);
  const reads: string[] = [];
  const readThrough = {
    read: (key: string) => {
      reads.push(key);
      return Promise.resolve(answers[key] ?? FAILED);
    },
  };
  const pass = (ms: number): void => {
    time.nowMs += ms;
    clock.tick();
  };
  return { warmer: new MgetWarmer(readThrough, clock), reads, pass };
}

Deno.test("a key that one MGET missed many times is read once", async () => {
  const { warmer, reads } = scene({});
  warmer.warm(["/a", "/b", "/a", "/a"]);
  await settled();
  assert.deepEqual(reads, ["/a", "/b"]);
});

Deno.test("what is missing is read, each time that it is missing", async () => {
  const { warmer, reads } = scene({});
  for (let i = 0; i < 2; i++) {
    warmer.warm(["/a", "/b"]);
    await settled();
  }
  assert.deepEqual(reads, ["/a", "/b", "/a", "/b"]);
});

for (const [name, answer] of Object.entries({ "nothing": ABSENT, "no string": WRONG_TYPE })) {
  Deno.test(`keys beside one that holds ${name} are not read again for a while`, async () => {
    const { warmer, reads, pass } = scene({ "/a": answer });
    warmer.warm(["/a", "/b"]);
    await settled();
    warmer.warm(["/b", "/a"]);
    assert.deepEqual(reads, ["/a", "/b"]);
    warmer.warm(["/b"]);
    assert.deepEqual(reads, ["/a", "/b", "/b"], "another MGET, without that key");
    pass(MGET_HINT_MS);
    warmer.warm(["/a"]);
    assert.equal(reads.at(-1), "/a");
  });
}
