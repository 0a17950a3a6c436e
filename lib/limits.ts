/**
 * Every bound of the proxy that is not a setting: its name, its unit, and why it is that number.
 *
 * Relations between them are asserted at the end, so a change that breaks one fails at start and in every test.
 */

// Requests

/** Longest key over HTTP, in bytes after decoding. Redis allows 512 MiB; a URL that long is a mistake or an attack. */
export const KEY_BYTES_MAX = 8_192;

/** `retry-after` of a 503, in seconds: overload and reconnects pass in less than that. */
export const RETRY_AFTER_S = 1;

// Fills

/** `MAX_PARALLEL` is capped at this many round trips per core: more would only queue at Redis, which has one thread. */
export const PARALLEL_PER_CORE_MAX = 2;

/** Most keys (a GET and a PTTL each) that travel in one round trip: 128 use a loopback link fully, and stay under 10 ms at Redis. */
export const BATCH_KEYS_MAX = 128;

/** Most flights that wait for a turn; the next miss gets 503. 128 full batches: at 1 ms each, an eighth of the default deadline. */
export const FILL_QUEUE_FLIGHTS_MAX = 16_384;

// The cache

/** An item larger than this part of `CACHE_MAXBYTES` is served and not kept, so that one value cannot empty the cache. */
export const ITEM_BYTES_FRACTION_MAX = 1 / 8;

/**
 * Bytes charged to each item beside its key and value: the object, its buffer, its etag and the cache's own links.
 * Measured as resident memory an item with 1 M items of 100 bytes (`deno task bench:memory`), rounded up.
 */
export const ITEM_OVERHEAD_BYTES = 512;

/** Most absent keys remembered (`CACHE_NEGATIVE_TTL`), as a part of `CACHE_MAXSIZE`: a scan over missing keys stays in here. */
export const NEGATIVE_ENTRIES_FRACTION = 1 / 4;

/** The part of `CACHE_MAXBYTES` set aside for remembered absence when it is on: keys of 8 KiB count in full. */
export const NEGATIVE_BYTES_FRACTION = 1 / 16;

/** Bytes charged to a remembered absence beside its key. */
export const NEGATIVE_OVERHEAD_BYTES = 160;

/** How often dead items are swept when nobody writes, and limits are looked at, in ms. */
export const HOUSEKEEPING_INTERVAL_MS = 1_000;

/** Most dead items swept in one go: about a millisecond of work, ten thousand items a second at most when idle. */
export const SWEEP_BUDGET = 10_000;

// The link to Redis

/** Pause between two looks at the link, in ms. Time is counted in looks, so a process that was suspended blames nobody. */
export const HEARTBEAT_LOOK_MS = 250;

/** A PING is sent when this many looks went by without one: every 750 ms. */
export const HEARTBEAT_PING_LOOKS = 3;

/** The link is lost when a PING or a fill has been unanswered for this many looks: 2,000 ms. */
export const HEARTBEAT_SILENT_LOOKS = 8;

/** A half-open link must be found within this many ms (promise 1 of the contract). */
export const HALF_OPEN_FOUND_MS = 3_000;

/** Least time, in ms, that one attempt to connect gets, handshake included; `REDIS_TIMEOUT_MS` when that is more. */
export const CONNECT_TIMEOUT_MS_MIN = 1_000;

/** First pause before a further attempt to connect, in ms; doubled each time, with jitter. */
export const RECONNECT_PAUSE_MS_MIN = 25;

/** Longest pause between two attempts, in ms: back within 2 s of Redis being back, one attempt included. */
export const RECONNECT_PAUSE_MS_MAX = 500;

/** How often the size of Redis's tracking table is looked up, in ms: one INFO and one CONFIG GET. */
export const TRACKING_TABLE_LOOK_MS = 10_000;

/** From this part of its limit on the size of the tracking table is worth a warning: at the limit keys go at random. */
export const TRACKING_TABLE_WARN_FRACTION = 0.9;

// The log

/** How often, in ms, a limit that is reached again and again is logged. */
export const LIMIT_LOG_INTERVAL_MS = 10_000;

// Stopping

/** Requests in flight get this long after SIGTERM, in ms; then whatever is left is cut off. */
export const STOP_GRACE_MS = 8_000;

/** The connection to Redis gets this long to finish politely, in ms, after the requests are done. */
export const STOP_REDIS_MS = 500;

/** The process has ended by then whatever a client does, in ms (promise 6 of the contract). */
export const STOP_MS_MAX = 10_000;

/** Throws when a relation between two bounds does not hold: a mistake in this file, not in the settings. */
function assertBound(holds: boolean, relation: string): void {
  if (!holds) throw new RangeError(`Cannot start: the bounds contradict each other: ${relation}`);
}

assertBound(BATCH_KEYS_MAX <= FILL_QUEUE_FLIGHTS_MAX, "a batch is larger than the queue that it is taken from");
assertBound(
  (HEARTBEAT_PING_LOOKS + HEARTBEAT_SILENT_LOOKS) * HEARTBEAT_LOOK_MS < HALF_OPEN_FOUND_MS,
  "a half-open link is found too late",
);
assertBound(RECONNECT_PAUSE_MS_MIN <= RECONNECT_PAUSE_MS_MAX, "the first pause is longer than the longest");
assertBound(RECONNECT_PAUSE_MS_MAX + CONNECT_TIMEOUT_MS_MIN < 2_000, "a reconnect can take longer than 2 s");
assertBound(STOP_GRACE_MS + STOP_REDIS_MS < STOP_MS_MAX, "the grace ends after the process must have ended");
assertBound(ITEM_BYTES_FRACTION_MAX < 1 - NEGATIVE_BYTES_FRACTION, "the largest item does not fit");
