/** `RESP_COMMANDS=all` and Redis itself: the same bytes to both, the same bytes back. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { SEED } from "../tests/support/seed.ts";
import { Random } from "./coherence/random.ts";
import { comparable } from "./support/alike.ts";
import { ProxyProcess } from "./support/proxy_process.ts";
import { CONNECTIONS, KEYS, sequences } from "./support/random_requests.ts";
import { RedisServer } from "./support/redis_server.ts";
import { COMMANDS, CONTENTS, endsByItself, GARBAGE, oneByOne, READS } from "./support/request_corpus.ts";
import { type CommandWords, type Reply, RespClient } from "./support/resp_client.ts";
import { RespWire, talk } from "./support/resp_wire.ts";
import { Twin } from "./support/twin.ts";

const CASES = [...READS, ...COMMANDS, ...GARBAGE];
const PIECES_MAX = 8;

/** Cuts `text` into pieces, of which some are empty. */
function pieces(text: string, random: Random): string[] {
  const places = Array.from({ length: random.below(PIECES_MAX) }, () => random.below(text.length));
  places.sort((a, b) => a - b);
  return [0, ...places].map((from, i) => text.slice(from, [...places, text.length][i]));
}

/** Two servers, one of them behind a proxy, and a client of each. */
class Scene implements AsyncDisposable {
  readonly redis: RedisServer;
  readonly proxy: ProxyProcess;
  readonly #behind: RedisServer;
  readonly #clients: RespClient[];

  private constructor(servers: [redis: RedisServer, behind: RedisServer], proxy: ProxyProcess, clients: RespClient[]) {
    [this.redis, this.#behind] = servers;
    this.proxy = proxy;
    this.#clients = clients;
  }

  static async start({ env = {} }: { env?: Record<string, string> } = {}): Promise<Scene> {
    // Redis looks for timeouts as often as it does its housekeeping.
    const args = ["--hz", "500"];
    const [redis, behind] = await Promise.all([RedisServer.start({ args }), RedisServer.start({ args })]);
    const proxy = await ProxyProcess.start({ redisPort: behind.port, respCommands: "all", env });
    const clients = await Promise.all([redis.port, proxy.respPort].map((port) => RespClient.connect(port)));
    return new Scene([redis, behind], proxy, clients);
  }

  /** Tells both servers the same, and returns what each has replied. */
  both(commands: CommandWords[]): Promise<[theirs: Reply[], ours: Reply[]]> {
    const [direct, through] = this.#clients;
    return Promise.all([direct.pipeline(commands), through.pipeline(commands)]);
  }

  /** Reads keys through the proxy twice, so that they are held. */
  async warm(keys: CommandWords): Promise<void> {
    for (let i = 0; i < 2; i++) await this.#clients[1].pipeline(keys.map((key) => ["GET", key]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const one of [this.proxy, this.redis, this.#behind]) await one[Symbol.asyncDispose]();
  }
}

const WHOLE = { isWarm: false, say: (text: string): string[] => [text] };
const IN_PIECES = { isWarm: true, say: pieces };

for (
  const { name, greeting, isWarm, say } of [
    { name: "", greeting: "", ...WHOLE },
    { name: ", from memory and in pieces", greeting: "", ...IN_PIECES },
    { name: ", in RESP3", greeting: "HELLO 3\r\n", ...WHOLE },
    { name: ", in RESP3, from memory and in pieces", greeting: "HELLO 3\r\n", ...IN_PIECES },
  ]
) {
  Deno.test(`the same answers as Redis, from a list${name}`, async () => {
    await using scene = await Scene.start();
    const random = new Random(SEED);
    for (const request of CASES) {
      await scene.both([["FLUSHALL"], ...CONTENTS]);
      if (isWarm) await scene.warm(CONTENTS.map(([, key]) => key));
      const text = greeting + request + "\r\n";
      // What is sent to a server that has ended the connection makes it forget what it has said.
      const sent = endsByItself(request) ? [text] : say(text, random);
      const [theirs, ours] = await Promise.all([
        talk(scene.redis.port, ...sent),
        talk(scene.proxy.respPort, ...sent),
      ]);
      assert.equal(comparable(ours), comparable(theirs), JSON.stringify(sent));
    }
    if (isWarm) assert.ok(await scene.proxy.respReads("hit") > CASES.length);
  });
}

for (const { name, greeting } of [{ name: "", greeting: [] }, { name: ", in RESP3", greeting: ["HELLO 3"] }]) {
  Deno.test(`the same answers as Redis, from a list, from memory and one by one${name}`, async () => {
    await using scene = await Scene.start();
    for (const request of CASES) {
      const requests = oneByOne(request);
      if (requests === null) continue;
      await scene.both([["FLUSHALL"], ...CONTENTS]);
      await scene.warm(CONTENTS.map(([, key]) => key));
      using redis = await RespWire.connect(scene.redis.port);
      using proxy = await RespWire.connect(scene.proxy.respPort);
      for (const one of [...greeting, ...requests]) {
        const [theirs, ours] = await Promise.all([redis, proxy].map(async (wire) => {
          await wire.send(one + "\r\n");
          return await wire.frame();
        }));
        assert.equal(comparable(ours), comparable(theirs), JSON.stringify({ requests, one }));
      }
    }
    const hits = await scene.proxy.respReads("hit");
    assert.ok(hits > CASES.length, `${hits} hits`);
  });
}

/** How many sequences of each sort: DIFFERENTIAL_RUNS=10000 for a long look. */
const RUNS = Number(Deno.env.get("DIFFERENTIAL_RUNS") ?? 100);

for (
  const { name, env } of [
    { name: "", env: {} },
    { name: ", absence remembered", env: { CACHE_NEGATIVE_TTL: "60" } },
    { name: ", without tracking", env: { CACHE_COHERENCE: "ttl", CACHE_NEGATIVE_TTL: "60" } },
  ]
) {
  Deno.test(`the same answers as Redis, from ${RUNS} sequences by chance${name}`, async () => {
    await using scene = await Scene.start({ env });
    const keys = KEYS.map((key) => Buffer.from(key, "latin1"));
    const ports = { redisPort: scene.redis.port, proxyPort: scene.proxy.respPort };
    await fc.assert(
      fc.asyncProperty(sequences, async (steps) => {
        await scene.both([["SCRIPT", "FLUSH"], ["FUNCTION", "FLUSH"], ["FLUSHALL"]]);
        await scene.both([["MSET", ...keys.flatMap((key) => [key, "at first"])]]);
        const twins = await Promise.all(Array.from({ length: CONNECTIONS }, () => Twin.connect(ports)));
        try {
          for (const step of steps) {
            if (step.kind === "burst") {
              await twins[step.connection].burst(step);
            } else if (step.kind === "warm") {
              await scene.warm(keys);
            } else {
              const [theirs, ours] = await scene.both([["PUBLISH", step.channel, Buffer.from(step.message, "latin1")]]);
              assert.deepEqual(ours, theirs);
              for (const twin of twins) await twin.hear(step.channel);
            }
          }
          const [theirs, ours] = await scene.both(keys.map((key) => ["GET", key]));
          assert.deepEqual(ours, theirs);
        } finally {
          for (const twin of twins) twin.close();
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
    const hits = await scene.proxy.respReads("hit");
    assert.ok(hits > RUNS * 5, `${hits} hits`);
  });
}
