/**
 * A flame graph: callers below, what they called on top of them, as wide as the time it took. SVG without scripts.
 */

import type { CallNode, CpuProfile } from "./cpu_profile.ts";

const width = 1200;
const rowHeight = 18;
const headHeight = 34;
const characterWidth = 6.6;
/** Narrower frames are not drawn: they could be neither seen nor read. */
const frameWidthMin = 0.8;

/** Returns the graph as SVG text, readable on light and on dark ground. */
export function drawFlameGraph(profile: CpuProfile, { title }: { title: string }): string {
  const scale = width / profile.root.totalMicros;
  const frames: { node: CallNode; x: number; depth: number }[] = [];
  const place = (node: CallNode, x: number, depth: number): void => {
    if (node.totalMicros * scale < frameWidthMin) return;
    frames.push({ node, x, depth });
    let at = x;
    for (const child of [...node.children].sort((a, b) => b.totalMicros - a.totalMicros)) {
      place(child, at, depth + 1);
      at += child.totalMicros * scale;
    }
  };
  place(profile.root, 0, 0);
  const depthMax = frames.reduce((most, { depth }) => Math.max(most, depth), 0);
  const height = headHeight + (depthMax + 1) * rowHeight;
  const drawn = frames.map(({ node, x, depth }) => {
    const w = node.totalMicros * scale;
    const y = height - (depth + 1) * rowHeight;
    const part = (node.totalMicros / profile.root.totalMicros * 100).toFixed(1);
    const label = node.name.slice(0, Math.max(0, Math.floor((w - 6) / characterWidth)));
    const text = label.length < 3 ? "" : `<text x="${(x + 3).toFixed(1)}" y="${y + 13}">${escaped(label)}</text>`;
    return `<g><title>${escaped(`${node.name} ${node.place} ${part}%`)}</title>` +
      `<rect class="${colorOf(node)}" x="${x.toFixed(1)}" y="${y}" width="${w.toFixed(1)}" height="${
        rowHeight - 1
      }"/>` +
      `${text}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    "<style>",
    "text { font: 11px ui-monospace, monospace; fill: #1f2328 }",
    ".head { font: 13px system-ui, sans-serif; fill: #1f2328 }",
    ".ours { fill: #58a6ff } .deno { fill: #e3b341 } .native { fill: #b1bac4 } .package { fill: #7ee787 }",
    "@media (prefers-color-scheme: dark) { .head { fill: #e6edf3 } }",
    "</style>",
    `<text class="head" x="3" y="16">${escaped(title)}: blue the proxy, yellow Deno's JavaScript, ` +
    "grey native code, green packages; width is time</text>",
    ...drawn,
    "</svg>",
    "",
  ].join("\n");
}

function colorOf({ name, place }: CallNode): string {
  if (place === "native" || name.startsWith("(")) return "native";
  if (/^(ext|node):/.test(place)) return "deno";
  return /^(lib\/|main\.ts)/.test(place) ? "ours" : "package";
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
