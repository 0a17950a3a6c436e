/**
 * The picture of the page in the README: `deno run -A bench/page_screenshot.ts`, ten minutes of light load.
 *
 *   --minutes N   fewer, for a look
 */

import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { browserPath, flags } from "../e2e/support/browser.ts";
import { loadKey, PageLoad } from "../e2e/support/page_load.ts";
import { ProxyProcess } from "../e2e/support/proxy_process.ts";
import { RedisServer } from "../e2e/support/redis_server.ts";

const PICTURE = new URL("results/page.png", import.meta.url).pathname;

const { values } = parseArgs({ args: Deno.args, options: { minutes: { type: "string", default: "10" } } });
const minutes = Number(values.minutes);

function pause(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}

if (browserPath === null) {
  console.error("bench: chromium is needed: `make chromium` installs it");
  Deno.exit(1);
}
await using redis = await RedisServer.start();
await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_MAXSIZE: "150" } });
{
  await using _load = await PageLoad.start(proxy, redis, { readers: 3, pauseMs: 40 });
  for (let minute = 0; minute < minutes; minute++) {
    // More come and go, and now and then everything is written anew: something to see.
    await using _more = await PageLoad.start(proxy, redis, { readers: 1 + minute % 3, pauseMs: 25 });
    await pause(60_000);
  }
  const browser = await chromium.launch({ executablePath: browserPath, args: flags });
  const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
  await page.goto(proxy.url("/"));
  await page.locator("#live.live").waitFor();
  await page.locator("#key").fill(loadKey(0));
  await page.locator("#key").press("Enter");
  await page.locator(".facts").waitFor();
  await page.locator("#key").blur();
  await page.screenshot({ path: PICTURE });
  await browser.close();
}
// Fewer colours, where the program for it is there: a third of the bytes.
try {
  await new Deno.Command("pngquant", { args: ["--force", "--output", PICTURE, "64", PICTURE] }).output();
} catch (error) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
console.log(`${PICTURE}: ${Math.round((await Deno.stat(PICTURE)).size / 1024)} KiB`);
