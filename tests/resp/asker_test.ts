/** Questions to Redis: each is answered, once, by its deadline. */

import assert from "node:assert/strict";
import type { IntegerReply } from "../../lib/read_through/integer_source.ts";
import { Asker } from "../../lib/resp/asker.ts";
import { HandTime, settled } from "../support/hand_time.ts";
import { QUESTIONS_MAX } from "../../lib/limits.ts";

/** Questions that the test answers. */
function handSource() {
  const questions: { resolve: (reply: IntegerReply) => void; reject: (reason: Error) => void }[] = [];
  const integer = () => new Promise<IntegerReply>((resolve, reject) => questions.push({ resolve, reject }));
  return { questions, integer };
}

Deno.test("a question is answered by Redis, or by the loss of the connection", async () => {
  using _time = new HandTime();
  const source = handSource();
  const asker = new Asker(source, 1_000);
  const answers = [asker.integer([]), asker.integer([]), asker.integer([])];
  source.questions[0].resolve({ kind: "integer", value: 5 });
  source.questions[1].resolve({ kind: "error", text: "ERR no" });
  source.questions[2].reject(new Error("lost"));
  assert.deepEqual(await Promise.all(answers), [
    { kind: "integer", value: 5 },
    { kind: "error", text: "ERR no" },
    { kind: "failed", failure: "unreachable" },
  ]);
});

Deno.test("a question that Redis leaves open fails at its deadline, and is in flight until the connection is lost", async () => {
  using time = new HandTime();
  const source = handSource();
  const asker = new Asker(source, 1_000);
  const answers = Array.from({ length: QUESTIONS_MAX }, () => asker.integer([]));
  await time.pass(1_000);
  for (const answer of await Promise.all(answers)) assert.deepEqual(answer, { kind: "failed", failure: "timeout" });
  assert.deepEqual(await asker.integer([]), { kind: "failed", failure: "overloaded" });
  assert.equal(source.questions.length, QUESTIONS_MAX);
  source.questions[0].reject(new Error("lost"));
  await settled();
  const next = asker.integer([]);
  source.questions[QUESTIONS_MAX].resolve({ kind: "integer", value: 1 });
  assert.deepEqual(await next, { kind: "integer", value: 1 });
});
