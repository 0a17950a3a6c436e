/**
 * What `GET /get/:key` answers, for each way in which a read can end.
 *
 * Everything that does not depend on the value is made once, here; what depends on it is made when it is filled (`Item`).
 */

import type { Answer, Failure } from "../read_through/answer.ts";
import type { Item } from "../read_through/item.ts";
import { ifNoneMatch } from "../protocol/entity_tag.ts";
import { problem } from "../protocol/problem.ts";
import { RETRY_AFTER_S } from "../limits.ts";
import { type Header, okResponse } from "./assembled_response.ts";

const TEXT: Header = ["content-type", "text/plain; charset=utf-8"];
const BINARY: Header = ["content-type", "application/octet-stream"];

/** `cache-status` (RFC 9211) with our name and `parameters`. */
function cacheStatus(parameters: string): Header {
  return ["cache-status", `redis-proxy; ${parameters}`];
}

const HIT = cacheStatus("hit");
const STORED = cacheStatus("fwd=miss; stored");
const NOT_STORED = cacheStatus("fwd=miss");
const COLLAPSED = cacheStatus("fwd=miss; collapsed");
const COLLAPSED_STORED = cacheStatus("fwd=miss; stored; collapsed");
const STALE: Record<Failure, Header> = {
  unreachable: cacheStatus("fwd=stale; detail=unreachable"),
  loading: cacheStatus("fwd=stale; detail=loading"),
  refused: cacheStatus("fwd=stale; detail=refused"),
  timeout: cacheStatus("fwd=stale; detail=timeout"),
  overloaded: cacheStatus("fwd=stale; detail=overloaded"),
};

/** Returns the 200 or 304 for `item`; `ifNoneMatchHeader` is that request header, `null` when it was not sent. */
function itemResponse(item: Item, status: Header, ifNoneMatchHeader: string | null): Response {
  const etag: Header = ["etag", item.etag];
  if (ifNoneMatchHeader !== null && ifNoneMatch(ifNoneMatchHeader, item.etag)) {
    return new Response(null, { status: 304, headers: Object.fromEntries([etag, status]) });
  }
  return okResponse(item.body, [item.isText ? TEXT : BINARY, etag, status]);
}

/** Returns the answer to a hit. The hot path: one response, and two small arrays for its headers. */
export function hitResponse(item: Item, ifNoneMatchHeader: string | null): Response {
  return itemResponse(item, HIT, ifNoneMatchHeader);
}

const ABSENT_DETAIL = "there is no such key in Redis";
const RETRY = { "retry-after": String(RETRY_AFTER_S) };

function withStatus(header: Header, more: Record<string, string> = {}): Record<string, string> {
  return { [header[0]]: header[1], ...more };
}

const absentRemembered = problem(404, ABSENT_DETAIL, withStatus(HIT));
const absent = problem(404, ABSENT_DETAIL, withStatus(NOT_STORED));
const absentStored = problem(404, ABSENT_DETAIL, withStatus(STORED));
const absentCollapsed = problem(404, ABSENT_DETAIL, withStatus(COLLAPSED));
const absentCollapsedStored = problem(404, ABSENT_DETAIL, withStatus(COLLAPSED_STORED));
const wrongType = problem(409, "the key holds something other than a string", withStatus(NOT_STORED));
const wrongTypeCollapsed = problem(409, "the key holds something other than a string", withStatus(COLLAPSED));

const failed: Record<Failure, () => Response> = {
  unreachable: problem(503, "Redis cannot be reached", withStatus(cacheStatus("fwd=miss; detail=unreachable"), RETRY)),
  loading: problem(502, "Redis is not ready to answer", withStatus(cacheStatus("fwd=miss; detail=loading"), RETRY)),
  refused: problem(502, "Redis refused to answer", withStatus(cacheStatus("fwd=miss; detail=refused"))),
  timeout: problem(504, "Redis did not answer in time", withStatus(cacheStatus("fwd=miss; detail=timeout"))),
  overloaded: problem(503, "too many reads of Redis wait already", {
    ...withStatus(cacheStatus("fwd=miss; detail=overloaded")),
    ...RETRY,
  }),
};

/** Returns the response to `answer`. */
export function answerResponse(answer: Answer, ifNoneMatchHeader: string | null): Response {
  switch (answer.kind) {
    case "hit":
      return hitResponse(answer.item, ifNoneMatchHeader);
    case "fill": {
      const { stored, collapsed } = answer;
      const status = collapsed ? (stored ? COLLAPSED_STORED : COLLAPSED) : (stored ? STORED : NOT_STORED);
      return itemResponse(answer.item, status, ifNoneMatchHeader);
    }
    case "stale":
      return itemResponse(answer.item, STALE[answer.failure], ifNoneMatchHeader);
    case "absent":
      if (answer.remembered) return absentRemembered();
      if (answer.collapsed) return answer.stored ? absentCollapsedStored() : absentCollapsed();
      return answer.stored ? absentStored() : absent();
    case "wrong_type":
      return answer.collapsed ? wrongTypeCollapsed() : wrongType();
    case "failed":
      return failed[answer.failure]();
  }
}
