/**
 * A bare connection to Redis, greeted and ready: for whoever speaks the protocol himself.
 */

import { Buffer } from "node:buffer";
import type { RedisAddress } from "../config/settings.ts";
import { readReply, ReplyError } from "../protocol/resp/reply_value.ts";
import { ReplyParser } from "../protocol/resp/reply_parser.ts";
import { DEFAULT_USER, type Greeting } from "../protocol/resp/greeting.ts";
import { requestFrame } from "../protocol/resp/request_frame.ts";
import { GREETING_BYTES_MAX } from "../limits.ts";
import { UNREACHABLE } from "../read_through/source.ts";
import { outageOfCode, RedisUnavailable } from "./redis_unavailable.ts";

/**
 * Connects, over TLS where the address says so, gives the password, and chooses protocol and database.
 *
 * Throws {@linkcode RedisUnavailable} after `timeoutMs` at the latest; nothing is left open then. Cost: a round trip.
 */
export async function dialRedis(
  address: RedisAddress,
  { greeting, timeoutMs }: { greeting: Greeting; timeoutMs: number },
): Promise<Deno.Conn> {
  let connection: Deno.Conn | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unreachable(`no connection within ${timeoutMs} ms`)), timeoutMs);
  });
  const connecting = connect(address);
  try {
    connection = await Promise.race([connecting, late]);
    await Promise.race([greet(connection, address, greeting), late]);
    return connection;
  } catch (error) {
    if (connection === null) connecting.then((late) => late.close(), () => {});
    else connection.close();
    throw error instanceof RedisUnavailable ? error : unreachable((error as Error).message);
  } finally {
    clearTimeout(timer);
  }
}

async function connect({ host, port, tls }: RedisAddress): Promise<Deno.Conn> {
  const connection = await Deno.connect({ hostname: host, port });
  connection.setNoDelay(true);
  connection.setKeepAlive(true);
  return tls ? await Deno.startTls(connection, { hostname: host }) : connection;
}

async function greet(connection: Deno.Conn, address: RedisAddress, greeting: Greeting): Promise<void> {
  const { username, password, database } = address;
  const needed: string[][] = [];
  if (greeting.protocol === 3) {
    needed.push(["HELLO", "3", ...(password === null ? [] : ["AUTH", username ?? DEFAULT_USER, password])]);
  } else if (password !== null) {
    needed.push(["AUTH", ...(username === null ? [] : [username]), password]);
  }
  if (database !== 0) needed.push(["SELECT", `${database}`]);
  const requests = [...needed, ...greeting.further];
  if (requests.length === 0) return;
  await writeAll(connection, Buffer.concat(requests.map(requestFrame)));
  const replies = await readFrames(connection, requests.length);
  for (const frame of replies.slice(0, needed.length)) {
    const reply = readReply(frame);
    if (reply instanceof ReplyError) throw new RedisUnavailable(reply.text, outageOfCode(reply.text));
  }
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Reads `count` replies, and not a byte more: nothing else was asked for. */
async function readFrames(connection: Deno.Conn, count: number): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  const parser = new ReplyParser();
  const buffer = Buffer.alloc(GREETING_BYTES_MAX);
  let end = 0;
  let parsed = 0;
  let start = 0;
  while (frames.length < count) {
    const status = parsed < end ? parser.next(buffer.subarray(0, end), parsed) : "incomplete";
    if (status === "invalid") throw unreachable("its greeting is not RESP");
    if (status === "complete") {
      parsed = parser.end;
      frames.push(buffer.subarray(start, parsed));
      start = parsed;
      continue;
    }
    parsed = end;
    const received = await connection.read(buffer.subarray(end));
    if (!received) throw unreachable("the connection ended before it was greeted");
    end += received;
  }
  return frames;
}

function unreachable(message: string): RedisUnavailable {
  return new RedisUnavailable(message, UNREACHABLE);
}
