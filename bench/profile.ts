/**
 * A CPU profile of the hit path: `deno run -A bench/profile.ts [seconds]`.
 *
 * Writes `results/profile.txt`, the functions by their own time, and `results/profile.svg`, a flame graph.
 */

import { fileURLToPath } from "node:url";
import { eventually } from "../e2e/support/eventually.ts";
import { CpuProfile } from "./cpu_profile.ts";
import { drawFlameGraph } from "./flame_graph.ts";
import { endAllOnInterrupt } from "./interrupt.ts";
import type { PeerKind } from "./peer.ts";
import { checkout } from "./peers/checkout.ts";
import { type Report, ReportWriter } from "./report.ts";
import { Site } from "./site.ts";
import { Table } from "./table.ts";
import { measureTurn } from "./turn.ts";
import { keyOf } from "./value.ts";

const clients = 64;
const valueBytes = 100;
const intervalMicros = 500;
const functionsShown = 30;
const results = new URL("results/", import.meta.url);

const seconds = Number(Deno.args[0] ?? "10");
if (!(seconds >= 1)) {
  console.error("usage: deno run -A bench/profile.ts [seconds]");
  Deno.exit(2);
}
endAllOnInterrupt();
const writer = await ReportWriter.open(results);
const folder = await Deno.makeTempDir({ prefix: "redis-proxy-profile-" });
try {
  await writer.write("profile", await profileHits());
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function profileHits(): Promise<Report> {
  await using site = await Site.open();
  await site.fill("hit", { count: 1, valueBytes });
  const key = keyOf("hit", 0);
  const [peer] = await site.start([profiledProxy()], { entriesMax: 100, valueBytes, ttlSeconds: 3600, key });
  if (peer === undefined) throw new Error(site.failures[0].reason);
  const load = { keys: { kind: "one", key } as const, clients, seconds };
  await measureTurn(peer, { load: { ...load, seconds: 2 }, redis: site.redis, samples: [key] });
  const beganAtMs = performance.now();
  const systemBeforeMs = peer.tree.systemMs;
  const turn = await measureTurn(peer, { load, redis: site.redis, samples: [key] });
  const systemMicros = (peer.tree.systemMs - systemBeforeMs) * 1000 / turn.requests;
  // The profile is written when the process ends.
  await site.end(peer);
  const lastMs = performance.now() - beganAtMs;
  const profile = CpuProfile.parse(await eventually(() => onlyProfile()), { lastMs });
  await Deno.writeTextFile(
    new URL("profile.svg", results),
    drawFlameGraph(profile, { title: "A hit over HTTP, the time in JavaScript" }),
  );
  const allMicros = turn.cpuMicrosPerRequest;
  const share = (micros: number): string[] => [micros.toFixed(2), `${(micros / allMicros * 100).toFixed(1)}%`];
  const functions = profile.selfTimes().slice(0, functionsShown);
  const places = profile.selfTimesByPlace();
  return {
    title: "Where a hit over HTTP spends its time",
    notes: [
      `${seconds} s of hits of ${valueBytes} B after 2 s to warm up, ${clients} clients, a sample every ${intervalMicros} us.`,
      `While it was being profiled: ${turn.requestsPerSecond.toFixed(0)} requests/s at ${
        turn.cpuMicrosPerRequest.toFixed(1)
      } us of CPU each.`,
      `The kernel worked ${systemMicros.toFixed(1)} us of these: reading, writing and waiting for sockets.`,
      "A function's time is its own, with native code that it calls. What no sample has is the event loop, HTTP and the",
      "kernel, outside of JavaScript: V8 cannot see it, so it is found as CPU time less samples.",
    ],
    tables: [
      {
        caption: "By place",
        table: new Table(["place", "us/request", "of all CPU"], [
          ...places.map((row) => [row.name, ...share(row.micros / turn.requests)]),
          [
            "outside of JavaScript: event loop, HTTP, kernel",
            ...share(allMicros - profile.root.totalMicros / turn.requests),
          ],
        ]),
      },
      {
        caption: `The ${functionsShown} functions with the most time of their own`,
        table: new Table(
          ["function", "us/request", "of all CPU", "where"],
          functions.map((row) => [row.name, ...share(row.micros / turn.requests), row.place]),
        ),
      },
    ],
    findings: ["flame graph of the time in JavaScript: profile.svg"],
    commands: [...peer.commandLines, turn.commandLine],
  };
}

/** The proxy, writing a profile at its end. */
function profiledProxy(): PeerKind {
  return checkout({
    name: "redis-proxy, profiled",
    root: fileURLToPath(new URL("..", import.meta.url)),
    flags: ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${intervalMicros}`],
  });
}

async function onlyProfile(): Promise<string> {
  for await (const entry of Deno.readDir(folder)) {
    if (entry.name.endsWith(".cpuprofile")) return await Deno.readTextFile(`${folder}/${entry.name}`);
  }
  throw new Error("Cannot go on: a .cpuprofile is needed: received none");
}
