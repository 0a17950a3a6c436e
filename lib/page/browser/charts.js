/** Which charts there are. */

import { bytes, compact, count, duration, percent, perSecond } from "./numbers.js";

const reason = (/** @type {string} */ label, /** @type {string} */ column, /** @type {string} */ color) => ({
  label,
  column,
  color,
  text: perSecond,
});

/** @type {import("./chart.js").ChartDefinition[]} */
export const CHARTS = [
  {
    title: "Hit rate",
    note: "Reads answered from memory, of all reads.",
    lines: [{ label: "From memory", column: "hitPercent", color: "blue", text: percent }],
    axis: (value) => `${value} %`,
    top: 100,
  },
  {
    title: "Requests and Redis reads",
    note: "What came in, and what Redis was asked for it.",
    lines: [
      { label: "HTTP", column: "httpPerSecond", color: "blue", text: perSecond },
      { label: "RESP", column: "respPerSecond", color: "violet", dash: [6, 3], text: perSecond },
      { label: "Redis reads", column: "redisReadsPerSecond", color: "amber", text: perSecond },
    ],
    axis: compact,
  },
  {
    title: "Time of a hit",
    note: "From key to answer, in the proxy alone; of some 100 hits a second.",
    lines: [
      { label: "Half within", column: "hitP50Ms", color: "blue", text: duration },
      { label: "99 % within", column: "hitP99Ms", color: "amber", dash: [6, 3], text: duration },
    ],
    axis: duration,
  },
  {
    title: "Time of a fill",
    note: "How long requests waited that had to wait for Redis; all of them, failures too.",
    lines: [
      { label: "Half within", column: "fillP50Ms", color: "blue", text: duration },
      { label: "99 % within", column: "fillP99Ms", color: "amber", dash: [6, 3], text: duration },
    ],
    axis: duration,
  },
  {
    title: "Room",
    note: "Items and bytes held, in percent of their bounds.",
    lines: [
      {
        label: "Items",
        column: "items",
        color: "blue",
        text: (value, held) => value === null ? "–" : `${count(value)} of ${count(held.itemsMax)}`,
        place: (value, held) => 100 * value / held.itemsMax,
      },
      {
        label: "Bytes",
        column: "bytes",
        color: "teal",
        dash: [6, 3],
        text: (value, held) => value === null ? "–" : `${bytes(value)} of ${bytes(held.bytesMax)}`,
        place: (value, held) => 100 * value / held.bytesMax,
      },
    ],
    axis: (value) => `${value} %`,
    top: 100,
  },
  {
    title: "Items that left",
    note: "Evicted: room was needed. Deleted: changed at Redis. Replaced: read anew.",
    lines: [
      reason("Evicted", "evictedPerSecond", "amber"),
      reason("Expired", "expiredPerSecond", "soft"),
      reason("Deleted", "deletedPerSecond", "blue"),
      reason("Replaced", "replacedPerSecond", "teal"),
      reason("Cleared", "clearedPerSecond", "red"),
    ],
    axis: compact,
  },
  {
    title: "Invalidations",
    note: "What Redis said has changed, whether it was held or not.",
    lines: [{ label: "From Redis", column: "invalidationsPerSecond", color: "violet", text: perSecond }],
    axis: compact,
  },
  {
    title: "Redis and tracking",
    note: "Tracking: Redis tells what changes. Without it items are kept by time alone.",
    lines: [
      {
        label: "Redis",
        column: "redisUp",
        color: "teal",
        text: (value) => value === null ? "–" : value === 1 ? "up" : value === 0 ? "down" : percent(value * 100),
        place: (value) => 1.3 + 0.7 * value,
      },
      {
        label: "Tracking",
        column: "tracked",
        color: "blue",
        text: (value) => value === null ? "–" : value === 1 ? "on" : value === 0 ? "off" : percent(value * 100),
        place: (value) => 0.2 + 0.7 * value,
      },
    ],
    axis: (value) => value === 2 ? "up" : value === 1.3 ? "down" : value === 0.9 ? "on" : "off",
    splits: [0.2, 0.9, 1.3, 2],
    top: 2.2,
    isStepped: true,
  },
];
