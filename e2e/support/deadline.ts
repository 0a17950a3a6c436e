/**
 * Waits for a promise, but not for ever. The timer is cleared on every path, so that Deno's sanitizers see nothing.
 *
 * What was waited for goes on by itself after the deadline: the caller ends it (closes the socket, kills the child).
 *
 * @param work what is waited for
 * @param what named in the error, as in "a reply of Redis"
 * @throws Error after `deadlineMs`, or what `work` throws
 */
export async function withDeadline<T>(
  work: Promise<T>,
  { deadlineMs, what }: { deadlineMs: number; what: string },
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Cannot go on: ${what} is needed: received nothing in ${deadlineMs} ms`)),
      deadlineMs,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
