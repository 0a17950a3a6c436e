/**
 * Which core does what: the server under test has one for itself, the load has another.
 *
 * Redis shares the load's core where there are only two, since a server that takes time from its own peer under test
 * would be measured together with it; with three or more it has one of its own.
 */

/** Cores of this machine. */
export const cores = navigator.hardwareConcurrency;

/** Core of the server under test. */
export const serverCore = 0;

/** Core of the load, and of this process. */
export const loadCore = Math.min(1, cores - 1);

/** Core of Redis. */
export const redisCore = cores > 2 ? 2 : loadCore;

/**
 * Keeps this process on the load's core until it is disposed of: it writes and looks while others are measured.
 *
 * Not for longer: what is started meanwhile inherits the one core, and several programs set up fewer threads then.
 */
export async function stepAside(): Promise<AsyncDisposable> {
  await pin(Deno.pid, loadCore);
  return { [Symbol.asyncDispose]: () => pin(Deno.pid, `0-${cores - 1}`) };
}

/**
 * Keeps all threads of a process on one core, or on several as in "0-1".
 *
 * @throws Error when the process is gone or `taskset` is not installed
 */
export async function pin(pid: number, core: number | string): Promise<void> {
  const { success, stderr } = await new Deno.Command("taskset", { args: ["-acp", `${core}`, `${pid}`], stdout: "null" })
    .output();
  if (!success) throw new Error(`Cannot pin process ${pid}: ${new TextDecoder().decode(stderr).trim()}`);
}
