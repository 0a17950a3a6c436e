/** The RESP front door over real sockets: order, bounds, ends. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Admission } from "../../lib/admission.ts";
import { eventually } from "../../e2e/support/eventually.ts";
import { Client } from "../../lib/resp/client.ts";
import { RespServer } from "../../lib/resp/resp_server.ts";
import { Session } from "../../lib/resp/session.ts";
import { HandRelaying } from "../support/hand_relaying.ts";
import { ABSENT, value } from "../support/hand_source.ts";
import { TextSocket } from "../support/text_socket.ts";
import { Parts } from "./parts.ts";
import {
  FRAME_COPY_BYTES_MAX,
  HALF_REQUEST_GROWTH_BYTES_MIN,
  HALF_REQUEST_LOOKS_MAX,
  LATE_REPLIES_MAX,
  LEFT_CLIENT_LOOKS_MAX,
  LONG_REQUESTS_BYTES_MAX,
  STRANGER_LOOKS_MAX,
  UNREAD_REPLY_LOOKS_MAX,
} from "../../lib/limits.ts";

const DEADLINE_MS = 5_000;

/** A server on a free port. */
class Door implements AsyncDisposable {
  readonly parts: Parts;
  readonly admission: Admission;
  readonly counters = { clientsTurnedAway: 0 };
  readonly server: RespServer;
  readonly port: number;

  constructor({ password = null, clientsMax = 100 }: { password?: string | null; clientsMax?: number } = {}) {
    this.parts = new Parts({ password });
    this.admission = new Admission(clientsMax);
    this.server = new RespServer({
      hostname: "127.0.0.1",
      port: 0,
      admission: this.admission,
      counters: this.counters,
      services: this.parts.services,
    });
    this.port = this.server.start().port;
  }

  connect(): Promise<TextSocket> {
    return TextSocket.connect(this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop({ deadlineMs: 0 });
    this.parts[Symbol.dispose]();
    await eventually(() => this.server.connections === 0 && this.admission.clients === 0);
  }
}

Deno.test("requests are answered in order, in whatever pieces they come", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  using socket = await door.connect();
  await socket.write("*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*2\r\n$4\r\nEC");
  await socket.expect("$4\r\nheld\r\n+PONG\r\n");
  await socket.write("HO\r\n$2\r\nhi\r");
  await socket.write("\n");
  await socket.expect("$2\r\nhi\r\n");
});

Deno.test("what follows a miss waits for it, and what comes after that is served", async () => {
  await using door = new Door();
  await door.parts.hold("k", "held");
  using socket = await door.connect();
  await socket.write("GET m\r\nGET k\r\nPING\r\n");
  const { source } = door.parts;
  await eventually(() => source.last.keys[0] === "/m");
  await socket.write("ECHO later\r\n");
  source.last.reply(value("read"));
  await socket.expect("$4\r\nread\r\n$4\r\nheld\r\n+PONG\r\n$5\r\nlater\r\n");
});

Deno.test("a long pipeline of large values reaches a client that reads slowly, whole and in order", async () => {
  await using door = new Door();
  const large = "l".repeat(1_000_000);
  await door.parts.hold("large", large);
  await door.parts.hold("small", "s");
  using socket = await door.connect();
  await socket.write("GET small\r\nGET large\r\n".repeat(20));
  for (let i = 0; i < 20; i++) await socket.expect(`$1\r\ns\r\n$1000000\r\n${large}\r\n`);
});

Deno.test("a client may send a whole pipeline before it reads", async () => {
  await using door = new Door();
  const key = "k".repeat(8_000);
  const large = "l".repeat(100_000);
  await door.parts.hold(key, large);
  using socket = await door.connect();
  // More than the kernel takes in, in either direction: 7 MB of requests, 90 MB of replies.
  const count = 900;
  await socket.write(`GET ${key}\r\n`.repeat(count));
  for (let i = 0; i < count; i++) await socket.expect(`$100000\r\n${large}\r\n`);
});

Deno.test("long requests have one bound for all clients: who goes beyond it is cut off", async () => {
  await using door = new Door();
  using socket = await door.connect();
  const { longRequests } = door.parts.services;
  await socket.write(`*2\r\n$4\r\nECHO\r\n$1000000\r\n${"x".repeat(500_000)}`);
  await eventually(() => longRequests.bytes >= 500_000);
  await socket.write("x".repeat(500_000) + "\r\n");
  await socket.expect(`$1000000\r\n${"x".repeat(1_000_000)}\r\n`);
  await socket.write("PING\r\n");
  await socket.expect("+PONG\r\n");
  await eventually(() => longRequests.bytes === 0);
  // As if other clients had taken all of it.
  longRequests.bytes = LONG_REQUESTS_BYTES_MAX;
  await socket.write(`*2\r\n$4\r\nECHO\r\n$1000000\r\n${"x".repeat(500_000)}`).catch(() => {});
  await socket.expectEnd();
  await eventually(() => longRequests.bytes === LONG_REQUESTS_BYTES_MAX);
});

Deno.test("what is no request is told so, after the replies before it, and the connection ends", async () => {
  await using door = new Door();
  using socket = await door.connect();
  await socket.write("PING\r\n*1\r\n:1\r\n");
  await socket.expect("+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n");
  await socket.expectEnd();
});

for (const request of ["POST / HTTP/1.1\r\n", "Host: here\r\n", "GET / HTTP/1.1\r\nHost: here\r\n\r\n"]) {
  Deno.test(`${JSON.stringify(request)} ends the connection without a word`, async () => {
    await using door = new Door();
    using socket = await door.connect();
    await socket.write(request);
    await socket.expectEnd();
  });
}

Deno.test("QUIT ends the connection after its reply", async () => {
  await using door = new Door();
  using socket = await door.connect();
  await socket.write("QUIT\r\n");
  await socket.expect("+OK\r\n");
  await socket.expectEnd();
});

Deno.test("MAX_CONNECTIONS counts connections: one too many is told so", async () => {
  await using door = new Door({ clientsMax: 2 });
  using first = await door.connect();
  await first.write("PING\r\n");
  await first.expect("+PONG\r\n");
  door.admission.clients++; // A request over HTTP.
  using second = await door.connect();
  await second.expect("-ERR max number of clients reached\r\n");
  await second.expectEnd();
  assert.equal(door.counters.clientsTurnedAway, 1);
  door.admission.clients--;
  using third = await door.connect();
  await third.write("PING\r\n");
  await third.expect("+PONG\r\n");
  third[Symbol.dispose]();
  await eventually(() => door.admission.clients === 1);
});

Deno.test("stop: the port refuses, those at rest go, what is under way is answered", async () => {
  await using door = new Door();
  using resting = await door.connect();
  using half = await door.connect();
  using waiting = await door.connect();
  await resting.write("PING\r\n");
  await resting.expect("+PONG\r\n");
  await half.write("PING\r\n*2\r\n$3\r\n");
  await half.expect("+PONG\r\n");
  await waiting.write("GET m\r\n");
  await eventually(() => door.parts.source.trips.length === 1);
  const stopped = door.server.stop({ deadlineMs: DEADLINE_MS });
  await assert.rejects(door.connect());
  await resting.expectEnd();
  await half.expectEnd();
  door.parts.source.last.reply(ABSENT);
  await waiting.expect("$-1\r\n");
  await waiting.expectEnd();
  await stopped;
});

Deno.test("stop: all that was read is answered, also what the worker has not come to yet", async () => {
  await using door = new Door();
  using client = await door.connect();
  // The worker waits for the first replies, and has the requests behind them before it: all came by one read.
  const pings = 400;
  const misses = Array.from({ length: LATE_REPLIES_MAX }, (_, i) => `GET m${i}\r\n`).join("");
  await client.write(misses + "PING\r\n".repeat(pings));
  await eventually(() => door.parts.source.trips.length === 1);
  const stopped = door.server.stop({ deadlineMs: DEADLINE_MS });
  door.parts.source.last.replyAll(() => ABSENT);
  await client.expect("$-1\r\n".repeat(LATE_REPLIES_MAX) + "+PONG\r\n".repeat(pings));
  await client.expectEnd();
  await stopped;
});

Deno.test("stop: who is not done by the deadline is cut off", async () => {
  await using door = new Door();
  using waiting = await door.connect();
  await waiting.write("GET m\r\n");
  await eventually(() => door.parts.source.trips.length === 1);
  const stopped = door.server.stop({ deadlineMs: 1 });
  await waiting.expectEnd();
  await stopped;
  door.parts.source.last.reply(ABSENT);
});

/** A session whose looks are the test's, and the other side of its socket. */
async function sessionOf(
  parts: Parts,
): Promise<{ session: Session; client: Client; socket: TextSocket; done: Promise<void> }> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [accepted, socket] = await Promise.all([listener.accept(), TextSocket.connect(listener.addr.port)]);
  listener.close();
  const client = new Client(1, { address: "127.0.0.1:1", services: parts.services });
  const session = new Session(accepted, client);
  return { session, client, socket, done: session.run() };
}

/** How many looks it takes until the session is cut off; looks in vain up to `looksMax`. */
function looksOf(session: Session, looksMax: number): number {
  for (let looks = 1; looks <= looksMax; looks++) if (session.look()) return looks;
  return Infinity;
}

Deno.test("half a request is waited for so long, a client at rest for ever", async () => {
  using parts = new Parts();
  const { session, client, socket, done } = await sessionOf(parts);
  using _socket = socket;
  assert.equal(looksOf(session, 1_000), Infinity, "a client at rest");
  await socket.write("*1\r\n$4\r\nPI");
  await eventually(() => client.request.isHalf);
  assert.equal(looksOf(session, HALF_REQUEST_LOOKS_MAX), Infinity);
  await socket.write("NG\r\n*1\r\n");
  await socket.expect("+PONG\r\n");
  await eventually(() => client.request.isHalf);
  assert.equal(looksOf(session, 1_000), HALF_REQUEST_LOOKS_MAX + 1, "counted anew for the next request");
  await done;
  await socket.expectEnd();
});

Deno.test("half a request that grows is waited for", async () => {
  using parts = new Parts();
  const { session, client, socket, done } = await sessionOf(parts);
  using _socket = socket;
  await socket.write("*2\r\n$4\r\nECHO\r\n$10000000\r\n");
  await eventually(() => client.request.isHalf);
  for (let part = 1; part <= 3; part++) {
    assert.equal(looksOf(session, HALF_REQUEST_LOOKS_MAX), Infinity);
    await socket.write("x".repeat(HALF_REQUEST_GROWTH_BYTES_MIN));
    await eventually(() => client.request.unreadBytes === part * HALF_REQUEST_GROWTH_BYTES_MIN);
  }
  assert.equal(looksOf(session, 1_000), 1 + HALF_REQUEST_LOOKS_MAX + 1);
  await done;
});

Deno.test("half a request is not waited for longer because the client takes what it is sent", async () => {
  using relaying = new HandRelaying();
  using parts = new Parts({ relaying });
  const { session, client, socket, done } = await sessionOf(parts);
  using _socket = socket;
  await socket.write("MONITOR\r\n");
  const redis = await eventually(() => {
    assert.equal(relaying.sockets.length, 1);
    return relaying.sockets[0];
  });
  await redis.write("+OK\r\n");
  await socket.expect("+OK\r\n");
  await socket.write("*1\r\n$4\r\nPI");
  await eventually(() => client.request.isHalf);
  let looks = 0;
  do {
    await redis.write("+a command\r\n");
    await socket.expect("+a command\r\n");
    looks++;
  } while (!session.look() && looks < 1_000);
  assert.equal(looks, HALF_REQUEST_LOOKS_MAX + 1);
  await done;
});

Deno.test("a client that never reads is cut off when it has taken nothing for so long", async () => {
  using parts = new Parts();
  await parts.hold("k", Buffer.alloc(10_000_000, "k"));
  const { session, socket, done } = await sessionOf(parts);
  using _socket = socket;
  await socket.write("GET k\r\n".repeat(10));
  await socket.expect("$10000000\r\n");
  // What the kernel takes in counts as taken, and the looks begin anew; when it is full they add up.
  let looks = 0;
  await eventually(() => {
    looks++;
    return session.look();
  });
  assert.ok(looks > UNREAD_REPLY_LOOKS_MAX);
  await done;
});

Deno.test("a client that takes its replies slowly, each whole, stays", async () => {
  using parts = new Parts();
  await parts.hold("k", Buffer.alloc(2 * FRAME_COPY_BYTES_MAX, "k"));
  const requests = ["GET k\r\n".repeat(10)];
  let writes = 0;
  let finishWrite: (() => void) | null = null;
  const slow = {
    read: (space: Uint8Array) => {
      const text = requests.pop();
      return text === undefined ? new Promise(() => {}) : Promise.resolve(Buffer.from(space.buffer).write(text));
    },
    write: (bytes: Uint8Array) => {
      writes++;
      return new Promise((resolve) => finishWrite = () => resolve(bytes.length));
    },
    close: () => {},
  } as unknown as Deno.TcpConn;
  const session = new Session(slow, new Client(1, { address: "127.0.0.1:1", services: parts.services }));
  void session.run();
  for (let reply = 1; reply <= 10; reply++) {
    await eventually(() => writes === reply);
    assert.equal(looksOf(session, UNREAD_REPLY_LOOKS_MAX), Infinity, `reply ${reply}`);
    finishWrite!();
  }
  session.cut();
});

Deno.test("a stranger has so long to give the password", async () => {
  using parts = new Parts({ password: "secret" });
  const { session, socket, done } = await sessionOf(parts);
  using _socket = socket;
  await socket.write("PING\r\n");
  await socket.expect("-NOAUTH Authentication required.\r\n");
  assert.equal(looksOf(session, 1_000), STRANGER_LOOKS_MAX + 1);
  await done;

  const friend = await sessionOf(parts);
  using _friend = friend.socket;
  assert.equal(looksOf(friend.session, STRANGER_LOOKS_MAX), Infinity);
  await friend.socket.write("AUTH secret\r\n");
  await friend.socket.expect("+OK\r\n");
  assert.equal(looksOf(friend.session, 1_000), Infinity);
  friend.session.leave();
  await friend.done;
});

Deno.test("a client that waits for Redis is not blamed for it", async () => {
  using parts = new Parts();
  const { session, socket, done } = await sessionOf(parts);
  using _socket = socket;
  await socket.write("GET m\r\n*1\r\n");
  await eventually(() => parts.source.trips.length === 1);
  assert.equal(looksOf(session, 1_000), Infinity);
  parts.source.last.reply(ABSENT);
  await socket.expect("$-1\r\n");
  session.cut();
  session.cut();
  await done;
});

Deno.test("what a client that has left asked behind a command that blocks is given up after so long", async () => {
  using relaying = new HandRelaying();
  using parts = new Parts({ relaying });
  const { session, socket, done } = await sessionOf(parts);
  using _socket = socket;
  await socket.write("BLPOP l 0\r\nSUBSCRIBE c\r\n");
  await eventually(() => relaying.counters.relayedCommands === 1);
  assert.equal(looksOf(session, 1_000), Infinity, "a client that is there");
  await socket.closeWrite();
  let looks = 0;
  await eventually(() => {
    looks++;
    return session.look();
  });
  assert.ok(looks > LEFT_CLIENT_LOOKS_MAX);
  await done;
  await socket.expectEnd();
});
