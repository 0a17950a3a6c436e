/**
 * What was written, when, and when it was acknowledged: the truth against which reads are judged.
 *
 * One thread writes it and others read it, in shared memory, so that judging a read costs no message. Versions of a key
 * are 1, 2, 3 … without gaps, in the order in which they happen at Redis; an absence (DEL, expiry, FLUSHALL, a restart)
 * is a version like any other, and so is a list in the key's place.
 *
 * Instants are `nowMs()`, which is the same in every thread of a process.
 */

/** What a version is to a reader: 200, 404 or 409. */
export type VersionState = "value" | "absent" | "list";

/** One version of a key. `ackedAtMs` is null while nothing was acknowledged; it may lie ahead, as an expiry does. */
export interface VersionRecord {
  readonly version: number;
  readonly state: VersionState;
  readonly kind: string;
  readonly begunAtMs: number;
  readonly ackedAtMs: number | null;
}

/** What another thread needs to read the same log. */
export interface VersionLogHandle {
  readonly keys: number;
  readonly versionsMax: number;
  readonly kinds: readonly string[];
  readonly buffers: readonly SharedArrayBuffer[];
}

const STATES: readonly VersionState[] = ["value", "absent", "list"];

/** Milliseconds of one clock for all threads: the monotonic one, counted from the wall clock's reading at the start. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** The versions of all keys. */
export class VersionLog {
  readonly handle: VersionLogHandle;
  readonly #begunAtMs: Float64Array;
  readonly #ackedAtMs: Float64Array;
  readonly #states: Uint8Array;
  readonly #kinds: Uint8Array;
  /** For each key the newest version, and the newest of each state. */
  readonly #newest: Int32Array;

  constructor(handle: VersionLogHandle) {
    this.handle = handle;
    const [begun, acked, states, kinds, newest] = handle.buffers;
    this.#begunAtMs = new Float64Array(begun);
    this.#ackedAtMs = new Float64Array(acked);
    this.#states = new Uint8Array(states);
    this.#kinds = new Uint8Array(kinds);
    this.#newest = new Int32Array(newest);
  }

  /**
   * Makes a log in which every key is absent, as version 1.
   *
   * @param kinds the names of all writes, 255 at most
   * @param versionsMax most versions of one key; 18 bytes each
   */
  static create(
    { keys, versionsMax, kinds }: { keys: number; versionsMax: number; kinds: readonly string[] },
  ): VersionLog {
    const slots = keys * (versionsMax + 1);
    const sizes = [slots * 8, slots * 8, slots, slots, keys * (1 + STATES.length) * 4];
    const buffers = sizes.map((bytes) => new SharedArrayBuffer(bytes));
    const log = new VersionLog({ keys, versionsMax, kinds: ["start", ...kinds], buffers });
    for (let key = 0; key < keys; key++) log.ack(key, log.begin(key, { kind: "start", state: "absent" }));
    return log;
  }

  /** Notes that a version is about to be written, and returns its number. Call it before the command is sent. */
  begin(key: number, { kind, state }: { kind: string; state: VersionState }): number {
    const version = this.newest(key) + 1;
    if (version > this.handle.versionsMax) throw new Error(`Cannot log: at most ${version - 1} versions of a key fit`);
    const slot = this.#slot(key, version);
    this.#begunAtMs[slot] = nowMs();
    this.#states[slot] = STATES.indexOf(state);
    this.#kinds[slot] = this.handle.kinds.indexOf(kind);
    const at = key * (1 + STATES.length);
    // The version is published last, so whoever sees its number sees the rest.
    Atomics.store(this.#newest, at + 1 + STATES.indexOf(state), version);
    Atomics.store(this.#newest, at, version);
    return version;
  }

  /** Notes that the reply to a version arrived, now or at `atMs`, which may lie ahead where Redis will act by itself. */
  ack(key: number, version: number, atMs = nowMs()): void {
    this.#ackedAtMs[this.#slot(key, version)] = atMs;
  }

  /** Returns the newest version of `key` that was begun. */
  newest(key: number): number {
    return Atomics.load(this.#newest, key * (1 + STATES.length));
  }

  /** Returns the newest version of `key` in this state; 0 when there was none. */
  newestOf(key: number, state: VersionState): number {
    return Atomics.load(this.#newest, key * (1 + STATES.length) + 1 + STATES.indexOf(state));
  }

  /** Returns what `key` is by its newest version. */
  state(key: number): VersionState {
    return this.record(key, this.newest(key)).state;
  }

  /** Returns when a version was acknowledged; 0 when it was not, or was never begun. */
  ackedAtMs(key: number, version: number): number {
    return version > this.newest(key) ? 0 : this.#ackedAtMs[this.#slot(key, version)];
  }

  /** True when `version` of `key` was begun and is a value. */
  isValue(key: number, version: number): boolean {
    return version >= 1 && version <= this.newest(key) && this.#states[this.#slot(key, version)] === 0;
  }

  /** Returns all that is known of one version. */
  record(key: number, version: number): VersionRecord {
    const slot = this.#slot(key, version);
    return {
      version,
      state: STATES[this.#states[slot]],
      kind: this.handle.kinds[this.#kinds[slot]],
      begunAtMs: this.#begunAtMs[slot],
      ackedAtMs: this.#ackedAtMs[slot] || null,
    };
  }

  #slot(key: number, version: number): number {
    return key * (this.handle.versionsMax + 1) + version;
  }
}
