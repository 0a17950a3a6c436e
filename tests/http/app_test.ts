/**
 * The front door without a socket: what each request is answered with, for every way in which a read can end.
 *
 * Requests are plain objects with the parts that the handler reads, as `new Request` would tidy the URL up first.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Admission } from "../../lib/admission.ts";
import { App } from "../../lib/http/app.ts";
import { Bearer } from "../../lib/http/bearer.ts";
import { KEY_BYTES_MAX, RETRY_AFTER_S } from "../../lib/limits.ts";
import { READ_OUTCOMES, type ReadOutcome } from "../../lib/metrics/counters.ts";
import type { KeyReply, Outage } from "../../lib/read_through/source.ts";
import { ABSENT, REFUSED, value, WRONG_TYPE } from "../support/hand_source.ts";
import { settled } from "../support/hand_time.ts";
import { key, Rig, type RigOptions, textOf } from "../support/read_through_rig.ts";
import { SEED } from "../support/seed.ts";

interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** The Host header, which the runtime puts in front of the target; null when it was not sent. */
  readonly host?: string | null;
}

/** A request as the runtime hands it over: its URL is "http://" + Host + target, unchecked. */
function request(target: string, { method = "GET", headers = {}, host = "localhost:5000" }: Ask = {}): Request {
  const sent: Record<string, string> = { ...headers, ...(host === null ? {} : { host }) };
  const get = (name: string): string | null => Object.hasOwn(sent, name) ? sent[name] : null;
  return { url: `http://${host ?? "localhost"}${target}`, method, headers: { get } } as unknown as Request;
}

/** The front door over a read-through under the test's hand. */
class Door implements Disposable {
  readonly rig: Rig;
  readonly admission: Admission;
  readonly app: App;
  readonly bugs: unknown[] = [];

  constructor(options: RigOptions & { clientsMax?: number; password?: string } = {}) {
    const { clientsMax = 1_000, password, ...rest } = options;
    this.rig = new Rig(rest);
    this.admission = new Admission(clientsMax);
    this.app = new App({
      clock: this.rig.time.clock,
      counters: this.rig.counters,
      admission: this.admission,
      readThrough: this.rig.readThrough,
      bearer: password === undefined ? null : new Bearer(password),
      metricsText: () => Promise.resolve("# the metrics\n"),
      page: { handle: (_, target) => target === "/" ? new Response("the page") : null },
      onBug: (error) => this.bugs.push(error),
    });
  }

  /** The answer, which must be there at once. */
  now(target: string, ask?: Ask): Response {
    const response = this.app.handle(request(target, ask));
    assert.ok(response instanceof Response, `${target} waits`);
    return response;
  }

  /** The answer, once Redis has said `reply`. */
  async fill(target: string, reply: KeyReply, ask?: Ask): Promise<Response> {
    const response = this.app.handle(request(target, ask));
    assert.ok(response instanceof Promise, `${target} does not wait`);
    await settled();
    this.rig.source.last.reply(reply);
    return await response;
  }

  /** Every outcome that was counted, with its number. */
  get outcomes(): Partial<Record<ReadOutcome, number>> {
    return Object.fromEntries(Object.entries(this.rig.counters.http).filter(([, count]) => count > 0));
  }

  [Symbol.dispose](): void {
    this.rig[Symbol.dispose]();
  }
}

const UNREACHABLE: Outage = { kind: "unreachable", code: "UNREACHABLE" };

/** Fails unless `response` is an error as errors are to be. */
async function assertProblem(response: Response, status: number, more: Record<string, string> = {}): Promise<void> {
  assert.equal(response.status, status);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  for (const [name, text] of Object.entries(more)) assert.equal(response.headers.get(name), text, name);
  const text = await response.text();
  assert.match(text, /^\{[^\n]+\}\n$/, "one line");
  const body = JSON.parse(text);
  assert.equal(body.status, status);
  assert.deepEqual(Object.keys(body), ["type", "title", "status", "detail"]);
}

function statusOf(response: Response): string | null {
  return response.headers.get("cache-status");
}

// Values

Deno.test("a value comes as it is, with its type, its tag and how it was found", async () => {
  using door = new Door();
  door.rig.connect();
  const miss = await door.fill("/get/k", value("hello"));
  const hit = door.now("/get/k");
  for (const response of [miss, hit]) {
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
    assert.equal(response.headers.get("etag"), '"LPJNul-wow4m6Dsqxbninh"');
    assert.equal(await response.text(), "hello");
  }
  assert.equal(statusOf(miss), "redis-proxy; fwd=miss; stored");
  assert.equal(statusOf(hit), "redis-proxy; hit");
  assert.deepEqual(door.outcomes, { fill: 1, hit: 1 });
});

Deno.test("an item whose time is over is no hit, though nothing else has looked at the clock since", async () => {
  using door = new Door({ ttlMs: 100 });
  door.rig.connect();
  await door.fill("/get/k", value("v"));
  door.rig.time.nowMs += 100;
  assert.equal(statusOf(await door.fill("/get/k", value("w"))), "redis-proxy; fwd=miss; stored");
});

Deno.test("bytes that are not UTF-8 are a stream of octets, and none is an empty text", async () => {
  using door = new Door();
  door.rig.connect();
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  await door.fill("/get/b", { kind: "value", bytes, remainingMs: null });
  await door.fill("/get/e", value(""));
  const [binary, empty] = [door.now("/get/b"), door.now("/get/e")];
  assert.equal(binary.headers.get("content-type"), "application/octet-stream");
  assert.deepEqual(await binary.bytes(), bytes);
  assert.equal(empty.headers.get("content-type"), "text/plain; charset=utf-8");
  assert.equal(await empty.text(), "");
  assert.notEqual(empty.headers.get("etag"), null);
});

Deno.test("an empty value is a hit like any other", async () => {
  using door = new Door();
  door.rig.connect();
  await door.fill("/get/e", value(""));
  assert.equal(statusOf(door.now("/get/e")), "redis-proxy; hit");
});

Deno.test("how it was found is said for every way of finding", async () => {
  using door = new Door({ itemBytesMax: 2_000, staleTtlMs: 60_000, negativeTtlMs: 60_000, ttlMs: 100 });
  door.rig.connect({ tracked: false });
  const both = async (target: string, reply: KeyReply): Promise<(string | null)[]> => {
    const first = door.app.handle(request(target));
    const second = door.app.handle(request(target));
    await settled();
    door.rig.source.last.reply(reply);
    return [statusOf(await first), statusOf(await second)];
  };
  const stored = ["redis-proxy; fwd=miss; stored", "redis-proxy; fwd=miss; stored; collapsed"];
  const notStored = ["redis-proxy; fwd=miss", "redis-proxy; fwd=miss; collapsed"];
  assert.deepEqual(await both("/get/k", value("v")), stored);
  assert.deepEqual(await both("/get/large", value("x".repeat(2_000))), notStored);
  assert.deepEqual(await both("/get/gone", ABSENT), stored);
  assert.deepEqual(await both("/get/list", WRONG_TYPE), notStored);
  assert.deepEqual(await both("/get/no", REFUSED), Array(2).fill("redis-proxy; fwd=miss; detail=refused"));
  assert.equal(statusOf(door.now("/get/gone")), "redis-proxy; hit");
  await door.rig.time.pass(100);
  door.rig.disconnect();
  door.rig.readThrough.unavailable(UNREACHABLE);
  const stale = door.now("/get/k");
  assert.equal(statusOf(stale), "redis-proxy; fwd=stale; detail=unreachable");
  assert.equal(stale.status, 200);
  assert.equal(await stale.text(), "v");
  assert.equal(statusOf(door.now("/get/other")), "redis-proxy; fwd=miss; detail=unreachable");
  assert.deepEqual(door.outcomes, {
    fill: 2,
    collapsed: 2,
    absent: 2,
    wrong_type: 2,
    refused: 2,
    absent_remembered: 1,
    stale: 1,
    unreachable: 1,
  });
});

Deno.test("an absence that is not remembered says so", async () => {
  using door = new Door();
  door.rig.connect();
  const [first, second] = [door.app.handle(request("/get/k")), door.app.handle(request("/get/k"))];
  await settled();
  door.rig.source.last.reply(ABSENT);
  assert.equal(statusOf(await first), "redis-proxy; fwd=miss");
  assert.equal(statusOf(await second), "redis-proxy; fwd=miss; collapsed");
});

Deno.test("every cache-status is well-formed (RFC 9211, 2): known parameters, each once", async () => {
  using door = new Door({ negativeTtlMs: 60_000 });
  door.rig.connect();
  const responses: Response[] = [];
  for (const reply of [value("v"), ABSENT, WRONG_TYPE, REFUSED]) {
    responses.push(await door.fill(`/get/${responses.length}`, reply));
  }
  responses.push(door.now("/get/0"), door.now("/get/1"));
  for (const response of responses) {
    const [name, ...parameters] = statusOf(response)!.split("; ");
    assert.equal(name, "redis-proxy");
    for (const parameter of parameters) {
      assert.match(parameter, /^(hit|stored|collapsed|fwd=(miss|stale)|detail=[a-z]+)$/);
    }
    assert.equal(new Set(parameters).size, parameters.length);
    const isHit = parameters.includes("hit");
    assert.notEqual(isHit, parameters.some((parameter) => parameter.startsWith("fwd=")), "either hit or forwarded");
  }
});

// Conditions

Deno.test("If-None-Match that names the tag gives 304, with the tag and without a body", async () => {
  using door = new Door();
  door.rig.connect();
  const etag = (await door.fill("/get/k", value("hello"))).headers.get("etag")!;
  for (const header of [etag, `W/${etag}`, "*", `"x", ${etag}`, `,"a,b" ,\t${etag},`]) {
    const response = door.now("/get/k", { headers: { "if-none-match": header } });
    assert.equal(response.status, 304, header);
    assert.equal(response.body, null);
    assert.equal(response.headers.get("etag"), etag);
    assert.equal(statusOf(response), "redis-proxy; hit");
    assert.equal(response.headers.has("content-type"), false);
  }
  for (const header of ["", '"x"', etag.slice(1, -1), `x${etag}`, "nonsense"]) {
    const response = door.now("/get/k", { headers: { "if-none-match": header } });
    assert.equal(response.status, 200, header);
    assert.equal(await response.text(), "hello");
  }
});

Deno.test("a condition holds for what is read from Redis, too, for stale and for joined reads", async () => {
  using door = new Door({ staleTtlMs: 60_000 });
  door.rig.connect();
  const ask: Ask = { headers: { "if-none-match": "*" } };
  const [first, second] = [door.app.handle(request("/get/k", ask)), door.app.handle(request("/get/k", ask))];
  await settled();
  door.rig.source.last.reply(value("v"));
  assert.deepEqual([(await first).status, (await second).status], [304, 304]);
  assert.equal(statusOf(await second), "redis-proxy; fwd=miss; stored; collapsed");
  door.rig.disconnect();
  door.rig.readThrough.unavailable(UNREACHABLE);
  assert.equal(door.now("/get/k", ask).status, 304);
});

Deno.test("a condition changes no error: * does not match what is not there", async () => {
  using door = new Door();
  door.rig.connect();
  const ask: Ask = { headers: { "if-none-match": "*" } };
  assert.equal((await door.fill("/get/a", ABSENT, ask)).status, 404);
  assert.equal((await door.fill("/get/b", WRONG_TYPE, ask)).status, 409);
  assert.equal((await door.fill("/get/c", REFUSED, ask)).status, 502);
});

Deno.test("HEAD is answered with the status and headers of GET", async () => {
  using door = new Door();
  door.rig.connect();
  const head = await door.fill("/get/k", value("hello"), { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(statusOf(head), "redis-proxy; fwd=miss; stored");
  assert.deepEqual([...door.now("/get/k", { method: "HEAD" }).headers], [...door.now("/get/k").headers]);
  assert.equal((await door.fill("/get/gone", ABSENT, { method: "HEAD" })).status, 404);
});

// Errors

Deno.test("absent is 404, a wrong type 409, a refusal 502", async () => {
  using door = new Door();
  door.rig.connect();
  await assertProblem(await door.fill("/get/k", ABSENT), 404);
  await assertProblem(await door.fill("/get/k", WRONG_TYPE), 409);
  await assertProblem(await door.fill("/get/k", REFUSED), 502);
});

Deno.test("no answer by the deadline is 504", async () => {
  using door = new Door({ timeoutMs: 500 });
  door.rig.connect();
  const response = door.app.handle(request("/get/k"));
  await door.rig.time.pass(500);
  await assertProblem(await response, 504, { "cache-status": "redis-proxy; fwd=miss; detail=timeout" });
  assert.deepEqual(door.outcomes, { timeout: 1 });
});

for (
  const [kind, code, status, retryAfter] of [
    ["unreachable", "UNREACHABLE", 503, String(RETRY_AFTER_S)],
    ["loading", "LOADING", 502, String(RETRY_AFTER_S)],
    ["refused", "NOAUTH", 502, null],
  ] as const
) {
  Deno.test(`Redis known to be ${kind} is ${status} at once`, async () => {
    using door = new Door();
    const waiting = door.app.handle(request("/get/k"));
    door.rig.readThrough.unavailable({ kind, code });
    for (const response of [await waiting, door.now("/get/k")]) {
      assert.equal(response.headers.get("retry-after"), retryAfter);
      await assertProblem(response, status, { "cache-status": `redis-proxy; fwd=miss; detail=${kind}` });
    }
    assert.deepEqual(door.outcomes, { [kind]: 2 });
  });
}

Deno.test("a full queue is 503 with retry-after, at once", async () => {
  using door = new Door({ queueFlightsMax: 1 });
  door.app.handle(request("/get/a"));
  await assertProblem(door.now("/get/b"), 503, { "retry-after": String(RETRY_AFTER_S) });
  assert.deepEqual(door.outcomes, { overloaded: 1 });
});

Deno.test("a key that cannot be decoded is 400", async () => {
  using door = new Door();
  for (const target of ["/get/%zz", "/get/%", "/get/%4", "/get/a%g0b?x"]) await assertProblem(door.now(target), 400);
  assert.deepEqual(door.outcomes, { invalid: 4 });
});

Deno.test("a key longer than its limit is 414, one of exactly that is read", async () => {
  using door = new Door();
  door.rig.connect();
  for (const unit of ["k", "%6b"]) {
    assert.equal((await door.fill(`/get/${unit.repeat(KEY_BYTES_MAX)}`, ABSENT)).status, 404);
    await assertProblem(door.now(`/get/${unit.repeat(KEY_BYTES_MAX + 1)}`), 414);
  }
});

Deno.test("another method is 405 and says which are allowed", async () => {
  using door = new Door();
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND"]) {
    for (const target of ["/get/k", "/get/", "/healthz", "/readyz", "/metrics"]) {
      await assertProblem(door.now(target, { method }), 405, { allow: "GET, HEAD" });
    }
  }
  assert.equal(door.rig.readThrough.flights, 0, "nothing was asked");
});

Deno.test("anything else is 404", async () => {
  using door = new Door();
  for (
    const target of [
      "/get",
      "/ge",
      "/getk",
      "/GET/k",
      "//get/k",
      "/x/get/k",
      "/healthz/",
      "/healthz/x",
      "/metricsx",
      "/%67et/k",
      "/get%2Fk",
      "*",
    ]
  ) {
    await assertProblem(door.now(target), 404);
  }
  await assertProblem(door.now(""), 404);
  assert.equal(door.rig.readThrough.flights, 0);
});

Deno.test("an error of the handler itself is a plain 500, and somebody hears of it", async () => {
  using door = new Door();
  const bug = new Error("a bug");
  await assertProblem(door.app.onError(bug), 500);
  assert.deepEqual(door.bugs, [bug]);
});

// The key

Deno.test("the key is what the target says, as it was sent", () => {
  using door = new Door();
  const cases: [target: string, key: string][] = [
    ["/get/k", "k"],
    ["/get/", ""],
    ["/get//", "/"],
    ["/get/a/b", "a/b"],
    ["/get/../x", "../x"],
    ["/get/./x/..", "./x/.."],
    ["/get/%2e%2e/x", "../x"],
    ["/get/a%2Fb", "a/b"],
    ["/get/a?b=c", "a"],
    ["/get/?", ""],
    ["/get/a?b?c/get/d", "a"],
    ["/get/%3f", "?"],
    ["/get/a#b", "a#b"],
    ["/get/a+b%20c", "a+b c"],
    ["/get/a;b=c,d", "a;b=c,d"],
    ["/get/\\", "\\"],
    ["/get//get/x", "/get/x"],
    ["/get/http://host/get/x", "http://host/get/x"],
    ["/get/__proto__", "__proto__"],
    ["/get/\u00e9", "\u00e9"],
  ];
  for (const [target] of cases) door.app.handle(request(target));
  door.rig.connect();
  return settled().then(async () => {
    const asked: string[] = [];
    while (door.rig.readThrough.flights > 0) {
      asked.push(...door.rig.source.last.keys);
      door.rig.source.last.replyAll(() => ABSENT);
      await settled();
    }
    assert.deepEqual(asked, [...new Set(cases.map(([, name]) => key(name)))]);
  });
});

Deno.test("each byte is a key of its own", async () => {
  using door = new Door();
  door.rig.connect();
  for (let byte = 0; byte < 256; byte++) {
    const hex = byte.toString(16).padStart(2, "0");
    await door.fill(`/get/%${hex}`, value(hex));
  }
  for (let byte = 0; byte < 256; byte++) {
    const hex = byte.toString(16).padStart(2, "0");
    assert.equal(await door.now(`/get/%${hex.toUpperCase()}`).text(), hex);
  }
});

// Hosts

Deno.test("a Host header never decides what is answered", async () => {
  using door = new Door();
  door.rig.connect();
  await door.fill("/get/secret", value("secret"));
  const bad = [
    "x/get/secret?",
    "x/get/secret#",
    "x/get/secret",
    "/get/secret?",
    "a b",
    "x?",
    "x#",
    "x\\",
    "a@b",
    "x/",
    "\u00e9",
    "x\u0000",
    "\t",
    '"',
    "<x>",
    "x|y",
    "x^y",
    "x`y",
    "{x}",
  ];
  for (const host of bad) {
    for (const target of ["/healthz", "/get/k", "/"]) await assertProblem(door.now(target, { host }), 400);
  }
  for (const host of ["localhost", "localhost:5000", "[::1]:5000", "10.0.0.1", "a.b-c_d~e", "", "%41", "a:b:c", null]) {
    const response = door.now("/get/secret", { host });
    assert.equal(await response.text(), "secret", String(host));
  }
});

Deno.test("a whole URL as the target (RFC 9112, 3.2.2) is routed by its path, not by its query", async () => {
  using door = new Door();
  door.rig.connect();
  await door.fill("/get/secret", value("secret"));
  const absolute = (url: string): Response | Promise<Response> => door.app.handle({ ...request(""), url });
  assert.equal(await (await absolute("http://other/get/secret")).text(), "secret");
  await assertProblem(await absolute("http://other?x=/get/secret"), 404);
  await assertProblem(await absolute("http://other"), 404);
  await assertProblem(await absolute("http://healthz"), 404);
  await assertProblem(await absolute("https://get/secret"), 404);
});

// Health, readiness, metrics

Deno.test("health says ok whatever Redis does", async () => {
  using door = new Door();
  for (const target of ["/healthz", "/healthz?x"]) {
    const response = door.now(target);
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "ok\n");
  }
  door.rig.readThrough.unavailable(UNREACHABLE);
  assert.equal(door.now("/healthz", { method: "HEAD" }).status, 200);
});

Deno.test("readiness says whether Redis answers and how items are kept true", async () => {
  using door = new Door();
  const ready = async (): Promise<unknown[]> => {
    const response = door.now("/readyz");
    assert.equal(response.headers.get("content-type"), "application/json");
    return [response.status, await response.json()];
  };
  assert.deepEqual(await ready(), [503, { redis: "down", coherence: "ttl" }]);
  door.rig.connect({ tracked: true });
  assert.deepEqual(await ready(), [200, { redis: "up", coherence: "tracking" }]);
  door.rig.disconnect();
  assert.equal((await ready())[0], 503);
  door.rig.connect({ tracked: false });
  assert.deepEqual(await ready(), [200, { redis: "up", coherence: "ttl" }]);
});

Deno.test("metrics are Prometheus text", async () => {
  using door = new Door();
  const response = await door.app.handle(request("/metrics"));
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(await response.text(), "# the metrics\n");
});

// The password

Deno.test("with a password, keys and metrics need it; health and readiness do not", async () => {
  using door = new Door({ password: "open-sesame" });
  door.rig.connect();
  const right: Ask = { headers: { authorization: "Bearer open-sesame" } };
  for (
    const headers of [{}, { authorization: "Bearer wrong" }, { authorization: "Basic b3Blbi1zZXNhbWU=" }, {
      authorization: "",
    }]
  ) {
    for (const target of ["/get/k", "/get/%zz", "/get/" + "k".repeat(KEY_BYTES_MAX + 1), "/metrics"]) {
      const response = await door.app.handle(request(target, { headers: { ...headers } as Record<string, string> }));
      await assertProblem(response, 401, { "www-authenticate": 'Bearer realm="redis-proxy"' });
    }
    assert.equal(door.now("/healthz", { headers: { ...headers } as Record<string, string> }).status, 200);
    assert.equal(door.now("/readyz").status, 200);
  }
  assert.equal(door.rig.readThrough.flights, 0, "nothing was asked for a stranger");
  assert.equal((await door.fill("/get/k", value("v"), right)).status, 200);
  assert.equal(door.now("/get/k", right).status, 200);
  assert.equal(door.now("/get/k").status, 401, "a hit needs it, too");
  assert.equal((await door.app.handle(request("/metrics", right))).status, 200);
});

Deno.test("without a password an authorization header means nothing", async () => {
  using door = new Door();
  door.rig.connect();
  assert.equal((await door.fill("/get/k", value("v"), { headers: { authorization: "Bearer x" } })).status, 200);
});

Deno.test("who is turned away for the password is counted", () => {
  using door = new Door({ password: "open-sesame" });
  door.now("/get/k");
  door.now("/get/k");
  assert.deepEqual(door.outcomes, { unauthorized: 2 });
});

// MAX_CONNECTIONS

Deno.test("a request is in progress until it is answered, however it is answered", async () => {
  using door = new Door({ timeoutMs: 500 });
  const clients = (): number => door.admission.clients;
  door.rig.connect();
  for (const reply of [value("v"), ABSENT, WRONG_TYPE, REFUSED, value("v", 0)]) {
    const response = door.app.handle(request(`/get/${reply.kind}`));
    assert.equal(clients(), 1);
    await settled();
    door.rig.source.last.reply(reply);
    await response;
    assert.equal(clients(), 0, reply.kind);
    door.rig.readThrough.invalidatedAll();
  }
  const late = door.app.handle(request("/get/late"));
  assert.equal(clients(), 1);
  await door.rig.time.pass(500);
  await late;
  assert.equal(clients(), 0, "after a deadline");
  const cut = door.app.handle(request("/get/cut"));
  door.rig.source.last.reply(ABSENT);
  door.rig.disconnect();
  assert.equal(clients(), 1);
  door.rig.readThrough.unavailable(UNREACHABLE);
  await cut;
  assert.equal(clients(), 0, "after an outage");
});

Deno.test("what is answered at once is never in progress", async () => {
  using door = new Door({ negativeTtlMs: 60_000, password: "p" });
  const ask: Ask = { headers: { authorization: "Bearer p" } };
  door.rig.connect();
  await door.fill("/get/k", value("v"), ask);
  await door.fill("/get/gone", ABSENT, ask);
  for (const target of ["/get/k", "/get/gone", "/get/%zz", "/healthz", "/x"]) {
    door.now(target, ask);
    assert.equal(door.admission.clients, 0, target);
  }
  door.now("/get/k");
  door.now("/get/k", { ...ask, method: "POST" });
  assert.equal(door.admission.clients, 0);
});

Deno.test("beyond MAX_CONNECTIONS the next gets 503 with retry-after at once, and a place that is free is given", async () => {
  using door = new Door({ clientsMax: 2 });
  door.rig.connect();
  await door.fill("/get/held", value("v"));
  const [first, second] = [door.app.handle(request("/get/a")), door.app.handle(request("/get/b"))];
  for (const target of ["/get/c", "/get/a", "/get/held"]) {
    await assertProblem(door.now(target), 503, { "retry-after": String(RETRY_AFTER_S) });
  }
  assert.equal(door.rig.counters.clientsTurnedAway, 3);
  assert.equal(door.rig.counters.http.overloaded, 3);
  assert.equal(door.admission.clients, 2, "who is turned away holds no place");
  assert.equal(door.now("/healthz").status, 200);
  assert.equal(door.now("/readyz").status, 200);
  assert.equal((await door.app.handle(request("/metrics"))).status, 200);
  await settled();
  door.rig.source.last.replyAll(() => value("v"));
  await Promise.all([first, second]);
  assert.equal(door.now("/get/held").status, 200);
});

// The page

Deno.test("what is nobody else's is asked of the page, whatever the Host; what is not the page's either is 404", async () => {
  using door = new Door({ clientsMax: 0 });
  for (const host of ["localhost:5000", "x", "[::1]:5000"]) {
    assert.equal(await door.now("/", { host }).text(), "the page");
  }
  await assertProblem(door.now("/", { host: "x/y" }), 400);
  await assertProblem(door.now("/pages"), 404);
});

// Whatever comes

Deno.test("whatever comes, the answer is one of the contract's, and nobody is counted twice or for ever", async () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.string({ maxLength: 12 }),
    fc.constantFrom(
      "",
      "/",
      "/get",
      "/get/",
      "?",
      "#",
      "%",
      "%zz",
      "%00",
      "%ff",
      "..",
      "//",
      "\\",
      "@",
      ":",
      "*",
      "\ud800",
    ),
  );
  const target = fc.oneof(
    { weight: 4, arbitrary: fc.array(text, { maxLength: 4 }).map((parts) => "/get/" + parts.join("")) },
    { weight: 1, arbitrary: fc.array(text, { maxLength: 4 }).map((parts) => parts.join("")) },
    {
      weight: 1,
      arbitrary: fc.constantFrom("/healthz", "/readyz", "/metrics", "/get/k", "/get/k", "/get/" + "x".repeat(9_000)),
    },
  );
  const asks = fc.record({
    method: fc.oneof({ weight: 6, arbitrary: fc.constant("GET") }, {
      weight: 1,
      arbitrary: fc.constantFrom("HEAD", "POST", "", "get"),
    }),
    host: fc.oneof({ weight: 6, arbitrary: fc.constantFrom("localhost", null) }, { weight: 1, arbitrary: text }),
    headers: fc.dictionary(
      fc.constantFrom("if-none-match", "authorization"),
      fc.oneof(text, fc.constantFrom("*", "Bearer p", '"x"', 'W/"')),
    ),
  });
  const reply = fc.constantFrom<KeyReply[]>(value("v"), value("", 0), value("w", 5), ABSENT, WRONG_TYPE, REFUSED);
  const move = fc.oneof(
    { weight: 10, arbitrary: fc.record({ kind: fc.constant("ask" as const), target, ask: asks }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("reply" as const), reply }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom("up" as const, "lost" as const, "down" as const, "pass" as const) }),
    },
  );
  const allowed = new Set([200, 304, 400, 401, 404, 405, 409, 414, 502, 503, 504]);
  await fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 30 }), fc.boolean(), async (moves, hasPassword) => {
      using door = new Door({
        clientsMax: 5,
        queueFlightsMax: 3,
        negativeTtlMs: 50,
        staleTtlMs: 1_000,
        ttlMs: 100,
        timeoutMs: 100,
        ...(hasPassword ? { password: "p" } : {}),
      });
      const waiting: Promise<Response>[] = [];
      const check = (response: Response): void => assert.ok(allowed.has(response.status), `status ${response.status}`);
      let isUp = false;
      for (const one of moves) {
        if (one.kind === "ask") {
          const response = door.app.handle(request(one.target, one.ask));
          if (response instanceof Promise) waiting.push(response);
          else check(response);
        } else if (one.kind === "reply") {
          door.rig.source.trips.at(-1)?.replyAll(() => one.reply);
          await settled();
        } else if (one.kind === "up" && !isUp) {
          isUp = true;
          door.rig.connect();
        } else if (one.kind === "lost" && isUp) {
          isUp = false;
          door.rig.disconnect(...door.rig.source.trips);
        } else if (one.kind === "down" && !isUp) {
          door.rig.readThrough.unavailable(UNREACHABLE);
        } else if (one.kind === "pass") {
          await door.rig.time.pass(60);
        }
      }
      await door.rig.time.pass(1_000);
      for (const response of await Promise.all(waiting)) check(response);
      assert.equal(door.admission.clients, 0);
    }),
    { seed: SEED, numRuns: 1_500 },
  );
});

Deno.test("each outcome is counted under its own name, and all of them together are all reads", async () => {
  using door = new Door({
    negativeTtlMs: 60_000,
    queueFlightsMax: 1,
    timeoutMs: 100,
    staleTtlMs: 60_000,
    ttlMs: 50,
    password: "p",
  });
  const ask: Ask = { headers: { authorization: "Bearer p" } };
  const { rig } = door;
  rig.connect();
  await door.fill("/get/k", value("v"), ask); // fill
  door.now("/get/k", ask); // hit
  await door.fill("/get/gone", ABSENT, ask); // absent
  door.now("/get/gone", ask); // absent_remembered
  await door.fill("/get/list", WRONG_TYPE, ask); // wrong_type
  await door.fill("/get/no", REFUSED, ask); // refused
  const joined = [door.app.handle(request("/get/j", ask)), door.app.handle(request("/get/j", ask))]; // fill, collapsed
  await settled();
  rig.source.last.reply(value("v"));
  await Promise.all(joined);
  const late = door.app.handle(request("/get/late", ask)); // timeout
  await rig.time.pass(100);
  await late;
  rig.source.last.reply(ABSENT);
  await settled();
  rig.disconnect();
  const queued = door.app.handle(request("/get/queued", ask)); // loading
  door.now("/get/other", ask); // overloaded
  rig.readThrough.unavailable({ kind: "loading", code: "LOADING" });
  await queued;
  rig.readThrough.unavailable(UNREACHABLE);
  door.now("/get/other", ask); // unreachable
  door.now("/get/k", ask); // stale
  door.now("/get/%zz", ask); // invalid
  door.now("/get/k"); // unauthorized
  // Nothing is relayed over HTTP.
  const outcomes = Object.keys(READ_OUTCOMES).filter((outcome) => outcome !== "relayed");
  assert.deepEqual(outcomes.toSorted(), Object.keys(door.outcomes).toSorted(), "every outcome came up");
  assert.deepEqual(door.outcomes, {
    ...Object.fromEntries(outcomes.map((outcome) => [outcome, 1])),
    fill: 2,
  });
});

Deno.test("a value's bytes are not the cache's to give away twice", async () => {
  using door = new Door();
  door.rig.connect();
  await door.fill("/get/k", value("hello"));
  const [first, second] = [door.now("/get/k"), door.now("/get/k")];
  assert.deepEqual(await Promise.all([first.text(), second.text()]), ["hello", "hello"]);
  assert.equal(textOf(door.rig.readThrough.hit(key("k"))!), "hello");
});
