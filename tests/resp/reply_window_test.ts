import assert from "node:assert/strict";
import { RELAYED_REPLIES_FIRST, RELAYED_REPLIES_MAX, RELAYED_REPLY_BYTES_MAX } from "../../lib/limits.ts";
import { ReplyWindow } from "../../lib/resp/reply_window.ts";

const LONG_BYTES = RELAYED_REPLY_BYTES_MAX / 4;

Deno.test("nothing heard: a few", () => {
  assert.equal(new ReplyWindow().size, RELAYED_REPLIES_FIRST);
});

Deno.test("short replies open it, twofold a chunk, up to the bound", () => {
  const window = new ReplyWindow();
  const sizes = Array.from({ length: 20 }, () => {
    window.heard(5, 1);
    return window.size;
  });
  assert.deepEqual(sizes.slice(0, 3), [1, 2, 3].map((times) => RELAYED_REPLIES_FIRST * 2 ** times));
  assert.equal(sizes.at(-1), RELAYED_REPLIES_MAX);
});

Deno.test("a long reply narrows it at once, in however many chunks it came", () => {
  for (const chunks of [1, 64]) {
    const window = new ReplyWindow();
    for (let i = 0; i < 20; i++) window.heard(500, 100);
    for (let i = 1; i <= chunks; i++) window.heard(LONG_BYTES / chunks, i === chunks ? 1 : 0);
    assert.equal(window.size, 4);
  }
});

Deno.test("it is open for one reply, of whatever length", () => {
  const window = new ReplyWindow();
  window.heard(RELAYED_REPLY_BYTES_MAX * 10, 1);
  assert.equal(window.size, 1);
});

Deno.test("many replies in a chunk are taken together", () => {
  const window = new ReplyWindow();
  window.heard(LONG_BYTES * 4, 4);
  assert.equal(window.size, 4);
});
