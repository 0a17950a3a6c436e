/**
 * What the codec costs, without sockets: `deno bench bench/resp/codec_bench.ts`. Times are of a whole chunk of 64 requests
 * or replies.
 */

import { Buffer } from "node:buffer";
import { RequestParser } from "../../lib/protocol/resp/request_parser.ts";
import { ReplyParser } from "../../lib/protocol/resp/reply_parser.ts";
import { bulkFrame, ReplyWriter } from "../../lib/protocol/resp/reply_writer.ts";

const REQUESTS = 64;
const keys = Array.from({ length: REQUESTS }, (_, i) => `key:${String(i).padStart(12, "0")}`);
const gets = Buffer.from(keys.map((key) => `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`).join(""));
const inlines = Buffer.from(keys.map((key) => `get ${key}\r\n`).join(""));

const parser = new RequestParser({ isAuthenticated: true });

function parse(chunk: Uint8Array, withKeys: boolean): number {
  parser.space().set(chunk);
  parser.received(chunk.length);
  let length = 0;
  while (parser.next() === "complete") length += withKeys ? parser.key(1).length : parser.argumentCount;
  return length;
}

Deno.bench("requests: 64 GETs, framed alone", { group: "requests" }, () => {
  parse(gets, false);
});
Deno.bench("requests: 64 GETs, with their keys", { group: "requests" }, () => {
  parse(gets, true);
});
Deno.bench("requests: 64 GETs inline, with their keys", { group: "requests" }, () => {
  parse(inlines, true);
});

const frame = bulkFrame(Buffer.alloc(100, "v"));
const replies = Buffer.concat(Array(REQUESTS).fill(frame));
const large = bulkFrame(Buffer.alloc(1_000_000, "v"));
const writer = new ReplyWriter();

Deno.bench("replies: 64 prepared frames of 100 bytes written", { group: "replies" }, () => {
  for (let i = 0; i < REQUESTS; i++) writer.frame(frame);
  writer.take();
});
Deno.bench("replies: 64 bulks of text of 16 bytes written", { group: "replies" }, () => {
  for (let i = 0; i < REQUESTS; i++) writer.bulk(keys[i]);
  writer.take();
});

const scanner = new ReplyParser();

function scan(chunk: Uint8Array): void {
  for (let at = 0; scanner.next(chunk, at) === "complete";) at = scanner.end;
}

Deno.bench("replies: 64 bulks of 100 bytes found", { group: "scan" }, () => {
  scan(replies);
});
Deno.bench("replies: one bulk of 1 MB found", { group: "scan" }, () => {
  scan(large);
});
