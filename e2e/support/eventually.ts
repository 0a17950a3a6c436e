import { withDeadline } from "./deadline.ts";

/**
 * Calls `check` again and again until it neither throws nor returns `false`, and returns what it returned.
 *
 * `false` counts as "not yet": `eventually(() => seen === 3)` would otherwise pass at once.
 * A check that hangs is given up at the deadline too.
 *
 * @param deadlineMs most time to wait, 5,000 unless told
 * @param everyMs pause between two calls, 10 unless told
 * @throws Error after `deadlineMs`, with the last error as its text and its `cause`
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { deadlineMs = 5_000, everyMs = 10 }: { deadlineMs?: number; everyMs?: number } = {},
): Promise<T> {
  const startedAtMs = performance.now();
  while (true) {
    const leftMs = Math.max(1, deadlineMs - (performance.now() - startedAtMs));
    let last: unknown;
    try {
      // The async wrapper also turns a synchronous throw into a rejection.
      const value = await withDeadline((async () => await check())(), { deadlineMs: leftMs, what: "the check's end" });
      if (value !== false) return value;
      last = new Error("the check returned false");
    } catch (error) {
      last = error;
    }
    if (performance.now() - startedAtMs + everyMs >= deadlineMs) {
      const text = last instanceof Error ? last.message : String(last);
      throw new Error(`Cannot go on: a check that holds within ${deadlineMs} ms is needed: received ${text}`, {
        cause: last,
      });
    }
    await new Promise((wake) => setTimeout(wake, everyMs));
  }
}
