import assert from "node:assert/strict";
import { eventually } from "./eventually.ts";
import { ProxyProcess, runToEnd } from "./proxy_process.ts";
import { headerOf, RawConnection, rawRequest } from "./raw_http.ts";
import { RedisServer } from "./redis_server.ts";
import { encode, ReplyError, RespClient } from "./resp_client.ts";
import { FrameScanner } from "./resp_frames.ts";
import { TcpMiddleman } from "./tcp_middleman.ts";

// Every other end-to-end test believes these supports, so this file looks for the ways in which they could lie.

const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i);
const bytesOf = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

Deno.test("eventually returns the first value that is not false", async () => {
  let calls = 0;
  assert.equal(await eventually(() => ++calls >= 3 && "third", { everyMs: 1 }), "third");
  assert.equal(calls, 3);
});

Deno.test("eventually gives up on false, on a throw and on a hang, and says why", async () => {
  const soon = { deadlineMs: 20, everyMs: 1 };
  await assert.rejects(eventually(() => false, soon), /returned false/);
  await assert.rejects(
    eventually(() => {
      throw new Error("not warm yet");
    }, soon),
    /within 20 ms .* not warm yet/,
  );
  await assert.rejects(eventually(() => new Promise(() => {}), soon), /the check's end/);
});

Deno.test("RedisServer: a command is binary safe and each type of reply is told apart", async () => {
  await using redis = await RedisServer.start();
  assert.equal(await redis.command("SET", everyByte, everyByte), "OK");
  assert.deepEqual(await redis.command("GET", everyByte), everyByte);
  assert.deepEqual(await redis.command("GET", everyByte.toReversed()), null);
  assert.equal(await redis.command("SET", "", ""), "OK");
  assert.deepEqual(await redis.command("GET", ""), new Uint8Array(0));
  assert.equal(await redis.command("STRLEN", everyByte), 256);
  assert.deepEqual(await redis.command("EVAL", "return {1,'a',{false,{}}}", "0"), [1, bytesOf("a"), [null, []]]);
  const refused = await redis.command("LPUSH", everyByte, "x");
  assert.ok(refused instanceof ReplyError);
  assert.match(refused.message, /^WRONGTYPE /);
});

Deno.test("RedisServer: a pipeline keeps order and a value larger than one read arrives whole", async () => {
  await using redis = await RedisServer.start();
  const large = new Uint8Array(300_000).fill(7);
  assert.deepEqual(await redis.pipeline([["SET", "large", large], ["GET", "large"], ["GET", "none"], ["PING"]]), [
    "OK",
    large,
    null,
    "PONG",
  ]);
  assert.deepEqual(await Promise.all([redis.command("ECHO", "1"), redis.command("ECHO", "2")]), [
    bytesOf("1"),
    bytesOf("2"),
  ]);
});

Deno.test("RedisServer: commandCalls counts what ran, and nothing else", async () => {
  await using redis = await RedisServer.start();
  assert.equal(await redis.commandCalls("get"), 0);
  await redis.pipeline([["GET", "a"], ["GETRANGE", "a", "0", "1"], ["GET", "b"], ["CLIENT", "ID"]]);
  assert.equal(await redis.commandCalls("get"), 2);
  assert.equal(await redis.commandCalls("client|id"), 1);
});

Deno.test("RedisServer: pauses, is killed, and restarts on its port without its data", async () => {
  await using redis = await RedisServer.start();
  await redis.command("SET", "a", "1");
  const port = redis.port;
  redis.pause();
  {
    using late = await RespClient.connect(port, { deadlineMs: 30 });
    await assert.rejects(late.command("PING"), /a reply to PING is needed: received nothing in 30 ms/);
  }
  redis.resume();
  assert.equal(await redis.command("PING"), "PONG");
  await redis.kill();
  await assert.rejects(redis.command("PING"), Deno.errors.ConnectionRefused);
  await redis.restart();
  assert.equal(redis.port, port);
  assert.equal(await redis.command("GET", "a"), null);
});

Deno.test("RedisServer: another server on the port is not taken for ours", async () => {
  await using first = await RedisServer.start();
  await assert.rejects(
    RedisServer.start({ port: first.port }),
    /Cannot start redis-server on port .* it ended at once/,
  );
});

Deno.test("RedisServer: a server with a password counts as started", async () => {
  await using redis = await RedisServer.start({ args: ["--requirepass", "secret"] });
  assert.ok(await redis.command("PING") instanceof ReplyError);
  assert.equal(await redis.command("AUTH", "secret"), "OK");
  assert.equal(await redis.command("PING"), "PONG");
});

/** A stand-in for the proxy that shows what it was given. */
const standIn = `
  const port = Number(Deno.env.get("PROXY_PORT"));
  const env = Object.keys(Deno.env.toObject()).sort();
  console.log(JSON.stringify({ message: "start", env, args: Deno.args }));
  if (Deno.args[0] === "end") {
    console.error(await Deno.readTextFile(".env").catch((error) => error.name));
    Deno.exit(3);
  }
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, (request) => new Response(request.url));
  Deno.addSignalListener("SIGTERM", async () => {
    await server.shutdown();
    Deno.exit(Number(Deno.env.get("EXIT_CODE")));
  });
`;

async function withStandIn(body: (program: { command: string; args: string[] }) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".js" });
  try {
    await Deno.writeTextFile(path, standIn);
    await body({ command: Deno.execPath(), args: ["run", "-A", "--no-config", path] });
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("ProxyProcess: has a clean environment, answers, logs, and ends with its own code", async () => {
  await withStandIn(async (program) => {
    await using proxy = await ProxyProcess.start({ redisPort: 1, env: { EXIT_CODE: "7" }, args: ["x"], program });
    const record = await proxy.waitForLog((record) => record.message === "start");
    assert.deepEqual(record.args, ["x"]);
    const passed = ["DENO_DIR", "EXIT_CODE", "HOME", "NO_COLOR", "PATH", "PROXY_PORT", "REDIS_PORT"];
    assert.deepEqual((record.env as string[]).filter((name) => !passed.includes(name)), []);
    assert.equal(await (await proxy.get("/get/a%2Fb")).text(), proxy.url("/get/a%2Fb"));
    await assert.rejects(proxy.waitForLog((record) => record.message === "no", { deadlineMs: 20 }), /no such log/);
    const end = await proxy.stop();
    assert.deepEqual([end.code, end.signal], [7, null]);
    assert.ok(end.elapsedMs < 5_000);
  });
});

Deno.test("ProxyProcess: a proxy that ends is an error with its output, and runToEnd returns it", async () => {
  await withStandIn(async (program) => {
    await assert.rejects(ProxyProcess.start({ redisPort: 1, args: ["end"], program }), /ended at once[^]*NotFound/);
    const { code, stdout, stderr } = await runToEnd({ args: ["end"], dotenv: "CACHE_TTL=5\n", program });
    assert.equal(code, 3);
    assert.match(stdout, /"message":"start"/);
    assert.match(stderr, /^CACHE_TTL=5\n/);
  });
});

/** Starts a Redis with a middleman before it, and a client that goes through it. */
async function startLink() {
  const stack = new AsyncDisposableStack();
  const redis = stack.use(await RedisServer.start());
  const link = stack.use(await TcpMiddleman.start({ targetPort: redis.port }));
  const client = stack.use(await RespClient.connect(link.port, { deadlineMs: 2_000 }));
  return { redis, link, client, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Settles to true when `work` is still waiting after `ms`, for what must not happen. */
async function stillWaits(work: Promise<unknown>, ms = 40): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(true), ms);
  const waits = await Promise.race([promise, work.then(() => false, () => false)]);
  clearTimeout(timer);
  return waits;
}

Deno.test("TcpMiddleman: passes bytes unchanged and counts them", async () => {
  await using setup = await startLink();
  const { link, client } = setup;
  const large = new Uint8Array(1_000_000).map((_, i) => i * 31);
  const seen: number[] = [];
  link.fromClient.onChunk = (chunk, connection) => seen.push(chunk.length, connection);
  assert.deepEqual(await client.pipeline([["SET", "large", large], ["GET", "large"]]), ["OK", large]);
  const sent = encode([["SET", "large", large], ["GET", "large"]]).length;
  assert.equal(link.fromClient.bytes, sent);
  assert.equal(seen.filter((_, i) => i % 2 === 0).reduce((a, b) => a + b), sent);
  assert.equal(seen[1], 1);
  assert.equal(link.fromServer.bytes, "+OK\r\n$1000000\r\n\r\n".length + 1_000_000);
  assert.deepEqual([link.connectionsSeen, link.connectionsOpen], [1, 1]);
});

Deno.test("TcpMiddleman: stall holds each direction, release delivers in order", async () => {
  await using setup = await startLink();
  const { redis, link, client } = setup;
  link.fromServer.stall();
  const reply = client.pipeline([["INCR", "n"], ["INCR", "n"]]);
  assert.ok(await stillWaits(reply));
  assert.equal(await redis.command("INCR", "n"), 3, "the requests went through");
  link.release();
  assert.deepEqual(await reply, [1, 2]);
  link.fromClient.stall();
  const second = client.command("INCR", "n");
  assert.ok(await stillWaits(second));
  assert.equal(await redis.command("INCR", "n"), 4, "the request was held");
  link.release();
  assert.equal(await second, 5);
});

Deno.test("TcpMiddleman: a stalled link hides even the death of Redis", async () => {
  await using setup = await startLink();
  const { redis, link, client } = setup;
  assert.equal(await client.command("PING"), "PONG");
  link.stall();
  const reply = client.command("PING");
  await redis.kill();
  assert.ok(await stillWaits(reply));
  link.release();
  await assert.rejects(reply, /received its end|reset/);
});

Deno.test("TcpMiddleman: cut is an end of file, reset is a reset, and new connections are taken", async () => {
  await using setup = await startLink();
  const { link } = setup;
  for (const [action, seen] of [["cut", null], ["reset", "ConnectionReset"]] as const) {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: link.port });
    await conn.write(bytesOf("PING\r\n"));
    assert.equal(await conn.read(new Uint8Array(100)), 7);
    await link[action]();
    assert.equal(await conn.read(new Uint8Array(100)).catch((error) => error.name), seen);
    assert.equal(link.connectionsOpen, 0);
  }
  using again = await RespClient.connect(link.port);
  assert.equal(await again.command("PING"), "PONG");
  assert.equal(link.connectionsSeen, 4);
});

Deno.test("TcpMiddleman: refuse refuses new connections only, accept takes them on the same port", async () => {
  await using setup = await startLink();
  const { link, client } = setup;
  assert.equal(await client.command("PING"), "PONG");
  for (let round = 0; round < 3; round++) {
    link.refuse();
    await assert.rejects(RespClient.connect(link.port), Deno.errors.ConnectionRefused);
    assert.equal(await client.command("PING"), "PONG");
    await link.accept();
    using again = await RespClient.connect(link.port);
    assert.equal(await again.command("PING"), "PONG");
  }
});

Deno.test("TcpMiddleman: a target that refuses shows as a reset, not as silence", async () => {
  await using setup = await startLink();
  const { redis, link } = setup;
  await redis.stop();
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: link.port });
  await assert.rejects(conn.read(new Uint8Array(1)), Deno.errors.ConnectionReset);
});

Deno.test("TcpMiddleman: half a close passes through, so what was sent is still answered", async () => {
  await using setup = await startLink();
  using raw = await RawConnection.connect(setup.link.port);
  await raw.send("PING\r\nECHO hi\r\n");
  await raw.closeWrite();
  assert.deepEqual(await raw.end(), bytesOf("+PONG\r\n$2\r\nhi\r\n"));
  await eventually(() => setup.link.connectionsOpen === 1);
});

Deno.test("TcpMiddleman: cutAfterBytes delivers exactly so many bytes, whatever the chunks", async () => {
  await using setup = await startLink();
  const { redis, link } = setup;
  await redis.command("SET", "k", "0123456789");
  for (const count of [1, 4, 16, 17]) {
    link.fromServer.cutAfterBytes(count);
    using raw = await RawConnection.connect(link.port);
    await raw.send("GET k\r\n");
    assert.deepEqual(await raw.end(), bytesOf("$10\r\n0123456789\r\n").subarray(0, count));
  }
  using after = await RespClient.connect(link.port);
  assert.deepEqual(await after.command("GET", "k"), bytesOf("0123456789"), "it cuts once");
});

Deno.test("TcpMiddleman: trickle delivers small pieces with pauses", async () => {
  await using setup = await startLink();
  const { link } = setup;
  link.fromServer.trickle({ bytesEach: 3, everyMs: 5 });
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: link.port });
  await conn.write(bytesOf("ECHO 0123456789\r\n"));
  const startedAtMs = performance.now();
  let text = "";
  while (text.length < 17) {
    const piece = new Uint8Array(100);
    const got = await conn.read(piece);
    assert.ok(got !== null);
    text += String.fromCharCode(...piece.subarray(0, got));
  }
  assert.equal(text, "$10\r\n0123456789\r\n");
  // Timers are late but hardly early, so this also bounds the pieces: larger ones would have been fewer.
  assert.ok(performance.now() - startedAtMs >= 20, "6 pieces have 5 pauses of 5 ms between them");
});

Deno.test("TcpMiddleman: delay is paid once each way, and chunks that follow do not wait for it again", async () => {
  await using setup = await startLink();
  const { link } = setup;
  link.fromServer.delay({ ms: 50 });
  link.fromClient.delay({ ms: 50 });
  using raw = await RawConnection.connect(link.port);
  const startedAtMs = performance.now();
  for (let i = 1; i <= 20; i++) {
    await raw.send(`ECHO ${i % 10}\r\n`);
    // Each is to be a chunk of its own.
    await eventually(() => link.fromClient.bytes === i * 8, { everyMs: 1 });
  }
  await raw.closeWrite();
  const replies = String.fromCharCode(...await raw.end());
  const elapsedMs = performance.now() - startedAtMs;
  assert.equal(replies, Array.from({ length: 20 }, (_, i) => `$1\r\n${(i + 1) % 10}\r\n`).join(""));
  assert.ok(elapsedMs >= 100 && elapsedMs < 900, `${elapsedMs} ms; one after another would take 1,050`);
});

Deno.test("TcpMiddleman: garble changes what is delivered", async () => {
  await using setup = await startLink();
  const { link, client } = setup;
  link.fromServer.garble((bytes) => bytes.map((byte) => byte === 0x61 ? 0x62 : byte));
  assert.deepEqual(await client.command("ECHO", "banana"), bytesOf("bbnbnb"));
  link.fromServer.garble(null);
  assert.deepEqual(await client.command("ECHO", "banana"), bytesOf("banana"));
});

Deno.test("TcpMiddleman: holdFrames lets replies and pushes go one by one, in order", async () => {
  await using setup = await startLink();
  const { redis, link } = setup;
  await redis.command("SET", "k", "old");
  using raw = await RawConnection.connect(link.port);
  await raw.send("HELLO 3\r\nCLIENT TRACKING ON\r\n");
  link.fromServer.holdFrames();
  const [hello, tracking] = await link.fromServer.waitForFrames(2);
  assert.deepEqual([hello.type, tracking.type], ["%", "+"]);
  link.fromServer.releaseFrames(2);

  await raw.send("GET k\r\n");
  await link.fromServer.waitForFrames(1);
  await redis.command("SET", "k", "new");
  const held = await link.fromServer.waitForFrames(2);
  assert.deepEqual(held.map(({ type }) => type), ["$", ">"]);
  assert.deepEqual(held.map(({ start }) => start), ["$3\r\nold\r\n", ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"]);
  assert.deepEqual(held.map(({ connection }) => connection), [2, 2]);
  assert.throws(() => link.fromServer.releaseFrames(3), /3 held ones are needed: received 2/);

  const before = hello.bytesTotal + tracking.bytesTotal;
  const all = raw.end();
  link.fromServer.releaseFrames();
  assert.deepEqual(link.fromServer.frames.map(({ type }) => type), [">"]);
  await raw.closeWrite();
  assert.deepEqual((await link.fromServer.waitForFrames(2)).map(({ type }) => type), [">", "end"]);
  assert.ok(await stillWaits(all), "the end does not overtake the push");
  link.fromServer.release();
  assert.equal(
    String.fromCharCode(...(await all).subarray(before)),
    "$3\r\nold\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
  );
});

Deno.test("TcpMiddleman: a frame that had begun before holdFrames goes through, the next is held", async () => {
  await using setup = await startLink();
  const { link } = setup;
  using raw = await RawConnection.connect(link.port);
  link.fromClient.stall(); // so that what "arrives" below stays in sight
  const [first, second] = [encode([["ECHO", "first"]]), encode([["ECHO", "second"]])];
  await raw.send(first.subarray(0, 9));
  await eventually(() => link.fromClient.bytes === 9);
  link.fromClient.holdFrames();
  await raw.send(first.subarray(9, 12));
  await eventually(() => link.fromClient.bytes === 12);
  await raw.send(first.subarray(12));
  await raw.send(second.subarray(0, 9));
  await eventually(() => link.fromClient.bytes === first.length + 9);
  assert.deepEqual(link.fromClient.frames, [], "a frame is shown when it is whole");
  await raw.send(second.subarray(9));
  const [frame] = await link.fromClient.waitForFrames(1);
  assert.equal(frame.bytesTotal, second.length);
  assert.match(frame.start, /second/);
  await raw.send(first.subarray(0, 9));
  await eventually(() => link.fromClient.bytes === first.length + second.length + 9);
  link.fromClient.pass();
  await raw.send(first.subarray(9));
  await raw.closeWrite();
  assert.deepEqual(await raw.end(), bytesOf("$5\r\nfirst\r\n$6\r\nsecond\r\n$5\r\nfirst\r\n"));
});

Deno.test("TcpMiddleman: frames that are released together leave in one write", async () => {
  await using setup = await startLink();
  const { link, client } = setup;
  link.fromServer.holdFrames();
  const replies = client.pipeline([["PING"], ["ECHO", "x"], ["PING"]]);
  await link.fromServer.waitForFrames(3);
  const written: string[] = [];
  link.fromServer.garble((bytes) => {
    written.push(String.fromCharCode(...bytes));
    return bytes;
  });
  link.fromServer.releaseFrames(2);
  link.fromServer.releaseFrames();
  assert.deepEqual(written, ["+PONG\r\n$1\r\nx\r\n", "+PONG\r\n"]);
  assert.deepEqual(await replies, ["PONG", bytesOf("x"), "PONG"]);
});

const frames = [
  "+OK\r\n",
  "-ERR a text that is much longer than what the scanner keeps of a line, and then some\r\n",
  ":-12\r\n",
  "$-1\r\n",
  "$0\r\n\r\n",
  "$8\r\na\r\n$9\r\n*\r\n",
  "*-1\r\n",
  "*0\r\n",
  "*3\r\n:1\r\n*2\r\n$1\r\na\r\n*0\r\n$-1\r\n",
  "%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n+c\r\n~2\r\n:1\r\n:2\r\n",
  ">2\r\n$10\r\ninvalidate\r\n_\r\n",
  "|1\r\n+ttl\r\n:5\r\n$1\r\nv\r\n",
  "*2\r\n|1\r\n+ttl\r\n:5\r\n:1\r\n:2\r\n",
  "_\r\n",
  ",1.5\r\n",
  "#t\r\n",
  "(123456789012345678901234567890123456789012\r\n",
  "=7\r\ntxt:a\r\n\r\n",
  "!5\r\nERR x\r\n",
];

Deno.test("FrameScanner finds the same ends at every split point", () => {
  const bytes = bytesOf(frames.join(""));
  const expected: number[] = [];
  for (const frame of frames) expected.push((expected.at(-1) ?? 0) + frame.length);
  const endsOf = (chunks: Uint8Array[]) => {
    const scanner = new FrameScanner();
    let from = 0;
    return chunks.flatMap((chunk) => {
      const ends = scanner.ends(chunk).map((end) => from + end);
      from += chunk.length;
      assert.equal(scanner.atBoundary, from === 0 || expected.includes(from), `boundary at ${from}`);
      return ends;
    });
  };
  for (let at = 0; at <= bytes.length; at++) {
    assert.deepEqual(endsOf([bytes.subarray(0, at), bytes.subarray(at)]), expected, `split at ${at}`);
  }
  assert.deepEqual(endsOf(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))), expected, "byte by byte");
});

Deno.test("FrameScanner refuses what is not RESP", () => {
  for (const text of ["PING\r\n", "$x\r\n", "$?\r\n", "*-2\r\n", "$1 \r\n", "\r\n", "$1\n"]) {
    assert.throws(() => new FrameScanner().ends(bytesOf(text)), /Cannot find frames/, JSON.stringify(text));
  }
});

/** Serves one connection: records what comes, answers `response` in pieces of `pieceBytes`, and closes. */
async function answerOnce(
  response: string,
  { pieceBytes, requestBytes }: { pieceBytes: number; requestBytes: number },
) {
  await Promise.resolve();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = (async () => {
    using conn = await listener.accept();
    conn.setNoDelay();
    const request = new Uint8Array(1_000);
    let have = 0;
    while (have < requestBytes) have += await conn.read(request.subarray(have)) ?? requestBytes;
    const bytes = bytesOf(response);
    for (let at = 0; at < bytes.length; at += pieceBytes) await conn.write(bytes.subarray(at, at + pieceBytes));
    return String.fromCharCode(...request.subarray(0, have));
  })();
  return { port: (listener.addr as Deno.NetAddr).port, served, [Symbol.dispose]: () => listener.close() };
}

Deno.test("rawRequest sends bytes as they are and reads every kind of body", async () => {
  const request = "GET /get/%ff\xff/../ HTTP/1.1\r\nHost: x\r\n\r\n";
  const head = "HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a:2 \r\n";
  const bodies = [
    ["Content-Length: 5\r\n\r\n\0\r\n\xfe!", "\0\r\n\xfe!"],
    ["Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n", "abc0123456789"],
    ["\r\nup to the end", "up to the end"],
  ];
  for (const [rest, body] of bodies) {
    for (const pieceBytes of [1, 1_000]) {
      using server = await answerOnce(head + rest, { pieceBytes, requestBytes: request.length });
      const response = await rawRequest(server.port, request);
      assert.equal(await server.served, request);
      assert.deepEqual(response.body, bytesOf(body));
      assert.equal(response.status, 200);
      assert.equal(response.statusLine, "HTTP/1.1 200 OK");
      assert.deepEqual(response.headers.slice(0, 2), [["X-A", "1"], ["x-a", "2"]]);
      assert.equal(headerOf(response, "X-a"), "1, 2");
    }
  }
});

Deno.test("RawConnection reads a pipeline, and no body where there is none", async () => {
  const responses = [
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: t\r\n\r\n",
    "HTTP/1.1 204 \r\n\r\n",
  ];
  using server = await answerOnce(responses.join(""), { pieceBytes: 7, requestBytes: 1 });
  using connection = await RawConnection.connect(server.port);
  await connection.send("x");
  assert.equal((await connection.response()).body.length, 0);
  assert.equal((await connection.response({ toHead: true })).status, 200);
  assert.deepEqual((await connection.response()).body, bytesOf("no"));
  assert.deepEqual((await connection.response()).body, bytesOf("a"));
  assert.equal((await connection.response()).status, 204);
  assert.equal((await connection.end()).length, 0);
  await server.served;
});

Deno.test("RawConnection refuses a response that is malformed or not whole", async () => {
  const responses = [
    "",
    "HTTP/1.1 OK\r\n\r\n",
    "HTTP/1.1 200 OK\nA: b\n\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: b\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXY0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
  ];
  for (const response of responses) {
    using server = await answerOnce(response, { pieceBytes: 1_000, requestBytes: 1 });
    await assert.rejects(rawRequest(server.port, "x"), /^Error: Cannot /, JSON.stringify(response));
    await server.served;
  }
});
