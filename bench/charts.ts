/**
 * Draws the results as SVG: `deno run -A bench/charts.ts [folder]`, where the folder is `bench/results/` unless told.
 *
 * Made from the tables in the text files and from nothing else, so a chart cannot say what its file does not.
 */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import * as Plot from "npm:@observablehq/plot@0.6.17";
import { parseHTML } from "npm:linkedom@0.18.12";
import { Table } from "./table.ts";

interface ChartPlan {
  /** Name of the chart's file. */
  readonly chart: string;
  /** Name of the results file. */
  readonly results: string;
  /** Which of its tables, one below the other; all unless told. */
  readonly tables?: readonly number[];
  readonly column: string;
  readonly title: string;
  /** For values far apart. */
  readonly isLog?: boolean;
}

interface Bar {
  readonly table: string;
  readonly peer: string;
  readonly isOurs: boolean;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly label: string;
}

const plans: readonly ChartPlan[] = [
  {
    chart: "http-hits-cpu",
    results: "http-hits",
    tables: [0],
    column: "CPU us/request",
    title: "A hit of 100 B over HTTP: CPU of the server, µs a request (less is better)",
  },
  {
    chart: "http-hits-rate",
    results: "http-hits",
    tables: [0],
    column: "requests/s",
    title: "Hits of 100 B over HTTP: requests/s, server on one core",
  },
  {
    chart: "http-hits-sizes-cpu",
    results: "http-hits",
    tables: [1, 2],
    column: "CPU us/request",
    title: "Larger values: CPU of the server, µs a request (less is better)",
    isLog: true,
  },
  { chart: "zipf-rate", results: "zipf", column: "requests/s", title: "Zipf over 10 × the cache's size: requests/s" },
  { chart: "cold-misses-rate", results: "cold-misses", column: "requests/s", title: "Cold misses: requests/s" },
  {
    chart: "batching-rate",
    results: "batching",
    column: "requests/s",
    title: "Cold misses over a 1 ms link: requests/s",
  },
  {
    chart: "hot-key-expiry",
    results: "hot-key-expiry",
    column: "reads of Redis/expiry",
    title: "A hot key expires under 1,000 clients: reads of Redis (less is better)",
    isLog: true,
  },
  { chart: "resp-hits-rate", results: "resp-hits", column: "requests/s", title: "Hits over RESP: requests/s" },
  {
    chart: "invalidations-rate",
    results: "invalidations",
    column: "requests/s",
    title: "Reads while keys are being written: requests/s",
  },
  {
    chart: "start-up",
    results: "start-up",
    column: "first answer ms",
    title: "From start to the first right answer, ms (less is better)",
  },
  {
    chart: "item-memory",
    results: "item-memory",
    column: "bytes/item",
    title: "Resident memory a further item of 100 B, in bytes (less is better)",
  },
];

/** Both are readable on white and on black. */
const ours = "#3b82f6";
const others = "#8b949e";

const folder = Deno.args[0] === undefined
  ? new URL("results/", import.meta.url)
  : pathToFileURL(`${resolve(Deno.args[0])}/`);

for (const plan of plans) {
  const text = await readText(new URL(`${plan.results}.txt`, folder));
  const bars = text === null ? [] : barsOf(text, plan);
  if (bars.length === 0) {
    console.log(`charts: ${plan.chart}.svg not drawn: ${plan.results}.txt has no such numbers`);
    continue;
  }
  await Deno.writeTextFile(new URL(`${plan.chart}.svg`, folder), draw(bars, plan));
  console.log(`charts: ${plan.chart}.svg`);
}

function barsOf(text: string, { tables: wanted, column }: ChartPlan): Bar[] {
  const all = Table.parseAll(text);
  const tables = wanted === undefined ? all : wanted.flatMap((i) => all[i] ?? []);
  return tables.flatMap((table) => {
    const at = table.columns.indexOf(column);
    // Rows of those that failed have no such cell.
    return table.rows.filter((row) => row.length === table.columns.length && /^\d/.test(row[at] ?? "")).map((row) => {
      const [value, min = value, max = value] = row[at].replaceAll(",", "").match(/\d+(\.\d+)?/g)!.map(Number);
      const label = row[at].split(" ")[0];
      const peer = row[0];
      return { table: table.caption, peer, isOurs: /^(redis-proxy|batches of up)/.test(peer), value, min, max, label };
    });
  });
}

function draw(bars: readonly Bar[], { title, isLog = false }: ChartPlan): string {
  const peers = [...new Set(bars.map((bar) => bar.peer))];
  const tables = [...new Set(bars.map((bar) => bar.table))];
  // All that Plot needs of a page. Its types know the DOM, which is not among those of this project.
  const page = parseHTML("<!doctype html><html><body></body></html>") as unknown as {
    document: Plot.PlotOptions["document"];
  };
  const base = isLog ? Math.min(...bars.map((bar) => bar.min)) / 2 : 0;
  const plot = Plot.plot({
    document: page.document,
    width: 860,
    height: 66 + tables.length * (peers.length * 26 + (tables.length > 1 ? 26 : 0)),
    marginLeft: 210,
    marginRight: 90,
    marginTop: 34,
    marginBottom: 30,
    x: { label: null, grid: true, type: isLog ? "log" : "linear", tickFormat: "~s", ticks: 6 },
    y: { label: null, domain: peers, tickSize: 0 },
    fy: { label: null, domain: tables, axis: null },
    marks: [
      Plot.barX(bars, {
        x1: base,
        x2: "value",
        y: "peer",
        fy: "table",
        fill: (bar: Bar) => bar.isOurs ? ours : others,
      }),
      Plot.ruleY(bars, { x1: "min", x2: "max", y: "peer", fy: "table", stroke: "currentColor", strokeWidth: 1.5 }),
      Plot.text(bars, { x: "max", y: "peer", fy: "table", text: "label", textAnchor: "start", dx: 6 }),
      Plot.text(tables.length > 1 ? tables : [], {
        fy: (table: string) => table,
        text: (table: string) => table,
        frameAnchor: "top-left",
        dy: -14,
        fontWeight: "bold",
      }),
      Plot.text([title], {
        frameAnchor: "top-left",
        dx: -205,
        dy: -30,
        fontSize: 13,
        fontWeight: "bold",
        fy: () => tables[0],
      }),
    ],
  });
  plot.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  // The page around an image cannot style it: it follows the reader's own choice of light or dark.
  const style = "<style>svg { color: #1f2328; background: transparent } " +
    "@media (prefers-color-scheme: dark) { svg { color: #e6edf3 } }</style>";
  return `${plot.outerHTML.replace(/(<svg[^>]*>)/, `$1${style}`)}\n`;
}

async function readText(file: URL): Promise<string | null> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
