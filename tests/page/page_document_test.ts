import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { COUNTER_DEFINITIONS, READ_OUTCOMES, REMOVAL_REASONS } from "../../lib/metrics/counters.ts";
import { PageDocument } from "../../lib/page/page_document.ts";

const BYTES_MAX = 100 * 1024;

const page = new PageDocument();

/** The contents of every element of this name. */
function contents(name: string, attributes: string): string[] {
  const pattern = new RegExp(`<${name}${attributes}>([^]*?)</${name}>`, "g");
  return [...page.text.matchAll(pattern)].map((match) => match[1]);
}

Deno.test("the page is under 100 KiB, all in all", () => {
  const { length } = new TextEncoder().encode(page.text);
  assert.ok(length < BYTES_MAX, `${length} bytes`);
});

Deno.test("it loads nothing: what it names is its own, within the document or one of our endpoints", () => {
  const addresses = [...page.text.matchAll(/\b(?:src|href|action)="([^"]*)"/g)].map((match) => match[1]);
  assert.ok(addresses.length > 0);
  for (const address of addresses) assert.match(address, /^(?:#[a-z-]+|data:image\/svg\+xml,.*|stats|metrics)$/);
  for (const style of contents("style", "")) assert.doesNotMatch(style, /@import|url\(/);
});

Deno.test("the policy lets what is in it run and nothing else", () => {
  const policy = new Map(
    page.policy.split("; ").map((directive): [string, string[]] => {
      const [name, ...sources] = directive.split(" ");
      return [name, sources];
    }),
  );
  assert.deepEqual(policy.get("default-src"), ["'none'"]);
  assert.deepEqual(policy.get("connect-src"), ["'self'"]);
  for (const name of ["base-uri", "form-action", "frame-ancestors"]) assert.deepEqual(policy.get(name), ["'none'"]);
  assert.doesNotMatch(page.policy, /unsafe|\*|https?:/);
  const digest = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const scripts = [...contents("script", ""), ...contents("script", ' type="module"')];
  const styles = contents("style", "");
  assert.equal(scripts.length, 2);
  assert.equal(styles.length, 2);
  assert.deepEqual(policy.get("script-src"), scripts.map(digest));
  assert.deepEqual(policy.get("style-src"), styles.map(digest));
});

Deno.test("no attribute runs or styles anything, since the policy would refuse it", () => {
  const markup = page.text.replace(/<(script|style)[^>]*>[^]*?<\/\1>/g, "");
  assert.doesNotMatch(markup, /\s(?:on[a-z]+|style)=/);
});

Deno.test("its modules are one: they parse together, and no name is there twice", () => {
  const [module] = contents("script", ' type="module"');
  assert.doesNotThrow(() => new Function(`"use strict"; ${module}`));
  assert.doesNotMatch(module, /^(?:import|export) /m);
});

Deno.test("the definitions of all counters are in it, and end no script", () => {
  const [texts] = contents("script", ' type="application/json" id="texts"');
  assert.doesNotMatch(texts, /</);
  assert.deepEqual(JSON.parse(texts), {
    outcomes: READ_OUTCOMES,
    removals: REMOVAL_REASONS,
    counters: COUNTER_DEFINITIONS,
  });
});

Deno.test("it is sent as what it is, and kept nowhere", async () => {
  const response = page.response();
  assert.equal(response.status, 200);
  const expected = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": page.policy,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(response.headers.get(name), value, name);
  assert.equal(await response.text(), page.text);
});
