/**
 * `--healthcheck`: asks the proxy that runs with the same settings whether it serves. For containers without a shell.
 */

import type { Settings } from "../config/settings.ts";

/** How long the answer may take, in ms. */
const ANSWER_MS_MAX = 2_000;

/** True when `GET /healthz` is answered with 200 in time. Never throws. */
export async function isServing(settings: Pick<Settings, "proxyHost" | "proxyPort">): Promise<boolean> {
  try {
    const response = await fetch(`http://${reachable(settings.proxyHost)}:${settings.proxyPort}/healthz`, {
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}

/** Returns where a service that binds `host` can be reached from this machine, as it stands in a URL. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
