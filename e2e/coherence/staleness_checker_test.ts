/** The checker's own rules: what is stale, by how much, and what is excused. */

import assert from "node:assert/strict";
import { StalenessChecker, StallMark } from "./staleness_checker.ts";
import { nowMs, VersionLog, type VersionState } from "./version_log.ts";
import { counterValue, parseValue, textValue } from "./versioned_value.ts";

const CALM_MS = 50;
const STALLED_MS = 3_050;
const KEY = 1;

/** A log of two keys, and a checker over it. */
function setUp({ absenceIsJudged = true }: { absenceIsJudged?: boolean } = {}) {
  const log = VersionLog.create({ keys: 2, versionsMax: 20, kinds: ["SET", "DEL"] });
  const stall = new StallMark();
  const bounds = { calmMs: CALM_MS, stalledMs: STALLED_MS, absenceIsJudged };
  const checker = new StalenessChecker({ log, stall, bounds });
  const write = (state: VersionState, ackedAtMs: number): number => {
    const version = log.begin(KEY, { kind: state === "value" ? "SET" : "DEL", state });
    log.ack(KEY, version, ackedAtMs);
    return version;
  };
  const read = (body: string | null, begunAtMs: number, isHit = true): void =>
    checker.judge({ key: KEY, begunAtMs, isHit, status: body === null ? 404 : 200, body: body ?? "" });
  return { log, stall, counts: checker.counts, write, read };
}

const text = (version: number, key = KEY): string => textValue({ key, version }, 3);

Deno.test("a value is stale by the time since its successor was acknowledged, and violates above the bound", () => {
  const { counts, write, read } = setUp();
  const old = write("value", 1_000);
  write("value", 2_000);
  read(text(old), 1_999);
  read(text(old), 2_000 + CALM_MS);
  assert.deepEqual([counts.violations, counts.worstCalmMs], [0, CALM_MS]);
  read(text(old), 2_000 + CALM_MS + 1);
  assert.deepEqual([counts.violations, counts.worstCalmMs], [1, CALM_MS + 1]);
  assert.equal(counts.firstViolations[0].what, "stale");
  assert.ok(
    counts.firstViolations[0].history.some(({ version, ackedAtMs }) => version === old + 1 && ackedAtMs === 2_000),
  );
});

Deno.test("the first newer version counts, not the newest", () => {
  const { counts, write, read } = setUp();
  const old = write("value", 1_000);
  write("value", 2_000);
  write("value", 9_000);
  read(text(old), 2_200);
  assert.deepEqual([counts.violations, counts.worstCalmMs], [1, 200]);
});

Deno.test("a value that is gone, and an absence that is over, are stale as well", () => {
  const { counts, write, read } = setUp();
  const gone = write("value", 1_000);
  write("absent", 2_000);
  read(text(gone), 2_100);
  assert.equal(counts.violations, 1);
  read(null, 2_100);
  assert.equal(counts.violations, 1);
  write("value", 3_000);
  read(null, 3_020);
  assert.equal(counts.violations, 1);
  read(null, 3_100);
  assert.equal(counts.violations, 2);
});

Deno.test("what was not acknowledged excuses the version before it; an expiry ahead is not yet", () => {
  const { log, counts, write, read } = setUp();
  const value = write("value", 1_000);
  const next = log.begin(KEY, { kind: "SET", state: "value" });
  read(text(value), 60_000);
  read(text(next), 60_000);
  assert.equal(counts.violations, 0);
  log.ack(KEY, next, 70_000);
  read(text(value), 69_000);
  assert.equal(counts.violations, 0);
});

Deno.test("wrong bytes are found: another key's, a version never written, a torn value", () => {
  for (
    const body of [text(2, 0), text(9), text(2).slice(0, -20), "", `${text(2)}y`, counterValue({ key: 0, version: 2 })]
  ) {
    const { counts, write, read } = setUp();
    write("value", 1_000);
    read(body, 1_000);
    assert.equal(counts.violations, 1, body);
    assert.equal(counts.firstViolations[0].what, "wrong bytes");
  }
});

Deno.test("failures are not judged; a status that should not be is", () => {
  const { counts } = (() => {
    const log = VersionLog.create({ keys: 1, versionsMax: 2, kinds: [] });
    const bounds = { calmMs: CALM_MS, stalledMs: STALLED_MS, absenceIsJudged: true };
    const checker = new StalenessChecker({ log, stall: new StallMark(), bounds });
    for (const status of [502, 503, 504, 500]) checker.judge({ key: 0, begunAtMs: 1, isHit: false, status, body: "" });
    return checker;
  })();
  assert.deepEqual([counts.failures, counts.reads, counts.violations], [3, 1, 1]);
});

Deno.test("during a stall the bound is that of half-open links, and hits must end", () => {
  const { stall, counts, write, read } = setUp();
  stall.begin();
  const beganAtMs = stall.beganAtMs;
  const old = write("value", 1_000);
  write("value", beganAtMs);
  read(text(old), beganAtMs + 2_000);
  assert.deepEqual([counts.violations, counts.worstCalmMs, counts.worstStalledMs], [0, 0, 2_000]);
  read(text(old + 1), beganAtMs + STALLED_MS + 1, false);
  assert.equal(counts.violations, 0, "a fill is no hit");
  read(text(old + 1), beganAtMs + STALLED_MS + 1);
  assert.equal(counts.firstViolations[0].what, "hit after a stall was to be found");
  stall.end();
  const endedAtMs = nowMs();
  read(text(old), endedAtMs + CALM_MS - 1);
  assert.equal(counts.violations, 1, "what was held up has the usual time to arrive");
  read(text(old), endedAtMs + CALM_MS + 1);
  assert.equal(counts.violations, 2);
});

Deno.test("where Redis evicts an absence is always right, and a value is judged all the same", () => {
  const { counts, write, read } = setUp({ absenceIsJudged: false });
  const old = write("value", 1_000);
  write("value", 2_000);
  read(null, 5_000);
  assert.equal(counts.violations, 0);
  read(text(old), 5_000);
  assert.equal(counts.violations, 1);
});

Deno.test("values say which key and version they are, in both forms", () => {
  for (const one of [{ key: 0, version: 1 }, { key: 511, version: 32_768 }]) {
    assert.deepEqual(parseValue(textValue(one, 60)), one);
    assert.deepEqual(parseValue(counterValue(one)), one);
    assert.equal(String(Number(counterValue(one)) + 1), counterValue({ ...one, version: one.version + 1 }));
  }
});
