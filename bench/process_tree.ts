/**
 * A process with all that it started: how much CPU time they used, how much memory they hold.
 */

import { pin } from "./cores.ts";

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
  /** Those among them that the kernel worked for the process. */
  readonly systemTicks: number;
}

/** Length of a tick of `/proc/PID/stat`; 10 ms on every Linux of today. */
const tickMs = 1000 / Number(
  new TextDecoder().decode(new Deno.Command("getconf", { args: ["CLK_TCK"] }).outputSync().stdout),
);

/** Reads what `/proc` tells about processes. Linux only. */
export class ProcessTree {
  readonly #roots: readonly number[];

  /** @param roots ids of the first processes */
  constructor(roots: readonly number[]) {
    this.#roots = roots;
  }

  /** Ids of the roots and of everything below them that is alive. */
  get pids(): number[] {
    return this.#stats().map((stat) => stat.pid);
  }

  /**
   * CPU time of all of them, user and system, in ms; children that ended and were waited for are in their parents'.
   * Grows in steps of 10 ms.
   */
  get cpuMs(): number {
    return this.#stats().reduce((sum, stat) => sum + stat.ticks, 0) * tickMs;
  }

  /** The part of `cpuMs` that the kernel worked for them. */
  get systemMs(): number {
    return this.#stats().reduce((sum, stat) => sum + stat.systemTicks, 0) * tickMs;
  }

  /**
   * Resident memory of all of them, in bytes. What forked processes share (nginx's dictionary, gunicorn's modules)
   * counts once, and the pages of a program's own file count in full, whoever else runs that program just now.
   */
  get memoryBytes(): number {
    let bytes = 0;
    const fileBytes = new Map<string, number>();
    for (const pid of this.pids) {
      const memory = memoryOf(pid);
      bytes += memory.ownBytes;
      fileBytes.set(memory.program, Math.max(fileBytes.get(memory.program) ?? 0, memory.fileBytes));
    }
    return [...fileBytes.values()].reduce((sum, each) => sum + each, bytes);
  }

  /** Keeps every thread of every process on one core. */
  async pin(core: number): Promise<void> {
    for (const pid of this.pids) await pin(pid, core);
  }

  /** Ends every process at once, by SIGKILL: the last resort. */
  kill(): void {
    for (const pid of this.pids) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It ended just now.
      }
    }
  }

  #stats(): ProcessStat[] {
    const all = allStats();
    const found = new Set(this.#roots);
    // A child may have a lower id than its parent once ids have wrapped, so this goes on until nothing is added.
    for (let size = -1; size !== found.size;) {
      size = found.size;
      for (const stat of all) if (found.has(stat.parent)) found.add(stat.pid);
    }
    return all.filter((stat) => found.has(stat.pid));
  }
}

function allStats(): ProcessStat[] {
  const stats: ProcessStat[] = [];
  for (const entry of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    const text = readText(`/proc/${entry.name}/stat`);
    if (text === null) continue;
    // The second field is the program's name in parentheses and may hold anything; what follows it starts with field 3.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number);
    stats.push({
      pid: Number(entry.name),
      parent: Number(fields[1]),
      ticks: utime + stime + cutime + cstime,
      systemTicks: stime + cstime,
    });
  }
  return stats;
}

interface ProcessMemory {
  readonly program: string;
  /** Not of a file; what several processes share is split between them. */
  readonly ownBytes: number;
  readonly fileBytes: number;
}

function memoryOf(pid: number): ProcessMemory {
  const status = readText(`/proc/${pid}/status`) ?? "";
  const rollup = readText(`/proc/${pid}/smaps_rollup`);
  const bytes = (text: string, name: string): number =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
  // The roll-up cannot be read for the processes of others: then what is shared counts in each process.
  const ownBytes = rollup === null
    ? bytes(status, "RssAnon") + bytes(status, "RssShmem")
    : bytes(rollup, "Pss_Anon") + bytes(rollup, "Pss_Shmem");
  return { program: programOf(pid), ownBytes, fileBytes: bytes(status, "RssFile") };
}

function programOf(pid: number): string {
  try {
    return Deno.readLinkSync(`/proc/${pid}/exe`);
  } catch {
    return `${pid}`;
  }
}

/** Reads a file of `/proc`; `null` when the process is gone, or is somebody else's. */
function readText(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}
