/**
 * What a session has told Redis that makes its reads other than everybody's.
 *
 * While anything of it holds, everything of the session goes to Redis. Where it cannot be told whether it still holds, it
 * does: that costs hits, and nothing else. It is worked out from the type of replies alone, as their text may come in
 * pieces.
 */

/** A command that changes the state when Redis has replied to it. */
export type StateChange =
  | { readonly kind: "multi" | "exec" | "discard" | "watch" | "unwatch" | "foreign" }
  | { readonly kind: "select"; readonly database: number }
  /** `isOurs`: with the proxy's own name and password, so that it may see what the cache may. */
  | { readonly kind: "authenticate"; readonly isOurs: boolean };

const ERROR = 0x2d; // -

/** The state of one session at Redis. */
export class SessionState {
  readonly #homeDatabase: number;
  #database: number;
  #isInTransaction = false;
  #isWatching = false;
  #isForeign = false;
  #willChangeAll = false;

  /** The state of a session that just began in `homeDatabase`, the one that the cache is of. */
  constructor(homeDatabase: number) {
    this.#homeDatabase = this.#database = homeDatabase;
  }

  /** True when a read of this session is like any other's, and may come from the cache. */
  get isPlain(): boolean {
    return !this.#isForeign && !this.#isInTransaction && !this.#isWatching && this.#database === this.#homeDatabase;
  }

  /** True between MULTI and EXEC, where commands are queued and change nothing yet. */
  get isInTransaction(): boolean {
    return this.#isInTransaction;
  }

  /** True when EXEC will change all keys. */
  get willChangeAll(): boolean {
    return this.#willChangeAll;
  }

  /** Notes that a command which changes all keys was queued. */
  queueChangeOfAll(): void {
    this.#willChangeAll = true;
  }

  /** Notes Redis's reply to `change`, whose first byte is `mark`. Returns true when all keys changed by that. */
  replied(change: StateChange, mark: number): boolean {
    if (change.kind === "exec" && this.#isInTransaction) {
      // Whatever it says, the transaction is over: errors of EXEC discard it, too (EXECABORT).
      const changesAll = this.#willChangeAll;
      this.#isInTransaction = this.#isWatching = this.#willChangeAll = false;
      return changesAll;
    }
    if (mark === ERROR) return false;
    switch (change.kind) {
      case "multi":
        this.#isInTransaction = true;
        break;
      case "discard":
        this.#isInTransaction = this.#isWatching = this.#willChangeAll = false;
        break;
      case "watch":
        this.#isWatching = true;
        break;
      case "unwatch":
        // In a transaction it is queued; EXEC ends the watching anyway.
        if (!this.#isInTransaction) this.#isWatching = false;
        break;
      case "select":
        // In a transaction it is queued: where the session ends up cannot be told from here on.
        if (this.#isInTransaction) this.#isForeign = true;
        else this.#database = change.database;
        break;
      case "authenticate":
        if (this.#isInTransaction || !change.isOurs) this.#isForeign = true;
        break;
      case "foreign":
        this.#isForeign = true;
        break;
    }
    return false;
  }
}
