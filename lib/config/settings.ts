/**
 * The settings: what each is called, may be and means, and how a record of strings becomes checked values.
 *
 * Pure: a record in, settings or all problems out. Reading the environment and the `.env` file is `environment.ts`.
 */

import { isIPv6 } from "node:net";
import { closest } from "fastest-levenshtein";

/** Least important severity that is logged. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** How cached items are kept true: by Redis's invalidations, or by time alone. */
export type Coherence = "tracking" | "ttl";

/** What the RESP service answers: reads and handshakes, or whatever Redis does. */
export type RespCommands = "read" | "all";

/** Where Redis is and who we are there. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly username: string | null;
  readonly password: string | null;
  readonly database: number;
}

/** All settings, checked. Durations are in milliseconds, sizes in bytes; `null` is 'not set' or 'off'. */
export interface Settings {
  readonly redis: RedisAddress;
  readonly redisTimeoutMs: number;
  readonly proxyHost: string;
  readonly proxyPort: number;
  readonly proxyPassword: string | null;
  readonly respPort: number | null;
  readonly respCommands: RespCommands;
  readonly cacheTtlMs: number;
  readonly cacheEntriesMax: number;
  readonly cacheBytesMax: number;
  readonly cacheCoherence: Coherence;
  readonly cacheNegativeTtlMs: number;
  readonly cacheStaleTtlMs: number;
  readonly cacheHotKeys: number | null;
  readonly maxParallel: number;
  readonly maxConnections: number;
  readonly logLevel: LogLevel;
}

/** Settings that can be used, or every problem found. Warnings come with both. */
export type SettingsResult =
  | { readonly ok: true; readonly settings: Settings; readonly warnings: string[] }
  | { readonly ok: false; readonly problems: string[]; readonly warnings: string[] };

/** One setting as a user meets it: in the help, in the README and in an error. */
export interface SettingDefinition {
  readonly name: string;
  /** As it would be written in `.env`; `null` is unset. */
  readonly default: string | null;
  /** What a value must be, as the end of the sentence 'NAME must be …'. */
  readonly must: string;
  readonly meaning: string;
  /** Secrets are never shown, neither in logs nor in errors. */
  readonly secret?: true;
}

interface Integer extends SettingDefinition {
  readonly default: string;
  readonly min: number;
  readonly max: number;
}

const INT32_MAX = 2_147_483_647;
const PORT_MAX = 65_535;

function integer(name: string, fallback: number, range: { min: number; max: number; meaning: string }): Integer {
  const must = `a whole number from ${range.min} to ${range.max}, in plain decimal digits`;
  return { name, default: String(fallback), must, ...range };
}

const REDIS_PORT = integer("REDIS_PORT", 6379, { min: 1, max: PORT_MAX, meaning: "port of Redis" });
const PROXY_PORT = integer("PROXY_PORT", 5000, { min: 1, max: PORT_MAX, meaning: "port of the HTTP service" });
const CACHE_TTL = integer("CACHE_TTL", 3600, {
  min: 1,
  max: INT32_MAX,
  meaning: "seconds that an item is served after it was read; never longer than the key's own time to live",
});
const CACHE_MAXSIZE = integer("CACHE_MAXSIZE", 1024, {
  min: 1,
  max: 16_000_000,
  meaning: "most items held; the least recently used goes first",
});
const MAX_PARALLEL = integer("MAX_PARALLEL", 1, {
  min: 1,
  max: 1024,
  meaning: "most round trips to Redis in flight for fills; capped at 2 x cores",
});
const MAX_CONNECTIONS = integer("MAX_CONNECTIONS", 2048, {
  min: 1,
  max: 1_000_000,
  meaning: "most clients served at the same time, HTTP requests and RESP connections; the next is turned away",
});
const REDIS_TIMEOUT_MS = integer("REDIS_TIMEOUT_MS", 1000, {
  min: 1,
  max: 600_000,
  meaning: "milliseconds that a request waits for Redis",
});
const RESP_PORT = integer("RESP_PORT", 0, { min: 0, max: PORT_MAX, meaning: "port of the RESP service; 0 = off" });
const CACHE_MAXBYTES = integer("CACHE_MAXBYTES", 268_435_456, {
  min: 65_536,
  max: 1_099_511_627_776,
  meaning: "most bytes held: keys, values and a fixed overhead an item; an item over 1/8 of it is served and not kept",
});
const CACHE_NEGATIVE_TTL = integer("CACHE_NEGATIVE_TTL", 0, {
  min: 0,
  max: INT32_MAX,
  meaning: "seconds that 'no such key' is remembered; 0 = not at all",
});
const CACHE_STALE_TTL = integer("CACHE_STALE_TTL", 0, {
  min: 0,
  max: INT32_MAX,
  meaning: "seconds past its end that an item may be served while Redis cannot be reached; 0 = never",
});
const CACHE_HOT_KEYS = integer("CACHE_HOT_KEYS", 20, {
  min: 0,
  max: 100,
  meaning: "how many of the hottest keys the page names; 0 = none, and none are counted",
});
const REDIS_HOST: SettingDefinition = {
  name: "REDIS_HOST",
  default: "127.0.0.1",
  must: "a host name or an IP address",
  meaning: "host of Redis",
};
const REDIS_URL: SettingDefinition = {
  name: "REDIS_URL",
  default: null,
  must: "redis:// or rediss://, with host and, where needed, user, password, port and a database number",
  meaning: "redis[s]://[user:password@]host[:port][/database]; wins over REDIS_HOST and REDIS_PORT",
  secret: true,
};
const PROXY_HOST: SettingDefinition = {
  name: "PROXY_HOST",
  default: "127.0.0.1",
  must: "a host name or an IP address",
  meaning: "address that both services bind",
};
const PROXY_PASSWORD: SettingDefinition = {
  name: "PROXY_PASSWORD",
  default: null,
  must: "1 to 512 printable ASCII characters without spaces",
  meaning: "when set, HTTP needs 'authorization: Bearer ...' (health and readiness excepted), RESP needs AUTH",
  secret: true,
};
const RESP_COMMANDS: SettingDefinition = {
  name: "RESP_COMMANDS",
  default: "read",
  must: "'read' or 'all'",
  meaning: "what the RESP service answers: read = reads and handshakes; all = every other command is relayed to Redis",
};
const CACHE_COHERENCE: SettingDefinition = {
  name: "CACHE_COHERENCE",
  default: "tracking",
  must: "'tracking' or 'ttl'",
  meaning: "tracking = Redis invalidates what changed; ttl = by time alone",
};
const LOG_LEVEL: SettingDefinition = {
  name: "LOG_LEVEL",
  default: "info",
  must: "'debug', 'info', 'warn' or 'error'",
  meaning: "least severity that is logged",
};

/** Every setting, in the order in which a user wants to read them. */
export const SETTING_DEFINITIONS: readonly SettingDefinition[] = [
  REDIS_PORT,
  PROXY_PORT,
  CACHE_TTL,
  CACHE_MAXSIZE,
  MAX_PARALLEL,
  MAX_CONNECTIONS,
  REDIS_HOST,
  REDIS_URL,
  REDIS_TIMEOUT_MS,
  PROXY_HOST,
  PROXY_PASSWORD,
  RESP_PORT,
  RESP_COMMANDS,
  CACHE_MAXBYTES,
  CACHE_COHERENCE,
  CACHE_NEGATIVE_TTL,
  CACHE_STALE_TTL,
  CACHE_HOT_KEYS,
  LOG_LEVEL,
];

const KNOWN_NAMES = SETTING_DEFINITIONS.map((definition) => definition.name);
const OUR_PREFIX = /^(?:CACHE|PROXY|REDIS|RESP|MAX)_/;
const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?$/;
const RECEIVED_CHARACTERS_MAX = 80;

/**
 * Checks `record` (names to strings, as in an environment) and returns the settings, or every problem at once.
 *
 * A problem names the variable, what it must be and what was received; a secret's value is never repeated. Names that
 * begin like ours and are unknown give a warning with the nearest known name. Never throws.
 *
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const good = parseSettings({ CACHE_TTL: "60" });
 * assert(good.ok && good.settings.cacheTtlMs === 60_000);
 *
 * const bad = parseSettings({ CACHE_TTL: "1e3", PROXY_PORT: "0" });
 * assert(!bad.ok && bad.problems.length === 2);
 * ```
 */
export function parseSettings(record: Readonly<Record<string, string | undefined>>): SettingsResult {
  const problems: string[] = [];

  function refuse(definition: SettingDefinition, received: string): void {
    problems.push(
      `${definition.name} must be ${definition.must}: received ${
        definition.secret ? "a value not shown" : quote(received)
      }`,
    );
  }

  function readInteger(definition: Integer): number {
    const text = record[definition.name] ?? definition.default;
    // 16 digits hold every bound exactly, and keep a string of a million digits away from Number().
    const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
    if (value >= definition.min && value <= definition.max) return value;
    refuse(definition, text);
    return definition.min;
  }

  function readChoice<T extends string>(definition: SettingDefinition, choices: readonly T[]): T {
    const text = record[definition.name] ?? definition.default;
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) refuse(definition, text ?? "");
    return choice ?? choices[0];
  }

  function readHost(definition: SettingDefinition): string {
    const text = record[definition.name] ?? definition.default ?? "";
    if (!isHost(text)) refuse(definition, text);
    return text;
  }

  function readPassword(): string | null {
    const text = record[PROXY_PASSWORD.name];
    if (text === undefined) return null;
    if (!/^[\x21-\x7e]{1,512}$/.test(text)) refuse(PROXY_PASSWORD, text);
    return text;
  }

  function readRedis(): RedisAddress {
    const address = {
      host: readHost(REDIS_HOST),
      port: readInteger(REDIS_PORT),
      tls: false,
      username: null,
      password: null,
      database: 0,
    };
    const url = record[REDIS_URL.name];
    if (url === undefined) return address;
    const parsed = parseRedisUrl(url);
    if (parsed === null) refuse(REDIS_URL, url);
    return parsed ?? address;
  }

  const settings: Settings = {
    redis: readRedis(),
    redisTimeoutMs: readInteger(REDIS_TIMEOUT_MS),
    proxyHost: readHost(PROXY_HOST),
    proxyPort: readInteger(PROXY_PORT),
    proxyPassword: readPassword(),
    respPort: readInteger(RESP_PORT) || null,
    respCommands: readChoice(RESP_COMMANDS, ["read", "all"]),
    cacheTtlMs: readInteger(CACHE_TTL) * 1000,
    cacheEntriesMax: readInteger(CACHE_MAXSIZE),
    cacheBytesMax: readInteger(CACHE_MAXBYTES),
    cacheCoherence: readChoice(CACHE_COHERENCE, ["tracking", "ttl"]),
    cacheNegativeTtlMs: readInteger(CACHE_NEGATIVE_TTL) * 1000,
    cacheStaleTtlMs: readInteger(CACHE_STALE_TTL) * 1000,
    cacheHotKeys: readInteger(CACHE_HOT_KEYS) || null,
    maxParallel: readInteger(MAX_PARALLEL),
    maxConnections: readInteger(MAX_CONNECTIONS),
    logLevel: readChoice(LOG_LEVEL, ["debug", "info", "warn", "error"]),
  };

  const warnings = Object.keys(record)
    .filter((name) => OUR_PREFIX.test(name) && !KNOWN_NAMES.includes(name))
    .map((name) => `${quote(name)} is not a setting of redis-proxy and is ignored: did you mean ${nearest(name)}?`);
  if (settings.respCommands === "all" && settings.respPort === null) {
    warnings.push("RESP_COMMANDS is set and has no effect: RESP_PORT is needed to serve the Redis protocol");
  }

  return problems.length === 0 ? { ok: true, settings, warnings } : { ok: false, problems, warnings };
}

/** Returns the known name that is most likely meant. What other programs call `REDIS_PASSWORD` is a part of our URL. */
function nearest(name: string): string {
  return /^REDIS_(?:PASS|PASSWORD|AUTH|USER|USERNAME|DB|DATABASE|TLS|SSL)$/.test(name)
    ? REDIS_URL.name
    : closest(name, KNOWN_NAMES);
}

/** True for a host name, an IPv4 address, and an IPv6 address without brackets. */
function isHost(text: string): boolean {
  return HOST_NAME.test(text) || isIPv6(text);
}

/** Reads `redis[s]://[user:password@]host[:port][/database]`; `null` where it is anything else. */
function parseRedisUrl(text: string): RedisAddress | null {
  // The parser would drop blanks and line breaks without a word.
  const url = /^[\x21-\x7e]+$/.test(text) ? URL.parse(text) : null;
  if (url === null || (url.protocol !== "redis:" && url.protocol !== "rediss:")) return null;
  if (url.search !== "" || url.hash !== "" || !/^(?:\/[0-9]{0,9})?$/.test(url.pathname)) return null;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (!isHost(host) || url.port === "0") return null;
  try {
    return {
      host,
      port: url.port === "" ? Number(REDIS_PORT.default) : Number(url.port),
      tls: url.protocol === "rediss:",
      username: url.username === "" ? null : decodeURIComponent(url.username),
      password: url.password === "" ? null : decodeURIComponent(url.password),
      database: Number(url.pathname.slice(1)),
    };
  } catch {
    return null; // A stray % in the user or password.
  }
}

/**
 * Shows a received value so that blanks, quotes and control characters are seen, and a huge one is cut. What may be the
 * user and password of a URL, all before the last `@`, is masked: a URL in the place of a host is a likely mistake.
 */
function quote(received: string): string {
  const text = received.replace(/^.*@/s, "***@");
  return JSON.stringify(text.length > RECEIVED_CHARACTERS_MAX ? text.slice(0, RECEIVED_CHARACTERS_MAX) + "..." : text);
}

/** Returns the settings as a log or a page may show them: every secret masked, times in the unit of their setting. */
export function describeSettings(settings: Settings): Record<string, string | number | null> {
  const { redis } = settings;
  return {
    redis: `${redis.tls ? "rediss" : "redis"}://${
      redis.host.includes(":") ? `[${redis.host}]` : redis.host
    }:${redis.port}/${redis.database}`,
    // A user without a password is most often a password without its colon.
    redisUser: redis.username === null || redis.password !== null ? redis.username : "***",
    redisPassword: redis.password === null ? null : "***",
    redisTimeoutMs: settings.redisTimeoutMs,
    proxyHost: settings.proxyHost,
    proxyPort: settings.proxyPort,
    proxyPassword: settings.proxyPassword === null ? null : "***",
    respPort: settings.respPort,
    respCommands: settings.respCommands,
    cacheTtlMs: settings.cacheTtlMs,
    cacheEntriesMax: settings.cacheEntriesMax,
    cacheBytesMax: settings.cacheBytesMax,
    cacheCoherence: settings.cacheCoherence,
    cacheNegativeTtlMs: settings.cacheNegativeTtlMs,
    cacheStaleTtlMs: settings.cacheStaleTtlMs,
    cacheHotKeys: settings.cacheHotKeys,
    maxParallel: settings.maxParallel,
    maxConnections: settings.maxConnections,
    logLevel: settings.logLevel,
  };
}
