/**
 * Reads through the cache: from memory where it can, from Redis where it must, one flight a key, in batches.
 *
 *   hit(key) ──▶ cache ──▶ fresh item                                                       no promise, no allocation
 *   read(key) ─▶ remembered as absent? ─▶ a flight of this key under way? ─▶ join it
 *                                      └▶ new flight ─▶ queue ─▶ batch ─▶ source ─▶ land ─▶ cache, waiters
 *
 * At most `parallelMax` batches are in flight; what misses meanwhile queues and travels together in the next one.
 *
 * ## Why nothing stale is ever stored
 *
 * Redis sends replies and invalidations over one connection, in the order in which things happened there. The client
 * library calls `invalidated` while it reads a chunk, and settles replies as promises, whose continuations run after the
 * whole chunk: so a value can be handed to us after an invalidation that came later on the wire. Hence a flight stays
 * registered, and can be overtaken, until its continuation. W writes k at Redis, F is our flight of k, I the invalidation:
 *
 *  1. W, then F is read there        I comes before the reply, or not at all (nobody tracked k). If F was sent already
 *                                    it is overtaken for nothing: it has the new value, serves it, and does not store it.
 *  2. F is read, then W; I after the reply, in a later chunk: F has landed; I deletes the item.
 *  3. … I in the same chunk as the reply: `invalidated` runs before F's continuation and overtakes it. Not stored.
 *  4. … W between GET and PTTL of one batch: I arrives before PTTL's reply, or with it: as 3. So the time to live
 *     that is stored always belongs to the value that is stored, without MULTI.
 *  5. I, then a new request, then F's reply: the request must not join F, which may be older than the request. F has
 *     left the table of flights, so the request begins a flight of its own, which is read after W.
 *  6. I while F is queued and not sent: F will be read after W. It goes on, and may be joined.
 *  7. FLUSHALL, FLUSHDB, a full tracking table: as I, for every key and every flight that was sent.
 *  8. The connection is lost after F was read: a reply that came just before lands as overtaken, and what was held of
 *     its key goes too, as it may be older; what rejects is queued again. Nothing is fresh until a connection is ready
 *     again, and what was held before it is dropped then.
 *  9. Two connections: there is only one. Fills and invalidations cannot be lost apart from each other.
 *
 * Time: an item's end counts from when its read was sent, so the way back never makes it live longer.
 *
 * ## Redis away
 *
 *   waiting ──connected──▶ up ──disconnected──▶ waiting ──unavailable──▶ down ──connected──▶ up
 *
 * `waiting` (at start, or just lost): flights queue, and each request waits to its deadline. `down`: those who wait and
 * those who come are answered at once.
 */

import type { Clock } from "../clock.ts";
import type { LruTtlCache } from "../cache/lru_ttl_cache.ts";
import type { Counters } from "../metrics/counters.ts";
import { detachedKey, type Key, keyBytes } from "../protocol/key.ts";
import { BATCH_KEYS_MAX, FILL_QUEUE_FLIGHTS_MAX, NEGATIVE_OVERHEAD_BYTES } from "../limits.ts";
import type { Answer, Failed } from "./answer.ts";
import { Flight, type Waiter } from "./flight.ts";
import { type HitWatch, noHitWatch } from "./hit_watch.ts";
import type { Holding } from "./holding.ts";
import { chargedBytes, Item } from "./item.ts";
import { type KeyReply, type Outage, type Source, type SourceListener, UNREACHABLE } from "./source.ts";
import { WaitingLine } from "./waiting_line.ts";

/** What a read-through is made of. Durations are in milliseconds. */
export interface ReadThroughOptions {
  readonly clock: Clock;
  readonly source: Source;
  readonly counters: Counters;
  /** Holds the items; its own deadlines include `staleTtlMs`. */
  readonly cache: LruTtlCache<Item>;
  /** Remembers absent keys in a bound of its own; `null` when absence is not remembered. */
  readonly absent: LruTtlCache<true> | null;
  /** Most bytes of one item, key and overhead included; a larger one is served and not kept. */
  readonly itemBytesMax: number;
  /** How long an item is fresh, at most. */
  readonly ttlMs: number;
  /** How long an absence is remembered. */
  readonly negativeTtlMs: number;
  /** How long past its end an item may be served while Redis is away; 0 = never. */
  readonly staleTtlMs: number;
  /** True when all values are held as frames; false unless told. See `Item`. */
  readonly framed?: boolean;
  /** How long a request waits. */
  readonly timeoutMs: number;
  /** Most round trips in flight. */
  readonly parallelMax: number;
  /** Most keys in one round trip. */
  readonly batchKeysMax?: number;
  /** Most flights waiting for a turn. */
  readonly queueFlightsMax?: number;
  /** Called after each round trip, for the metrics. */
  readonly onRoundTrip?: (trip: { ms: number; keys: number }) => void;
  /** Is shown some of the hits. */
  readonly hitWatch?: HitWatch;
  /** Called for each request that had to wait, with how long, whatever came of it. */
  readonly onWaited?: (ms: number) => void;
}

/** What need not be given. */
type Hooks = "onRoundTrip" | "onWaited" | "hitWatch";

type Link = { readonly kind: "waiting" | "up" } | { readonly kind: "down"; readonly outage: Outage };

const WAITING: Link = { kind: "waiting" };
const UP: Link = { kind: "up" };
const OVERLOADED: Failed = { kind: "failed", failure: "overloaded", code: "OVERLOADED" };
const TIMED_OUT: Failed = { kind: "failed", failure: "timeout", code: "TIMEOUT" };
const REMEMBERED: Answer = { kind: "absent", remembered: true, stored: false, collapsed: false };

/** Answers reads from the cache or from the source, and keeps the cache true. See the head of this file. */
export class ReadThrough implements SourceListener {
  readonly #options: Required<Omit<ReadThroughOptions, Hooks>> & Pick<ReadThroughOptions, Hooks>;
  readonly #clock: Clock;
  readonly #hitWatch: HitWatch;
  readonly #cache: LruTtlCache<Item>;
  readonly #counters: Counters;

  /** Flights that can be joined; one that was overtaken is no longer here. */
  #flights = new Map<Key, Flight>();
  /** Flights not sent yet, oldest first. `#queueHead` is the index of the first, so taking from the front is cheap. */
  #queue: Flight[] = [];
  #queueHead = 0;
  /** Flights sent and not landed, whether or not they can still be joined. */
  readonly #sent = new Set<Flight>();
  readonly #line: WaitingLine;
  #tripsInFlight = 0;
  #dispatchScheduled = false;

  #link: Link = WAITING;
  /** True when the connection in use, or the last one, was tracked. */
  #tracked = false;
  /** False from the loss of a tracked connection to the next connect: what is held may have changed unheard. */
  #coherent = true;
  /** When `#coherent` became false, in ms. */
  #incoherentSinceMs = 0;
  /** When tracking was last absent from, in ms; `null` while it is there. */
  #untrackedSinceMs: number | null;
  #untrackedMs = 0;

  constructor(options: ReadThroughOptions) {
    this.#options = {
      framed: false,
      batchKeysMax: BATCH_KEYS_MAX,
      queueFlightsMax: FILL_QUEUE_FLIGHTS_MAX,
      ...options,
    };
    this.#clock = options.clock;
    this.#hitWatch = options.hitWatch ?? noHitWatch();
    this.#cache = options.cache;
    this.#counters = options.counters;
    this.#untrackedSinceMs = options.clock.nowMs;
    this.#line = new WaitingLine(
      options.clock,
      (waiter) => this.#settle(waiter, this.#timeOut(waiter.flight)),
    );
  }

  /** Flights under way: queued and sent. */
  get flights(): number {
    return this.#waitingFlights + this.#sent.size;
  }

  /** What is known of Redis: `up`, or not. */
  get isUp(): boolean {
    return this.#link.kind === "up";
  }

  /** True when an attempt to reach Redis has failed, and none has succeeded since. */
  get isUnreachable(): boolean {
    return this.#link.kind === "down" && this.#link.outage.kind === "unreachable";
  }

  /** What is known of Redis, in a word: `connecting` is at the start, or just lost. */
  get linkState(): "up" | "connecting" | "down" {
    return this.#link.kind === "waiting" ? "connecting" : this.#link.kind;
  }

  /** How items are kept true over the connection in use, or the last one; nothing is fresh while a tracked one is gone. */
  get coherence(): "tracking" | "ttl" {
    return this.#tracked ? "tracking" : "ttl";
  }

  /** For how long, in ms and all together, there was no tracking. */
  get untrackedMs(): number {
    return this.#untrackedMs + (this.#untrackedSinceMs === null ? 0 : this.#clock.tick() - this.#untrackedSinceMs);
  }

  /**
   * Returns the fresh item of `key` and makes it the most recent; `undefined` when there is none.
   *
   * The hot path: one look-up, two comparisons, two counts, nothing allocated. The time is that of the clock's last tick.
   */
  hit(key: Key): Item | undefined {
    const item = this.#cache.get(key);
    if (item === undefined || !this.#isFresh(item)) return undefined;
    item.hits++;
    if (--this.#hitWatch.countdown === 0) this.#hitWatch.sample(key);
    return item;
  }

  /**
   * Returns the answer for `key`, which `hit` did not find: at once where nobody has to be asked, else as a promise that
   * is always fulfilled, by the deadline at the latest.
   */
  read(key: Key): Answer | Promise<Answer> {
    if (this.remembersAbsence(key)) return REMEMBERED;
    const joined = this.#flights.get(key);
    if (joined !== undefined) return this.#wait(joined, true);
    if (this.#link.kind === "down") return this.#fallback(key, outageAnswer(this.#link.outage));
    if (this.#waitingFlights >= this.#options.queueFlightsMax) {
      this.#counters.readsTurnedAway++;
      return OVERLOADED;
    }
    const flight = new Flight(detachedKey(key));
    this.#flights.set(flight.key, flight);
    this.#queue.push(flight);
    this.#scheduleDispatch();
    return this.#wait(flight, false);
  }

  /** True when it is remembered that there is no such key. */
  remembersAbsence(key: Key): boolean {
    return this.#options.absent?.get(key) === true;
  }

  /** Returns what is held of `key`. Changes nothing, neither its place in the order nor a count. Cost: O(waiters). */
  inspect(key: Key): Holding {
    const nowMs = this.#clock.tick();
    const item = this.#cache.peek(key) ?? null;
    const flight = this.#flights.get(key);
    return {
      item,
      nowMs,
      isFresh: item !== null && this.#isFresh(item),
      absentForMs: this.#options.absent?.remainingMs(key) ?? null,
      flight: flight === undefined ? null : { isSent: flight.sent, waiters: flight.waitersLeft },
    };
  }

  /**
   * Drops what is held of `key` since a person wants it gone: the next read asks Redis, and a read under way is not kept.
   * Redis is not touched.
   */
  drop(key: Key): void {
    this.#clock.tick();
    this.#counters.keysDropped++;
    this.#dropKey(key);
  }

  /** Drops what is held of `key`: Redis has said that it changed. */
  invalidated(key: Key): void {
    this.#counters.invalidatedKeys++;
    this.#dropKey(key);
  }

  /** Drops everything held, as if Redis had invalidated it. */
  invalidatedAll(): void {
    this.#counters.invalidatedAll++;
    this.#dropAll();
  }

  /**
   * Drops what is held of `key`, as if Redis had invalidated it: a client wrote it, and Redis has done so.
   *
   * Whoever reads `key` after this call gets what Redis held at that moment, or later (W the write, R its reply here):
   *
   *  1. A fill was read before W and stored before R: it is deleted here.
   *  2. A fill was read before W and is under way at R: it is overtaken here, stores nothing, and cannot be joined.
   *  3. A fill is queued: it is read later, after W. Redis's own invalidation of W comes when it comes, and costs a fill.
   */
  wrote(key: Key): void {
    this.#counters.writtenKeys++;
    this.#dropKey(key);
  }

  /** Drops everything held: a client changed all keys, or may have, and Redis does not say which. */
  wroteAll(): void {
    this.#counters.writtenAll++;
    this.#dropAll();
  }

  /**
   * Fulfilled when what Redis had done before this call shows here: no invalidation of it is still on the way.
   *
   * `wrote`: it may have been a write that came through us. Where Redis cannot be asked, or does not invalidate, all is
   * dropped then; news of others is as late as it is there. Never rejects. Cost: a round trip, shared by those of one turn.
   */
  async caughtUp({ wrote }: { wrote: boolean }): Promise<void> {
    if (this.#link.kind === "up" && this.#tracked) {
      this.#counters.catchUps++;
      try {
        return await this.#options.source.caughtUp();
      } catch {
        // The connection was lost: nothing held is fresh, but what Redis has changed must not be served stale either.
      }
    }
    if (wrote) this.wroteAll();
  }

  connected(link: { tracked: boolean }): void {
    this.#counters.connects++;
    // What was read untracked is unknown to the new connection's tracking; what was tracked has been unheard since.
    if (link.tracked || this.#tracked) this.#dropAll();
    this.#tracked = link.tracked;
    this.#coherent = true;
    if (link.tracked) {
      this.#untrackedMs = this.untrackedMs;
      this.#untrackedSinceMs = null;
    }
    this.#link = UP;
    this.#scheduleDispatch();
  }

  disconnected(): void {
    this.#counters.disconnects++;
    this.#link = WAITING;
    for (const flight of this.#sent) this.#overtake(flight, "lost");
    if (!this.#tracked) return;
    this.#coherent = false;
    this.#incoherentSinceMs = this.#untrackedSinceMs = this.#clock.tick();
    this.#options.absent?.clear();
    if (this.#options.staleTtlMs === 0) this.#cache.clear();
  }

  unavailable(outage: Outage): void {
    this.#counters.connectFailures++;
    this.#clock.tick();
    this.#link = { kind: "down", outage };
    const answer = outageAnswer(outage);
    for (const flight of this.#takeQueue(Infinity)) {
      this.#flights.delete(flight.key);
      this.#answer(flight, () => this.#fallback(flight.key, answer));
    }
  }

  /** Sweeps at most `budget` items whose time is over; for idle times. Returns how many went. */
  sweep(budget: number): number {
    this.#clock.tick();
    return this.#cache.expire(budget) + (this.#options.absent?.expire(budget) ?? 0);
  }

  /** Stops the timer. Requests that still wait are never answered: call it when there are none. */
  close(): void {
    this.#line.close();
  }

  // Waiting

  #wait(flight: Flight, collapsed: boolean): Promise<Answer> {
    return new Promise((resolve) => {
      const deadlineMs = this.#clock.nowMs + this.#options.timeoutMs;
      const waiter: Waiter = { flight, deadlineMs, collapsed, resolve, next: null };
      flight.waiters.push(waiter);
      this.#line.join(waiter);
    });
  }

  #settle(waiter: Waiter, answer: Answer): void {
    const resolve = waiter.resolve;
    if (resolve === null) return;
    waiter.resolve = null;
    this.#options.onWaited?.(this.#clock.nowMs - (waiter.deadlineMs - this.#options.timeoutMs));
    resolve(answer);
  }

  #answer(flight: Flight, answerFor: (waiter: Waiter) => Answer): void {
    for (const waiter of flight.waiters) this.#settle(waiter, answerFor(waiter));
    this.#line.trim();
  }

  /** Redis that was asked and did not answer by the deadline cannot be reached; a turn that did not come is our doing. */
  #timeOut(flight: Flight): Answer {
    return flight.sent || this.#link.kind !== "up" ? this.#fallback(flight.key, TIMED_OUT) : TIMED_OUT;
  }

  /** Returns the stale item of `key` where one may be served, and `failed` where not. */
  #fallback(key: Key, failed: Failed): Answer {
    const { staleTtlMs } = this.#options;
    // Redis that refuses us can be reached: its word is law. Overload is ours.
    if (staleTtlMs === 0 || failed.failure === "refused" || failed.failure === "overloaded") return failed;
    const item = this.#cache.peek(key);
    if (item === undefined) return failed;
    const endMs = this.#coherent ? item.freshUntilMs : Math.min(item.freshUntilMs, this.#incoherentSinceMs);
    return this.#clock.nowMs < endMs + staleTtlMs ? { kind: "stale", item, failure: failed.failure } : failed;
  }

  // Flights

  get #waitingFlights(): number {
    return this.#queue.length - this.#queueHead;
  }

  #takeQueue(count: number): Flight[] {
    const taken = this.#queue.slice(this.#queueHead, this.#queueHead + count);
    this.#queueHead += taken.length;
    // Compacted when half of it is gone: O(1) amortised.
    if (this.#queueHead * 2 >= this.#queue.length) {
      this.#queue.splice(0, this.#queueHead);
      this.#queueHead = 0;
    }
    return taken;
  }

  #isFresh(item: Item): boolean {
    return this.#coherent && this.#clock.nowMs < item.freshUntilMs;
  }

  #forget(key: Key): void {
    this.#cache.delete(key);
    this.#options.absent?.delete(key);
  }

  /** Forgets `key`, and has nobody join or keep a read of it that may be older than this moment. */
  #dropKey(key: Key): void {
    this.#forget(key);
    const flight = this.#flights.get(key);
    if (flight?.sent) this.#overtake(flight, "changed");
  }

  #overtake(flight: Flight, by: "changed" | "lost"): void {
    if (flight.overtaken !== "lost") flight.overtaken = by;
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key);
  }

  #dropAll(): void {
    this.#cache.clear();
    this.#options.absent?.clear();
    for (const flight of this.#sent) this.#overtake(flight, "changed");
  }

  /** Sends at the end of this turn, so that what is asked for in one turn (an MGET, a pipeline) travels together. */
  #scheduleDispatch(): void {
    if (this.#dispatchScheduled) return;
    this.#dispatchScheduled = true;
    queueMicrotask(() => {
      this.#dispatchScheduled = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    while (this.#link.kind === "up" && this.#tripsInFlight < this.#options.parallelMax && this.#waitingFlights > 0) {
      const batch = this.#takeQueue(this.#options.batchKeysMax).filter((flight) => {
        if (flight.isWanted) return true;
        this.#counters.flightsAbandoned++;
        this.#flights.delete(flight.key);
        return false;
      });
      if (batch.length > 0) void this.#roundTrip(batch);
    }
  }

  async #roundTrip(batch: Flight[]): Promise<void> {
    const sentAtMs = this.#clock.tick();
    this.#tripsInFlight++;
    this.#counters.roundTrips++;
    this.#counters.keysRead += batch.length;
    for (const flight of batch) {
      flight.sent = true;
      this.#sent.add(flight);
    }
    let replies: KeyReply[] | null;
    try {
      replies = await this.#options.source.read(batch.map((flight) => flight.key));
    } catch {
      replies = null; // The connection was lost; the source has said so by `disconnected`.
    }
    const nowMs = this.#clock.tick();
    this.#tripsInFlight--;
    for (const flight of batch) this.#sent.delete(flight);
    if (replies === null) {
      for (const flight of batch) this.#repeat(flight);
    } else {
      this.#options.onRoundTrip?.({ ms: nowMs - sentAtMs, keys: batch.length });
      for (let i = 0; i < batch.length; i++) this.#land(batch[i], replies[i], sentAtMs);
    }
    this.#scheduleDispatch();
  }

  /** Queues a flight again whose connection was lost, or fails it where Redis is known to be away by now. */
  #repeat(flight: Flight): void {
    // A source that fails while its connection is there would fail again; that is not asked for in a loop.
    if (this.#link.kind === "down" || flight.overtaken !== "lost") {
      const answer = outageAnswer(this.#link.kind === "down" ? this.#link.outage : UNREACHABLE);
      if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key);
      this.#answer(flight, () => this.#fallback(flight.key, answer));
      return;
    }
    if (!flight.isWanted) return;
    this.#counters.flightsRepeated++;
    const newer = this.#flights.get(flight.key);
    if (newer !== undefined) {
      // Somebody asked again meanwhile: that flight is read later than this one was asked for, so it serves both.
      for (const waiter of flight.waiters) newer.waiters.push(waiter);
      return;
    }
    flight.sent = false;
    flight.overtaken = null;
    this.#flights.set(flight.key, flight);
    this.#queue.push(flight);
  }

  /** Ends a flight with Redis's reply: keeps what may be kept, and answers all who wait. */
  #land(flight: Flight, reply: KeyReply, sentAtMs: number): void {
    if (flight.overtaken === null) this.#flights.delete(flight.key);
    // Redis has spoken: what is held from before, and might be served stale, is no longer the last word.
    if (flight.overtaken === "lost" && reply.kind !== "refused") this.#forget(flight.key);
    const mayStore = flight.overtaken === null;
    switch (reply.kind) {
      case "value": {
        const { ttlMs, framed } = this.#options;
        const freshUntilMs = sentAtMs + Math.min(ttlMs, reply.remainingMs ?? Infinity);
        const item = new Item(reply.bytes, { readAtMs: sentAtMs, freshUntilMs, framed });
        const stored = this.#store(flight, item);
        const first: Answer = { kind: "fill", item, stored, collapsed: false };
        const others: Answer = { ...first, collapsed: true };
        return this.#answer(flight, (waiter) => waiter.collapsed ? others : first);
      }
      case "absent": {
        const stored = mayStore && this.#storeAbsence(flight.key, sentAtMs);
        return this.#answer(flight, ({ collapsed }) => ({ kind: "absent", remembered: false, stored, collapsed }));
      }
      case "wrong_type":
        if (mayStore) this.#cache.delete(flight.key);
        return this.#answer(flight, ({ collapsed }) => ({ kind: "wrong_type", collapsed }));
      case "refused": {
        const answer = this.#fallback(flight.key, outageAnswer(reply.outage));
        return this.#answer(flight, () => answer);
      }
    }
  }

  #store(flight: Flight, item: Item): boolean {
    const { key } = flight;
    if (flight.overtaken !== null) {
      this.#counters.fillsOvertaken++;
      return false;
    }
    const freshMs = item.freshUntilMs - this.#clock.nowMs;
    if (freshMs <= 0) {
      this.#counters.fillsExpired++;
      this.#cache.delete(key);
      return false;
    }
    const bytes = chargedBytes(key, item);
    const ttlMs = freshMs + this.#options.staleTtlMs;
    if (bytes <= this.#options.itemBytesMax && this.#cache.set(key, item, { ttlMs, bytes })) {
      this.#counters.fillsStored++;
      return true;
    }
    this.#counters.fillsTooLarge++;
    this.#cache.delete(key);
    return false;
  }

  /** Forgets the value of `key`, and remembers that there is none where that is wanted and its time is not over yet. */
  #storeAbsence(key: Key, sentAtMs: number): boolean {
    this.#cache.delete(key);
    const ttlMs = sentAtMs + this.#options.negativeTtlMs - this.#clock.nowMs;
    if (this.#options.absent === null || ttlMs <= 0) return false;
    return this.#options.absent.set(key, true, { ttlMs, bytes: keyBytes(key) + NEGATIVE_OVERHEAD_BYTES });
  }
}

function outageAnswer(outage: Outage): Failed {
  return { kind: "failed", failure: outage.kind, code: outage.code };
}
