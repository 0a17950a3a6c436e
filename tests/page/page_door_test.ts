/**
 * What the page asks for, without a socket.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Basic } from "../../lib/http/basic.ts";
import { Bearer } from "../../lib/http/bearer.ts";
import { LongAnswer } from "../../lib/http/long_answer.ts";
import { KEY_BYTES_MAX, VIEWERS_MAX } from "../../lib/limits.ts";
import { PageDoor } from "../../lib/page/page_door.ts";
import { Statistics } from "../../lib/stats/statistics.ts";
import { settled } from "../support/hand_time.ts";
import { value } from "../support/hand_source.ts";
import { Rig, type RigOptions } from "../support/read_through_rig.ts";

const HOST = "127.0.0.1:5000";
const PASSWORD = "open:sesame";

interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

/** The page's door over a read-through under the test's hand. */
class Door implements Disposable {
  readonly rig: Rig;
  readonly statistics: Statistics;
  readonly page: PageDoor;
  gaugesRead = 0;

  constructor({ password = null, ...options }: RigOptions & { password?: string | null } = {}) {
    this.rig = new Rig(options);
    const { rig } = this;
    this.statistics = new Statistics({
      clock: rig.time.clock,
      counters: rig.counters,
      gauges: () => (this.gaugesRead++, {
        removals: rig.cache.removals,
        itemsHeld: rig.cache.size,
        itemsMax: 100,
        bytesHeld: rig.cache.bytes,
        bytesMax: 1_000,
        absencesHeld: 0,
        flights: 0,
        clients: 0,
        connections: 0,
        connectionsEnded: 0,
        redisUp: true,
        tracked: true,
        untrackedSeconds: 0,
        trackingTableKeys: 0,
        trackingTableKeysMax: 0,
      }),
      redis: () => ({ state: rig.readThrough.linkState, coherence: rig.readThrough.coherence }),
      hotKeysShown: 3,
      settings: {},
      clientsMax: 10,
      version: "1.2.3",
    });
    this.page = new PageDoor({
      statistics: this.statistics,
      readThrough: rig.readThrough,
      credentials: password === null ? null : { basic: new Basic(password), bearer: new Bearer(password) },
    });
  }

  ask(target: string, { method = "GET", headers = {} }: Ask = {}): Response | Promise<Response> | null {
    const request = { url: `http://${HOST}${target}`, method, headers: new Headers({ host: HOST, ...headers }) };
    return this.page.handle(request as unknown as Request, target);
  }

  /** The answer, which must be there at once. */
  now(target: string, ask?: Ask): Response {
    const response = this.ask(target, ask);
    assert.ok(response instanceof Response, `${target} has no answer at once`);
    return response;
  }

  async json(target: string, ask?: Ask): Promise<Record<string, unknown>> {
    const response = this.now(target, ask);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.equal(response.headers.get("cache-control"), "no-store");
    return await response.json();
  }

  drop(key: string, headers: Record<string, string> = { origin: `http://${HOST}` }): Response {
    return this.now(`/stats/drop?key=${key}`, { method: "POST", headers });
  }

  [Symbol.dispose](): void {
    this.page.stop();
    this.rig[Symbol.dispose]();
  }
}

async function assertProblem(response: Response, status: number, more: Record<string, string> = {}): Promise<void> {
  assert.equal(response.status, status);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  for (const [name, text] of Object.entries(more)) assert.equal(response.headers.get(name), text, name);
  const body = await response.json();
  assert.equal(body.status, status);
  assert.equal(typeof body.title, "string");
}

const basic = (user: string, password: string): string =>
  "Basic " + Buffer.from(`${user}:${password}`).toString("base64");

Deno.test("what is not the page's is left to others", () => {
  using door = new Door();
  for (const target of ["/x", "/index.html", "/stats/", "/stats/x", "/stats/key/", "/statsx", "//", "", "*"]) {
    assert.equal(door.ask(target), null, target);
  }
});

Deno.test("methods that do not fit are told which do", async () => {
  using door = new Door();
  for (const target of ["/", "/stats", "/stats/events", "/stats/key?key=k"]) {
    await assertProblem(door.now(target, { method: "POST" }), 405, { allow: "GET, HEAD" });
  }
  for (const method of ["GET", "HEAD", "DELETE"]) {
    await assertProblem(door.now("/stats/drop?key=k", { method }), 405, { allow: "POST" });
  }
});

Deno.test("GET / is the page, whatever its query", async () => {
  using door = new Door();
  for (const target of ["/", "/?x"]) assert.match(await door.now(target).text(), /^<!DOCTYPE html>/);
});

Deno.test("/stats is everything as JSON", async () => {
  using door = new Door();
  door.rig.connect();
  const { redis, totals, history } = await door.json("/stats") as Record<string, Record<string, unknown>>;
  assert.deepEqual([redis.state, redis.coherence], ["up", "tracking"]);
  assert.deepEqual(totals.http, door.rig.counters.http);
  assert.deepEqual(history.time, []);
});

Deno.test("a key is looked up by its bytes, and that is no use of it", async () => {
  using door = new Door({ entriesMax: 2 });
  door.rig.connect();
  await door.rig.fill("a/..%", value("1"));
  await door.rig.fill("b", value("2"));
  door.rig.time.nowMs += 1_500;
  for (let i = 0; i < 3; i++) {
    const { key, value, absence, flight } = await door.json("/stats/key?key=a/%2e%2E%25#f") as Record<string, unknown>;
    assert.equal(key, "a%2F..%25");
    const { ageMs, hits, bytes } = value as Record<string, number>;
    assert.deepEqual({ ageMs, hits, bytes, absence, flight }, {
      ageMs: 1_500,
      hits: 0,
      bytes: 1,
      absence: null,
      flight: null,
    });
  }
  await door.rig.fill("c", value("3"));
  assert.equal((await door.json("/stats/key?key=a%2F..%25")).value, null, "the oldest went, though it was looked at");
  assert.notEqual((await door.json("/stats/key?key=b")).value, null);
});

Deno.test("hits are counted by item, from zero when it is read anew", async () => {
  using door = new Door();
  door.rig.connect();
  await door.rig.fill("k", value("1"));
  for (let i = 0; i < 3; i++) assert.equal(door.rig.ask("k").words, "hit 1");
  const hits = async (): Promise<unknown> => ((await door.json("/stats/key?key=k")).value as { hits: number }).hits;
  assert.equal(await hits(), 3);
  assert.equal(door.drop("k").status, 200);
  await door.rig.fill("k", value("2"));
  assert.equal(await hits(), 0);
});

Deno.test("every key can be given, the empty one too", async () => {
  using door = new Door();
  door.rig.connect();
  for (const [query, shown] of [["", ""], ["+&=?%26", "%2B%26%3D%3F%26"], ["%00%ff", "%00%FF"], ["é", "%C3%A9"]]) {
    assert.equal((await door.json(`/stats/key?key=${query}`)).key, shown);
  }
});

Deno.test("keys that cannot be read are refused, here and where they are dropped", async () => {
  using door = new Door();
  const long = "k".repeat(KEY_BYTES_MAX + 1);
  for (const query of ["", "?", "?k=x", "?key", "?key=%", "?key=%zz", "?x&key=k"]) {
    await assertProblem(door.now(`/stats/key${query}`), 400);
    const ask = { method: "POST", headers: { origin: `http://${HOST}` } };
    await assertProblem(door.now(`/stats/drop${query}`, ask), 400);
  }
  await assertProblem(door.now(`/stats/key?key=${long}`), 414);
  await assertProblem(door.drop(long), 414);
});

Deno.test("dropping a key forgets its value, its absence and the read under way", async () => {
  using door = new Door({ negativeTtlMs: 60_000 });
  door.rig.connect();
  await door.rig.fill("value", value("old"));
  await door.rig.fill("absent", { kind: "absent" });
  assert.equal(door.rig.ask("absent").words, "absent remembered");
  assert.deepEqual(await door.drop("value").json(), { dropped: true });
  assert.equal(door.drop("absent").status, 200);
  assert.equal(door.rig.ask("value").words, "waiting");
  assert.equal(door.rig.ask("absent").words, "waiting");
  await settled();
  door.drop("value");
  // Asked after the drop: not by the read that was under way then.
  const after = door.rig.ask("value");
  door.rig.source.last.replyAll(() => value("before"));
  await settled();
  assert.equal(after.words, "waiting");
  door.rig.source.last.replyAll(() => value("after"));
  await settled();
  assert.equal(after.words, "fill after stored");
  assert.equal(door.rig.counters.keysDropped, 3);
  assert.equal(door.rig.counters.invalidatedKeys, 0, "Redis has said nothing");
});

Deno.test("only the proxy's own page may drop a key, and who shows a token", async () => {
  using door = new Door();
  door.rig.connect();
  await door.rig.fill("k", value("v"));
  const refused: Record<string, string>[] = [
    {},
    { origin: "http://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site", origin: `http://${HOST}` },
    { authorization: "Bearer x" },
  ];
  for (const headers of refused) await assertProblem(door.drop("k", headers), 403);
  assert.notEqual((await door.json("/stats/key?key=k")).value, null);
  assert.equal(door.drop("k", { "sec-fetch-site": "same-origin" }).status, 200);
  assert.equal((await door.json("/stats/key?key=k")).value, null);
});

Deno.test("with a password everything of the page needs it, as a browser or as a program sends it", async () => {
  using door = new Door({ password: PASSWORD });
  const targets: [string, string][] = [
    ["/", "GET"],
    ["/stats", "GET"],
    ["/stats/events", "GET"],
    ["/stats/key?key=k", "GET"],
    ["/stats/drop?key=k", "POST"],
  ];
  const challenge = { "www-authenticate": 'Basic realm="redis-proxy", charset="UTF-8"' };
  for (const [target, method] of targets) {
    const origin = { origin: `http://${HOST}` };
    for (const authorization of [undefined, "Bearer wrong", basic("me", "wrong"), basic("", "open"), "Basic !"]) {
      const headers: Record<string, string> = authorization === undefined ? origin : { ...origin, authorization };
      await assertProblem(door.now(target, { method, headers }), 401, challenge);
    }
    for (const authorization of [`Bearer ${PASSWORD}`, basic("me", PASSWORD), basic("", PASSWORD)]) {
      const answer = await door.ask(target, { method, headers: { ...origin, authorization } });
      assert.equal(answer?.status, 200, `${target} ${authorization}`);
      await answer?.body?.cancel();
    }
  }
  // The browser sends Basic by itself, also for the page of somebody else.
  await assertProblem(door.drop("k", { authorization: basic("me", PASSWORD) }), 403);
  await assertProblem(door.drop("k", { authorization: basic("me", PASSWORD), origin: "http://evil.example" }), 403);
  assert.equal(door.drop("k", { authorization: `Bearer ${PASSWORD}` }).status, 200);
});

Deno.test("the stream begins with everything and goes on with each second", async () => {
  using door = new Door();
  door.rig.connect();
  const answer = await door.ask("/stats/events");
  assert.ok(answer instanceof LongAnswer);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  const next = async (): Promise<{ name: string; data: Record<string, unknown> }> => {
    const { value } = await reader.read();
    const [, name, data] = /event: (\w+)\ndata: (.*)\n\n$/.exec(value!)!;
    return { name, data: JSON.parse(data) };
  };
  const all = await next();
  assert.equal(all.name, "all");
  assert.ok("history" in all.data && "settings" in all.data);
  for (let i = 1; i <= 2; i++) {
    door.rig.counters.http.hit += 5;
    door.rig.time.nowMs += 1_000;
    door.statistics.look();
    door.page.tell();
    const second = await next();
    assert.equal(second.name, "second");
    assert.equal((second.data.totals as { http: { hit: number } }).http.hit, 5 * i);
    assert.ok(!("history" in second.data));
    assert.equal((second.data.latest as { httpPerSecond: number } | null)?.httpPerSecond, i === 1 ? undefined : 5);
  }
  door.page.stop();
  assert.equal((await reader.read()).done, true);
});

Deno.test("nothing is put together while nobody looks", () => {
  using door = new Door();
  door.page.tell();
  assert.equal(door.gaugesRead, 0);
});

Deno.test("there is a bound on viewers, and a look at the head is none", async () => {
  using door = new Door();
  assert.equal(door.now("/stats/events", { method: "HEAD" }).status, 200);
  for (let i = 0; i < VIEWERS_MAX; i++) assert.ok(await door.ask("/stats/events") instanceof LongAnswer);
  await assertProblem(door.now("/stats/events"), 503, { "retry-after": "1" });
  assert.equal(door.now("/stats").status, 200);
});
