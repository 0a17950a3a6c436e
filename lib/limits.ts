/**
 * The bounds of the proxy that are not settings: their names, their units, and why they are these numbers. What only the
 * method of one file depends on stands there.
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

/** Most keys (a GET and a PTTL each) that travel in one round trip: over a link of 1 ms 128 gave 18 times the rate of one. */
export const BATCH_KEYS_MAX = 128;

/** Most flights that wait for a turn; the next miss gets 503. 128 full batches: at 1 ms each, an eighth of the default deadline. */
export const FILL_QUEUE_FLIGHTS_MAX = 16_384;

// The cache

/** An item larger than this part of `CACHE_MAXBYTES` is served and not kept, so that one value cannot empty the cache. */
export const ITEM_BYTES_FRACTION_MAX = 1 / 8;

/**
 * Bytes charged to each item beside its key and value: the object, its etag, the heads of its strings and the cache's own
 * links. Measured as resident memory an item: 668 at 1,000,000 items of 100 bytes, much of it room that the engine keeps
 * for its garbage; rounded up. `deno run -A bench/run.ts --only item-memory` gives it again.
 */
export const ITEM_OVERHEAD_BYTES = 672;

/** Bytes charged on top of that for a value that is held as a frame: 408 as measured are what the runtime's buffer needs. */
export const FRAME_OVERHEAD_BYTES = 416;

/** Longest text, in bytes, that is held as a string where there is no RESP door: above it a buffer costs little more. */
export const TEXT_BYTES_MAX = 4_096;

/** Texts are held as strings where all of `CACHE_MAXBYTES` is at most this part of the engine's heap: its end is a crash. */
export const TEXTS_HEAP_FRACTION_MAX = 1 / 2;

/** Most absent keys remembered (`CACHE_NEGATIVE_TTL`), as a part of `CACHE_MAXSIZE`: a scan over missing keys stays in here. */
export const NEGATIVE_ENTRIES_FRACTION = 1 / 4;

/** The part of `CACHE_MAXBYTES` set aside for remembered absence when it is on: keys of 8 KiB count in full. */
export const NEGATIVE_BYTES_FRACTION = 1 / 16;

/** Bytes charged to a remembered absence beside its key: 65 of the cache's own links as measured, the rest for its string. */
export const NEGATIVE_OVERHEAD_BYTES = 160;

/** How often dead items are swept when nobody writes, and limits are looked at, in ms. */
export const HOUSEKEEPING_INTERVAL_MS = 1_000;

/** Most dead items swept in one go: 0.4 ms of work as measured, ten thousand items a second at most when idle. */
export const SWEEP_BUDGET = 10_000;

// The link to Redis

/** Pause between two looks at the link, in ms. Time is counted in looks, so a process that was suspended blames nobody. */
export const HEARTBEAT_LOOK_MS = 250;

/** A PING is sent when this many looks went by without one: every 750 ms. */
export const HEARTBEAT_PING_LOOKS = 3;

/** The link is lost when a PING or a fill has been unanswered for this many looks: 2,000 ms. */
export const HEARTBEAT_SILENT_LOOKS = 8;

/** How late a timer comes on a busy machine, in ms a look, as measured; the worst case below allows for it. */
const TIMER_LATE_MS = 15;

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

// HTTP connections

/** Most connections held. One at rest costs 13 KiB and one with the longest half head 90 KiB, as measured. */
export const HTTP_CONNECTIONS_MAX = 16_384;

/** Connections that may wait in the kernel to be accepted; Linux's own bound by default. When full, clients retry after 1 s. */
export const HTTP_BACKLOG_MAX = 4_096;

/** Descriptors kept free for the rest of the process, such as a reconnect to Redis. */
export const DESCRIPTORS_RESERVED = 8;

/** Time between two looks at timeouts and descriptors, in ms. A look costs 0.13 ms for the probe and a pass over the known. */
export const HTTP_LOOK_MS = 250;

/** A connection may take this long to send its first head, in ms; far above what a bad mobile network needs. */
export const HTTP_SILENT_MS_MAX = 30_000;

/** A connection may stay this long at rest between requests, in ms: more than the 60 s of usual load balancers. */
export const HTTP_REST_MS_MAX = 90_000;

/**
 * Under pressure a newcomer has this many rounds to send its head: about 12 ms, and what bounds the rate of a
 * reconnecting flood. Counted in rounds of the event loop rather than ms, because a server that was busy for 50 ms has
 * not yet read what its newcomers sent.
 */
export const HTTP_SILENT_ROUNDS_MIN = 4;

/** Under pressure, connections that have sent a request are left in peace while the silent are more than this of the cap. */
export const HTTP_SILENT_FRACTION = 1 / 8;

/** Under pressure an answer has this long to be read by its client, in ms. */
export const HTTP_ANSWER_MS_MIN = 5_000;

/** At the cap this part of it is ended at a time, so that room is made for several newcomers in one turn. */
export const HTTP_ROOM_FRACTION = 1 / 16;

/** The part of the cap that may be leaving; beyond it connections are cut, as those that do not read never leave. */
export const HTTP_LEAVING_FRACTION_MAX = 1 / 4;

/** Connections at rest for too long are told to leave while less than this part of the cap is leaving; else they stay. */
export const HTTP_OVERDUE_FRACTION_MAX = 1 / 8;

/** The cap grows back by this many connections a tick while the reserve is there: less than the reserve, so it lasts. */
export const HTTP_CAP_GROWTH = 4;

/** Pause before the next look for room, in ms: about the time in which ended connections free their descriptors. */
export const HTTP_ROOM_PAUSE_MS = 2;

/** Most known connections looked at to find one at rest; the next search goes on where this one ended. */
export const HTTP_SECOND_CHANCES_MAX = 256;

/** Pressure is over when no room had to be made for this long, in ms. */
export const HTTP_RECOVERED_MS = 2_000;

// RESP. Time is counted in looks, so a process that was suspended blames nobody.

/** Longest request in bytes, all of it: an MGET of 100,000 keys of 100 bytes. */
export const REQUEST_BYTES_MAX = 16 * 1024 * 1024;

/** Most arguments of a request, as in Redis before 7.0; it costs 5 bytes at least to send one. */
export const REQUEST_ARGUMENTS_MAX = 1_048_576;

/** Longest inline request, and longest line that holds a length, in bytes: as Redis. */
export const REQUEST_LINE_BYTES_MAX = 65_536;

/** Most arguments of a request before the client has authenticated itself: as Redis. */
export const UNAUTHENTICATED_ARGUMENTS_MAX = 10;

/** Longest argument, in bytes, before the client has authenticated itself: as Redis. */
export const UNAUTHENTICATED_BULK_BYTES_MAX = 16_384;

/** Bytes of the read buffer of a client that just connected: a pipeline of 100 small GETs. */
export const READ_BUFFER_BYTES_MIN = 4_096;

/** A client that fills its read buffer gets one twice as large, up to this many bytes; longer only for one long request. */
export const READ_BUFFER_BYTES_MAX = 65_536;

/** Bytes of the reply buffer of a client that just connected. */
export const REPLY_BUFFER_BYTES_MIN = 1_024;

/** A reply buffer that grew beyond this many bytes is given back once it is empty. */
export const REPLY_BUFFER_BYTES_KEPT = 65_536;

/** Deepest nesting of aggregates in a reply. Redis nests Lua's tables 8 deep, COMMAND DOCS less than 10. */
export const REPLY_DEPTH_MAX = 128;

/** Connections that may wait in the kernel to be accepted; Linux's own bound by default. */
export const RESP_BACKLOG_MAX = 4_096;

/** Pause before accepting is tried again, in ms, when it failed: descriptors ran out, and come back when somebody goes. */
export const ACCEPT_RETRY_MS = 50;

/** Replies of this many bytes waiting to be sent make the client wait: no request of it is read before they are gone. */
export const REPLY_BYTES_MAX = 262_144;

/** Requests of one client that are executed in one turn: 1.6 ms of the slowest small ones (inline PINGs) as measured. Then others have theirs. */
export const TURN_REQUESTS_MAX = 512;

/** How long those who always have more to do may keep the event loop before it looks for others, all together, in ms. */
export const BUSY_MS_MAX = 1;

/** Late replies that make the client wait likewise: as many as one round trip to Redis brings. */
export const LATE_REPLIES_MAX = 128;

/** A frame of this many bytes is sent from where it is; copying a smaller one costs less than a write of its own. */
export const FRAME_COPY_BYTES_MAX = 16_384;

/** Pause between two looks at the sessions, in ms. */
export const SESSION_LOOK_MS = 1_000;

/** A request that was begun must be complete before so many looks: 30 s; those in which it grew do not count. */
export const HALF_REQUEST_LOOKS_MAX = 30;

/** By how many bytes a request must have grown since the last look: a long value may take minutes over a slow line. */
export const HALF_REQUEST_GROWTH_BYTES_MIN = 4_096;

/** A client must have taken some bytes of its replies before so many looks: 10 s. */
export const UNREAD_REPLY_LOOKS_MAX = 10;

/**
 * Requests of a client that has ended its side, and that wait for replies before them, are given up after so many looks:
 * 10 s. Else whatever blocks for ever (BLPOP, and behind it SUBSCRIBE) would keep the place of a client that has gone.
 */
export const LEFT_CLIENT_LOOKS_MAX = 10;

/** A client must give the password, where one is needed, before so many looks: 30 s. */
export const STRANGER_LOOKS_MAX = 30;

/**
 * Requests that a client may send ahead while its replies wait, in bytes: a client that writes a whole pipeline before it
 * reads would otherwise wait for us, and we for it. 8 MiB are 200,000 small commands.
 */
export const READ_AHEAD_BYTES_MAX = 8 * 1024 * 1024;

/** Longest request that is passed on to Redis, in bytes, all of it: as Redis's own longest value by default, and its key. */
export const RELAYED_REQUEST_BYTES_MAX = 513 * 1024 * 1024;

/** Bytes of long requests that may be in memory at once, all clients together; whoever needs more is cut off. */
export const LONG_REQUESTS_BYTES_MAX = 2 * 1024 * 1024 * 1024;

/** Most replies of Redis that one client may have outstanding; further requests wait. */
export const RELAYED_REPLIES_MAX = 65_536;

/** The same while none has come, and nothing is known of their length. */
export const RELAYED_REPLIES_FIRST = 64;

/** Bytes that the replies outstanding are expected to take at most, as long as they are like those before them. */
export const RELAYED_REPLY_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Keys of writes that one client may have outstanding, in bytes; further requests wait. They are held by name until the
 * reply, and Redis takes in up to 1 GiB of requests behind one that blocks.
 */
export const RELAYED_KEYS_BYTES_MAX = 8 * 1024 * 1024;

/** Bytes charged to such a key beside its name: 55 as measured. */
export const RELAYED_KEY_OVERHEAD_BYTES = 64;

/**
 * Clients that wait for a reply of Redis are ended when nobody has reached it for so long, in ms. A Redis that died has
 * closed their connections long before; one that is busy with a script for half a minute may still answer them.
 */
export const RELAYS_LOST_MS = 30_000;

/** Longest greeting of Redis, in bytes: a HELLO reply with its list of modules. */
export const GREETING_BYTES_MAX = 65_536;

/** Numbers that HELLO tells begin here, far above Redis's own: `CLIENT KILL ID` of one can hit nobody else there. */
export const CLIENT_IDS_FROM = 2 ** 48;

/** Keys that held no string lately, at most, so that an MGET of one of them does not read the others for nothing. */
export const MGET_HINTS_MAX = 16_384;

/** How long that is believed, in ms. */
export const MGET_HINT_MS = 10_000;

/** Most questions in flight, all clients together; the next is refused. */
export const QUESTIONS_MAX = 16_384;

// The page and its statistics

/** How far back the charts go, in seconds: rows of 21 numbers, 100 KB for as long as the process lives. */
export const HISTORY_SECONDS = 600;

/** The figures beside the charts are of so many seconds: one alone jumps about, ten still follow a change. */
export const FIGURES_SECONDS = 10;

/**
 * Hits looked at more closely a second, 3 us each as measured: a three-thousandth of a core. Over the ten seconds of a
 * figure that is a thousand, of which ten are beyond the 99th percentile; over the minute of the hot keys six thousand.
 */
export const HIT_SAMPLES_PER_SECOND = 100;

/** Keys counted for each hot key that is shown: a share may then be too high by a sixteenth of an even part of them. */
export const HOT_KEYS_COUNTED_PER_SHOWN = 16;

/** Longest key that is named among the hot ones, in bytes: they are sent once a second. */
export const HOT_KEY_BYTES_MAX = 512;

/** Hits count half as much after this time for which keys are hot, in seconds. */
export const HOT_KEYS_HALF_LIFE_SECONDS = 60;

/** How much of a value the look-up shows, in bytes. */
export const PREVIEW_BYTES_MAX = 512;

/** Most pages that are kept up to date at a time; the next is told to wait. An event is some 4 KB a second each. */
export const VIEWERS_MAX = 32;

/** Events that may wait for a page to take them; one that is further behind is cut off and asks again. */
export const VIEWER_EVENTS_MAX = 8;

/** A page whose stream ended asks again after this time, in ms. */
export const VIEWER_RETRY_MS = 2_000;

// The log

/** How often, in ms, the same trouble is logged: a limit that is reached again and again, or a bug. */
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
  (HEARTBEAT_PING_LOOKS + HEARTBEAT_SILENT_LOOKS) * (HEARTBEAT_LOOK_MS + TIMER_LATE_MS) < HALF_OPEN_FOUND_MS,
  "a half-open link is found too late",
);
assertBound(RECONNECT_PAUSE_MS_MIN <= RECONNECT_PAUSE_MS_MAX, "the first pause is longer than the longest");
assertBound(RECONNECT_PAUSE_MS_MAX + CONNECT_TIMEOUT_MS_MIN < 2_000, "a reconnect can take longer than 2 s");
assertBound(
  HTTP_OVERDUE_FRACTION_MAX < HTTP_LEAVING_FRACTION_MAX,
  "connections that never leave take the time of those that were just answered",
);
assertBound(READ_BUFFER_BYTES_MIN <= READ_BUFFER_BYTES_MAX, "the read buffer starts larger than it may be");
assertBound(UNAUTHENTICATED_BULK_BYTES_MAX < REQUEST_BYTES_MAX, "a stranger may send more than a friend");
assertBound(FIGURES_SECONDS < HISTORY_SECONDS, "the figures are of more than the charts");
assertBound(STOP_GRACE_MS + STOP_REDIS_MS < STOP_MS_MAX, "the grace ends after the process must have ended");
assertBound(ITEM_BYTES_FRACTION_MAX < 1 - NEGATIVE_BYTES_FRACTION, "the largest item does not fit");
