import assert from "node:assert/strict";
import { LongAnswer } from "../../lib/http/long_answer.ts";
import { serverSentEvent, Viewers } from "../../lib/page/viewers.ts";
import { settled } from "../support/hand_time.ts";

function viewersOf({ viewersMax = 2, eventsMax = 3 } = {}): Viewers {
  return new Viewers({ viewersMax, eventsMax, retryMs: 2_000 });
}

/** Reads a stream as a page would. */
function reading(answer: LongAnswer): { text: string; isDone: boolean; cancel: () => Promise<void> } {
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  const seen = { text: "", isDone: false, cancel: () => reader.cancel() };
  const pump = async (): Promise<void> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      seen.text += value;
    }
    seen.isDone = true;
  };
  void pump();
  return seen;
}

/** Whether a promise is fulfilled by now. */
async function isFulfilled(promise: Promise<void>): Promise<boolean> {
  let fulfilled = false;
  promise.then(() => fulfilled = true);
  await settled();
  return fulfilled;
}

Deno.test("all viewers are told the same, and a new one first what it needs", async () => {
  const viewers = viewersOf();
  const answers = [viewers.admit("event: all\ndata: 1\n\n"), viewers.admit("event: all\ndata: 2\n\n")];
  const seen = answers.map(reading);
  viewers.send(serverSentEvent("second", { text: "a\nb" }));
  await settled();
  assert.deepEqual(
    seen.map(({ text }) => text),
    [1, 2].map((first) => `retry: 2000\nevent: all\ndata: ${first}\n\nevent: second\ndata: {"text":"a\\nb"}\n\n`),
  );
  assert.equal(answers[0].headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(answers[0].headers.get("cache-control"), "no-store");
  viewers.stop();
});

Deno.test("there is a bound, and who leaves makes room", async () => {
  const viewers = viewersOf({ viewersMax: 1 });
  const first = viewers.admit("");
  assert.equal(viewers.isFull, true);
  assert.throws(() => viewers.admit(""), RangeError);
  await first.body!.cancel();
  assert.equal(await isFulfilled(first.ended), true);
  assert.equal(viewers.size, 0);
  reading(viewers.admit(""));
  assert.equal(viewers.size, 1);
  viewers.stop();
});

Deno.test("a viewer that does not take its events is cut off, and holds no more than its share", async () => {
  const viewers = viewersOf({ eventsMax: 3 });
  const idle = viewers.admit("");
  const seen = reading(viewers.admit(""));
  for (let i = 0; i < 10; i++) {
    viewers.send(`data: ${i}\n\n`);
    await settled();
  }
  assert.equal(viewers.size, 1, "only the one that reads is left");
  assert.equal(await isFulfilled(idle.ended), true);
  assert.match(seen.text, /data: 9\n\n$/);
  const held = reading(idle);
  await settled();
  assert.equal(held.isDone, true);
  assert.equal(held.text.match(/data:/g)?.length, 2, "with the first, three events waited");
  viewers.stop();
});

Deno.test("stopping ends every stream, and nobody is admitted any more", async () => {
  const viewers = viewersOf();
  const answers = [viewers.admit(""), viewers.admit("")];
  const seen = answers.map(reading);
  viewers.stop();
  await settled();
  assert.deepEqual(seen.map(({ isDone }) => isDone), [true, true]);
  for (const { ended } of answers) assert.equal(await isFulfilled(ended), true);
  assert.equal(viewers.isFull, true);
  viewers.send("nobody hears it");
});
