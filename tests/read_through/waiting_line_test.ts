import assert from "node:assert/strict";
import { Flight } from "../../lib/read_through/flight.ts";
import fc from "fast-check";
import type { Waiter } from "../../lib/read_through/flight.ts";
import { WaitingLine } from "../../lib/read_through/waiting_line.ts";
import { HandTime } from "../support/hand_time.ts";
import { SEED } from "../support/seed.ts";

/** A line, the time, and the names of those whose deadline passed, with the moment. */
class Scene implements Disposable {
  readonly time = new HandTime();
  readonly late: [name: string, atMs: number][] = [];
  readonly startMs = this.time.nowMs;
  readonly line = new WaitingLine(this.time.clock, (waiter) => {
    waiter.resolve = null;
    this.late.push([waiter.flight.key, this.time.nowMs - this.startMs]);
  });

  join(name: string, waitMs: number): Waiter {
    this.time.clock.tick();
    const waiter: Waiter = {
      flight: new Flight(name),
      deadlineMs: this.time.nowMs + waitMs,
      collapsed: false,
      resolve: () => {},
      next: null,
    };
    this.line.join(waiter);
    return waiter;
  }

  answer(waiter: Waiter): void {
    waiter.resolve = null;
    this.line.trim();
  }

  [Symbol.dispose](): void {
    this.line.close();
    this.time[Symbol.dispose]();
  }
}

Deno.test("each waiter is told at its own deadline, once, in order", async () => {
  using scene = new Scene();
  scene.join("a", 100);
  await scene.time.pass(30);
  scene.join("b", 100);
  scene.join("c", 100);
  await scene.time.pass(69);
  assert.deepEqual(scene.late, []);
  await scene.time.pass(1);
  assert.deepEqual(scene.late, [["a", 100]]);
  await scene.time.pass(1_000);
  assert.deepEqual(scene.late, [["a", 100], ["b", 130], ["c", 130]]);
});

Deno.test("who was answered is not told", async () => {
  using scene = new Scene();
  const [a, b, c] = ["a", "b", "c"].map((name) => scene.join(name, 100));
  scene.answer(b);
  scene.answer(a);
  await scene.time.pass(1_000);
  assert.deepEqual(scene.late, [["c", 100]]);
  scene.answer(c);
});

Deno.test("there is one timer for all", async () => {
  using scene = new Scene();
  const waiters = Array.from({ length: 1_000 }, (_, i) => scene.join(String(i), 100));
  assert.equal(scene.time.timersSet, 1);
  for (const waiter of waiters) scene.answer(waiter);
  for (let i = 0; i < 1_000; i++) scene.answer(scene.join(String(i), 100));
  assert.equal(scene.time.timersSet, 1, "one that is under way is used again");
  await scene.time.pass(1_000);
  assert.equal(scene.time.timers, 0, "an empty line needs none");
});

Deno.test("a timer left by one who was answered does not end the wait of the next too soon", async () => {
  using scene = new Scene();
  scene.answer(scene.join("a", 100));
  await scene.time.pass(90);
  scene.join("b", 100);
  await scene.time.pass(99);
  assert.deepEqual(scene.late, []);
  await scene.time.pass(1);
  assert.deepEqual(scene.late, [["b", 190]]);
});

Deno.test("a timer that fires too early is set again", async () => {
  using scene = new Scene();
  scene.join("a", 100);
  await scene.time.pass(99);
  scene.time.fireNext();
  assert.deepEqual(scene.late, []);
  await scene.time.pass(1);
  assert.deepEqual(scene.late, [["a", 100]]);
});

Deno.test("a timer that fires late tells all whose deadline has passed", () => {
  using scene = new Scene();
  scene.join("a", 100);
  scene.join("b", 100);
  scene.time.nowMs += 50;
  scene.join("c", 100);
  scene.time.nowMs += 500;
  scene.time.fireNext();
  assert.deepEqual(scene.late.map(([name]) => name), ["a", "b", "c"]);
  assert.equal(scene.time.timers, 0);
});

Deno.test("a closed line tells nobody and leaves no timer", async () => {
  using scene = new Scene();
  scene.join("a", 100);
  scene.line.close();
  scene.line.close();
  assert.equal(scene.time.timers, 0);
  await scene.time.pass(1_000);
  assert.deepEqual(scene.late, []);
});

Deno.test("whatever comes and goes, exactly those who were not answered are told, at their deadline", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("join" as const), at: fc.nat() }),
    fc.record({ kind: fc.constant("answer" as const), at: fc.nat() }),
    fc.record({ kind: fc.constant("pass" as const), at: fc.nat(60) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      using scene = new Scene();
      const waiting: { waiter: Waiter; untilMs: number }[] = [];
      const due: [name: string, atMs: number][] = [];
      const passed = (): void => {
        const nowMs = scene.time.nowMs - scene.startMs;
        while (waiting.length > 0 && waiting[0].untilMs <= nowMs) {
          const { waiter, untilMs } = waiting.shift()!;
          due.push([waiter.flight.key, untilMs]);
        }
      };
      for (const { kind, at } of steps) {
        if (kind === "pass") await scene.time.pass(at);
        passed();
        if (kind === "join") {
          const waiter = scene.join(String(at), 100);
          waiting.push({ waiter, untilMs: scene.time.nowMs - scene.startMs + 100 });
        } else if (kind === "answer" && waiting.length > 0) {
          scene.answer(waiting.splice(at % waiting.length, 1)[0].waiter);
        }
      }
      await scene.time.pass(1_000);
      passed();
      assert.deepEqual(scene.late, due);
      assert.equal(scene.time.timers, 0);
    }),
    { seed: SEED, numRuns: 500 },
  );
});
