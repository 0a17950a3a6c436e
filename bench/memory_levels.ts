/**
 * Does memory stay where CACHE_MAXBYTES says? Values of 256 KiB, read once each, under 64 MiB.
 */

import { keyOf } from "./value.ts";
import { proxy } from "./peers/proxy.ts";
import { runScenarios } from "./runner.ts";
import type { Scenario } from "./scenario.ts";
import { Site } from "./site.ts";
import { spreadOf } from "./spread.ts";
import { Table } from "./table.ts";

const valueBytes = 256 * 1024;
const bytesMax = 64 * 2 ** 20;
const stepReads = 500;

export const memoryLevels: Scenario = {
  name: "memory-levels",
  async run(effort) {
    const count = effort.quick ? 1_000 : 4_000;
    await using site = await Site.open();
    // Beyond those that are read: the one with which its start is checked.
    await site.fill("level", { count: count + 1, valueBytes });
    const [peer] = await site.start([proxy({ env: { CACHE_MAXBYTES: `${bytesMax}` } })], {
      entriesMax: 1024,
      valueBytes,
      ttlSeconds: 3600,
      key: keyOf("level", count),
    });
    if (peer === undefined) throw new Error(site.failures[0].reason);
    const mib = (): number => peer.tree.memoryBytes / 2 ** 20;
    const base = mib();
    const rows = [["0", base.toFixed(1), "0.0"]];
    const levels: number[] = [];
    for (let number = 0; number < count; number++) {
      const problem = await peer.problemWith([keyOf("level", number)]);
      if (problem !== null) throw new Error(problem);
      if ((number + 1) % stepReads !== 0) continue;
      levels.push(mib());
      rows.push([`${number + 1}`, mib().toFixed(1), (mib() - base).toFixed(1)]);
    }
    const level = spreadOf(levels.slice(Math.floor(levels.length / 2)));
    const highest = Math.max(...levels);
    return {
      title: "Resident memory under CACHE_MAXBYTES=64 MiB",
      notes: [
        `${count} values of 256 KiB, read once each over HTTP, one after another: 16 times what may be held (quick: 4 times).`,
        "Memory is resident, of the process that served one such request before.",
      ],
      tables: [{ caption: "Memory after reads", table: new Table(["reads", "memory MiB", "above idle MiB"], rows) }],
      findings: [
        `idle: ${base.toFixed(1)} MiB; level of the second half: ${level.median.toFixed(1)} MiB, ` +
        `${(level.median - base).toFixed(1)} above idle, ${
          ((level.median - base) * 2 ** 20 / bytesMax).toFixed(2)
        } x CACHE_MAXBYTES; ` +
        `highest ${highest.toFixed(1)} MiB`,
      ],
      commands: peer.commandLines,
    };
  },
};

if (import.meta.main) Deno.exit(await runScenarios([memoryLevels], { quick: Deno.args.includes("--quick") }));
