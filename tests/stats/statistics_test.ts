import assert from "node:assert/strict";
import { HISTORY_SECONDS, HIT_SAMPLES_PER_SECOND, HOT_KEYS_HALF_LIFE_SECONDS } from "../../lib/limits.ts";
import { newCounters } from "../../lib/metrics/counters.ts";
import type { Gauges } from "../../lib/metrics/metrics.ts";
import { Statistics } from "../../lib/stats/statistics.ts";
import { SERIES_NAMES } from "../../lib/stats/series.ts";
import { HandTime, settled } from "../support/hand_time.ts";

const WALL_MS = 1_700_000_000_000;

/** Statistics of a proxy that does what the test says. */
class Scene implements Disposable {
  readonly time = new HandTime();
  readonly counters = newCounters();
  gauges: Gauges = {
    removals: { expired: 0, evicted: 0, deleted: 0, replaced: 0, cleared: 0 },
    itemsHeld: 10,
    itemsMax: 100,
    bytesHeld: 1_000,
    bytesMax: 10_000,
    absencesHeld: 3,
    flights: 4,
    clients: 5,
    connections: 6,
    connectionsEnded: 7,
    redisUp: true,
    tracked: true,
    untrackedSeconds: 0.4,
    trackingTableKeys: 8,
    trackingTableKeysMax: 9,
  };
  gaugesRead = 0;
  readonly statistics: Statistics;

  constructor({ hotKeysShown = 3 }: { hotKeysShown?: number | null } = {}) {
    const startedAtMs = this.time.nowMs;
    this.statistics = new Statistics({
      clock: this.time.clock,
      counters: this.counters,
      gauges: () => (this.gaugesRead++, this.gauges),
      redis: () => ({ state: "up", coherence: "tracking" }),
      hotKeysShown,
      settings: { redis: "redis://127.0.0.1:6379/0", proxyPassword: "***" },
      clientsMax: 50,
      version: "1.2.3",
      wallMs: () => WALL_MS + this.time.nowMs - startedAtMs,
    });
  }

  /** Lets a second pass, in which `happens`. */
  second(happens: () => void = () => {}, ms = 1_000): void {
    happens();
    this.time.nowMs += ms;
    this.statistics.look();
  }

  hit(key: string, times = 1): void {
    const { hitWatch } = this.statistics;
    for (let i = 0; i < times; i++) {
      this.counters.http.hit++;
      if (--hitWatch.countdown === 0) hitWatch.sample(key);
    }
  }

  [Symbol.dispose](): void {
    this.time[Symbol.dispose]();
  }
}

Deno.test("before two seconds are known there are totals and no figures", () => {
  using scene = new Scene();
  for (let i = 0; i < 2; i++) {
    const { figures, history, held } = scene.statistics.all();
    for (const name of SERIES_NAMES) assert.equal(figures[name], null, name);
    assert.deepEqual(history.time, []);
    assert.equal(scene.statistics.latest(), null);
    assert.deepEqual(held, { items: 10, itemsMax: 100, bytes: 1_000, bytesMax: 10_000, absences: 3 });
    scene.second();
  }
});

Deno.test("rates are by the time that passed, the hit rate by the reads that were no mistakes", () => {
  using scene = new Scene();
  scene.second();
  scene.second(() => {
    scene.counters.http.hit += 60;
    scene.counters.resp.hit += 20;
    scene.counters.http.stale += 5;
    scene.counters.http.absent_remembered += 5;
    scene.counters.http.fill += 10;
    scene.counters.http.invalid += 7;
    scene.counters.resp.unauthorized += 3;
    scene.counters.keysRead += 10;
    scene.counters.roundTrips += 4;
    scene.counters.invalidatedKeys += 3;
    scene.counters.invalidatedAll += 1;
    scene.gauges = { ...scene.gauges, removals: { expired: 2, evicted: 4, deleted: 6, replaced: 8, cleared: 10 } };
  }, 2_000);
  const { figures } = scene.statistics.snapshot();
  assert.equal(figures.hitPercent, 90);
  assert.equal(figures.httpPerSecond, 43.5);
  assert.equal(figures.respPerSecond, 11.5);
  assert.equal(figures.redisReadsPerSecond, 5);
  assert.equal(figures.roundTripsPerSecond, 2);
  assert.equal(figures.invalidationsPerSecond, 2);
  assert.deepEqual(
    [figures.expiredPerSecond, figures.evictedPerSecond, figures.deletedPerSecond],
    [1, 2, 3],
  );
  assert.deepEqual([figures.replacedPerSecond, figures.clearedPerSecond], [4, 5]);
  const { time, ...latest } = scene.statistics.latest()!;
  assert.deepEqual(latest, Object.fromEntries(SERIES_NAMES.map((name) => [name, figures[name]])));
  assert.equal(time, WALL_MS / 1000 + 3);
});

Deno.test("figures are of the last ten seconds, the history of each", () => {
  using scene = new Scene();
  for (let i = 0; i <= 30; i++) scene.second(() => scene.counters.http.hit += i);
  const { figures, history } = scene.statistics.all();
  assert.equal(figures.httpPerSecond, 25.5, "the mean of 21 to 30");
  assert.deepEqual(history.httpPerSecond, Array.from({ length: 30 }, (_, i) => i + 1));
  assert.deepEqual(history.time, Array.from({ length: 30 }, (_, i) => WALL_MS / 1000 + i + 2));
});

Deno.test("the history is bounded, and so is what is told of it", () => {
  using scene = new Scene();
  for (let i = 0; i < HISTORY_SECONDS + 50; i++) scene.second(() => scene.counters.http.hit += 123_457);
  const { history } = scene.statistics.all();
  for (const name of SERIES_NAMES) assert.equal(history[name].length, HISTORY_SECONDS - 1, name);
  const bytes = JSON.stringify(scene.statistics.all()).length;
  assert.ok(bytes < 150_000, `${bytes} bytes`);
});

Deno.test("times of hits and waits become quantiles", async () => {
  using scene = new Scene();
  for (let i = 1; i <= 3; i++) {
    scene.time.clock.tick();
    scene.hit("/a");
    scene.time.nowMs += 0.25;
    await settled();
    for (let ms = 1; ms <= 100; ms++) scene.statistics.waited(ms);
    scene.second();
  }
  const { figures } = scene.statistics.snapshot();
  assert.equal(figures.hitP50Ms?.toFixed(2), "0.25");
  assert.equal(Math.round(figures.fillP50Ms!), 50);
  assert.ok(figures.fillP99Ms! > 95 && figures.fillP99Ms! < 103);
});

Deno.test("the hottest keys are named in the form of a URL, the hottest first, and fade", () => {
  using scene = new Scene();
  scene.hit("/hot key\xff", 60);
  scene.hit("/b", 30);
  scene.hit("/c", 8);
  scene.hit("/d", 2);
  assert.deepEqual(scene.statistics.snapshot().hotKeys, {
    halfLifeSeconds: HOT_KEYS_HALF_LIFE_SECONDS,
    keys: [
      { key: "hot%20key%FF", sharePercent: 60, errorPercent: 0 },
      { key: "b", sharePercent: 30, errorPercent: 0 },
      { key: "c", sharePercent: 8, errorPercent: 0 },
    ],
  });
  for (let i = 0; i < 20 * HOT_KEYS_HALF_LIFE_SECONDS; i++) scene.second();
  assert.deepEqual(scene.statistics.snapshot().hotKeys?.keys, []);
});

Deno.test("without hot keys there are none", () => {
  using scene = new Scene({ hotKeysShown: null });
  scene.hit("/a", 10);
  assert.equal(scene.statistics.snapshot().hotKeys, null);
});

Deno.test("the sample adapts to the rate, and the page is told", () => {
  using scene = new Scene();
  scene.second(() => scene.counters.http.hit += 5_000);
  assert.equal(scene.statistics.snapshot().sampledOneIn, 5_000 / HIT_SAMPLES_PER_SECOND);
});

Deno.test("totals are the counters themselves, and secrets are as they were masked", () => {
  using scene = new Scene();
  scene.counters.http.hit = 7;
  scene.counters.keysDropped = 2;
  scene.gauges = { ...scene.gauges, removals: { expired: 1, evicted: 2, deleted: 3, replaced: 4, cleared: 5 } };
  const { totals, settings, redis, work, version } = scene.statistics.all();
  assert.deepEqual(totals.http, scene.counters.http);
  assert.deepEqual(totals.removals, scene.gauges.removals);
  assert.equal(totals.counters.keysDropped, 2);
  assert.deepEqual(settings, { redis: "redis://127.0.0.1:6379/0", proxyPassword: "***" });
  assert.deepEqual(work, { flights: 4, clients: 5, clientsMax: 50, httpConnections: 6 });
  assert.equal(redis.state, "up");
  assert.equal(version, "1.2.3");
});

Deno.test("a second without anybody looking reads the levels once", () => {
  using scene = new Scene();
  for (let i = 0; i < 10; i++) scene.second();
  assert.equal(scene.gaugesRead, 10);
});
