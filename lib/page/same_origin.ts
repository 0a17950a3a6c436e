/**
 * Whether a request was made by our own page: the guard of what changes something (OWASP, 'Cross-Site Request Forgery
 * Prevention', verifying origin with standard headers).
 *
 * A browser says where a request comes from by headers that no page can set: `sec-fetch-site` (Fetch Metadata), which it
 * sends over HTTPS and to this machine, and `origin` (RFC 6454), which it sends with every POST. Whoever sends neither is
 * not our page.
 */

/** True when `headers` are of a request that a page of the same origin has made. */
export function isSameOrigin(headers: Pick<Headers, "get">): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null) return site === "same-origin";
  const origin = headers.get("origin");
  const host = headers.get("host");
  if (origin === null || host === null) return false;
  // Not the scheme: where TLS ends in front of us the page is of https and we are asked by http.
  const match = /^https?:\/\/([^/?#]+)$/i.exec(origin);
  return match !== null && match[1].toLowerCase() === host.toLowerCase();
}
