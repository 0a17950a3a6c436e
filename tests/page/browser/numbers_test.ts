import assert from "node:assert/strict";
import { bytes, compact, count, duration, percent, perSecond } from "../../../lib/page/browser/numbers.js";

Deno.test("what has no value is a dash", () => {
  for (const write of [count, perSecond, percent, duration, bytes]) assert.equal(write(null), "–");
});

Deno.test("numbers have their units, and no more digits than can be read", () => {
  const cases: [(value: number) => string, number, string][] = [
    [count, 0, "0"],
    [count, 1234567, "1,234,567"],
    [perSecond, 0.1234, "0.123 /s"],
    [perSecond, 12.345, "12.3 /s"],
    [perSecond, 12345.6, "12,346 /s"],
    [percent, 0, "0 %"],
    [percent, 76.54, "76.5 %"],
    [percent, 99.999, "99.99 %"],
    [percent, 100, "100 %"],
    [duration, 0, "0 s"],
    [duration, 0.00123, "1.23 µs"],
    [duration, 0.1234, "123 µs"],
    [duration, 1.5, "1.5 ms"],
    [duration, 999, "999 ms"],
    [duration, 1500, "1.5 s"],
    [duration, 60_000, "1 min"],
    [duration, 61_000, "1 min 1 s"],
    [duration, 3_600_000, "1 h"],
    [duration, 2_147_483_647_000, "24,855 d 3 h"],
    [duration, -1500, "−1.5 s"],
    [bytes, 0, "0 B"],
    [bytes, 1023, "1,023 B"],
    [bytes, 1024, "1 KiB"],
    [bytes, 268_435_456, "256 MiB"],
    [bytes, 1_099_511_627_776 * 5000, "5,000 TiB"],
    [compact, 999, "999"],
    [compact, 12_300, "12.3k"],
    [compact, 4_500_000, "4.5M"],
  ];
  for (const [write, value, text] of cases) assert.equal(write(value), text);
});
