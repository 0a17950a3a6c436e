/** The page in a real Chromium, over a real Redis under load. Screenshots for a person to look at: .tools/screenshots/ */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import axeSource from "axe-core/axe.min.js" with { type: "text" };
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { STOP_GRACE_MS, VIEWERS_MAX } from "../lib/limits.ts";
import { READ_OUTCOMES, REMOVAL_REASONS } from "../lib/metrics/counters.ts";
import { percentEncoded } from "../lib/protocol/percent_encoding.ts";
import { browserTest, watch } from "./support/browser.ts";
import { eventually } from "./support/eventually.ts";
import { layoutFaults } from "./support/layout.ts";
import { metricsOf } from "./support/metrics_text.ts";
import { loadKey, PageLoad } from "./support/page_load.ts";
import { ProxyProcess } from "./support/proxy_process.ts";
import { rawRequest } from "./support/raw_http.ts";
import { RedisServer } from "./support/redis_server.ts";

const SCREENSHOTS = new URL("../.tools/screenshots/", import.meta.url).pathname;
const DEADLINE_MS = 15_000;

/** Opens the page and waits until its first figures are there. */
async function open(browser: Browser, proxy: ProxyProcess, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, ...options });
  page.setDefaultTimeout(DEADLINE_MS);
  await page.goto(proxy.url("/"));
  await page.locator("#live.live").waitFor();
  return page;
}

/** The text of an element, as it is seen. */
function textOf(page: Page, selector: string): Promise<string> {
  return page.locator(selector).innerText();
}

/** The rows of a table of the page: what each is called, and its numbers. */
async function rowsOf(page: Page, id: string): Promise<Map<string, number[]>> {
  const rows = await page.locator(`#${id} tr`).all();
  const read = rows.map(async (row): Promise<[string, number[]]> => {
    const [name] = (await row.locator("th").innerText()).split("\n");
    const cells = await row.locator("td").allInnerTexts();
    return [name, cells.map((cell) => Number(cell.replaceAll(",", "")))];
  });
  return new Map(await Promise.all(read));
}

async function lookUp(page: Page, typed: string): Promise<string> {
  await page.locator("#key").fill(typed);
  await page.locator("#key").press("Enter");
  await page.locator("#look-up:not([aria-busy]) #held-message:not(:empty)").waitFor();
  return await textOf(page, "#held-message");
}

/** The facts of the look-up by their names. */
async function factsOf(page: Page): Promise<Record<string, string>> {
  const facts = await page.locator(".facts > div").all();
  return Object.fromEntries(
    await Promise.all(facts.map(async (fact) => [
      await fact.locator("dt").innerText(),
      // Not as it is seen: what is invisible must not be there at all.
      await fact.locator("dd").textContent() ?? "",
    ])),
  );
}

browserTest("the numbers move under load, and agree with /metrics when it is over", async (browser) => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_MAXSIZE: "50" } });
  const page = await open(browser, proxy);
  const misdeeds = watch(page, proxy.url("/"));
  {
    await using _load = await PageLoad.start(proxy, redis);
    const hits = async (): Promise<number> => (await rowsOf(page, "reads")).get("hit")![0];
    const before = await hits();
    await eventually(async () => await hits() > before + 50, { deadlineMs: DEADLINE_MS });
    for (const id of ["hit-rate", "requests", "redis-reads", "hit-time", "items"]) {
      await eventually(async () => assert.match(await textOf(page, `#${id}`), /^[1-9]/, id), {
        deadlineMs: DEADLINE_MS,
      });
    }
    await eventually(async () => assert.equal(await textOf(page, "#items"), "50"), { deadlineMs: DEADLINE_MS });
    await eventually(
      async () => assert.equal(await page.locator("#hot-keys li").first().locator("button").innerText(), loadKey(0)),
      { deadlineMs: DEADLINE_MS },
    );
    assert.match(await page.title(), /^[0-9.]+ % hits – redis-proxy$/);
    assert.equal(await textOf(page, "#redis-state"), "Redis is up");
    assert.equal(await textOf(page, "#coherence-state"), "Kept true by tracking");
  }
  await eventually(async () => {
    const metrics = metricsOf(await (await proxy.get("/metrics")).text());
    const reads = await rowsOf(page, "reads");
    assert.equal(reads.size, Object.keys(READ_OUTCOMES).length);
    for (const outcome of Object.keys(READ_OUTCOMES)) {
      const expected = ["http", "resp"].map((door) =>
        metrics.get(`redis_proxy_reads_total{door="${door}",outcome="${outcome}"}`)
      );
      assert.deepEqual(reads.get(outcome.replaceAll("_", " ")), expected, outcome);
    }
    const removals = await rowsOf(page, "removals");
    for (const reason of Object.keys(REMOVAL_REASONS)) {
      assert.deepEqual(removals.get(reason), [metrics.get(`redis_proxy_removals_total{reason="${reason}"}`)], reason);
    }
    const counters = await rowsOf(page, "counters");
    assert.deepEqual(counters.get("Keys read from Redis in those round trips"), [
      metrics.get("redis_proxy_keys_read_total"),
    ]);
    assert.deepEqual(counters.get("Invalidations of one key received from Redis"), [
      metrics.get("redis_proxy_invalidated_keys_total"),
    ]);
    assert.equal(await textOf(page, "#items"), String(metrics.get("redis_proxy_items")));
  }, { deadlineMs: DEADLINE_MS });
  assert.ok(
    metricsOf(await (await proxy.get("/metrics")).text()).get('redis_proxy_removals_total{reason="evicted"}')! > 0,
  );
  assert.deepEqual(misdeeds, { errors: [], foreignRequests: [] });
});

browserTest("hostile keys and values are text, whatever is in them", async (browser) => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  const script = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
  const turned = "a\u202egpj.exe\u2066\u200f";
  const binary = Buffer.from([0x00, 0xff, 0x0a, 0x3c, 0x62, 0x3e]);
  await redis.pipeline([
    ["SET", script, script],
    ["SET", turned, `${turned}\n\u0007end`],
    ["SET", binary, binary],
    ["SET", "mib", "é".repeat(524_288)],
    ["SET", "binary-mib", Buffer.alloc(1_048_576, 0xfe)],
    ["SET", "..", "dots"],
    ["SET", "", "empty"],
  ]);
  for (const key of [script, turned, binary, "mib", "binary-mib", ""]) {
    const path = `/get/${percentEncoded(Buffer.from(key as string))}`;
    for (let i = 0; i < 3; i++) await (await proxy.get(path)).arrayBuffer();
  }
  // Not by `fetch`, which would take the dots out.
  await rawRequest(proxy.port, "GET /get/.. HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const page = await open(browser, proxy);
  const misdeeds = watch(page, proxy.url("/"));

  // From the list of the hottest, where they come up by themselves.
  const escapedTurn = "a\\u{202e}gpj.exe\\u{2066}\\u{200f}";
  const escapedBinary = "\\x00\\xff\\x0a<b>";
  const hottest = async (): Promise<string[]> => await page.locator("#hot-keys button").allTextContents();
  await eventually(async () => assert.equal((await hottest()).length, 6), { deadlineMs: DEADLINE_MS });
  for (const key of [script, escapedTurn, escapedBinary]) assert.ok((await hottest()).includes(key), key);

  const turnedBytes = Buffer.byteLength(`${turned}\n\u0007end`);
  const expected: [typed: string, shown: string, preview: string | RegExp, size: string][] = [
    [script, script, script, `${script.length} B`],
    [escapedTurn, escapedTurn, `${escapedTurn}\n\\x07end`, `${turnedBytes} B`],
    [escapedBinary, escapedBinary, "0000  00 ff 0a 3c 62 3e        ···<b>", "6 B"],
    ["mib", "mib", "é".repeat(256), "1 MiB"],
    ["binary-mib", "binary-mib", /^0000 {2}(?:fe ){8} ········\n0008 {2}/, "1 MiB"],
    ["..", "..", "dots", "4 B"],
    ["", "", "empty", "5 B"],
  ];
  for (const [typed, shown, preview, size] of expected) {
    assert.match(await lookUp(page, typed), /^Held and fresh/, typed);
    await eventually(async () => assert.equal((await factsOf(page)).Key, shown));
    const facts = await factsOf(page);
    assert.equal(facts.Size, size, typed);
    const text = await page.locator(".preview").textContent() ?? "";
    if (typeof preview === "string") assert.equal(text, preview);
    else assert.match(text, preview);
    assert.ok(text.length < 2_600, `a preview of ${text.length} characters`);
  }
  // What the document holds of them holds no mark that turns a line around, and no element of theirs.
  const html = await page.content();
  assert.doesNotMatch(html, /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/);
  assert.equal(await page.locator("img, #hot-keys script, #look-up script, b").count(), 0);
  assert.doesNotMatch(await page.title(), /owned/);
  assert.deepEqual(await layoutFaults(page), []);
  assert.deepEqual(misdeeds, { errors: [], foreignRequests: [] });
});

browserTest("a key is looked up without use and dropped by the button; Redis keeps it", async (browser) => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_NEGATIVE_TTL: "600" } });
  await redis.command("SET", "k", "v1");
  for (let i = 0; i < 4; i++) assert.equal(await (await proxy.get("/get/k")).text(), "v1");
  assert.equal((await proxy.get("/get/gone")).status, 404);
  const page = await open(browser, proxy);
  assert.match(await lookUp(page, "nothing"), /^Not held/);
  assert.match(await lookUp(page, "gone"), /^Remembered as absent for another 9 min/);
  await lookUp(page, "k");
  await eventually(async () => assert.equal((await factsOf(page))["Hits since it was read"], "3"));
  await lookUp(page, "k");
  await eventually(async () => assert.equal((await factsOf(page))["Hits since it was read"], "3"));

  await page.getByRole("button", { name: "Drop it from the cache" }).click();
  await eventually(async () => assert.match(await textOf(page, "#held-message"), /^Dropped/));
  assert.equal(await page.locator(".facts").count(), 0);
  assert.equal(await page.evaluate("document.activeElement.id"), "key");
  assert.match((await proxy.get("/get/k")).headers.get("cache-status")!, /fwd=miss; stored/);
  assert.equal(await redis.commandCalls("del"), 0);
  await eventually(async () =>
    assert.deepEqual((await rowsOf(page, "counters")).get("Keys dropped by hand, from the page"), [1])
  );
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [360, 1440]) {
    browserTest(`the layout holds at ${width} px, ${colorScheme}`, async (browser) => {
      await using redis = await RedisServer.start();
      await using proxy = await ProxyProcess.start({ redisPort: redis.port });
      await using _load = await PageLoad.start(proxy, redis);
      const page = await open(browser, proxy, {
        viewport: { width, height: 900 },
        colorScheme,
        reducedMotion: "reduce",
      });
      const long = "a/very/long/key/".repeat(20) + "\u202e<b>";
      await redis.command("SET", long, JSON.stringify({ text: "long".repeat(200) }));
      for (let i = 0; i < 200; i++) await (await proxy.get(`/get/${encodeURIComponent(long)}`)).body?.cancel();
      await eventually(async () => assert.ok(await page.locator("#hot-keys li").count() >= 5), {
        deadlineMs: DEADLINE_MS,
      });
      await lookUp(page, long);
      await page.locator(".facts").waitFor();
      for (const summary of await page.locator("summary").all()) await summary.click();
      await eventually(async () => assert.ok(await page.locator("figure tbody tr").count() >= 8), {
        deadlineMs: DEADLINE_MS,
      });
      assert.deepEqual(await layoutFaults(page), []);

      const [, ...background] = /rgb\((\d+), (\d+), (\d+)\)/.exec(
        await page.evaluate<string>("getComputedStyle(document.body).backgroundColor"),
      )!;
      const isDark = background.every((part) => Number(part) < 64);
      assert.equal(isDark, colorScheme === "dark");
      const canvases = await page.evaluate<number[]>(
        "[...document.querySelectorAll('.plot canvas')].map((canvas) => canvas.getBoundingClientRect().width)",
      );
      assert.equal(canvases.length, 8);
      for (const canvas of canvases) assert.ok(canvas > 200 && canvas < width, `a chart is ${canvas} px wide`);
      for (const summary of await page.locator("summary").all()) await summary.click();
      await page.screenshot({ path: `${SCREENSHOTS}page-${width}-${colorScheme}.png`, fullPage: true });
    });
  }
}

browserTest("everything is done by keyboard, and the charts say what they show", async (browser) => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  await redis.command("SET", "k", "v");
  const page = await open(browser, proxy);
  await using load = await PageLoad.start(proxy, redis);
  const focused = (): Promise<string> =>
    page.evaluate(
      "document.activeElement.id || document.activeElement.getAttribute('aria-label') || document.activeElement.textContent",
    );
  const tabTo = async (name: string): Promise<void> => {
    for (let tabs = 0; tabs < 80; tabs++) {
      if (await focused() === name) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`${name} is not reached`);
  };

  // A chart: the moment moves, here and in the others, and is told in words.
  const chart = page.getByRole("slider", { name: "Hit rate: moment" });
  await eventually(async () => assert.ok(Number(await chart.getAttribute("aria-valuemax")) >= 2), {
    deadlineMs: DEADLINE_MS,
  });
  await tabTo("Hit rate: moment");
  await eventually(
    async () => assert.match((await chart.getAttribute("aria-valuetext"))!, /^now: From memory [\d.]+ %$/),
    { deadlineMs: DEADLINE_MS },
  );
  await page.keyboard.press("End");
  assert.match((await chart.getAttribute("aria-valuetext"))!, /^\d\d:\d\d:\d\d: From memory /);
  // On a busy machine figures, or frames, may come between the key and our look.
  await eventually(async () => {
    await page.keyboard.press("Home");
    assert.equal(await chart.getAttribute("aria-valuenow"), "0");
  });
  const other = page.getByRole("slider", { name: "Invalidations: moment" });
  assert.match((await other.getAttribute("aria-valuetext"))!, /^\d\d:\d\d:\d\d: From Redis /);
  await page.keyboard.press("Escape");
  assert.match((await chart.getAttribute("aria-valuetext"))!, /^now: /);

  // Its table.
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.ok(await page.getByRole("table", { name: "Hit rate, averages by minute" }).isVisible());

  // The look-up, a hot key, and the button that drops.
  await tabTo("key");
  await page.keyboard.type("k");
  await page.keyboard.press("Enter");
  await eventually(async () => assert.match(await textOf(page, "#held-message"), /^Not held/));
  await eventually(async () => assert.ok(await page.locator("#hot-keys li").count() > 0), { deadlineMs: DEADLINE_MS });
  await load[Symbol.asyncDispose]();
  // The last that the load did to it may have been a write.
  const hottest = await page.locator("#hot-keys button").first().innerText();
  assert.equal(await (await proxy.get(`/get/${hottest}`)).text(), `{"id":${hottest.match(/\d+/)}}`);
  await page.getByRole("button", { name: hottest, exact: true }).focus();
  await page.keyboard.press("Enter");
  await eventually(async () => assert.match(await textOf(page, "#held-message"), /^Held and fresh/));
  await page.locator("#key").focus();
  await tabTo("Drop it from the cache");
  await page.keyboard.press("Space");
  await eventually(async () => assert.match(await textOf(page, "#held-message"), /^Dropped/));

  // Standing still, and going on.
  await page.locator("body").press("Tab");
  await page.locator("#pause").focus();
  await page.keyboard.press("Enter");
  assert.match(await textOf(page, "#live"), /^Paused: figures of \d\d:\d\d:\d\d$/);
  await page.keyboard.press("Enter");
  await page.locator("#live.live").waitFor();
});

browserTest("axe finds nothing, in light and in dark", async (browser) => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  await using _load = await PageLoad.start(proxy, redis);
  for (const colorScheme of ["light", "dark"] as const) {
    // The policy is for the page; the checker brings its own script.
    const page = await open(browser, proxy, { colorScheme, bypassCSP: true });
    await eventually(async () => assert.ok(await page.locator("#hot-keys li").count() >= 3), {
      deadlineMs: DEADLINE_MS,
    });
    await page.locator("#hot-keys button").first().click();
    await page.locator(".facts").waitFor();
    await page.locator("summary").first().click();
    await page.evaluate(axeSource);
    const violations = await page.evaluate<{ id: string; nodes: { html: string; failureSummary: string }[] }[]>(
      "axe.run().then((results) => results.violations)",
    );
    const words = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}: ${nodes[0].failureSummary}`);
    assert.deepEqual(words, [], colorScheme);
    await page.close();
  }
});

browserTest(
  "with a password the browser asks for it, and then everything works; no secret is shown",
  async (browser) => {
    const password = "open:sesame-3141";
    await using redis = await RedisServer.start({ args: ["--requirepass", "redis-secret-2718"] });
    await using proxy = await ProxyProcess.start({
      redisPort: redis.port,
      env: { PROXY_PASSWORD: password, REDIS_URL: `redis://:redis-secret-2718@127.0.0.1:${redis.port}` },
    });
    const stranger = await proxy.get("/");
    await stranger.body?.cancel();
    assert.equal(stranger.status, 401);
    assert.match(stranger.headers.get("www-authenticate")!, /^Basic /, "which is what makes a browser ask");
    const page = await open(browser, proxy, { httpCredentials: { username: "anyone", password } });
    assert.match(await lookUp(page, "k"), /^Not held/);
    const authorization = `Bearer ${password}`;
    assert.equal((await proxy.get("/get/k", { headers: { authorization } })).status, 404);
    await lookUp(page, "k");
    const html = await page.content();
    const stats = await (await proxy.get("/stats", { headers: { authorization } })).text();
    for (const text of [html, stats]) {
      assert.doesNotMatch(text, /sesame|redis-secret/);
      assert.match(text, /\*\*\*/);
    }
    assert.equal(JSON.parse(stats).settings.proxyPassword, "***");
  },
);

browserTest("a page of another origin cannot drop a key, though the browser knows the password", async (browser) => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  await redis.command("SET", "k", "v");
  await (await proxy.get("/get/k")).text();
  // The same machine and another port is another origin, and so is another name of it.
  const page = await browser.newPage();
  await page.route("http://evil.test/", (route) => route.fulfill({ contentType: "text/html", body: "<p>evil</p>" }));
  await page.goto("http://evil.test/");
  const target = proxy.url("/stats/drop?key=k");
  await page.evaluate(
    `fetch(${JSON.stringify(target)}, { method: "POST", mode: "no-cors", credentials: "include" }).catch(() => {})`,
  );
  await page.evaluate(`(() => {
    const form = document.createElement("form");
    form.method = "post";
    form.action = ${JSON.stringify(target)};
    document.body.append(form);
    form.submit();
  })()`);
  await page.waitForURL(target);
  assert.match(await page.locator("body").innerText(), /"status":403/);
  assert.match((await proxy.get("/get/k")).headers.get("cache-status")!, /hit/);
});

browserTest("the page says when the proxy is gone, and SIGTERM does not wait for open pages", async (browser) => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  const page = await open(browser, proxy);
  await eventually(async () => assert.match(await textOf(page, "#hit-rate"), /^–$/));
  const { code, signal, elapsedMs } = await proxy.stop();
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  assert.ok(elapsedMs < STOP_GRACE_MS, `it took ${elapsedMs} ms: the stream was not ended, but cut`);
  await eventually(async () => assert.match(await textOf(page, "#live"), /^Not connected, trying again/), {
    deadlineMs: DEADLINE_MS,
  });
});

Deno.test("the states of Redis reach /stats: up, then down, then up again", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port });
  const state = async (): Promise<string> => (await (await proxy.get("/stats")).json()).redis.state;
  assert.equal(await state(), "up");
  await redis.stop();
  await eventually(async () => await state() === "down", { deadlineMs: DEADLINE_MS });
  await redis.restart();
  await eventually(async () => await state() === "up", { deadlineMs: DEADLINE_MS });
});

Deno.test("streams are bounded in number, and do not count against MAX_CONNECTIONS", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { MAX_CONNECTIONS: "1" } });
  const streams: Response[] = [];
  for (let i = 0; i < VIEWERS_MAX; i++) {
    streams.push(await fetch(proxy.url("/stats/events")));
    assert.equal(streams[i].status, 200);
  }
  const next = await proxy.get("/stats/events");
  assert.equal(next.status, 503);
  assert.equal((await next.json()).detail, "too many pages are open");
  assert.equal((await proxy.get("/get/k")).status, 404);
  await streams.pop()!.body!.cancel();
  await eventually(async () => {
    const again = await fetch(proxy.url("/stats/events"));
    streams.push(again);
    return again.status === 200;
  }, { deadlineMs: DEADLINE_MS });
  for (const stream of streams) await stream.body?.cancel();
});

Deno.test("CACHE_HOT_KEYS=0: no key is named", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ redisPort: redis.port, env: { CACHE_HOT_KEYS: "0" } });
  await redis.command("SET", "k", "v");
  for (let i = 0; i < 3; i++) await (await proxy.get("/get/k")).text();
  const stats = await (await proxy.get("/stats")).json();
  assert.equal(stats.totals.http.hit, 2);
  assert.equal(stats.hotKeys, null);
});
