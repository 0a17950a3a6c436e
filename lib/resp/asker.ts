/**
 * Questions that the cache cannot answer, for Redis: commands whose reply is a number, such as TTL.
 */

import type { Buffer } from "node:buffer";
import type { Failure } from "../read_through/answer.ts";
import type { IntegerReply, IntegerSource } from "../read_through/integer_source.ts";
import { QUESTIONS_MAX } from "../limits.ts";

/** What came of a question: what Redis said, or why it could not be asked. */
export type AskReply = IntegerReply | { readonly kind: "failed"; readonly failure: Failure };

const UNREACHABLE: AskReply = { kind: "failed", failure: "unreachable" };
const TIMED_OUT: AskReply = { kind: "failed", failure: "timeout" };
const OVERLOADED: AskReply = { kind: "failed", failure: "overloaded" };

/** Asks within a deadline. */
export class Asker {
  readonly #source: IntegerSource;
  readonly #timeoutMs: number;
  #questions = 0;

  /** Makes an asker whose every question is answered within `timeoutMs`. */
  constructor(source: IntegerSource, timeoutMs: number) {
    this.#source = source;
    this.#timeoutMs = timeoutMs;
  }

  /** Asks, and returns what came of it by the deadline. The promise never rejects. Cost: one timer. */
  integer(words: readonly Buffer[]): Promise<AskReply> {
    if (this.#questions >= QUESTIONS_MAX) return Promise.resolve(OVERLOADED);
    this.#questions++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(TIMED_OUT), this.#timeoutMs);
      const settle = (reply: AskReply): void => {
        // A question that timed out is still in flight, and counts as such until the connection is given up.
        this.#questions--;
        clearTimeout(timer);
        resolve(reply);
      };
      this.#source.integer(words).then(settle, () => settle(UNREACHABLE));
    });
  }
}
