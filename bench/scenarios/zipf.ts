/**
 * Reads by Zipf's law over ten times as many keys as a cache holds: hits and misses mixed, as real traffic has them.
 */

import { compare } from "../compare.ts";
import { commandLines, comparisonTable, roundsNote } from "../comparison.ts";
import { flask } from "../peers/flask.ts";
import { nginx } from "../peers/nginx.ts";
import { proxy } from "../peers/proxy.ts";
import { webdis } from "../peers/webdis.ts";
import type { Scenario } from "../scenario.ts";
import { Site } from "../site.ts";
import { keyOf } from "../value.ts";

const clients = 64;
const valueBytes = 100;

export const zipf: Scenario = {
  name: "zipf",
  async run(effort) {
    const entriesMax = effort.quick ? 2_000 : 10_000;
    const count = 10 * entriesMax;
    const tables = [];
    const commands: string[] = [];
    for (const exponent of effort.quick ? [1] : [0.7, 1, 1.2]) {
      await using site = await Site.open();
      await site.fill("zipf", { count, valueBytes });
      const peers = await site.start(effort.quick ? [proxy(), nginx, webdis] : [proxy(), nginx, webdis, flask], {
        entriesMax,
        valueBytes,
        ttlSeconds: 3600,
        key: keyOf("zipf", 0),
      });
      const outcomes = await compare(peers, {
        site,
        effort,
        load: (requestsBefore) => ({
          keys: { kind: "zipf", prefix: "zipf", count, exponent, start: requestsBefore },
          clients,
        }),
        samples: [0, 1, 10, count / 2, count - 1].map((number) => keyOf("zipf", number)),
        // The slowest must have its cache full before it is measured.
        warmupSeconds: effort.quick ? 1 : 10,
      });
      tables.push({
        caption:
          `Zipf with exponent ${exponent}: ${count} keys, ${entriesMax} held, ${valueBytes} B, ${clients} clients`,
        table: comparisonTable(outcomes, { reads: true }),
      });
      commands.push(...peers.flatMap((peer) => peer.commandLines), ...commandLines(outcomes));
    }
    return {
      title: "Reads by Zipf's law, ten times as many keys as are held",
      notes: [
        roundsNote(effort),
        "The hit rate is 1 less 'reads of Redis/request'. nginx's dictionary is given the memory for as many items, by the",
        "sizes of its slab allocator; it may hold a few more or fewer. Everybody draws the same keys in the same order.",
      ],
      tables,
      findings: [],
      commands,
    };
  },
};
