/** `RESP_COMMANDS=all` over real sockets: who answers, in which order, and when a reply may leave. */

import assert from "node:assert/strict";
import { Admission } from "../../lib/admission.ts";
import { eventually } from "../../e2e/support/eventually.ts";
import { RELAYED_KEYS_BYTES_MAX, RELAYED_REPLIES_FIRST, RELAYED_REPLY_BYTES_MAX } from "../../lib/limits.ts";
import { CommandTable } from "../../lib/resp/command_table.ts";
import { RespServer } from "../../lib/resp/resp_server.ts";
import { value } from "../support/hand_source.ts";
import { HandRelaying } from "../support/hand_relaying.ts";
import { settled } from "../support/hand_time.ts";
import { TextSocket } from "../support/text_socket.ts";
import { Parts } from "./parts.ts";

interface DoorOptions {
  readonly password?: string | null;
  readonly tracked?: boolean;
  readonly database?: number;
  readonly negativeTtlMs?: number;
}

/** A front door with a Redis that the test plays. */
class Door implements AsyncDisposable {
  readonly relaying: HandRelaying;
  readonly parts: Parts;
  readonly server: RespServer;
  readonly #port: number;

  constructor({ password = null, tracked = true, database = 0, negativeTtlMs = 0 }: DoorOptions = {}) {
    this.relaying = new HandRelaying({ database });
    this.parts = new Parts({ password, tracked, negativeTtlMs, relaying: this.relaying });
    this.server = new RespServer({
      hostname: "127.0.0.1",
      port: 0,
      admission: new Admission(100),
      counters: { clientsTurnedAway: 0 },
      services: this.parts.services,
    });
    this.#port = this.server.start().port;
  }

  connect(): Promise<TextSocket> {
    return TextSocket.connect(this.#port);
  }

  /** Sends `request` as a client that has no connection to Redis, and returns Redis's side of the one that it gets. */
  async relayed(client: TextSocket, request: string): Promise<TextSocket> {
    const before = this.relaying.sockets.length;
    await client.write(request);
    return await eventually(() => {
      assert.equal(this.relaying.sockets.length, before + 1);
      return this.relaying.sockets[before];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop({ deadlineMs: 0 });
    this.parts[Symbol.dispose]();
    this.relaying[Symbol.dispose]();
  }
}

/** The request as Redis gets it when it was sent as a line. */
function frame(line: string): string {
  const words = line.split(" ");
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

Deno.test("reads come from memory, everything else from Redis, over a connection made when it is needed", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  using client = await door.connect();
  await client.write("GET k\r\nMGET k k\r\nEXISTS k\r\nSTRLEN k\r\n");
  await client.expect("$4\r\nheld\r\n*2\r\n$4\r\nheld\r\n$4\r\nheld\r\n:1\r\n:4\r\n");
  assert.equal(door.relaying.sockets.length, 0);
  const redis = await door.relayed(client, "PING\r\n");
  await redis.expect(frame("PING"));
  await redis.write("+PONG\r\n");
  await client.expect("+PONG\r\n");
  await client.write("GET k\r\n");
  await client.expect("$4\r\nheld\r\n");
  assert.equal(door.relaying.counters.relayedCommands, 1);
});

Deno.test("an array goes up as it came, in whatever pieces; replies come down as they came", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "*3\r\n$4\r\nHGET\r\n$1\r\nh\r\n$3\r\n\r\nf\r\n*1\r\n$4\r\nPI");
  await redis.expect("*3\r\n$4\r\nHGET\r\n$1\r\nh\r\n$3\r\n\r\nf\r\n");
  await client.write("NG\r\n");
  await redis.expect("*1\r\n$4\r\nPING\r\n");
  await redis.write("$5\r\nab");
  await client.expect("$5\r\nab");
  await redis.write("cde\r\n+PO");
  await client.expect("cde\r\n+PO");
  await redis.write("NG\r\n");
  await client.expect("NG\r\n");
});

Deno.test("while a reply is outstanding reads go to Redis as well, behind it", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  using client = await door.connect();
  const redis = await door.relayed(client, "HGET h f\r\nGET k\r\nMGET k k\r\n");
  await redis.expect(frame("HGET h f") + frame("GET k") + frame("MGET k k"));
  await redis.write(":1\r\n$3\r\nnew\r\n*0\r\n");
  await client.expect(":1\r\n$3\r\nnew\r\n*0\r\n");
  assert.equal(door.parts.services.outcomes.relayed, 3);
});

Deno.test("what comes before a relayed command is answered before it, a miss included", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  using client = await door.connect();
  await client.write("GET k\r\nGET m\r\nSET m new\r\n");
  await eventually(() => door.parts.source.trips.length === 2);
  await settled();
  assert.equal(door.relaying.sockets.length, 0, "SET must not overtake the GET before it");
  door.parts.source.last.reply(value("old"));
  await eventually(() => door.relaying.sockets.length === 1);
  const redis = door.relaying.sockets[0];
  await redis.expect(frame("SET m new"));
  await redis.write("+OK\r\n");
  await client.expect("$4\r\nheld\r\n$3\r\nold\r\n+OK\r\n");
});

Deno.test("an MGET of which not all is held is one MGET at Redis; what was missing is read for the next time", async () => {
  await using door = new Door();
  await door.parts.hold("a", "1");
  using client = await door.connect();
  const redis = await door.relayed(client, "MGET a b\r\n");
  await redis.expect(frame("MGET a b"));
  await redis.write("*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  await client.expect("*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  assert.deepEqual(door.parts.source.last.keys, ["/b"]);
  door.parts.source.last.reply(value("2"));
  await settled();
  await client.write("MGET a b\r\n");
  await client.expect("*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  assert.equal(door.relaying.counters.relayedCommands, 1);
});

Deno.test("an MGET of keys that are held, or remembered as absent, comes from memory", async () => {
  await using door = new Door({ negativeTtlMs: 60_000 });
  await door.parts.hold("a", "1");
  const absent = door.parts.readThrough.read("/b");
  await settled();
  door.parts.source.last.reply({ kind: "absent" });
  await absent;
  using client = await door.connect();
  await client.write("MGET a b a\r\n");
  await client.expect("*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n1\r\n");
  const { hit, absent_remembered } = door.parts.services.outcomes;
  assert.deepEqual([hit, absent_remembered], [2, 1]);
});

Deno.test("the keys of a write are dropped before its reply leaves, and without a round trip", async () => {
  await using door = new Door();
  for (const key of ["a", "b", "c"]) await door.parts.hold(key, "old");
  using client = await door.connect();
  const redis = await door.relayed(client, "MSET a new c new\r\n");
  await redis.expect(frame("MSET a new c new"));
  await redis.write("+OK\r\n");
  await client.expect("+OK\r\n");
  assert.equal(door.parts.readThrough.hit("/a"), undefined);
  assert.notEqual(door.parts.readThrough.hit("/b"), undefined);
  assert.equal(door.parts.readThrough.hit("/c"), undefined);
  assert.equal(door.parts.source.catchUps.length, 0);
});

Deno.test("the reply to a script waits for the answer to a PING, an error's as well; so does all behind it", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  using client = await door.connect();
  const redis = await door.relayed(client, "EVAL x 0\r\n");
  await redis.expect(frame("EVAL x 0"));
  await redis.write("-ERR it wrote and failed\r\n");
  const { catchUps } = door.parts.source;
  await eventually(() => catchUps.length === 1);
  await client.write("GET k\r\n");
  await redis.expect(frame("GET k"));
  catchUps[0].resolve();
  await client.expect("-ERR it wrote and failed\r\n");
  await redis.write("$3\r\nnew\r\n");
  await client.expect("$3\r\nnew\r\n");
  assert.equal(catchUps.length, 1);
});

Deno.test("where Redis does not invalidate, a script drops everything", async () => {
  await using door = new Door({ tracked: false });
  await door.parts.hold("k", "held");
  using client = await door.connect();
  const redis = await door.relayed(client, "EVAL x 0\r\n");
  await redis.expect(frame("EVAL x 0"));
  await redis.write(":1\r\n");
  await client.expect(":1\r\n");
  assert.equal(door.parts.readThrough.hit("/k"), undefined);
});

for (const write of ["SET k new", "EVAL x 0", "FLUSHALL"]) {
  Deno.test(`without tracking, ${write} whose reply never comes drops what it may have changed`, async () => {
    await using door = new Door({ tracked: false });
    await door.parts.hold("k", "held");
    using client = await door.connect();
    const redis = await door.relayed(client, `${write}\r\n`);
    await redis.expect(frame(write));
    assert.notEqual(door.parts.readThrough.hit("/k"), undefined);
    redis[Symbol.dispose]();
    await client.expectEnd();
    assert.equal(door.parts.readThrough.hit("/k"), undefined);
  });
}

for (const command of ["FLUSHALL", "SWAPDB 0 1"]) {
  Deno.test(`${command} drops everything, also within a transaction`, async () => {
    await using door = new Door();
    await door.parts.hold("k", "held");
    using client = await door.connect();
    const redis = await door.relayed(client, `${command}\r\n`);
    await redis.expect(frame(command));
    await redis.write("+OK\r\n");
    await client.expect("+OK\r\n");
    assert.equal(door.parts.readThrough.hit("/k"), undefined);

    await client.write(`MULTI\r\n${command}\r\n`);
    await redis.expect(frame("MULTI") + frame(command));
    await redis.write("+OK\r\n+QUEUED\r\n");
    await client.expect("+OK\r\n+QUEUED\r\n");
    await door.parts.hold("k", "held");
    await client.write("EXEC\r\n");
    await redis.expect(frame("EXEC"));
    await redis.write("*1\r\n+OK\r\n");
    await eventually(() => door.parts.source.catchUps.length === 1);
    assert.equal(door.parts.readThrough.hit("/k"), undefined);
    door.parts.source.catchUps[0].resolve();
    await client.expect("*1\r\n+OK\r\n");
  });
}

/** What makes a session Redis's business: a command, Redis's reply. */
const STATES: [command: string, reply: string][] = [
  ["MULTI", "+OK\r\n"],
  ["WATCH w", "+OK\r\n"],
  ["SELECT 1", "+OK\r\n"],
  ["AUTH somebody else", "+OK\r\n"],
  ["CLIENT TRACKING ON", "+OK\r\n"],
];

for (const [command, reply] of STATES) {
  Deno.test(`after ${command} everything of the session goes to Redis, until RESET`, async () => {
    await using door = new Door();
    await door.parts.hold("k", "held");
    using client = await door.connect();
    const redis = await door.relayed(client, `${command}\r\n`);
    await redis.expect(frame(command));
    await redis.write(reply);
    await client.expect(reply);
    await client.write("GET k\r\n");
    await redis.expect(frame("GET k"));
    await redis.write("$5\r\nredis\r\n");
    await client.expect("$5\r\nredis\r\n");
    await client.write("RESET\r\nGET k\r\n");
    await redis.expectEnd();
    redis[Symbol.dispose]();
    await client.expect("+RESET\r\n$4\r\nheld\r\n");
  });
}

Deno.test("CLIENT TRACKING is noticed also where Redis tells nothing of its commands", async () => {
  await using door = new Door();
  door.relaying.table = CommandTable.EMPTY;
  await door.parts.hold("k", "held");
  using client = await door.connect();
  const redis = await door.relayed(client, "CLIENT TRACKING ON\r\n");
  await redis.expect(frame("CLIENT TRACKING ON"));
  await redis.write("+OK\r\n");
  await eventually(() => door.parts.source.catchUps.length === 1);
  door.parts.source.catchUps[0].resolve();
  await client.expect("+OK\r\n");
  await client.write("GET k\r\n");
  await redis.expect(frame("GET k"));
});

Deno.test("RESET comes after what was outstanding before it, and not when it has arguments", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "SELECT 1\r\nRESET x\r\nHGET h f\r\nRESET\r\n");
  await redis.expect(frame("SELECT 1") + frame("RESET x") + frame("HGET h f"));
  await redis.write("+OK\r\n-ERR wrong number of arguments\r\n$3\r\n");
  await eventually(() => door.parts.source.catchUps.length === 1);
  door.parts.source.catchUps[0].resolve();
  await client.expect("+OK\r\n-ERR wrong number of arguments\r\n$3\r\n");
  await redis.write("abc\r\n");
  await client.expect("abc\r\n+RESET\r\n");
  await redis.expectEnd();
});

Deno.test("who is owed replies when Redis goes is not told RESET instead", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "BLPOP l 1\r\nRESET\r\n");
  await redis.expect(frame("BLPOP l 1"));
  redis[Symbol.dispose]();
  await client.expectEnd();
});

for (
  const { heard, rest } of [{ heard: "*1\r\n$7\r\nmessage\r\n", rest: "+RESET\r\n" }, {
    heard: "*1\r\n$7\r\nmes",
    rest: "",
  }]
) {
  Deno.test(`RESET ends a tunnel after ${JSON.stringify(heard)}, and the session when that is no end`, async () => {
    await using door = new Door();
    using client = await door.connect();
    const redis = await door.relayed(client, "SUBSCRIBE c\r\n");
    await redis.expect(frame("SUBSCRIBE c"));
    await redis.write(heard);
    await eventually(() => door.parts.source.catchUps.length === 1);
    door.parts.source.catchUps[0].resolve();
    await client.expect(heard);
    await client.write("RESET\r\n");
    await redis.expectEnd();
    redis[Symbol.dispose]();
    await client.expect(rest);
    if (rest === "") await client.expectEnd();
  });
}

Deno.test("a client that is who we are at Redis is served from memory", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  using client = await door.connect();
  const redis = await door.relayed(client, "AUTH redis-secret\r\n");
  await redis.expect(frame("AUTH redis-secret"));
  await redis.write("+OK\r\n");
  await client.expect("+OK\r\n");
  await client.write("GET k\r\n");
  await client.expect("$4\r\nheld\r\n");
});

Deno.test("the database that the cache is of is the one that is not another", async () => {
  await using door = new Door({ database: 3 });
  await door.parts.hold("k", "held");
  using client = await door.connect();
  await client.write("GET k\r\n");
  await client.expect("$4\r\nheld\r\n");
  const redis = await door.relayed(client, "SELECT 0\r\n");
  await redis.expect(frame("SELECT 0"));
  await redis.write("+OK\r\n");
  await client.expect("+OK\r\n");
  await client.write("GET k\r\nSELECT 3\r\n");
  await redis.expect(frame("GET k") + frame("SELECT 3"));
  await redis.write("$-1\r\n+OK\r\n");
  await client.expect("$-1\r\n+OK\r\n");
  await client.write("GET k\r\n");
  await client.expect("$4\r\nheld\r\n");
});

Deno.test("the handshake is answered here, and told to Redis when there is a connection", async () => {
  await using door = new Door();
  using client = await door.connect();
  await client.write("HELLO 3\r\nCLIENT SETNAME me\r\nCLIENT SETINFO LIB-NAME lib\r\nCLIENT GETNAME\r\nSELECT 0\r\n");
  await client.expect("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.1\r\n$5\r\nproto\r\n:3\r\n");
  await client.expect("$2\r\nid\r\n:281474976710657\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n");
  await client.expect("$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n");
  await client.expect("+OK\r\n+OK\r\n$2\r\nme\r\n+OK\r\n");
  assert.equal(door.relaying.sockets.length, 0);
  const redis = await door.relayed(client, "CLIENT ID\r\n");
  await redis.expect(frame("CLIENT ID"));
  assert.deepEqual(door.relaying.greetings, [
    { protocol: 3, further: [["CLIENT", "SETINFO", "lib-name", "lib"], ["CLIENT", "SETNAME", "me"]] },
  ]);
});

Deno.test("HELLO at Redis changes what the client is spoken to in", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "PING\r\nHELLO 3\r\n");
  await redis.expect(frame("PING") + frame("HELLO 3"));
  await redis.write("+PONG\r\n%1\r\n+proto\r\n:3\r\n");
  await client.expect("+PONG\r\n%1\r\n+proto\r\n:3\r\n");
  await client.write("GET nosuch\r\n");
  await eventually(() => door.parts.source.trips.length === 1);
  door.parts.source.last.reply({ kind: "absent" });
  await client.expect("_\r\n");
});

Deno.test("HELLO within a transaction changes nothing yet", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "MULTI\r\nHELLO 3\r\nDISCARD\r\nSUBSCRIBE a b\r\nPING\r\n");
  await redis.expect(frame("MULTI") + frame("HELLO 3") + frame("DISCARD"));
  await redis.write("+OK\r\n+QUEUED\r\n+OK\r\n");
  await client.expect("+OK\r\n+QUEUED\r\n+OK\r\n");
  // Of RESP2, as it is still: what comes out waits for a PING, whatever it is.
  await redis.expect(frame("SUBSCRIBE a b") + frame("PING"));
  await redis.write("*0\r\n");
  await eventually(() => door.parts.source.catchUps.length === 1);
  door.parts.source.catchUps[0].resolve();
  await client.expect("*0\r\n");
});

Deno.test("with a password: it is checked here, and Redis never sees it", async () => {
  await using door = new Door({ password: "proxy-secret" });
  await door.parts.hold("k", "held");
  using client = await door.connect();
  await client.write("GET k\r\nSET k v\r\nAUTH wrong\r\n");
  await client.expect("-NOAUTH Authentication required.\r\n".repeat(2));
  await client.expect("-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  await client.write("AUTH proxy-secret\r\nGET k\r\n");
  await client.expect("+OK\r\n$4\r\nheld\r\n");
  const redis = await door.relayed(client, "PING\r\nAUTH wrong\r\nAUTH default proxy-secret\r\nPING\r\n");
  await redis.expect(frame("PING"));
  await redis.write("+PONG\r\n");
  await client.expect("+PONG\r\n-WRONGPASS invalid username-password pair or user is disabled.\r\n+OK\r\n");
  await redis.expect(frame("PING"));
  await redis.write("+PONG\r\n");
  await client.expect("+PONG\r\n");
  await client.write("HELLO 3 AUTH default proxy-secret AUTH default redis-secret\r\n");
  await client.expect("-ERR Syntax error in HELLO option 'AUTH'\r\n");
  await client.write("HELLO AUTH default proxy-secret\r\n");
  await client.expect("-ERR Protocol version is not an integer or out of range\r\n");
  await client.write("HELLO 3 AUTH default proxy-secret SETNAME me\r\nHELLO 3 AUTH default wrong\r\n");
  await redis.expect(frame("HELLO 3 SETNAME me"));
  await redis.write("%1\r\n+proto\r\n:3\r\n");
  await client.expect("%1\r\n+proto\r\n:3\r\n-WRONGPASS invalid username-password pair or user is disabled.\r\n");
});

Deno.test("a subscriber's session is a tunnel: what comes out waits for a PING, whatever it is", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  using client = await door.connect();
  const redis = await door.relayed(client, "SET a 1\r\nSUBSCRIBE c\r\nPING\r\n");
  await redis.expect(frame("SET a 1"));
  await redis.write("+OK\r\n");
  await client.expect("+OK\r\n");
  await redis.expect(frame("SUBSCRIBE c") + frame("PING"));
  const { catchUps } = door.parts.source;
  for (
    const message of ["*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n", "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"]
  ) {
    await redis.write(message);
    await eventually(() => catchUps.length === 1);
    catchUps.pop()!.resolve();
    await client.expect(message);
  }
  await client.write("GET k\r\n");
  await redis.expect(frame("GET k"));
});

Deno.test("in RESP3 a subscriber is served from memory, and what it is sent waits for a PING", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  const { catchUps } = door.parts.source;
  const push = (...words: string[]): string => `>${words.length + 1}\r\n` + frame(words.join(" ")).slice(4) + ":1\r\n";
  using client = await door.connect();
  const redis = await door.relayed(client, "CLIENT ID\r\nHELLO 3\r\nSUBSCRIBE a b\r\nHGET h f\r\n");
  await redis.expect(frame("CLIENT ID") + frame("HELLO 3"));
  await redis.write(":7\r\n%1\r\n+proto\r\n:3\r\n");
  await client.expect(":7\r\n%1\r\n+proto\r\n:3\r\n");
  await redis.expect(frame("SUBSCRIBE a b") + frame("HGET h f"));
  // Cut where it hurts; a message and an invalidation among the confirmations are none.
  const heard = [push("subscribe", "a"), push("message", "a"), push("subscribe", "b"), ":5\r\n"].join("");
  for (const part of [heard.slice(0, 7), heard.slice(7, 40), heard.slice(40)]) {
    await redis.write(part);
    if (part.includes(":1\r\n")) {
      await eventually(() => catchUps.length === 1);
      catchUps.pop()!.resolve();
    }
    await client.expect(part);
  }
  await client.write("GET k\r\n");
  await client.expect("$4\r\nheld\r\n");
  await redis.write(push("message", "a"));
  await eventually(() => catchUps.length === 1);
  catchUps.pop()!.resolve();
  await client.expect(push("message", "a"));
  await client.write("UNSUBSCRIBE a\r\nSUBSCRIBE c\r\nGET k\r\n");
  await redis.expect(frame("UNSUBSCRIBE a"));
  await redis.write(push("unsubscribe", "a"));
  await eventually(() => catchUps.length === 1);
  catchUps.pop()!.resolve();
  await client.expect(push("unsubscribe", "a"));
  await redis.expect(frame("SUBSCRIBE c") + frame("GET k"));
  await redis.write("-NOPERM no such channel\r\n$5\r\nredis\r\n");
  await client.expect("-NOPERM no such channel\r\n$5\r\nredis\r\n");
  await client.write("GET k\r\nUNSUBSCRIBE\r\nGET k\r\n");
  await client.expect("$4\r\nheld\r\n");
  await redis.expect(frame("UNSUBSCRIBE") + frame("GET k"));
});

Deno.test("no reply of ours comes into the middle of a push", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  using client = await door.connect();
  const redis = await door.relayed(client, "PING\r\n");
  await redis.expect(frame("PING"));
  await redis.write("+PONG\r\n>2\r\n+mess");
  await client.expect("+PONG\r\n>2\r\n+mess");
  await client.write("GET k\r\n");
  await redis.expect(frame("GET k"));
  await redis.write("age\r\n+x\r\n$5\r\nredis\r\n");
  await eventually(() => door.parts.source.catchUps.length === 1);
  door.parts.source.catchUps[0].resolve();
  await client.expect("age\r\n+x\r\n$5\r\nredis\r\n");
  await client.write("GET k\r\n");
  await client.expect("$4\r\nheld\r\n");
});

Deno.test("MONITOR's lines wait for nothing", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "MONITOR\r\n");
  await redis.expect(frame("MONITOR"));
  await redis.write('+OK\r\n+1 [0 127.0.0.1:1] "PING"\r\n');
  await client.expect('+OK\r\n+1 [0 127.0.0.1:1] "PING"\r\n');
  assert.equal(door.parts.source.catchUps.length, 0);
});

Deno.test("what has no reply makes a tunnel, too, so that no other is taken for it", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "REPLCONF ACK 0\r\nPING\r\nSET k new\r\n");
  await redis.expect(frame("REPLCONF ACK 0") + frame("PING") + frame("SET k new"));
  const { catchUps } = door.parts.source;
  for (const reply of ["+PONG\r\n", "+OK\r\n"]) {
    await redis.write(reply);
    await eventually(() => catchUps.length === 1);
    catchUps.pop()!.resolve();
    await client.expect(reply);
  }
});

Deno.test("who asked for MONITOR and was refused reads its own writes all the same", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "MONITOR x\r\nSET a 1\r\n");
  await redis.expect(frame("MONITOR x") + frame("SET a 1"));
  await redis.write("-ERR wrong number of arguments\r\n+OK\r\n");
  await eventually(() => door.parts.source.catchUps.length === 1);
  door.parts.source.catchUps[0].resolve();
  await client.expect("-ERR wrong number of arguments\r\n+OK\r\n");
});

Deno.test("while the read-through has no connection, GET goes over the client's own, if there is one", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  using client = await door.connect();
  const redis = await door.relayed(client, "PING\r\n");
  await redis.expect(frame("PING"));
  await redis.write("+PONG\r\n");
  await client.expect("+PONG\r\n");
  door.parts.readThrough.disconnected();
  await client.write("GET k\r\n");
  await redis.expect(frame("GET k"));
  await redis.write("$3\r\nnew\r\n");
  await client.expect("$3\r\nnew\r\n");
});

Deno.test("in ttl what is held answers GET also while the read-through has no connection", async () => {
  await using door = new Door({ tracked: false });
  await door.parts.hold("k", "held");
  using client = await door.connect();
  const redis = await door.relayed(client, "PING\r\n");
  await redis.expect(frame("PING"));
  await redis.write("+PONG\r\n");
  await client.expect("+PONG\r\n");
  door.parts.readThrough.disconnected();
  await client.write("GET k\r\n");
  await client.expect("$4\r\nheld\r\n");
});

Deno.test("the reply of a blocking command, and a push, are news: they wait for a PING", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "BLPOP l 0\r\n");
  await redis.expect(frame("BLPOP l 0"));
  const { catchUps } = door.parts.source;
  for (const news of ["*2\r\n$1\r\nl\r\n$1\r\nv\r\n", ">2\r\n$10\r\ninvalidate\r\n*0\r\n"]) {
    await redis.write(news);
    await eventually(() => catchUps.length === 1);
    catchUps.pop()!.resolve();
    await client.expect(news);
  }
});

Deno.test("without tracking, news drops nothing", async () => {
  await using door = new Door({ tracked: false });
  await door.parts.hold("k", "held");
  using client = await door.connect();
  const redis = await door.relayed(client, "XREAD BLOCK 0 STREAMS s\r\n");
  await redis.expect(frame("XREAD BLOCK 0 STREAMS s"));
  await redis.write("*0\r\n");
  await client.expect("*0\r\n");
  assert.notEqual(door.parts.readThrough.hit("/k"), undefined);
});

Deno.test("a client that ends its side gets what it has asked for; Redis is told that it left", async () => {
  await using door = new Door();
  const redisSide = { socket: null as TextSocket | null };
  using client = await door.connect();
  redisSide.socket = await door.relayed(client, "BLPOP l 0\r\n");
  await redisSide.socket.expect(frame("BLPOP l 0"));
  await client.closeWrite();
  await redisSide.socket.expectEnd();
  await redisSide.socket.write("*-1\r\n");
  redisSide.socket[Symbol.dispose]();
  await eventually(() => door.parts.source.catchUps.length === 1);
  door.parts.source.catchUps[0].resolve();
  await client.expect("*-1\r\n");
  await client.expectEnd();
});

Deno.test("when Redis ends the connection the client's ends, after what Redis has said", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "PING\r\n");
  await redis.expect(frame("PING"));
  await redis.write("+PONG\r\n");
  redis[Symbol.dispose]();
  await client.expect("+PONG\r\n");
  await client.expectEnd();
});

Deno.test("what Redis says is handed on while it does not take requests", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  using client = await door.connect();
  const redis = await door.relayed(client, "PING\r\n");
  await redis.expect(frame("PING"));
  await redis.write("+PONG\r\n");
  await client.expect("+PONG\r\n");
  const taken = Promise.withResolvers<void>();
  door.relaying.writeDelay = taken.promise;
  await client.write("GET k\r\nSET a 1\r\n");
  await client.expect("$4\r\nheld\r\n");
  await redis.write(">1\r\n+news\r\n");
  await eventually(() => door.parts.source.catchUps.length === 1);
  door.parts.source.catchUps[0].resolve();
  await client.expect(">1\r\n+news\r\n");
  taken.resolve();
  await redis.expect(frame("SET a 1"));
});

Deno.test("the keys of outstanding writes are bounded: further requests wait for replies", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "HGET h f\r\n");
  await redis.expect(frame("HGET h f"));
  const write = frame(`SET ${"k".repeat(RELAYED_KEYS_BYTES_MAX / 2)} v`);
  await Promise.all([client.write(write + write + "PING\r\n"), redis.expect(write + write)]);
  await settled();
  assert.equal(door.relaying.counters.relayedCommands, 3);
  await redis.write(":1\r\n+OK\r\n");
  await client.expect(":1\r\n+OK\r\n");
  await redis.expect(frame("PING"));
});

Deno.test("replies outstanding are bounded by the length of those before: further requests wait", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "HGET h f\r\n".repeat(RELAYED_REPLIES_FIRST + 4));
  await redis.expect(frame("HGET h f").repeat(RELAYED_REPLIES_FIRST));
  await settled();
  assert.equal(door.relaying.counters.relayedCommands, RELAYED_REPLIES_FIRST);
  const long = RELAYED_REPLY_BYTES_MAX / 4;
  const reply = `$${long}\r\n${"x".repeat(long)}\r\n`;
  await Promise.all([redis.write(reply), client.expect(reply)]);
  await settled();
  assert.equal(
    door.relaying.counters.relayedCommands,
    RELAYED_REPLIES_FIRST,
    "four may be outstanding now, and more are",
  );
  const short = ":1\r\n".repeat(RELAYED_REPLIES_FIRST - 1);
  await Promise.all([redis.write(short), client.expect(short)]);
  await redis.expect(frame("HGET h f").repeat(4));
});

for (const request of ["SUBSCRIBE c", "MONITOR"]) {
  Deno.test(`when Redis goes while ${request} waits for the replies before it, the session ends, and no other`, async () => {
    await using door = new Door();
    using client = await door.connect();
    const redis = await door.relayed(client, `BLPOP l 0\r\n${request}\r\n`);
    await redis.expect(frame("BLPOP l 0"));
    redis[Symbol.dispose]();
    await client.expectEnd();
    await eventually(() => door.server.connections === 0);
  });
}

Deno.test("when Redis goes while a reply of it waits for a PING, the reply is handed on, and then the session ends", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "EVAL x 0\r\n");
  await redis.expect(frame("EVAL x 0"));
  await redis.write(":1\r\n");
  await eventually(() => door.parts.source.catchUps.length === 1);
  const gone = Promise.withResolvers<void>();
  door.relaying.writeDelay = gone.promise;
  await client.write("BLPOP l 0\r\nSUBSCRIBE c\r\n");
  await eventually(() => door.relaying.counters.relayedCommands === 2);
  gone.reject(new Error("Cannot write: an open connection is needed"));
  await redis.expectEnd();
  door.parts.source.catchUps[0].resolve();
  await client.expect(":1\r\n");
  await client.expectEnd();
});

Deno.test("a connection to Redis that comes when its client has gone is closed, and no further one is made", async () => {
  await using door = new Door();
  using client = await door.connect();
  const ready = Promise.withResolvers<void>();
  door.relaying.delay = ready.promise;
  await client.write("SET a 1\r\n");
  await eventually(() => door.relaying.greetings.length === 1);
  await door.server.stop({ deadlineMs: 0 });
  ready.resolve();
  await eventually(() => door.relaying.sockets.length === 1);
  await door.relaying.sockets[0].expectEnd();
  assert.equal(door.relaying.greetings.length, 1);
});

Deno.test("bytes of Redis that are no replies end the session", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "PING\r\n");
  await redis.expect(frame("PING"));
  await redis.write("HTTP/1.1 400\r\n");
  await client.expectEnd();
});

Deno.test("where no connection can be made each command is told why, and memory goes on answering", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  using client = await door.connect();
  door.relaying.failure = "refused";
  await client.write("SET a 1\r\nGET k\r\nSET a 1\r\n");
  await client.expect("-ERR Redis refuses the proxy\r\n$4\r\nheld\r\n-ERR Redis refuses the proxy\r\n");
  assert.deepEqual(door.relaying.counters, { relayedCommands: 0, relays: 0, relayFailures: 2 });
  door.parts.readThrough.disconnected();
  door.parts.readThrough.unavailable({ kind: "unreachable", code: "UNREACHABLE" });
  await client.write("SET a 1\r\n");
  await client.expect("-UNREACHABLE Redis cannot be reached by the proxy\r\n");
  assert.equal(door.relaying.counters.relayFailures, 2, "known to be away: nobody tried");
  door.relaying.failure = null;
  door.parts.readThrough.connected({ tracked: true });
  const redis = await door.relayed(client, "SET a 1\r\n");
  await redis.expect(frame("SET a 1"));
});

Deno.test("when Redis is lost those who wait for it are ended, those at rest are not", async () => {
  await using door = new Door();
  using waiting = await door.connect();
  using resting = await door.connect();
  const redis = await door.relayed(resting, "PING\r\n");
  await redis.expect(frame("PING"));
  await redis.write("+PONG\r\n");
  await resting.expect("+PONG\r\n");
  const hung = await door.relayed(waiting, "BLPOP l 0\r\n");
  await hung.expect(frame("BLPOP l 0"));
  door.server.redisLost();
  await waiting.expectEnd();
  await resting.write("PING\r\n");
  await redis.expect(frame("PING"));
});

Deno.test("what is no request is told so after the replies of what came before", async () => {
  await using door = new Door();
  using client = await door.connect();
  const redis = await door.relayed(client, "PING\r\n*1\r\n:1\r\n");
  await redis.expect(frame("PING"));
  await redis.write("+PONG\r\n");
  await client.expect("+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n");
  await client.expectEnd();
});

Deno.test("stop: what was asked of Redis is finished, a subscriber goes at once", async () => {
  await using door = new Door();
  using subscriber = await door.connect();
  using asking = await door.connect();
  const channel = await door.relayed(subscriber, "SUBSCRIBE c\r\n");
  await channel.expect(frame("SUBSCRIBE c"));
  const redis = await door.relayed(asking, "HGET h f\r\n");
  await redis.expect(frame("HGET h f"));
  const stopped = door.server.stop({ deadlineMs: 5_000 });
  await subscriber.expectEnd();
  await redis.write(":1\r\n");
  await asking.expect(":1\r\n");
  await asking.expectEnd();
  await stopped;
});
