import assert from "node:assert/strict";
import {
  COUNTER_DEFINITIONS,
  type CounterName,
  newCounters,
  READ_OUTCOMES,
  type ReadOutcome,
} from "../../lib/metrics/counters.ts";
import { type Gauges, Metrics } from "../../lib/metrics/metrics.ts";

/** What the text says of one name. */
interface Family {
  readonly help: string;
  readonly type: string;
  readonly samples: Map<string, number>;
}

/** Reads the Prometheus text format 0.0.4, strictly: fails at anything that a scraper may stumble over. */
function parse(text: string): Map<string, Family> {
  assert.ok(text.endsWith("\n"), "the last line must end");
  const families = new Map<string, Family>();
  let help: [name: string, text: string] | null = null;
  let current: [name: string, family: Family] | null = null;
  for (const line of text.slice(0, -1).split("\n")) {
    if (line === "") continue;
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (comment?.[1] === "HELP") {
      assert.ok(!families.has(comment[2]), `${comment[2]} is there twice`);
      help = [comment[2], comment[3]];
    } else if (comment?.[1] === "TYPE") {
      assert.equal(help?.[0], comment[2], "HELP and TYPE belong together");
      assert.match(comment[3], /^(counter|gauge|histogram)$/);
      current = [comment[2], { help: help![1], type: comment[3], samples: new Map() }];
      families.set(...current);
    } else {
      const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\]|\\[\\"n])*",?)*\})? (\S+)$/.exec(line);
      assert.ok(sample !== null && current !== null, `not a sample: ${line}`);
      const [, name, labels = "", number] = sample;
      const [family, { type, samples }] = current;
      const isOfFamily = name === family ||
        (type === "histogram" && ["_bucket", "_sum", "_count"].some((end) => name === family + end));
      assert.ok(isOfFamily, `${name} stands under ${family}`);
      assert.ok(!samples.has(name + labels), `${name}${labels} is there twice`);
      assert.ok(number !== "" && !Number.isNaN(Number(number)), line);
      samples.set(name + labels, Number(number));
    }
  }
  return families;
}

const GAUGES: Gauges = {
  removals: { expired: 201, evicted: 202, deleted: 203, replaced: 204, cleared: 205 },
  itemsHeld: 101,
  itemsMax: 102,
  bytesHeld: 103,
  bytesMax: 104,
  absencesHeld: 105,
  flights: 106,
  clients: 107,
  connections: 110,
  connectionsEnded: 111,
  redisUp: true,
  tracked: false,
  untrackedSeconds: 1.5,
  trackingTableKeys: 108,
  trackingTableKeysMax: 109,
};

/** Metrics whose every number is another one. */
function scene() {
  const counters = newCounters();
  (Object.keys(COUNTER_DEFINITIONS) as CounterName[]).forEach((name, i) => counters[name] = 1_000 + i);
  (Object.keys(READ_OUTCOMES) as ReadOutcome[]).forEach((outcome, i) => counters.http[outcome] = 2_000 + i);
  let scrapes = 0;
  const metrics = new Metrics({ counters, version: "9.8.7", gauges: () => (scrapes++, GAUGES) });
  return { counters, metrics, scrapes: () => scrapes };
}

Deno.test("the metrics are Prometheus text in which every name is there once, with a help", async () => {
  const families = parse(await scene().metrics.text());
  assert.ok(families.size > 30);
  for (const [name, { help, type, samples }] of families) {
    assert.ok(name.startsWith("redis_proxy_"), name);
    assert.ok(help.length > 5, name);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.ok(samples.size > 0, name);
  }
});

Deno.test("every counter is there, with its help and its value", async () => {
  const { metrics, counters } = scene();
  const families = parse(await metrics.text());
  for (const [name, help] of Object.entries(COUNTER_DEFINITIONS)) {
    const exported = `redis_proxy_${name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase())}_total`;
    const family = families.get(exported);
    assert.equal(family?.type, "counter", exported);
    assert.equal(family.help, help);
    assert.deepEqual([...family.samples], [[exported, counters[name as CounterName]]]);
  }
});

Deno.test("reads are counted by outcome, and the help says what each means", async () => {
  const { metrics, counters } = scene();
  const { help, samples } = parse(await metrics.text()).get("redis_proxy_reads_total")!;
  assert.equal(samples.size, 2 * Object.keys(READ_OUTCOMES).length);
  for (const [outcome, text] of Object.entries(READ_OUTCOMES)) {
    for (const door of ["http", "resp"] as const) {
      const sample = `redis_proxy_reads_total{door="${door}",outcome="${outcome}"}`;
      assert.equal(samples.get(sample), counters[door][outcome as ReadOutcome]);
    }
    assert.ok(help.includes(`${outcome}: ${text}`), outcome);
  }
});

Deno.test("every gauge is there with its value, yes and no as 1 and 0", async () => {
  const families = parse(await scene().metrics.text());
  const expected = {
    items: 101,
    items_max: 102,
    bytes: 103,
    bytes_max: 104,
    absences: 105,
    flights: 106,
    clients: 107,
    http_connections: 110,
    http_connections_ended_total: 111,
    redis_up: 1,
    coherence_tracking: 0,
    untracked_seconds_total: 1.5,
    tracking_table_keys: 108,
    tracking_table_keys_max: 109,
  };
  assert.equal(Object.keys(expected).length, Object.keys(GAUGES).length - 1);
  const removals = families.get("redis_proxy_removals_total")!;
  for (const [reason, count] of Object.entries(GAUGES.removals)) {
    assert.equal(removals.samples.get(`redis_proxy_removals_total{reason="${reason}"}`), count);
  }
  for (const [name, value] of Object.entries(expected)) {
    assert.deepEqual([...families.get(`redis_proxy_${name}`)!.samples], [[`redis_proxy_${name}`, value]]);
  }
  const memory = families.get("redis_proxy_memory_bytes")!.samples;
  for (const kind of ["resident", "heap", "external"]) {
    assert.ok(memory.get(`redis_proxy_memory_bytes{kind="${kind}"}`)! > 0);
  }
  assert.deepEqual([...families.get("redis_proxy_build_info")!.samples], [
    [`redis_proxy_build_info{version="9.8.7",deno="${Deno.version.deno}"}`, 1],
  ]);
});

Deno.test("a scrape reads the numbers as they are then, and the gauges once", async () => {
  const { metrics, counters, scrapes } = scene();
  const first = await metrics.text();
  assert.equal(scrapes(), 1);
  counters.roundTrips += 5;
  counters.http.hit += 7;
  const [before, after] = [parse(first), parse(await metrics.text())];
  assert.equal(scrapes(), 2);
  const read = (families: Map<string, Family>, family: string, sample: string): number =>
    families.get(family)!.samples.get(sample)!;
  const [trips, reads] = ["redis_proxy_round_trips_total", "redis_proxy_reads_total"];
  assert.equal(read(after, trips, trips), read(before, trips, trips) + 5);
  const hits = `${reads}{door="http",outcome="hit"}`;
  assert.equal(read(after, reads, hits), read(before, reads, hits) + 7);
});

Deno.test("two scrapes at the same time get the same", async () => {
  const { metrics } = scene();
  const [first, second] = (await Promise.all([metrics.text(), metrics.text()])).map(parse);
  for (const [name, { samples }] of first) {
    if (name !== "redis_proxy_memory_bytes") assert.deepEqual(second.get(name)!.samples, samples);
  }
});

Deno.test("round trips are counted by their time in seconds and by their keys", async () => {
  const { metrics } = scene();
  metrics.observeRoundTrip({ ms: 1, keys: 1 });
  metrics.observeRoundTrip({ ms: 30, keys: 100 });
  metrics.observeRoundTrip({ ms: 9_000, keys: 128 });
  const families = parse(await metrics.text());
  const seconds = families.get("redis_proxy_round_trip_seconds")!.samples;
  const at = (le: string): number | undefined => seconds.get(`redis_proxy_round_trip_seconds_bucket{le="${le}"}`);
  assert.deepEqual(["0.0005", "0.001", "0.025", "0.05", "2.5", "+Inf"].map(at), [0, 1, 1, 2, 2, 3]);
  assert.equal(seconds.get("redis_proxy_round_trip_seconds_count"), 3);
  assert.ok(Math.abs(seconds.get("redis_proxy_round_trip_seconds_sum")! - 9.031) < 1e-9);
  const keys = families.get("redis_proxy_round_trip_keys")!.samples;
  assert.equal(keys.get("redis_proxy_round_trip_keys_sum"), 229);
  assert.equal(keys.get('redis_proxy_round_trip_keys_bucket{le="64"}'), 1);
  assert.equal(keys.get('redis_proxy_round_trip_keys_bucket{le="128"}'), 3);
});

Deno.test("no two counters share a name or a definition", () => {
  const names = Object.keys(COUNTER_DEFINITIONS).map((name) => name.toLowerCase());
  assert.equal(new Set(names).size, names.length);
  const texts = [...Object.values(COUNTER_DEFINITIONS), ...Object.values(READ_OUTCOMES)];
  assert.equal(new Set(texts).size, texts.length);
  const source = Deno.readTextFileSync(new URL("../../lib/metrics/counters.ts", import.meta.url));
  for (const name of [...Object.keys(COUNTER_DEFINITIONS), ...Object.keys(READ_OUTCOMES)]) {
    // A second one in the same table would silently win.
    assert.equal(source.split("\n").filter((line) => line.startsWith(`  ${name}: `)).length, 1, name);
  }
});

Deno.test("counters begin at zero, each proxy with its own", () => {
  const [first, second] = [newCounters(), newCounters()];
  first.roundTrips++;
  first.http.hit++;
  const { http, resp, ...rest } = second;
  assert.deepEqual(new Set([http, resp, rest].flatMap((counts) => Object.values(counts))), new Set([0]));
  assert.deepEqual(Object.keys(http), Object.keys(READ_OUTCOMES));
  assert.deepEqual(Object.keys(resp), Object.keys(READ_OUTCOMES));
  assert.deepEqual(Object.keys(rest), Object.keys(COUNTER_DEFINITIONS));
});

Deno.test("two proxies in one process have metrics of their own", async () => {
  const [first, second] = [scene(), scene()];
  first.metrics.observeRoundTrip({ ms: 1, keys: 1 });
  const { samples } = parse(await second.metrics.text()).get("redis_proxy_round_trip_keys")!;
  assert.equal(samples.get("redis_proxy_round_trip_keys_count"), 0);
});
