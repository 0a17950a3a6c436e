/**
 * A real Chromium, as Debian packs it, without a window: for the tests of the page.
 *
 * The driver reads `/proc` when it is loaded, which the runtime allows only together with everything else.
 */

import { type Browser, chromium, type Page } from "playwright-core";

/** Where Chromium may be; `CHROMIUM` names another. */
const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** How it is started. */
export const flags = [
  "--headless",
  // It runs as root in CI and in containers, where its sandbox does not.
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Path of the browser; `null` where there is none, and then the tests are skipped and say so. */
export const browserPath: string | null = [Deno.env.get("CHROMIUM"), ...places].find((path) => {
  try {
    return path !== undefined && path !== "" && Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}) ?? null;

/** What a test of the page may be. */
type BrowserTest = (browser: Browser) => Promise<void>;

/**
 * Runs a test with a browser of its own, in a new profile; ignored with a printed reason where no browser is installed.
 */
export function browserTest(name: string, run: BrowserTest): void {
  if (browserPath === null) console.log(`e2e: skipped, no chromium here (\`make chromium\` installs it): ${name}`);
  Deno.test({
    name,
    ignore: browserPath === null,
    // The driver keeps a module-wide channel to its own dispatcher open.
    sanitizeResources: false,
    sanitizeOps: false,
    async fn() {
      // Without a folder for the profile the driver makes an empty one, and removes it.
      const browser = await chromium.launch({ executablePath: browserPath!, args: flags });
      try {
        await run(browser);
      } finally {
        await browser.close();
      }
    },
  });
}

/** What a page did that it should not have done: errors, messages of the console, requests to elsewhere. */
export interface Misdeeds {
  readonly errors: string[];
  readonly foreignRequests: string[];
}

/** Watches `page` from now on; the page's own origin is that of `url`. */
export function watch(page: Page, url: string): Misdeeds {
  const misdeeds: Misdeeds = { errors: [], foreignRequests: [] };
  const { origin } = new URL(url);
  page.on("pageerror", (error) => misdeeds.errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") misdeeds.errors.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(origin + "/") && !request.url().startsWith("data:")) {
      misdeeds.foreignRequests.push(request.url());
    }
  });
  return misdeeds;
}
