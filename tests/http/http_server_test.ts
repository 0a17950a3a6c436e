import assert from "node:assert/strict";
import { HTTP_ANSWER_MS_MIN } from "../../lib/limits.ts";
import { LongAnswer } from "../../lib/http/long_answer.ts";
import { HttpServer, type HttpServerEvent, type HttpServerOptions } from "../../lib/http/http_server.ts";

const FIXTURE = new URL("fixtures/crowded_server.ts", import.meta.url).pathname;

/** Descriptors of the children: few, so that twice as many connections are quickly made. */
const DESCRIPTORS = 256;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Tries until `attempt` gives true; fails when that took longer than `withinMs`. Returns how long it took. */
async function eventually(
  what: string,
  attempt: () => boolean | Promise<boolean>,
  { withinMs }: { withinMs: number },
): Promise<number> {
  const startedAtMs = performance.now();
  while (!await attempt()) {
    assert.ok(performance.now() - startedAtMs < withinMs, `${what}: not within ${withinMs} ms`);
    await pause(5);
  }
  return performance.now() - startedAtMs;
}

/** A client of one connection. */
class RawClient {
  readonly #socket: Deno.Conn;
  /** Whether the server hung up; found out by `watch`. */
  isClosed = false;

  private constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  static async open(port: number): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(text: string): Promise<void> {
    await this.#socket.write(encoder.encode(text));
  }

  /** Asks for `target` and returns the body; throws when the connection ends before it is whole. */
  async get(target: string): Promise<string> {
    await this.send(`GET ${target} HTTP/1.1\r\nhost: test\r\n\r\n`);
    return await this.body();
  }

  async body(): Promise<string> {
    const chunk = new Uint8Array(65_536);
    let text = "";
    for (;;) {
      const read = await this.#socket.read(chunk);
      if (read === null) throw new Error(`closed after ${text.length} bytes`);
      text += decoder.decode(chunk.subarray(0, read));
      const bodyStart = text.indexOf("\r\n\r\n") + 4;
      const length = /content-length: (\d+)/i.exec(text);
      if (bodyStart > 3 && length && text.length - bodyStart >= Number(length[1])) return text.slice(bodyStart);
    }
  }

  /** Reads and forgets until the end. */
  watch(): this {
    const chunk = new Uint8Array(1_024);
    const read = async (): Promise<void> => {
      try {
        while (await this.#socket.read(chunk) !== null);
      } catch {
        // A reset is an end too.
      }
      this.isClosed = true;
    };
    read();
    return this;
  }

  close(): void {
    try {
      this.#socket.close();
    } catch {
      // Closed before.
    }
  }
}

async function refuses(port: number): Promise<boolean> {
  try {
    (await RawClient.open(port)).close();
    return false;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused;
  }
}

/** Runs `body` against a server in this process, which is stopped afterwards. */
async function withServer(
  options: Partial<HttpServerOptions> & Pick<HttpServerOptions, "handler">,
  body: (server: HttpServer, port: number) => Promise<void>,
): Promise<void> {
  const server = new HttpServer({ hostname: "127.0.0.1", port: 0, ...options });
  const { port } = server.start();
  try {
    await body(server, port);
  } finally {
    await server.stop({ deadlineMs: 0 });
    await server.stop({ deadlineMs: 0 });
  }
}

/** Runs `body` against the fixture in a process with few descriptors. */
async function withCrowdedServer(
  descriptors: number,
  body: (port: number, events: HttpServerEvent[]) => Promise<void>,
): Promise<void> {
  const child = new Deno.Command("sh", {
    // `ulimit` sets the hard limit as well, which `deno run` would otherwise raise the soft one to.
    args: ["-c", `ulimit -n ${descriptors}; exec "$0" run --no-prompt --allow-net "$1"`, Deno.execPath(), FIXTURE],
    stdout: "piped",
  }).spawn();
  const events: HttpServerEvent[] = [];
  const reading = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) events.push(JSON.parse(line));
    }
  })();
  let hasDied = false;
  const ended = child.status.then(() => hasDied = true);
  try {
    await eventually("the fixture listens", () => events.length > 0, { withinMs: 10_000 });
    const [listening] = events;
    assert.ok(listening.kind === "listening");
    await body(listening.port, events);
    assert.equal(hasDied, false);
  } finally {
    if (!hasDied) child.kill("SIGKILL");
    await reading;
    await ended;
  }
}

/** `count` connections that hold on until `release`: half are silent, half dribble a head; closed ones come back at once. */
function besiege(port: number, { count }: { count: number }): { release: () => Promise<void> } {
  let isOver = false;
  const held = new Set<RawClient>();
  const dribblers = new Set<RawClient>();
  const dribbling = setInterval(() => {
    for (const client of dribblers) client.send("x").catch(() => dribblers.delete(client));
  }, 1_000);
  const attack = async (isDribbler: boolean): Promise<void> => {
    while (!isOver) {
      const client = await RawClient.open(port).catch(() => undefined);
      if (client === undefined) {
        await pause(5);
        continue;
      }
      held.add(client.watch());
      if (isDribbler) {
        await client.send("GET / HTTP/1.1\r\nx-long: ").catch(() => {});
        dribblers.add(client);
      }
      while (!client.isClosed && !isOver) await pause(10);
      held.delete(client);
      dribblers.delete(client);
      client.close();
    }
  };
  const attackers = Array.from({ length: count }, (_, index) => attack(index % 2 === 0));
  return {
    async release() {
      isOver = true;
      clearInterval(dribbling);
      for (const client of held) client.close();
      await Promise.all(attackers);
    },
  };
}

Deno.test("start binds the port, says so once, and its requests are answered", async () => {
  const events: HttpServerEvent[] = [];
  const onEvent = (event: HttpServerEvent): void => void events.push(event);
  await withServer({ handler: () => new Response("hello"), onEvent }, async (server, port) => {
    const client = await RawClient.open(port);
    assert.equal(await client.get("/"), "hello");
    assert.equal(await client.get("/"), "hello");
    assert.equal(server.connections, 1);
    client.close();
    await eventually("the connection is forgotten", () => server.connections === 0, { withinMs: 2_000 });
    assert.deepEqual(events, [{ kind: "listening", hostname: "127.0.0.1", port }]);
  });
});

Deno.test("start says which port is taken", async () => {
  const handler = (): Response => new Response();
  await withServer({ handler }, (_, port) => {
    const second = new HttpServer({ hostname: "127.0.0.1", port, handler });
    assert.throws(() => second.start(), {
      message: `Cannot serve HTTP: a port that is free is needed: received 127.0.0.1:${port}`,
    });
    return Promise.resolve();
  });
});

Deno.test("start says when the permission is missing", async () => {
  const { stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { HttpServer } from "${new URL("../../lib/http/http_server.ts", import.meta.url)}";
      Deno.permissions.revokeSync({ name: "net" });
      new HttpServer({ hostname: "127.0.0.1", port: 8, handler: () => new Response() }).start();`,
    ],
  }).output();
  assert.equal(success, false);
  assert.match(decoder.decode(stderr), /the permission to listen is needed: received 127\.0\.0\.1:8/);
});

Deno.test("a handler that throws or rejects is answered by onError", async () => {
  const handler = (request: Request): Promise<Response> => {
    if (request.url.endsWith("/throws")) throw new Error("thrown");
    return Promise.reject(new Error("rejected"));
  };
  const onError = (error: unknown): Response => new Response((error as Error).message, { status: 500 });
  await withServer({ handler, onError }, async (_, port) => {
    const client = await RawClient.open(port);
    assert.equal(await client.get("/throws"), "thrown");
    assert.equal(await client.get("/rejects"), "rejected");
    client.close();
  });
});

Deno.test("stop refuses at once, ends what is at rest and lets the handler finish", async () => {
  const { promise: answer, resolve } = Promise.withResolvers<Response>();
  let isAsked = false;
  const handler = (request: Request): Response | Promise<Response> => {
    if (!request.url.endsWith("/wait")) return new Response();
    isAsked = true;
    return answer;
  };
  await withServer({ handler }, async (server, port) => {
    const [silent, resting, waiting] = await Promise.all([1, 2, 3].map(() => RawClient.open(port)));
    await resting.get("/");
    const body = waiting.get("/wait");
    await eventually("all are there", () => isAsked && server.connections === 3, { withinMs: 2_000 });

    let hasStopped = false;
    const stopped = server.stop({ deadlineMs: 10_000 }).then(() => hasStopped = true);
    await eventually("the port refuses", () => refuses(port), { withinMs: 1_000 });
    silent.watch();
    resting.watch();
    await eventually("those at rest are ended", () => silent.isClosed && resting.isClosed, { withinMs: 2_000 });
    assert.equal(hasStopped, false);

    resolve(new Response("late, and whole"));
    assert.equal(await body, "late, and whole");
    await stopped;
    assert.equal(server.connections, 0);
    for (const client of [silent, resting, waiting]) client.close();
  });
});

for (const how of ["the deadline", "a second call"]) {
  Deno.test(`stop cuts a handler that does not finish: by ${how}`, async () => {
    let isAsked = false;
    const handler = (): Promise<Response> => {
      isAsked = true;
      return new Promise(() => {});
    };
    await withServer({ handler }, async (server, port) => {
      const client = await RawClient.open(port);
      await client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
      client.watch();
      await eventually("it is asked", () => isAsked, { withinMs: 2_000 });
      const isByDeadline = how === "the deadline";
      const stopped = server.stop({ deadlineMs: isByDeadline ? 50 : 60_000 });
      assert.equal(server.connections, 1);
      if (!isByDeadline) await server.stop({ deadlineMs: 60_000 });
      await stopped;
      await eventually("it is cut", () => client.isClosed, { withinMs: 2_000 });
      assert.equal(server.connections, 0);
      client.close();
    });
  });
}

/** An answer that goes on until it is ended. */
function longAnswer(): { answer: LongAnswer; send: (text: string) => void; end: () => void; hasEnded: () => boolean } {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let stream: ReadableStreamDefaultController<Uint8Array>;
  let hasEnded = false;
  ended.then(() => hasEnded = true);
  const body = new ReadableStream<Uint8Array>({ start: (controller) => void (stream = controller), cancel: resolve });
  const end = (): void => {
    stream.close();
    resolve();
  };
  return {
    answer: new LongAnswer(body, { headers: {}, ended }),
    send: (text) => stream.enqueue(encoder.encode(text)),
    end,
    hasEnded: () => hasEnded,
  };
}

Deno.test("a long answer is not at rest while it goes on, and is when it has ended", async () => {
  const long = longAnswer();
  await withServer({
    handler: (request) => request.url.endsWith("/long") ? Promise.resolve(long.answer) : new Response(),
    restMsMax: 300,
  }, async (server, port) => {
    const [listening, resting] = [await RawClient.open(port), await RawClient.open(port)];
    await resting.get("/");
    await listening.send("GET /long HTTP/1.1\r\nhost: test\r\n\r\n");
    listening.watch();
    resting.watch();
    await eventually("who came with it and rests is ended", () => resting.isClosed, { withinMs: 5_000 });
    assert.equal(listening.isClosed, false);
    assert.equal(server.connections, 1);
    assert.equal(server.endedCount, 1);
    long.send("still here");
    long.end();
    await eventually("it rests too long", () => listening.isClosed, { withinMs: 5_000 });
    for (const client of [listening, resting]) client.close();
  });
});

Deno.test("stop waits for a long answer to be ended", async () => {
  const long = longAnswer();
  let isAsked = false;
  const handler = (): Promise<Response> => {
    isAsked = true;
    return Promise.resolve(long.answer);
  };
  await withServer({ handler }, async (server, port) => {
    const client = await RawClient.open(port);
    await client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
    client.watch();
    await eventually("it is asked", () => isAsked, { withinMs: 2_000 });
    let hasStopped = false;
    const stopped = server.stop({ deadlineMs: 60_000 }).then(() => hasStopped = true);
    await eventually("the port refuses", () => refuses(port), { withinMs: 1_000 });
    assert.equal(hasStopped, false);
    long.end();
    await stopped;
    await eventually("it is ended", () => client.isClosed, { withinMs: 2_000 });
    client.close();
  });
});

Deno.test("a long answer ends when its client goes away", async () => {
  const long = longAnswer();
  await withServer({ handler: () => Promise.resolve(long.answer) }, async (_, port) => {
    const client = await RawClient.open(port);
    await client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
    client.close();
    await eventually("it has ended", () => {
      if (!long.hasEnded()) long.send("anybody there?");
      return long.hasEnded();
    }, { withinMs: 5_000 });
  });
});

Deno.test("the silent and those at rest for too long are ended, a waiting request is not", async () => {
  const { promise: answer, resolve } = Promise.withResolvers<Response>();
  await withServer({
    handler: (r) => r.url.endsWith("/wait") ? answer : new Response(),
    silentMsMax: 300,
    restMsMax: 300,
  }, async (server, port) => {
    const [silent, dribbling, resting, waiting] = [
      (await RawClient.open(port)).watch(),
      (await RawClient.open(port)).watch(),
      await RawClient.open(port),
      await RawClient.open(port),
    ];
    await dribbling.send("GET / HTTP/1.1\r\nho");
    const body = waiting.get("/wait");
    await resting.get("/");
    resting.watch();
    const isEnded = (): boolean => silent.isClosed && dribbling.isClosed && resting.isClosed;
    await eventually("the other three are ended", isEnded, { withinMs: 5_000 });
    assert.equal(server.endedCount, 3);
    resolve(new Response("still here"));
    assert.equal(await body, "still here");
    for (const client of [silent, dribbling, resting, waiting]) client.close();
  });
});

Deno.test("those that never read their answers are not all told to leave: the others can be cut for newcomers", async () => {
  const large = new Uint8Array(16 * 2 ** 20);
  await withServer({
    handler: (r) => new Response(r.url.endsWith("/large") ? large : "small"),
    connectionsMax: 8,
    restMsMax: 300,
  }, async (server, port) => {
    const greedy = await Promise.all(Array.from({ length: 8 }, async () => {
      const client = await RawClient.open(port);
      await client.send("GET /large HTTP/1.1\r\nhost: test\r\n\r\n");
      return client;
    }));
    await eventually("an eighth of them is told to leave", () => server.endedCount === 1, { withinMs: 5_000 });
    await pause(HTTP_ANSWER_MS_MIN);
    assert.equal(server.endedCount, 1);
    // All places are taken; seven of them by connections that can be cut.
    const newcomers = await Promise.all(Array.from({ length: 6 }, async () => {
      const client = await RawClient.open(port);
      assert.equal(await client.get("/small"), "small");
      return client;
    }));
    for (const client of [...greedy, ...newcomers]) client.close();
  });
});

Deno.test("beyond connectionsMax the oldest silent one goes, and those that spoke stay", async () => {
  await withServer({ handler: () => new Response("here"), connectionsMax: 4 }, async (server, port) => {
    const known = await RawClient.open(port);
    assert.equal(await known.get("/"), "here");
    const silent: RawClient[] = [];
    for (let count = 1; count <= 8; count++) {
      silent.push((await RawClient.open(port)).watch());
      await eventually("there is room", () => server.connections <= 4, { withinMs: 2_000 });
      assert.equal(await known.get("/"), "here");
    }
    await eventually("the first are ended", () => silent.slice(0, 4).every((c) => c.isClosed), { withinMs: 2_000 });
    assert.equal(silent[7].isClosed, false);
    for (const client of [known, ...silent]) client.close();
  });
});

Deno.test("beyond connectionsMax a waiting request is never ended: newcomers wait instead", async () => {
  const { promise: answer, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  const handler = (request: Request): Response | Promise<Response> => {
    asked++;
    return request.url.endsWith("/wait") ? answer.then(() => new Response("done")) : new Response("welcome");
  };
  await withServer({ handler, connectionsMax: 3 }, async (_, port) => {
    const waiting = await Promise.all([1, 2, 3, 4].map(() => RawClient.open(port)));
    const bodies = waiting.map((client) => client.get("/wait"));
    await eventually("all wait", () => asked === 4, { withinMs: 2_000 });
    const newcomer = await RawClient.open(port);
    const welcome = newcomer.get("/");
    resolve();
    assert.deepEqual(await Promise.all(bodies), Array(4).fill("done"));
    assert.equal(await welcome, "welcome");
    for (const client of [newcomer, ...waiting]) client.close();
  });
});

Deno.test("survives twice as many idle connections as descriptors, and serves once they have left", async () => {
  await withCrowdedServer(DESCRIPTORS, async (port, events) => {
    const idle: RawClient[] = [];
    for (let count = 0; count < 2 * DESCRIPTORS; count++) idle.push(await RawClient.open(port));
    await eventually("descriptors run out", () => events.some((e) => e.kind === "crowded"), { withinMs: 5_000 });
    for (const client of idle) client.close();
    const tookMs = await eventually("it serves again", async () => {
      const client = await RawClient.open(port);
      try {
        return await client.get("/again") === "/again";
      } finally {
        client.close();
      }
    }, { withinMs: 2_000 });
    assert.ok(tookMs < 2_000);
    await eventually("it says so", () => events.some((e) => e.kind === "recovered"), { withinMs: 10_000 });
  });
});

Deno.test("200 clients are answered, and requests in flight finish, while 600 connections hold on to their places", async () => {
  await withCrowdedServer(DESCRIPTORS, async (port, events) => {
    const inFlight = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(port)));
    const slowBodies = Promise.all(inFlight.map((client) => client.get("/slow")));
    const siege = besiege(port, { count: 600 });
    try {
      await eventually("descriptors run out", () => events.some((e) => e.kind === "crowded"), { withinMs: 5_000 });
      assert.deepEqual(await slowBodies, Array(20).fill("/slow"));

      let answered = 0;
      const visit = async (name: number): Promise<void> => {
        const keepsAlive = name % 2 === 0;
        let client: RawClient | undefined;
        for (let count = 0; count < 5; count++) {
          const target = `/${name}/${count}`;
          // A connection may be ended while it is at rest, and as with any server the request is then sent again.
          await eventually(`client ${name} is answered`, async () => {
            try {
              client ??= await RawClient.open(port);
              assert.equal(await client.get(target), target);
              return true;
            } catch (error) {
              if (error instanceof assert.AssertionError) throw error;
              client?.close();
              client = undefined;
              return false;
            }
          }, { withinMs: 10_000 });
          answered++;
          if (!keepsAlive) {
            client?.close();
            client = undefined;
          }
        }
        client?.close();
      };
      await Promise.all(Array.from({ length: 200 }, (_, name) => visit(name)));
      assert.equal(answered, 1_000);
    } finally {
      await siege.release();
      for (const client of inFlight) client.close();
    }
  });
});

Deno.test("with any number of idle connections the process finds a descriptor for one of its own", async () => {
  await withCrowdedServer(64, async (port) => {
    const busy = await RawClient.open(port);
    const idle: RawClient[] = [];
    for (let count = 0; count < 2 * 64; count++) {
      idle.push(await RawClient.open(port));
      const isConnected = async (): Promise<boolean> => await busy.get("/connect") === "connected";
      await eventually(`connects beside ${count} idle ones`, isConnected, { withinMs: 1_000 });
    }
    for (const client of [busy, ...idle]) client.close();
  });
});

Deno.test("idle connections make room when other parts of the process use up the descriptors", async () => {
  await withCrowdedServer(64, async (port) => {
    const busy = await RawClient.open(port);
    const idle = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(port)));
    assert.match(await busy.get("/take"), /Too many open files/);
    const isConnected = async (): Promise<boolean> => await busy.get("/connect") === "connected";
    await eventually("a descriptor is free", isConnected, { withinMs: 2_000 });
    for (const client of [busy, ...idle]) client.close();
  });
});

Deno.test("clients that do not read their large answers lose their places to those that do", async () => {
  await withCrowdedServer(64, async (port) => {
    const greedy = await Promise.all(Array.from({ length: 80 }, async () => {
      const client = await RawClient.open(port);
      await client.send("GET /large HTTP/1.1\r\nhost: test\r\n\r\n");
      return client;
    }));
    await eventually("somebody else is answered", async () => {
      const client = await RawClient.open(port);
      try {
        return await client.get("/small") === "/small";
      } catch {
        return false;
      } finally {
        client.close();
      }
    }, { withinMs: 20_000 });
    for (const client of greedy) client.close();
  });
});
