/**
 * Conditional requests by entity tags (RFC 9110, 8.8.3 and 13.1.2).
 */

/** A tag at the place where the expression looks: weakness mark (which the comparison ignores), quoted opaque part. */
const ENTITY_TAG = /[ \t,]*(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|$)/y;

/**
 * True when `header`, the value of `If-None-Match`, names `etag`, which is strong and quoted: then the answer is 304.
 *
 * Compares weakly (13.1.2: `W/"a"` matches `"a"`). `*` matches anything that exists. A list that stops making sense
 * matches as far as it did. Cost: O(header's length), nothing allocated for a single tag that is ours.
 */
export function ifNoneMatch(header: string, etag: string): boolean {
  if (header === etag || header === "*") return true;
  ENTITY_TAG.lastIndex = 0;
  for (let match = ENTITY_TAG.exec(header); match !== null; match = ENTITY_TAG.exec(header)) {
    if (match[1] === etag) return true;
  }
  return false;
}
