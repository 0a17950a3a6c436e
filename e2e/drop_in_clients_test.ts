/** `RESP_COMMANDS=all` and the programs that people use with Redis: nothing is changed but the port. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Child } from "./support/child.ts";
import { withDeadline } from "./support/deadline.ts";
import { eventually } from "./support/eventually.ts";
import { NODE_CLIENTS, type NodeClient } from "./support/node_clients.ts";
import { runProgram, typeInto } from "./support/program.ts";
import { ProxyProcess } from "./support/proxy_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { RespClient } from "./support/resp_client.ts";

const PASSWORD = "a-password";
const BIG_BYTES = 20_000_000;
const DEADLINE_MS = 20_000;

/** Who wants a password: nobody, the proxy, or Redis, whose client gives it as if there were no proxy. */
const PASSWORDS = [
  { name: "without a password", password: undefined, atRedis: false, atProxy: false },
  { name: "with PROXY_PASSWORD", password: PASSWORD, atRedis: false, atProxy: true },
  { name: "with a password at Redis", password: PASSWORD, atRedis: true, atProxy: false },
] as const;

type Passwords = typeof PASSWORDS[number];

/** A Redis, and a proxy in front of it. */
class Place implements AsyncDisposable {
  readonly redis: RedisServer;
  readonly proxy: ProxyProcess;

  private constructor(redis: RedisServer, proxy: ProxyProcess) {
    this.redis = redis;
    this.proxy = proxy;
  }

  static async start({ atRedis, atProxy }: Pick<Passwords, "atRedis" | "atProxy"> = PASSWORDS[0]): Promise<Place> {
    const redis = await RedisServer.start({ args: atRedis ? ["--requirepass", PASSWORD] : [] });
    const env: Record<string, string> = {};
    if (atRedis) {
      await redis.command("AUTH", PASSWORD);
      env.REDIS_URL = `redis://:${PASSWORD}@127.0.0.1:${redis.port}`;
    }
    if (atProxy) env.PROXY_PASSWORD = PASSWORD;
    return new Place(redis, await ProxyProcess.start({ redisPort: redis.port, respCommands: "all", env }));
  }

  get port(): string {
    return `${this.proxy.respPort}`;
  }

  /** Waits until no client of the proxy has a connection to Redis any more. */
  async isLeft(): Promise<void> {
    await eventually(async () => {
      const list = Buffer.from(await this.redis.command("CLIENT", "LIST") as Uint8Array).toString().trim().split("\n");
      assert.equal(list.length, 2, "the proxy and the test:\n" + list.join("\n"));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.redis[Symbol.asyncDispose]();
  }
}

for (const flags of [[], ["-3"]]) {
  Deno.test(`redis-cli ${flags.join(" ")}`, async () => {
    await using place = await Place.start();
    const cli = ["-p", place.port, ...flags];
    assert.equal((await runProgram("redis-cli", [...cli, "SET", "greeting", "hello"]))?.output, "OK\n");
    for (let i = 0; i < 3; i++) {
      assert.equal((await runProgram("redis-cli", [...cli, "GET", "greeting"]))?.output, "hello\n");
    }
    assert.equal((await runProgram("redis-cli", [...cli, "-n", "1", "GET", "greeting"]))?.output, "\n");
    const piped = await runProgram("redis-cli", cli, {
      input: "multi\nset a 1\nincr a\nexec\nhset h f v\nhgetall h\neval 'return {1,2}' 0\nfoo\nget greeting\n",
    });
    assert.match(
      piped?.output ?? "",
      /^OK\nQUEUED\nQUEUED\nOK\n2\n1\nf[\n ]v\n1\n2\n\n?ERR unknown command 'foo'[^\n]*\n\n?hello\n/,
    );
    const typed = await typeInto(`redis-cli ${cli.join(" ")}`, [
      "get greeting",
      "multi",
      "set greeting changed",
      "get greeting",
      "exec",
      "get greeting",
      "select 1",
      "get greeting",
      "help get",
    ]);
    assert.match(typed, /"hello".*\(TX\)> .*QUEUED.*1\) OK\s+2\) "changed".*"changed".*\[1\]> .*\(nil\).*summary:/s);
    assert.ok(await place.proxy.respReads("hit") >= 2);
    await place.isLeft();
  });
}

Deno.test("redis-cli --pipe: 100,000 commands, and as many replies", async () => {
  await using place = await Place.start();
  const commands = Array.from({ length: 100_000 }, (_, i) => `SET key:${i} value-of-${i}\r\n`).join("");
  const done = await runProgram("redis-cli", ["-p", place.port, "--pipe"], { input: commands });
  assert.match(done?.output ?? "", /errors: 0, replies: 100000\n/);
  assert.equal(await place.redis.command("DBSIZE"), 100_000);
});

Deno.test("redis-cli --bigkeys, --scan and --eval", async () => {
  await using place = await Place.start();
  const cli = ["-p", place.port];
  await place.redis.pipeline([["SET", "short", "x"], ["SET", "long", "x".repeat(1_000)], ["RPUSH", "list", "a", "b"]]);
  const bigKeys = await runProgram("redis-cli", [...cli, "--bigkeys"]);
  assert.equal(bigKeys?.code, 0);
  assert.match(bigKeys!.output, /Biggest string found '?"long"'? has 1000 bytes/);
  assert.match(bigKeys!.output, /Biggest +list found '?"list"'? has 2 items/);
  const scanned = await runProgram("redis-cli", [...cli, "--scan"]);
  assert.deepEqual(scanned?.output.trim().split("\n").sort(), ["list", "long", "short"]);
  const script = await Deno.makeTempFile({ suffix: ".lua" });
  try {
    await Deno.writeTextFile(script, "redis.call('SET', KEYS[1], ARGV[1]); return redis.call('GET', KEYS[1])");
    const evaluated = await runProgram("redis-cli", [...cli, "--eval", script, "short", ",", "scripted"]);
    assert.equal(evaluated?.output, "scripted\n");
  } finally {
    await Deno.remove(script);
  }
});

/** Runs redis-cli for as long as `work` takes, which looks at its output. */
async function whileRunning(args: string[], work: (lines: string[]) => Promise<void>): Promise<void> {
  const child = new Child("redis-cli", { args, cwd: "/", env: { PATH: Deno.env.get("PATH") ?? "" } });
  try {
    await work(child.stdout);
  } finally {
    await child.end("SIGTERM", { deadlineMs: DEADLINE_MS });
  }
}

Deno.test("redis-cli SUBSCRIBE and PSUBSCRIBE hear what is published, MONITOR what is done", async () => {
  await using place = await Place.start();
  using client = await RespClient.connect(place.proxy.respPort);
  for (const flags of [[], ["-3"]]) {
    const cli = ["-p", place.port, ...flags];
    await whileRunning([...cli, "SUBSCRIBE", "news"], async (lines) => {
      await eventually(async () => assert.equal(await client.command("PUBLISH", "news", "extra"), 1));
      await eventually(() => assert.ok(lines.join(" ").includes("message news extra"), lines.join(" ")));
    });
    await whileRunning([...cli, "PSUBSCRIBE", "n*"], async (lines) => {
      await eventually(async () => assert.equal(await client.command("PUBLISH", "news", "extra"), 1));
      await eventually(() => assert.ok(lines.join(" ").includes("pmessage n* news extra"), lines.join(" ")));
    });
    await whileRunning([...cli, "MONITOR"], async (lines) => {
      await eventually(() => assert.ok(lines.length > 0));
      await client.command("SET", "watched", "by monitor");
      await eventually(() => assert.match(lines.join("\n"), /"SET" "watched" "by monitor"/));
    });
  }
  client.close();
  await place.isLeft();
});

/** All that redis-benchmark runs by default. */
const BENCHMARKS = "PING_INLINE PING_MBULK SET GET INCR LPUSH RPUSH LPOP RPOP SADD HSET SPOP ZADD ZPOPMIN LRANGE_100 " +
  "LRANGE_300 LRANGE_500 LRANGE_600 MSET";

for (const [pipeline, requests] of [["1", "1000"], ["16", "2000"]]) {
  Deno.test(`redis-benchmark -P ${pipeline}: all of its tests`, async () => {
    await using place = await Place.start();
    const args = ["-p", place.port, "-n", requests, "-P", pipeline, "--csv"];
    const done = await runProgram("redis-benchmark", args);
    assert.equal(done?.code, 0);
    assert.doesNotMatch(done!.output, /error/i);
    for (const name of BENCHMARKS.split(" ")) assert.match(done!.output, new RegExp(`^"${name}[^"]*","[1-9]`, "m"));
    assert.ok(await place.proxy.respReads("hit") > 100);
    await place.isLeft();
  });
}

for (const { name, ...passwords } of PASSWORDS) {
  Deno.test({
    name: `redis-cli, the clients of Node and Debian's redis-py, ${name}`,
    // What the libraries keep open while they end is theirs.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async (t) => {
      await using place = await Place.start(passwords);
      const { password } = passwords;
      // One size for all would be slow: the password decides nothing about sizes.
      const bigBytes = password === undefined ? BIG_BYTES : 1_000;
      if (password !== undefined) {
        await t.step("redis-cli", async () => {
          const cli = ["-p", place.port, "--no-auth-warning", "-a"];
          assert.equal((await runProgram("redis-cli", [...cli, password, "SET", "a", "b"]))?.output, "OK\n");
          assert.equal((await runProgram("redis-cli", [...cli, password, "GET", "a"]))?.output, "b\n");
          const wrong = await runProgram("redis-cli", [...cli, "wrong", "SET", "a", "c"]);
          assert.match(wrong?.output ?? "", /WRONGPASS/);
        });
      }
      const programs = [
        ...NODE_CLIENTS.map(({ name, connect }) => ({
          name,
          run: async () => {
            const client = await withDeadline(connect({ port: place.proxy.respPort, password }), {
              deadlineMs: DEADLINE_MS,
              what: "a connection",
            });
            try {
              await withDeadline(exercise(client, bigBytes), { deadlineMs: DEADLINE_MS, what: `the end of ${name}` });
            } finally {
              await client.close();
            }
          },
        })),
        { name: "redis-py", run: () => runRedisPy({ port: place.port, password, bigBytes }) },
      ];
      for (const { name, run } of programs) {
        await t.step(name, async () => {
          await place.redis.command("FLUSHALL");
          const hitsBefore = await place.proxy.respReads("hit");
          await run();
          if (hasRedisPy || name !== "redis-py") assert.ok(await place.proxy.respReads("hit") > hitsBefore);
          await place.isLeft();
        });
      }
    },
  });
}

/** All that programs do with a client. */
async function exercise(client: NodeClient, bigBytes: number): Promise<void> {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await client.set("greeting", "h\u00e9llo");
  await client.set("bytes", bytes);
  for (let i = 0; i < 3; i++) {
    assert.equal(await client.get("greeting"), "h\u00e9llo");
    assert.deepEqual(Buffer.from((await client.bytes("bytes"))!), bytes);
  }
  assert.equal(await client.get("nosuch"), null);
  for (let i = 0; i < 2; i++) assert.deepEqual(await client.mget(["greeting", "nosuch"]), ["h\u00e9llo", null]);
  assert.equal(await client.ttl("greeting"), -1);

  assert.equal(await client.transaction("greeting", "in a transaction"), "in a transaction");
  assert.equal(await client.get("greeting"), "in a transaction");
  const source = "redis.call('SET', KEYS[1], ARGV[1]); return redis.call('GET', KEYS[1])";
  assert.equal(await client.script(source, "greeting", "by a script"), "by a script");
  assert.equal(await client.get("greeting"), "by a script");
  assert.deepEqual(await client.pipeline(["greeting", "nosuch", "greeting"]), ["by a script", null, "by a script"]);

  const heard: string[] = [];
  await client.subscribe("news", (message) => heard.push(message));
  assert.equal(await client.publish("news", "extra"), 1);
  await eventually(() => heard.length > 0);
  assert.deepEqual(heard, ["extra"]);

  const popped = client.blockingPop("queue");
  await client.script("return redis.call('RPUSH', KEYS[1], ARGV[1])", "queue", "job");
  assert.equal(await popped, "job");

  await client.select(1);
  assert.equal(await client.get("greeting"), null);
  await client.set("greeting", "in database 1");
  assert.equal(await client.get("greeting"), "in database 1");
  await client.select(0);
  assert.equal(await client.get("greeting"), "by a script");

  const big = Buffer.alloc(bigBytes, "0123456789abcdef");
  await client.set("big", big);
  for (let i = 0; i < 2; i++) assert.ok(big.equals((await client.bytes("big"))!), "a big value comes back");
}

const hasRedisPy = (await runProgram("/usr/bin/python3", ["-c", "import redis"]))?.code === 0;
if (!hasRedisPy) console.log("skipped: the Debian package python3-redis is not installed");

/** The same by redis-py, and its pipelines, which write everything before they read anything. */
async function runRedisPy(
  { port, password, bigBytes }: { port: string; password?: string; bigBytes: number },
): Promise<void> {
  if (!hasRedisPy) return;
  const access = `port=${port}, password=${password === undefined ? "None" : `"${password}"`}`;
  const program = `
import redis, threading
r = redis.Redis(${access})
assert r.set("greeting", "hello") and r.set("bytes", bytes(range(256)))
for i in range(3):
    assert r.get("greeting") == b"hello" and r.get("bytes") == bytes(range(256))
assert r.mget("greeting", "nosuch") == [b"hello", None]
with r.pipeline(transaction=True) as p:
    assert p.set("greeting", "hi").get("greeting").execute() == [True, b"hi"]
assert r.get("greeting") == b"hi"
def add(p):
    n = int(p.get("n") or 0)
    p.multi()
    p.set("n", n + 1)
assert r.transaction(add, "n") == [True] and r.get("n") == b"1"
script = r.register_script("redis.call('SET', KEYS[1], ARGV[1]); return redis.call('GET', KEYS[1])")
for value in (b"one", b"two"):
    assert script(keys=["greeting"], args=[value]) == value and r.get("greeting") == value
with r.pubsub() as s:
    s.subscribe("news")
    assert s.get_message(timeout=5)["type"] == "subscribe"
    assert r.publish("news", "extra") == 1
    assert s.get_message(timeout=5)["data"] == b"extra"
popped = []
t = threading.Thread(target=lambda: popped.append(r.blpop("queue")))
t.start()
r.rpush("queue", "job")
t.join(10)
assert popped == [(b"queue", b"job")], popped
other = redis.Redis(${access}, db=1)
assert other.get("greeting") is None and other.set("greeting", "there") and r.get("greeting") == b"two"
big = bytes(16) * ${Math.ceil(bigBytes / 16)}
assert r.set("big", big) and r.get("big") == big and r.get("big") == big
with r.pipeline(transaction=False) as p:
    for i in range(2000):
        p.set("k%d" % i, i)
    for i in range(2000):
        p.get("k%d" % i)
    replies = p.execute()
assert replies == [True] * 2000 + [b"%d" % i for i in range(2000)]
with r.pipeline(transaction=False) as p:
    for i in range(4000):
        p.get("k%d" % (i % 500))
    replies = p.execute()
assert replies == [b"%d" % (i % 500) for i in range(4000)]
r.close()
other.close()
print("done")
`;
  assert.deepEqual(await runProgram("/usr/bin/python3", ["-c", program]), { code: 0, output: "done\n" });
}

Deno.test("a pipeline of 100,000 SETs and 200,000 GETs of 1 KB, all of it written before anything is read", async () => {
  await using place = await Place.start();
  const value = Buffer.alloc(1_000, "v");
  const sets: Buffer[] = [];
  for (let i = 0; i < 100_000; i++) {
    sets.push(Buffer.from(`*3\r\n$3\r\nSET\r\n$6\r\n${100_000 + i}\r\n$1000\r\n`), value, Buffer.from("\r\n"));
  }
  const gets = Array.from({ length: 200_000 }, (_, i) => `*2\r\n$3\r\nGET\r\n$6\r\n${100_000 + i % 100_000}\r\n`);
  // The second time the GETs stand alone, so the proxy answers them.
  for (const commands of [[...sets, Buffer.from(gets.join(""))], [Buffer.from(gets.slice(0, 20_000).join(""))]]) {
    const expected = Buffer.from("$1000\r\n" + value + "\r\n");
    const isMixed = commands.length > 1;
    const replies = (isMixed ? 100_000 * 5 : 0) + (isMixed ? 200_000 : 20_000) * expected.length;
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: place.proxy.respPort });
    const bytes = Buffer.concat(commands);
    const all = (async () => {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
      const received = Buffer.alloc(replies);
      for (let at = 0; at < replies;) {
        const count = await connection.read(received.subarray(at));
        assert.ok(count !== null, "the connection lives");
        at += count;
      }
      return received;
    })();
    const received = await withDeadline(all, { deadlineMs: 60_000, what: "the last reply" });
    const start = isMixed ? 100_000 * 5 : 0;
    if (isMixed) assert.equal(received.toString("latin1", 0, start), "+OK\r\n".repeat(100_000));
    for (let at = start; at < replies; at += expected.length) {
      if (!received.subarray(at, at + expected.length).equals(expected)) assert.fail(`another reply at ${at}`);
    }
  }
  const residentBytes = await place.proxy.metric('redis_proxy_memory_bytes{kind="resident"}');
  assert.ok(residentBytes < 600_000_000, `${residentBytes} bytes`);
});
