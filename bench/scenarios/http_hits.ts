/**
 * Hits over HTTP: one key, held by whoever has a cache, asked for again and again.
 */

import { compare } from "../compare.ts";
import { commandLines, comparisonTable, pairedRatio, roundsNote, writtenTarget } from "../comparison.ts";
import { bareDenoServe } from "../peers/bare.ts";
import { flask } from "../peers/flask.ts";
import { nginx } from "../peers/nginx.ts";
import { proxy } from "../peers/proxy.ts";
import { varnish } from "../peers/varnish.ts";
import { webdis } from "../peers/webdis.ts";
import type { Scenario } from "../scenario.ts";
import { Site } from "../site.ts";
import { keyOf } from "../value.ts";

const clients = 64;
const sizes = [
  { bytes: 100, text: "100 B" },
  { bytes: 10 * 1024, text: "10 KiB" },
  { bytes: 1024 * 1024, text: "1 MiB" },
];
const cpuBounds = [[nginx.name, 1.25], [webdis.name, 0.7], [flask.name, 0.06]] as const;

export const httpHits: Scenario = {
  name: "http-hits",
  async run(effort) {
    const tables = [];
    const findings: string[] = [];
    const commands: string[] = [];
    const floors = (effort.quick ? [3] as const : [0, 1, 3] as const).map((headers) => bareDenoServe({ headers }));
    const kinds = [proxy(), nginx, ...floors, varnish, webdis, flask];
    const key = keyOf("bench", 0);
    for (const { bytes, text } of effort.quick ? sizes.slice(0, 1) : sizes) {
      await using site = await Site.open();
      await site.fill("bench", { count: 1, valueBytes: bytes });
      const peers = await site.start(kinds, { entriesMax: 100, valueBytes: bytes, ttlSeconds: 3600, key });
      const load = () => ({ keys: { kind: "one", key } as const, clients });
      const outcomes = await compare(peers, { site, effort, load, samples: [key] });
      tables.push({ caption: `Hits of ${text}, ${clients} clients`, table: comparisonTable(outcomes) });
      commands.push(...peers.flatMap((peer) => peer.commandLines), ...commandLines(outcomes));
      if (bytes !== 100) continue;
      for (const [name, bound] of cpuBounds) {
        const value = pairedRatio(outcomes.get("redis-proxy"), outcomes.get(name), (turn) => turn.cpuMicrosPerRequest);
        findings.push(writtenTarget({ text: `CPU of a hit of 100 B / that of ${name}`, value, bound, is: "at most" }));
      }
    }
    return {
      title: "Hits over HTTP",
      notes: [
        roundsNote(effort),
        "'CPU us/request' is user and system time of all processes of the peer, Varnish's webdis included; Redis's is not.",
        "A hit of the proxy carries content-type, etag and cache-status; the others send what they send by themselves.",
        "webdis has no cache: it asks Redis each time. 'Deno.serve' answers a constant: the floor.",
      ],
      tables,
      findings,
      commands,
    };
  },
};
