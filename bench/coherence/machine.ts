/** Returns what a result must say of where it was measured, as lines. */
export async function machine(): Promise<string[]> {
  const cpu = /^model name\s*:\s*(.*)$/m.exec(await Deno.readTextFile("/proc/cpuinfo").catch(() => ""))?.[1] ??
    "unknown";
  const { stdout } = await new Deno.Command("redis-server", { args: ["--version"] }).output();
  const redis = /v=(\S+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "unknown";
  const git = await new Deno.Command("git", { args: ["rev-parse", "--short", "HEAD"], cwd: import.meta.dirname })
    .output();
  return [
    `commit    ${new TextDecoder().decode(git.stdout).trim() || "unknown"}`,
    `date      ${new Date().toISOString()}`,
    `versions  deno ${Deno.version.deno}, redis ${redis}`,
    `machine   ${navigator.hardwareConcurrency} cores of ${cpu}, load ${
      Deno.loadavg()[0].toFixed(2)
    }, linux ${Deno.osRelease()}`,
  ];
}
