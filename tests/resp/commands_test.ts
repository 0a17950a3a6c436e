/** What each command answers, without sockets. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Key } from "../../lib/protocol/key.ts";
import { COMMANDS } from "../../lib/resp/commands.ts";
import { isKnownName } from "../../lib/resp/known_names.ts";
import { readReply, type ReplyValue } from "../../lib/protocol/resp/reply_value.ts";
import { ABSENT, REFUSED, value, WRONG_TYPE } from "../support/hand_source.ts";
import { settled } from "../support/hand_time.ts";
import { ask, Parts, send } from "./parts.ts";
import { FRAME_COPY_BYTES_MAX, LATE_REPLIES_MAX, REPLY_BYTES_MAX } from "../../lib/limits.ts";

/** A reply with its bytes as text. */
async function valueOf(text: Promise<string>): Promise<unknown> {
  const plain = (value: ReplyValue): unknown =>
    Buffer.isBuffer(value)
      ? value.toString("latin1")
      : Array.isArray(value)
      ? value.map(plain)
      : value instanceof Map
      ? Object.fromEntries([...value].map(([name, value]) => [name, plain(value)]))
      : value;
  return plain(readReply(Buffer.from(await text, "latin1")));
}

Deno.test("GET: a hit is written at once, a miss when Redis has answered", async () => {
  using parts = new Parts();
  const client = parts.client();
  await parts.hold("k", "held");
  send(client, "GET k\r\n");
  assert.equal(client.replies.writer.take().toString(), "$4\r\nheld\r\n", "no promise was needed");

  const reply = send(client, "get other\r\n");
  await settled();
  parts.source.last.reply(value("read"));
  assert.equal(await reply(), "$4\r\nread\r\n");
  assert.deepEqual([parts.services.outcomes.hit, parts.services.outcomes.fill], [1, 1]);
});

Deno.test("GET: nothing, something else, no Redis", async () => {
  using parts = new Parts();
  const client = parts.client();
  const reply = send(client, "GET a\r\nGET b\r\nGET c\r\n");
  await settled();
  parts.source.last.reply(ABSENT, WRONG_TYPE, REFUSED);
  assert.equal(
    await reply(),
    "$-1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n-ERR Redis refuses the proxy\r\n",
  );
  parts.readThrough.disconnected();
  parts.readThrough.unavailable({ kind: "unreachable", code: "UNREACHABLE" });
  assert.equal(await ask(client, "GET a\r\n"), "-UNREACHABLE Redis cannot be reached by the proxy\r\n");
  parts.readThrough.unavailable({ kind: "loading", code: "LOADING" });
  assert.equal(await ask(client, "GET a\r\n"), "-LOADING Redis is not ready to answer\r\n");
});

Deno.test("replies keep the order of the requests, and misses of one chunk travel together", async () => {
  using parts = new Parts();
  const client = parts.client();
  await parts.hold("h", "held");
  const before = parts.source.trips.length;
  const reply = send(
    client,
    "GET h\r\nGET m1\r\nPING\r\nGET m2\r\nGET h\r\nSTRLEN m1\r\nHELLO 3\r\nGET m3\r\nGET h\r\n",
  );
  await settled();
  assert.deepEqual(parts.source.keys.slice(before), [["/m1", "/m2", "/m3"]]);
  parts.questions[0].resolve({ kind: "integer", value: 3 });
  parts.source.last.reply(value("one"), ABSENT, ABSENT);
  const replies = await reply();
  assert.match(
    replies,
    /^\$4\r\nheld\r\n\$3\r\none\r\n\+PONG\r\n\$-1\r\n\$4\r\nheld\r\n:3\r\n%7\r\n.*_\r\n\$4\r\nheld\r\n$/s,
  );
});

Deno.test("MGET: held and read together, in order, null for what is no string", async () => {
  using parts = new Parts();
  const client = parts.client();
  await parts.hold("h", "held");
  const reply = send(client, "MGET h a h b c\r\n");
  await settled();
  assert.deepEqual(parts.source.last.keys, ["/a", "/b", "/c"]);
  parts.source.last.reply(value("read"), ABSENT, WRONG_TYPE);
  assert.equal(await reply(), "*5\r\n$4\r\nheld\r\n$4\r\nread\r\n$4\r\nheld\r\n$-1\r\n$-1\r\n");
  const { hit, fill, absent, wrong_type } = parts.services.outcomes;
  assert.deepEqual({ hit, fill, absent, wrong_type }, { hit: 2, fill: 1, absent: 1, wrong_type: 1 });
  send(client, "MGET h a\r\n");
  assert.equal(client.replies.writer.take().toString(), "*2\r\n$4\r\nheld\r\n$4\r\nread\r\n", "hits need no promise");
});

Deno.test("MGET: a key that is asked for many times is waited for once", async () => {
  using parts = new Parts();
  const client = parts.client();
  const reply = send(client, `MGET ${"a b ".repeat(500)}\r\n`);
  await settled();
  assert.equal(parts.readThrough.inspect("/a" as Key).flight!.waiters, 1);
  parts.source.last.reply(value("A"), ABSENT);
  assert.equal(await reply(), "*1000\r\n" + "$1\r\nA\r\n$-1\r\n".repeat(500));
  const { fill, absent } = parts.services.outcomes;
  assert.deepEqual({ fill, absent }, { fill: 500, absent: 500 });
});

Deno.test("MGET: one failure is the answer", async () => {
  using parts = new Parts();
  const reply = send(parts.client(), "MGET a b\r\n");
  await settled();
  parts.source.last.reply(value("read"), REFUSED);
  assert.equal(await reply(), "-ERR Redis refuses the proxy\r\n");
});

Deno.test("EXISTS and STRLEN: from what is held, else by one question; TTL and PTTL always ask", async () => {
  using parts = new Parts();
  const client = parts.client();
  await parts.hold("h", "held");
  assert.equal(await ask(client, "EXISTS h h\r\nSTRLEN h\r\n"), ":2\r\n:4\r\n");
  assert.equal(parts.questions.length, 0);
  const reply = send(client, 'exists h "a b"\r\nSTRLEN x\r\nTTL h\r\nPTTL h\r\n');
  assert.deepEqual(parts.questions.map(({ words }) => words), [
    ["exists", "h", "a b"],
    ["STRLEN", "x"],
    ["TTL", "h"],
    ["PTTL", "h"],
  ]);
  parts.questions[3].reject();
  parts.questions[2].resolve({ kind: "integer", value: -1 });
  parts.questions[1].resolve({ kind: "error", text: "WRONGTYPE Operation against a key" });
  parts.questions[0].resolve({ kind: "integer", value: 1 });
  assert.equal(
    await reply(),
    ":1\r\n-WRONGTYPE Operation against a key\r\n:-1\r\n-UNREACHABLE Redis cannot be reached by the proxy\r\n",
  );
  const refused = send(client, "TTL h\r\n");
  parts.questions[4].resolve({ kind: "error", text: "NOPERM this user has no permissions" });
  assert.equal(await refused(), "-ERR Redis refuses the proxy\r\n", "what Redis has against the proxy stays there");
});

Deno.test("a key that was invalidated is asked for again", async () => {
  using parts = new Parts();
  const client = parts.client();
  await parts.hold("k", "old");
  parts.readThrough.invalidated("/k");
  const reply = send(client, "GET k\r\n");
  await settled();
  parts.source.last.reply(value("new"));
  assert.equal(await reply(), "$3\r\nnew\r\n");
});

/** Requests and replies of a proxy without a password; those that Redis 7.0 answers in the same way are compared in e2e/. */
const TALK: [request: string, reply: string][] = [
  ["PING", "+PONG\r\n"],
  ["PING hi", "$2\r\nhi\r\n"],
  ["ECHO hi", "$2\r\nhi\r\n"],
  ["SELECT 0", "+OK\r\n"],
  ["SELECT 1", "-ERR DB index is out of range\r\n"],
  ["CLIENT ID", ":7\r\n"],
  ["CLIENT SETNAME x\r\nCLIENT GETNAME\r\nRESET\r\nCLIENT GETNAME", "+OK\r\n$1\r\nx\r\n+RESET\r\n$-1\r\n"],
  ["HELLO 3 SETNAME me\r\nCLIENT GETNAME\r\nCLIENT GETREDIR", /^%7\r\n.*\$2\r\nme\r\n:-1\r\n$/s.source],
  ["CLIENT SETINFO LIB-NAME node-redis", "+OK\r\n"],
  ["CLIENT SETINFO lib-ver 6.0.0", "+OK\r\n"],
  ["CLIENT SETINFO LIB-NAME 'a b'", "-ERR LIB-NAME cannot contain spaces, newlines or special characters.\r\n"],
  ["CLIENT SETINFO foo x", "-ERR Unrecognized option 'foo'\r\n"],
  ["CLIENT MAINT_NOTIFICATIONS ON", "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n"],
  ["CLIENT NO-EVICT on\r\nCLIENT NO-TOUCH off\r\nCLIENT REPLY ON", "+OK\r\n+OK\r\n+OK\r\n"],
  ["CLIENT REPLY OFF", "-NOPERM redis-proxy answers every request\r\n"],
  ["CLIENT TRACKINGINFO", "*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n"],
  ["CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"],
  ["CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"],
  ["CONFIG GET requirepass", "*0\r\n"],
  ["SET k v", "-NOPERM redis-proxy serves reads of strings (RESP_COMMANDS=read), and 'set' is none\r\n"],
  ["CONFIG SET a b", "-NOPERM redis-proxy serves reads of strings (RESP_COMMANDS=read), and 'config|set' is none\r\n"],
  ["CLIENT KILL x", "-NOPERM redis-proxy serves reads of strings (RESP_COMMANDS=read), and 'client|kill' is none\r\n"],
  ["LRANGE l 0 1", "-NOPERM redis-proxy serves reads of strings (RESP_COMMANDS=read), and 'lrange' is none\r\n"],
  ["FOO a b", "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' \r\n"],
  [
    "AUTH x",
    "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n",
  ],
  ["AUTH default x", "+OK\r\n"],
  ["QUIT\r\nPING", "+OK\r\n"],
  ["PING\r\nPOST / HTTP/1.1\r\nPING", "+PONG\r\n"],
  ["Host: here\r\nPING", ""],
];

for (const [request, reply] of TALK) {
  Deno.test(`talk: ${JSON.stringify(request)}`, async () => {
    using parts = new Parts();
    const received = await ask(parts.client(), request + "\r\n");
    if (reply.startsWith("^")) assert.match(received, new RegExp(reply, "s"));
    else assert.equal(received, reply);
  });
}

Deno.test("HELLO is a map in RESP3 and flat in RESP2, and tells what clients look for", async () => {
  using parts = new Parts();
  const client = parts.client();
  const three = await valueOf(ask(client, "HELLO 3\r\n"));
  assert.deepEqual(three, {
    server: "redis",
    version: "7.0.0",
    proto: 3,
    id: 7,
    mode: "standalone",
    role: "master",
    modules: [],
  });
  const two = await valueOf(ask(client, "HELLO 2\r\n"));
  assert.deepEqual(two, Object.entries({ ...three as object, proto: 2 }).flat());
});

Deno.test("INFO says what clients wait for, and nothing of the machine", async () => {
  using parts = new Parts();
  const info = String(await valueOf(ask(parts.client(), "INFO\r\n")));
  assert.match(info, /^redis_version:7\.0\.0\r$/m);
  assert.match(info, /^loading:0\r$/m);
  assert.match(info, /^redis_proxy_version:0\.0\.0\r$/m);
});

Deno.test("COMMAND tells of what is served and of nothing else", async () => {
  using parts = new Parts();
  const client = parts.client();
  assert.equal(await valueOf(ask(client, "COMMAND COUNT\r\n")), COMMANDS.size);
  const all = await valueOf(ask(client, "COMMAND\r\n")) as unknown[][];
  assert.deepEqual(all.map(([name]) => name), [...COMMANDS.keys()]);
  for (const one of all) assert.equal(one.length, 10);
  const [get, none] = await valueOf(ask(client, "COMMAND INFO get nosuch\r\n")) as unknown[][];
  assert.deepEqual(get.slice(0, 6), ["get", 2, ["readonly", "fast"], 1, 1, 1]);
  assert.equal(none, null);
  const list = await valueOf(ask(client, "COMMAND LIST\r\n")) as string[];
  assert.ok(list.includes("client|setinfo") && !list.includes("set"));
  for (const name of list) assert.ok(isKnownName(name), name);
  await ask(client, "HELLO 3\r\n");
  const docs = await valueOf(ask(client, "COMMAND DOCS get nosuch\r\n"));
  assert.deepEqual(docs, { get: { summary: "Returns the value of a key", since: "1.0.0", group: "string" } });
  assert.equal(Object.keys(await valueOf(ask(client, "COMMAND DOCS\r\n")) as object).length, COMMANDS.size);
});

Deno.test("with a password nothing but the handshake is answered before it was given", async () => {
  using parts = new Parts({ password: "secret" });
  const no = "-NOAUTH Authentication required.\r\n";
  const wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
  for (const request of ["GET k", "PING", "COMMAND", "INFO", "SET k v", "CLIENT ID", "CONFIG SET a b", "SELECT 0"]) {
    assert.equal(await ask(parts.client(), request + "\r\n"), no, request);
  }
  for (
    const request of ["AUTH x", "AUTH default x", "AUTH bob secret", "HELLO 3 AUTH default x", "AUTH secre", "AUTH ''"]
  ) {
    const client = parts.client();
    assert.equal(await ask(client, request + "\r\n"), wrong, request);
    assert.equal(await ask(client, "GET k\r\n"), no, request);
  }
  assert.match(await ask(parts.client(), "HELLO 3\r\n"), /^-NOAUTH HELLO must be called/);
  assert.equal(await ask(parts.client(), "FOO\r\n"), "-ERR unknown command 'FOO', with args beginning with: \r\n");
  for (const request of ["AUTH secret", "AUTH default secret", "HELLO 2 AUTH default secret"]) {
    const client = parts.client();
    await ask(client, request + "\r\n");
    assert.equal(await ask(client, "PING\r\n"), "+PONG\r\n", request);
    assert.equal(await ask(client, "RESET\r\nPING\r\n"), "+RESET\r\n" + no, request);
  }
  assert.equal(parts.source.trips.length, 0, "no stranger reached Redis");
});

Deno.test("a long frame is sent from where it is, a short one is copied", async () => {
  using parts = new Parts();
  const client = parts.client();
  await parts.hold("long", Buffer.alloc(FRAME_COPY_BYTES_MAX, "l"));
  await parts.hold("short", "s");
  const item = parts.readThrough.hit("/long")!;
  assert.equal((item.body as Uint8Array).buffer, item.frame.buffer, "both doors send the same bytes");
  send(client, "GET short\r\nGET long\r\nGET long\r\nGET short\r\n");
  const sent: Uint8Array[] = [];
  await client.replies.flush((bytes) => Promise.resolve(void sent.push(bytes)));
  assert.deepEqual(sent.map(({ length }) => length), [7, item.frame.length, item.frame.length, 7]);
  assert.equal(sent[1].buffer, item.frame.buffer);
});

Deno.test("an MGET whose reply is large is sent in parts, and held in none", async () => {
  using parts = new Parts();
  const client = parts.client();
  await parts.hold("k", Buffer.alloc(1_000, "k"));
  send(client, `*2001\r\n$4\r\nMGET\r\n${"$1\r\nk\r\n".repeat(2_000)}`);
  assert.ok(client.replies.writer.length < 100);
  let total = 0;
  await client.replies.flush((bytes) => {
    assert.ok(bytes.length < REPLY_BYTES_MAX + FRAME_COPY_BYTES_MAX);
    total += bytes.length;
    return Promise.resolve();
  });
  assert.equal(total, "*2000\r\n".length + 2_000 * ("$1000\r\n".length + 1_000 + 2));
});

Deno.test("a client is made to wait when much is held for it", async () => {
  using parts = new Parts();
  const client = parts.client();
  await parts.hold("k", Buffer.alloc(10_000, "k"));
  send(client, "GET k\r\n".repeat(Math.ceil(REPLY_BYTES_MAX / 10_000)));
  assert.equal(client.replies.isFull, true);
  client.replies.writer.take();
  assert.equal(client.replies.isFull, false);
  const reply = send(client, "GET m\r\n".repeat(LATE_REPLIES_MAX));
  assert.equal(client.replies.isFull, true);
  await settled();
  assert.deepEqual(parts.source.last.keys, ["/m"], "one flight for all of them");
  parts.source.last.reply(ABSENT);
  assert.equal(await reply(), "$-1\r\n".repeat(LATE_REPLIES_MAX));
});
