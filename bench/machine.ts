/**
 * The machine, and the versions of all that is compared.
 */

import { cores, loadCore, redisCore, serverCore } from "./cores.ts";

/** Returns lines that say where and with what a result was found. */
export async function describeMachine(): Promise<string[]> {
  const cpu = /^model name\s*:\s*(.*)$/m.exec(await textOf("/proc/cpuinfo"))?.[1] ?? "unknown CPU";
  const memoryKib = Number(/^MemTotal:\s+(\d+)/m.exec(await textOf("/proc/meminfo"))?.[1] ?? 0);
  const system = /^PRETTY_NAME="(.*)"$/m.exec(await textOf("/etc/os-release"))?.[1] ?? Deno.build.os;
  const [load] = Deno.loadavg();
  return [
    `date: ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`,
    `machine: ${cpu}, ${cores} cores, ${(memoryKib / 2 ** 20).toFixed(0)} GiB, ${system}, Linux ${Deno.osRelease()}`,
    `cores: server under test on ${serverCore}, load on ${loadCore}, Redis on ${redisCore}; all over loopback`,
    `load average when it began: ${load.toFixed(2)}; above about 0.3 somebody else was at work too`,
    `versions: ${(await versions()).join(", ")}`,
    `commit: ${await commit()}`,
  ];
}

async function versions(): Promise<string[]> {
  const found = [`deno ${Deno.version.deno} (V8 ${Deno.version.v8})`];
  const names = ["redis-server", "wrk", "webdis", "nginx", "libnginx-mod-http-lua", "varnish", "python3-flask"];
  for (const name of [...names, "gunicorn", "python3-cachetools", "python3-redis"]) {
    const version = await output("dpkg-query", ["--show", "--showformat=${Version}", name]);
    found.push(version === null || version === "" ? `${name} not installed` : `${name} ${version}`);
  }
  return found;
}

async function commit(): Promise<string> {
  const hash = await output("git", ["rev-parse", "--short", "HEAD"]);
  if (hash === null) return "unknown";
  // What these tools write themselves, and their own files, do not change what is measured.
  const changed = await output("git", ["status", "--porcelain", "--", "main.ts", "lib", "deno.json"]);
  return `${hash}${changed ? " with changes that are not committed" : ""}`;
}

/** Returns what a command wrote, `null` when it failed or is not there. */
async function output(command: string, args: string[]): Promise<string | null> {
  try {
    const cwd = new URL("..", import.meta.url);
    const { success, stdout } = await new Deno.Command(command, { args, cwd, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  } catch {
    return null;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return "";
  }
}
