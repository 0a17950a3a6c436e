/**
 * The page as one document: HTML, with its styles and scripts inside, and the policy that lets nothing else run.
 *
 * The files are imported as text, so they are in the executable, and `deno run` needs no permission to read them. It is
 * put together when the process starts: there is no build step. uPlot comes from its package as it is published.
 */

import { createHash } from "node:crypto";
import uPlotScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import uPlotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import chartModule from "./browser/chart.js" with { type: "text" };
import chartsModule from "./browser/charts.js" with { type: "text" };
import elementsModule from "./browser/elements.js" with { type: "text" };
import hotKeysModule from "./browser/hot_keys.js" with { type: "text" };
import liveModule from "./browser/live.js" with { type: "text" };
import lookUpModule from "./browser/look_up.js" with { type: "text" };
import numbersModule from "./browser/numbers.js" with { type: "text" };
import pageModule from "./browser/page.js" with { type: "text" };
import storeModule from "./browser/store.js" with { type: "text" };
import tablesModule from "./browser/tables.js" with { type: "text" };
import visibleTextModule from "./browser/visible_text.js" with { type: "text" };
import html from "./browser/page.html" with { type: "text" };
import style from "./browser/page.css" with { type: "text" };
import { COUNTER_DEFINITIONS, READ_OUTCOMES, REMOVAL_REASONS } from "../metrics/counters.ts";
import { joinModules } from "./join_modules.ts";

/** In the order in which they need each other. */
const MODULES = {
  "numbers.js": numbersModule,
  "visible_text.js": visibleTextModule,
  "elements.js": elementsModule,
  "store.js": storeModule,
  "chart.js": chartModule,
  "charts.js": chartsModule,
  "tables.js": tablesModule,
  "look_up.js": lookUpModule,
  "hot_keys.js": hotKeysModule,
  "live.js": liveModule,
  "page.js": pageModule,
};

/** The page, ready to be sent. */
export class PageDocument {
  /** The whole document. */
  readonly text: string;

  /** What the browser may do with it (CSP Level 3). Styles and scripts are named by their digests. */
  readonly policy: string;

  constructor() {
    const styles = [uPlotStyle, style];
    const module = joinModules(MODULES);
    // Of our own making, so nothing in it ends the script or must be escaped; the test of the document looks.
    const texts = { outcomes: READ_OUTCOMES, removals: REMOVAL_REASONS, counters: COUNTER_DEFINITIONS };
    this.text = html
      .replace("<!-- styles -->", () => styles.map((text) => `<style>${text}</style>`).join("\n"))
      .replace(/>\s*"texts"\s*</, () => `>${JSON.stringify(texts)}<`)
      .replace("<!-- scripts -->", () => `<script>${uPlotScript}</script>\n<script type="module">${module}</script>`);
    this.policy = [
      "default-src 'none'",
      `script-src ${[uPlotScript, module].map(source).join(" ")}`,
      `style-src ${styles.map(source).join(" ")}`,
      "connect-src 'self'",
      // The icon, which is in the page.
      "img-src data:",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      // No text becomes markup anywhere, in uPlot neither.
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ].join("; ");
  }

  /** Returns the page. */
  response(): Response {
    return new Response(this.text, {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": this.policy,
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
      },
    });
  }
}

function source(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
