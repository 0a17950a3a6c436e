import assert from "node:assert/strict";
import { parseEnv } from "node:util";
import fc from "fast-check";
import {
  describeSettings,
  parseSettings,
  SETTING_DEFINITIONS,
  type Settings,
  type SettingsResult,
} from "../../lib/config/settings.ts";
import { SEED } from "../support/seed.ts";

/** The settings of `record`; fails when there are problems. */
function good(record: Record<string, string | undefined>): Settings {
  const result = parseSettings(record);
  assert.ok(result.ok, JSON.stringify(result));
  return result.settings;
}

/** The problems of `record`; fails when there are none. */
function problemsOf(record: Record<string, string | undefined>): string[] {
  const result = parseSettings(record);
  assert.ok(!result.ok, `accepted: ${JSON.stringify(record)}`);
  return result.problems;
}

const DEFAULTS: Settings = {
  redis: { host: "127.0.0.1", port: 6379, tls: false, username: null, password: null, database: 0 },
  redisTimeoutMs: 1000,
  proxyHost: "127.0.0.1",
  proxyPort: 5000,
  proxyPassword: null,
  respPort: null,
  respCommands: "read",
  cacheTtlMs: 3_600_000,
  cacheEntriesMax: 1024,
  cacheBytesMax: 268_435_456,
  cacheCoherence: "tracking",
  cacheNegativeTtlMs: 0,
  cacheStaleTtlMs: 0,
  cacheHotKeys: 20,
  maxParallel: 1,
  maxConnections: 2048,
  logLevel: "info",
};

/** The contract's ranges, and where each number is found afterwards. `read` is null while nothing uses the setting. */
const INTEGERS: Record<string, { min: number; max: number; read: ((settings: Settings) => number) | null }> = {
  REDIS_PORT: { min: 1, max: 65_535, read: (settings) => settings.redis.port },
  PROXY_PORT: { min: 1, max: 65_535, read: (settings) => settings.proxyPort },
  CACHE_TTL: { min: 1, max: 2_147_483_647, read: (settings) => settings.cacheTtlMs / 1000 },
  CACHE_MAXSIZE: { min: 1, max: 16_000_000, read: (settings) => settings.cacheEntriesMax },
  MAX_PARALLEL: { min: 1, max: 1024, read: (settings) => settings.maxParallel },
  MAX_CONNECTIONS: { min: 1, max: 1_000_000, read: (settings) => settings.maxConnections },
  REDIS_TIMEOUT_MS: { min: 1, max: 600_000, read: (settings) => settings.redisTimeoutMs },
  RESP_PORT: { min: 0, max: 65_535, read: null },
  CACHE_MAXBYTES: { min: 65_536, max: 1_099_511_627_776, read: (settings) => settings.cacheBytesMax },
  CACHE_NEGATIVE_TTL: { min: 0, max: 2_147_483_647, read: (settings) => settings.cacheNegativeTtlMs / 1000 },
  CACHE_STALE_TTL: { min: 0, max: 2_147_483_647, read: (settings) => settings.cacheStaleTtlMs / 1000 },
  CACHE_HOT_KEYS: { min: 0, max: 100, read: (settings) => settings.cacheHotKeys ?? 0 },
};

const CHOICES: Record<string, string[]> = {
  RESP_COMMANDS: ["read", "all"],
  CACHE_COHERENCE: ["tracking", "ttl"],
  LOG_LEVEL: ["debug", "info", "warn", "error"],
};

const HOSTS = ["REDIS_HOST", "PROXY_HOST"];
const SECRETS = ["REDIS_URL", "PROXY_PASSWORD"];

Deno.test("these tests know every setting", () => {
  const known = [...Object.keys(INTEGERS), ...Object.keys(CHOICES), ...HOSTS, ...SECRETS];
  assert.deepEqual(known.toSorted(), SETTING_DEFINITIONS.map(({ name }) => name).toSorted());
});

Deno.test("an empty record gives the defaults, without a warning", () => {
  assert.deepEqual(parseSettings({}), { ok: true, settings: DEFAULTS, warnings: [] });
});

Deno.test("every default, written out, is accepted and gives the same", () => {
  const record = Object.fromEntries(
    SETTING_DEFINITIONS.map(({ name, default: fallback }) => [name, fallback ?? undefined]),
  );
  assert.deepEqual(parseSettings(record), { ok: true, settings: DEFAULTS, warnings: [] });
});

Deno.test("the committed .env holds the six original settings at their defaults", () => {
  const record = parseEnv(Deno.readTextFileSync(new URL("../../.env", import.meta.url)));
  assert.deepEqual(Object.keys(record), [
    "REDIS_PORT",
    "PROXY_PORT",
    "CACHE_TTL",
    "CACHE_MAXSIZE",
    "MAX_PARALLEL",
    "MAX_CONNECTIONS",
  ]);
  assert.deepEqual(parseSettings(record), { ok: true, settings: DEFAULTS, warnings: [] });
});

const NOT_DIGITS = [
  "",
  " ",
  "1e3",
  " 5 ",
  " 5",
  "5 ",
  "5\n",
  "\t5",
  "0x10",
  "0b1",
  "0o7",
  "+5",
  "-1",
  "-0",
  "5.0",
  "5.",
  ".5",
  "5,000",
  "5_000",
  "5n",
  "Infinity",
  "NaN",
  "null",
  "five",
  "\u0663", // an Arabic-Indic three
  "\uff15", // a full-width five
  "\u00b2", // a superscript two
  "5\u0000",
  "\u0000",
  "1" + "0".repeat(30),
  "9".repeat(1_000_000),
  "5;5",
  "\u{1f600}",
];

for (const [name, { min, max, read }] of Object.entries(INTEGERS)) {
  Deno.test(`${name} is a whole number from ${min} to ${max} and nothing else`, () => {
    for (
      const text of [...NOT_DIGITS, String(max + 1), String(max * 10 + 9), ...(min > 0 ? ["0", String(min - 1)] : [])]
    ) {
      const [problem, ...others] = problemsOf({ [name]: text });
      assert.deepEqual(others, [], text.slice(0, 40));
      assert.ok(problem.startsWith(`${name} must be a whole number from ${min} to ${max}`), problem);
      const shown = text.length <= 80 ? JSON.stringify(text) : JSON.stringify(text.slice(0, 80) + "...");
      assert.ok(problem.endsWith(`: received ${shown}`), problem);
      assert.ok(problem.length < 300, "a huge value is cut");
    }
    if (read === null) return;
    for (const number of [min, min + 1, max - 1, max]) assert.equal(read(good({ [name]: String(number) })), number);
    assert.equal(read(good({ [name]: "00" + max })), max, "leading zeros are digits");
  });
}

for (const [name, choices] of Object.entries(CHOICES)) {
  Deno.test(`${name} is one of its words, as they are written`, () => {
    for (
      const text of [
        "",
        choices[0].toUpperCase(),
        ` ${choices[0]}`,
        choices[0] + "\u0000",
        "constructor",
        "x".repeat(9_999),
      ]
    ) {
      const [problem, ...others] = problemsOf({ [name]: text });
      assert.deepEqual(others, []);
      assert.ok(problem.startsWith(`${name} must be '${choices[0]}'`), problem);
      assert.ok(problem.includes("received "), problem);
      for (const choice of choices) assert.ok(problem.includes(`'${choice}'`), problem);
    }
  });
}

Deno.test("each word of a choice is accepted", () => {
  for (const word of CHOICES.CACHE_COHERENCE) assert.equal(good({ CACHE_COHERENCE: word }).cacheCoherence, word);
  for (const word of CHOICES.LOG_LEVEL) assert.equal(good({ LOG_LEVEL: word }).logLevel, word);
  for (const word of CHOICES.RESP_COMMANDS) assert.equal(good({ RESP_COMMANDS: word }).respCommands, word);
});

Deno.test("RESP_COMMANDS=all without RESP_PORT is worth a warning", () => {
  const warningsOf = (record: Record<string, string>): string[] => parseSettings(record).warnings;
  assert.match(warningsOf({ RESP_COMMANDS: "all" })[0], /^RESP_COMMANDS .*RESP_PORT/);
  assert.deepEqual(warningsOf({ RESP_COMMANDS: "all", RESP_PORT: "6380" }), []);
  assert.deepEqual(warningsOf({ RESP_COMMANDS: "read" }), []);
});

Deno.test("RESP_PORT is a port, or off when it is 0", () => {
  assert.equal(good({ RESP_PORT: "6380" }).respPort, 6380);
  assert.equal(good({ RESP_PORT: "0" }).respPort, null);
});

for (const name of HOSTS) {
  Deno.test(`${name} is a host name or an address`, () => {
    for (
      const host of [
        "localhost",
        "redis",
        "a.b-c.example",
        "under_score",
        "x.",
        "10.0.0.1",
        "0.0.0.0",
        "::",
        "::1",
        "fe80::1:2",
      ]
    ) {
      const settings = good({ [name]: host });
      assert.equal(name === "REDIS_HOST" ? settings.redis.host : settings.proxyHost, host);
    }
    const bad = [
      "",
      " ",
      "a b",
      "a/b",
      "redis://x",
      "db:6379",
      ":",
      "x:6379",
      "[::1]",
      "a\u0000b",
      "a\n",
      "a@b",
      "a?b",
      "-a",
      "m\u00fcller",
    ];
    for (const host of [...bad, "a".repeat(10_000)]) {
      const [problem, ...others] = problemsOf({ [name]: host });
      assert.deepEqual(others, []);
      assert.ok(problem.startsWith(`${name} must be a host name or an IP address: received "`), problem);
    }
  });
}

Deno.test("a URL where none belongs is refused without its user and password", () => {
  for (const name of ["REDIS_HOST", "REDIS_PORT", "PROXY_HOST", "CACHE_COHERENCE"]) {
    const [problem, ...others] = problemsOf({ [name]: "redis://user:sec@ret@db:6379" });
    assert.deepEqual(others, []);
    assert.match(problem, new RegExp(`^${name} must be .*: received "\\*\\*\\*@db:6379"$`));
  }
});

Deno.test("PROXY_PASSWORD is 1 to 512 printable ASCII characters, and is not shown when it is not", () => {
  for (const password of ["x", "p".repeat(512), "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]) {
    assert.equal(good({ PROXY_PASSWORD: password }).proxyPassword, password);
  }
  for (const password of ["", "hunter 2", "hunter2\n", "hunter2\u0000", "h\u00fcnter2", "hunter2".repeat(74)]) {
    const [problem, ...others] = problemsOf({ PROXY_PASSWORD: password });
    assert.deepEqual(others, []);
    assert.match(
      problem,
      /^PROXY_PASSWORD must be 1 to 512 printable ASCII characters without spaces: received a value not shown$/,
    );
  }
});

Deno.test("REDIS_URL says where Redis is and who we are there", () => {
  const plain = { host: "h", port: 6379, tls: false, username: null, password: null, database: 0 };
  const cases: Record<string, Settings["redis"]> = {
    "redis://h": plain,
    "redis://h/": plain,
    "rediss://h": { ...plain, tls: true },
    "REDIS://h": plain,
    "redis://h:1": { ...plain, port: 1 },
    "redis://h:65535/15": { ...plain, port: 65_535, database: 15 },
    "redis://10.0.0.1:7": { ...plain, host: "10.0.0.1", port: 7 },
    "redis://[::1]:7/2": { ...plain, host: "::1", port: 7, database: 2 },
    "redis://:secret@h": { ...plain, password: "secret" },
    "redis://user@h": { ...plain, username: "user" },
    "rediss://user:secret@h:7/3": { host: "h", port: 7, tls: true, username: "user", password: "secret", database: 3 },
    "redis://us%40er:p%3A%2F%2F%40%25%C3%A9@h": { ...plain, username: "us@er", password: "p://@%\u00e9" },
    "redis://u:a:b@h": { ...plain, username: "u", password: "a:b" },
  };
  for (const [url, redis] of Object.entries(cases)) assert.deepEqual(good({ REDIS_URL: url }).redis, redis, url);
});

Deno.test("REDIS_URL wins over REDIS_HOST and REDIS_PORT, which must be right all the same", () => {
  const record = { REDIS_URL: "redis://a:1", REDIS_HOST: "b", REDIS_PORT: "2" };
  assert.equal(describeSettings(good(record)).redis, "redis://a:1/0");
  assert.match(problemsOf({ ...record, REDIS_PORT: "two" })[0], /^REDIS_PORT/);
});

Deno.test("a REDIS_URL that is anything else is refused, and never shown", () => {
  const bad = [
    "",
    "h",
    "h:6379",
    "redis",
    "redis:",
    "redis:h",
    "redis://",
    "redis:///0",
    "redis://:hunter2@",
    "redis://:6379",
    "http://u:hunter2@h",
    "unix:///run/redis.sock",
    "redis+tls://u:hunter2@h",
    "redis://u:hunter2@h:0",
    "redis://u:hunter2@h:65536",
    "redis://u:hunter2@h:port",
    "redis://u:hunter2@h/db",
    "redis://u:hunter2@h/-1",
    "redis://u:hunter2@h/0/1",
    "redis://u:hunter2@h/" + "1".repeat(10),
    "redis://u:hunter2@h?db=1",
    "redis://u:hunter2@h/0?timeout=1",
    "redis://u:hunter2@h#1",
    "redis://u:hunter2%@h",
    "redis://u:hunter2%ff@h",
    "redis://u:hunter2@a b",
    "redis://u:hunter2@a%20b",
    "redis://u:hunter2@a,b",
    "redis://u:hunter2@[::1",
  ];
  for (const url of bad) {
    const [problem, ...others] = problemsOf({ REDIS_URL: url });
    assert.deepEqual(others, [], url);
    assert.match(problem, /^REDIS_URL must be redis:\/\/ or rediss:\/\/.*: received a value not shown$/, url);
  }
});

Deno.test("all problems are reported at once, each once", () => {
  const bad = Object.fromEntries(SETTING_DEFINITIONS.map(({ name }) => [name, "\u0000"]));
  const problems = problemsOf(bad);
  assert.deepEqual(
    problems.map((problem) => problem.split(" ")[0]).toSorted(),
    SETTING_DEFINITIONS.map(({ name }) => name).toSorted(),
  );
});

Deno.test("an unknown name that begins like ours is a warning with the nearest name", () => {
  const cases = {
    CACHE_TLL: "CACHE_TTL",
    CACHE_MAX_SIZE: "CACHE_MAXSIZE",
    PROXY_PROT: "PROXY_PORT",
    REDIS_PORTS: "REDIS_PORT",
    RESP_COMMAND: "RESP_COMMANDS",
    MAX_CONNECTION: "MAX_CONNECTIONS",
  };
  for (const [name, nearest] of Object.entries(cases)) {
    const { ok, warnings } = parseSettings({ [name]: "hunter2" });
    assert.equal(ok, true, "a warning is no problem");
    assert.equal(warnings.length, 1);
    assert.ok(warnings[0].startsWith(`"${name}" is not a setting`), warnings[0]);
    assert.ok(warnings[0].endsWith(`did you mean ${nearest}?`), warnings[0]);
    assert.ok(!warnings[0].includes("hunter2"));
  }
  assert.equal(
    parseSettings({ CACHE_TLL: "1", CACHE_TTL: "one" }).warnings.length,
    1,
    "warnings come with problems too",
  );
});

Deno.test("other names are nobody's business", () => {
  const record = {
    PATH: "/bin",
    HOME: "/",
    cache_ttl: "1",
    MAXIMUM: "1",
    XCACHE_TTL: "x",
    CACHE: "",
    __proto__: "",
    constructor: "",
  };
  assert.deepEqual(parseSettings(record), { ok: true, settings: DEFAULTS, warnings: [] });
});

Deno.test("an unknown name with line breaks stays on one line", () => {
  const [warning] = parseSettings({ "CACHE_X\nredis-proxy: all is well": "1" }).warnings;
  assert.ok(!warning.includes("\n"), warning);
});

/** Everything that a user may see of `result`. */
function seen(result: SettingsResult): string {
  const shown = [
    ...result.warnings,
    ...(result.ok ? [JSON.stringify(describeSettings(result.settings))] : result.problems),
  ];
  return shown.join("\n");
}

/** A secret that cannot be in any text by chance: what surrounds it is fixed, and of characters that no escape changes. */
const secret = fc.string({ unit: fc.constantFrom(..."abcXYZ019"), minLength: 1 }).map((middle) => `zq${middle}qz`);

/** Characters that may break a URL, a check or an escape. */
const noise = fc.string({ unit: fc.constantFrom(..."aZ9:@/?#%[]\\ \t\n\u0000\u00e9\"'{}"), maxLength: 6 });

Deno.test("no password is ever shown, whatever is wrong with the settings", () => {
  fc.assert(
    fc.property(
      fc.record({ redis: secret, proxy: secret }),
      fc.record({
        before: noise,
        after: noise,
        scheme: fc.constantFrom("redis", "rediss", "http", "redis:"),
        rest: noise,
      }),
      fc.dictionary(fc.constantFrom(...Object.keys(INTEGERS), "CACHE_X"), fc.string(), { maxKeys: 2 }),
      (secrets, { before, after, scheme, rest }, others) => {
        const result = parseSettings({
          ...others,
          REDIS_URL: `${scheme}://user:${before}${secrets.redis}${after}@host${rest}`,
          PROXY_PASSWORD: before + secrets.proxy + after,
        });
        assert.ok(!seen(result).includes(secrets.redis), "Redis's password is shown");
        assert.ok(!seen(result).includes(secrets.proxy), "the proxy's password is shown");
      },
    ),
    { seed: SEED, numRuns: 5_000 },
  );
});

Deno.test("no part of a REDIS_URL that cannot be used is shown, its user included", () => {
  fc.assert(
    fc.property(secret, secret, noise, (user, password, rest) => {
      const result = parseSettings({ REDIS_URL: `redis://${user}:${password}@host/not a database${rest}` });
      assert.equal(result.ok, false);
      assert.ok(!seen(result).includes(user) && !seen(result).includes(password), seen(result));
    }),
    { seed: SEED },
  );
});

Deno.test("any strings give settings within their ranges, or problems that name what was given", () => {
  const names = SETTING_DEFINITIONS.map(({ name }) => name);
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), fc.oneof(fc.string(), fc.nat().map(String))), (record) => {
      const result = parseSettings(record);
      if (!result.ok) {
        for (const problem of result.problems) assert.ok(problem.split(" ")[0] in record, problem);
        return;
      }
      for (const { min, max, read } of Object.values(INTEGERS)) {
        const number = read?.(result.settings) ?? min;
        assert.ok(Number.isInteger(number) && number >= min && number <= max);
      }
    }),
    { seed: SEED, numRuns: 2_000 },
  );
});

Deno.test("the description has every setting in force, with passwords masked", () => {
  const settings = good({ REDIS_URL: "rediss://user:hunter2@[::1]:7/3", PROXY_PASSWORD: "hunter2" });
  const description = describeSettings(settings);
  assert.equal(description.redis, "rediss://[::1]:7/3");
  assert.equal(description.redisUser, "user");
  assert.equal(description.redisPassword, "***");
  assert.equal(description.proxyPassword, "***");
  assert.equal(describeSettings(DEFAULTS).redisPassword, null);
  assert.equal(describeSettings(DEFAULTS).proxyPassword, null);
  for (const [name, value] of Object.entries(DEFAULTS)) {
    if (name !== "redis") assert.equal(describeSettings(DEFAULTS)[name], value, name);
  }
});
