import assert from "node:assert/strict";
import { isSameOrigin } from "../../lib/page/same_origin.ts";

Deno.test("the proxy's own page is told from everybody else", () => {
  const host = "cache.example:5000";
  const cases: [headers: Record<string, string>, own: boolean][] = [
    [{ host, origin: "http://cache.example:5000" }, true],
    [{ host, origin: "https://cache.example:5000" }, true],
    [{ host, origin: "http://Cache.Example:5000" }, true],
    [{ host, "sec-fetch-site": "same-origin" }, true],
    [{ host, "sec-fetch-site": "same-origin", origin: "https://outside.example" }, true],
    [{ host }, false],
    [{ origin: "http://cache.example:5000" }, false],
    [{ host, origin: "null" }, false],
    [{ host, origin: "" }, false],
    [{ host, origin: "http://cache.example" }, false],
    [{ host, origin: "http://cache.example:5001" }, false],
    [{ host, origin: "http://evil.example" }, false],
    [{ host, origin: "http://cache.example:5000.evil.example" }, false],
    [{ host, origin: "http://evil.example/cache.example:5000" }, false],
    [{ host, origin: "file://cache.example:5000" }, false],
    [{ host, origin: "cache.example:5000" }, false],
    [{ host, "sec-fetch-site": "same-site", origin: "http://cache.example:5000" }, false],
    [{ host, "sec-fetch-site": "cross-site", origin: "http://cache.example:5000" }, false],
    [{ host, "sec-fetch-site": "none" }, false],
    [{ host, "sec-fetch-site": "" }, false],
  ];
  for (const [headers, own] of cases) assert.equal(isSameOrigin(new Headers(headers)), own, JSON.stringify(headers));
});
