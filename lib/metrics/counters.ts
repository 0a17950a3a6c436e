/**
 * The counters: plain numbers, incremented where the event happens, read when somebody asks.
 *
 * Each is declared once, here, with its definition; `/metrics` takes names and texts from these tables.
 */

/** How a read through a front door ended. */
export const READ_OUTCOMES = {
  hit: "answered from memory, fresh",
  fill: "read from Redis for this request",
  collapsed: "answered by a read that another request had begun",
  stale: "answered from memory past its end, Redis being away",
  relayed: "passed on to Redis over the client's own connection",
  absent: "no such key, said Redis now",
  absent_remembered: "no such key, remembered",
  wrong_type: "the key holds no string",
  unreachable: "failed: no connection to Redis",
  loading: "failed: Redis is loading its data",
  refused: "failed: Redis refused",
  timeout: "failed: no answer by the deadline",
  overloaded: "failed: too many requests or reads wait already",
  invalid: "refused unread: no key that can be read, no host, or a method that does not read",
  unauthorized: "the password was missing or wrong",
} as const;

/** One of the ways in which a read ends. */
export type ReadOutcome = keyof typeof READ_OUTCOMES;

/** Why an item left the cache, which counts that itself. */
export const REMOVAL_REASONS = {
  expired: "its time was over",
  evicted: "room was needed",
  deleted: "it changed at Redis or went away there, or was dropped by hand",
  replaced: "it was read anew",
  cleared: "everything was dropped",
} as const;

/** What the parts below the front doors count. */
export const COUNTER_DEFINITIONS = {
  roundTrips: "Round trips to Redis for fills",
  keysRead: "Keys read from Redis in those round trips",
  fillsStored: "Values read from Redis and kept",
  fillsOvertaken: "Values read from Redis and not kept, since the key changed meanwhile",
  fillsTooLarge: "Values read from Redis and not kept, being too large",
  fillsExpired: "Values read from Redis and not kept, having expired meanwhile",
  flightsRepeated: "Reads sent again since the connection was lost under them",
  flightsAbandoned: "Reads not sent, since nobody waited for them any more",
  invalidatedKeys: "Invalidations of one key received from Redis",
  invalidatedAll: "Invalidations of all keys received from Redis",
  writtenKeys: "Keys dropped since a client wrote them through the proxy",
  writtenAll: "Times that everything was dropped since a client changed all keys through the proxy, or may have",
  catchUps: "Replies held until all invalidations before them had arrived; those of one turn share a round trip",
  relayedCommands: "Commands passed on to Redis for RESP clients",
  relays: "Connections to Redis made for RESP clients",
  relayFailures: "Connections to Redis for RESP clients that could not be made",
  keysDropped: "Keys dropped by hand, from the page",
  clientsTurnedAway: "Requests and RESP connections turned away since MAX_CONNECTIONS were in progress",
  readsTurnedAway: "Reads turned away since too many waited for Redis already",
  connects: "Connections to Redis made",
  disconnects: "Connections to Redis lost",
  connectFailures: "Attempts to connect to Redis that failed",
} as const;

/** The name of a counter. */
export type CounterName = keyof typeof COUNTER_DEFINITIONS;

/** All counters of one proxy; every one starts at zero and only rises. */
export type Counters = Record<CounterName, number> & {
  readonly http: Record<ReadOutcome, number>;
  readonly resp: Record<ReadOutcome, number>;
};

/** Returns counters at zero. */
export function newCounters(): Counters {
  return { ...zeros(COUNTER_DEFINITIONS), http: zeros(READ_OUTCOMES), resp: zeros(READ_OUTCOMES) };
}

function zeros<T extends string>(definitions: Readonly<Record<T, string>>): Record<T, number> {
  return Object.fromEntries(Object.keys(definitions).map((name) => [name, 0])) as Record<T, number>;
}
