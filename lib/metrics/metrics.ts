/**
 * `/metrics`: the counters as Prometheus text, read when somebody asks.
 *
 * Only the two histograms of round trips are fed as things happen, once a round trip.
 */

import client from "prom-client";
import {
  COUNTER_DEFINITIONS,
  type CounterName,
  type Counters,
  READ_OUTCOMES,
  type ReadOutcome,
  REMOVAL_REASONS,
} from "./counters.ts";

/** What is read anew for each scrape. */
export interface Gauges {
  readonly removals: Readonly<Record<keyof typeof REMOVAL_REASONS, number>>;
  readonly itemsHeld: number;
  readonly itemsMax: number;
  readonly bytesHeld: number;
  readonly bytesMax: number;
  readonly absencesHeld: number;
  readonly flights: number;
  readonly clients: number;
  readonly connections: number;
  readonly connectionsEnded: number;
  readonly redisUp: boolean;
  readonly tracked: boolean;
  readonly untrackedSeconds: number;
  readonly trackingTableKeys: number;
  readonly trackingTableKeysMax: number;
}

const PREFIX = "redis_proxy_";

/** Names that end in `_total` are of what only rises: counters. */
const READING_DEFINITIONS: Record<Exclude<keyof Gauges, "removals">, [name: string, help: string]> = {
  itemsHeld: ["items", "Items held"],
  itemsMax: ["items_max", "Most items that may be held"],
  bytesHeld: ["bytes", "Bytes held: keys, values and a fixed overhead an item"],
  bytesMax: ["bytes_max", "Most bytes that may be held"],
  absencesHeld: ["absences", "Absent keys remembered"],
  flights: ["flights", "Reads of Redis under way, waiting for a turn included"],
  clients: ["clients", "Clients being served: HTTP requests that wait for Redis, and RESP connections"],
  connections: ["http_connections", "HTTP connections open, at rest or not"],
  connectionsEnded: [
    "http_connections_ended_total",
    "HTTP connections ended to make room, or since they said nothing for too long",
  ],
  redisUp: ["redis_up", "1 while there is a connection to Redis"],
  tracked: ["coherence_tracking", "1 while Redis invalidates what changed, 0 while items are kept by time alone"],
  untrackedSeconds: ["untracked_seconds_total", "Seconds without tracking since the start"],
  trackingTableKeys: [
    "tracking_table_keys",
    "Keys in Redis's tracking table, of all its clients, looked at now and then",
  ],
  trackingTableKeysMax: [
    "tracking_table_keys_max",
    "Most keys in that table; above it Redis invalidates at random; 0 = no limit",
  ],
};

/** The metrics of one proxy. */
export class Metrics {
  readonly #registry = new client.Registry();
  readonly #roundTripSeconds: client.Histogram;
  readonly #roundTripKeys: client.Histogram;

  /** Makes the metrics over `counters`; `gauges` is called once a scrape. */
  constructor(sources: { counters: Counters; gauges: () => Gauges; version: string }) {
    const { counters, gauges, version } = sources;
    const registers = [this.#registry];

    new client.Counter({
      name: `${PREFIX}reads_total`,
      help: `Reads by front door and outcome. ${texts(READ_OUTCOMES)}`,
      labelNames: ["door", "outcome"],
      registers,
      collect() {
        this.reset();
        for (const door of ["http", "resp"] as const) {
          for (const outcome of Object.keys(counters[door]) as ReadOutcome[]) {
            this.inc({ door, outcome }, counters[door][outcome]);
          }
        }
      },
    });
    for (const name of Object.keys(COUNTER_DEFINITIONS) as CounterName[]) {
      new client.Counter({
        name: `${PREFIX}${snakeCase(name)}_total`,
        help: COUNTER_DEFINITIONS[name],
        registers,
        collect() {
          this.reset();
          this.inc(counters[name]);
        },
      });
    }

    // Collectors run in the order of their making, and all in one turn: this one reads for all that follow.
    let now: Gauges;
    new client.Counter({
      name: `${PREFIX}removals_total`,
      help: `Items that left the cache, by reason. ${texts(REMOVAL_REASONS)}`,
      labelNames: ["reason"],
      registers,
      collect() {
        now = gauges();
        this.reset();
        for (const [reason, count] of Object.entries(now.removals)) this.inc({ reason }, count);
      },
    });
    for (const key of Object.keys(READING_DEFINITIONS) as (keyof typeof READING_DEFINITIONS)[]) {
      const [name, help] = READING_DEFINITIONS[key];
      const read = (): number => Number(now[key]);
      if (name.endsWith("_total")) {
        new client.Counter({
          name: PREFIX + name,
          help,
          registers,
          collect() {
            this.reset();
            this.inc(read());
          },
        });
      } else {
        new client.Gauge({
          name: PREFIX + name,
          help,
          registers,
          collect() {
            this.set(read());
          },
        });
      }
    }
    new client.Gauge({
      name: `${PREFIX}memory_bytes`,
      help: "Memory of the process: resident, and what the engine holds in and beside its heap",
      labelNames: ["kind"],
      registers,
      collect() {
        const { rss, heapUsed, external } = Deno.memoryUsage();
        this.set({ kind: "resident" }, rss);
        this.set({ kind: "heap" }, heapUsed);
        this.set({ kind: "external" }, external);
      },
    });
    new client.Gauge({
      name: `${PREFIX}build_info`,
      help: "Always 1; the labels tell what is running",
      labelNames: ["version", "deno"],
      registers,
    }).set({ version, deno: Deno.version.deno }, 1);

    this.#roundTripSeconds = new client.Histogram({
      name: `${PREFIX}round_trip_seconds`,
      help: "Time from sending a batch of reads to its last reply",
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    });
    this.#roundTripKeys = new client.Histogram({
      name: `${PREFIX}round_trip_keys`,
      help: "Keys read in one round trip",
      buckets: [1, 2, 4, 8, 16, 32, 64, 128],
      registers,
    });
  }

  /** Notes one round trip to Redis. Cost: about 1 us. */
  observeRoundTrip(trip: { ms: number; keys: number }): void {
    this.#roundTripSeconds.observe(trip.ms / 1000);
    this.#roundTripKeys.observe(trip.keys);
  }

  /** Returns the metrics as Prometheus text, format 0.0.4. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

function texts(definitions: Readonly<Record<string, string>>): string {
  return Object.entries(definitions).map(([name, text]) => `${name}: ${text}`).join("; ");
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());
}
