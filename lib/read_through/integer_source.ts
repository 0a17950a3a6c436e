/**
 * What the RESP front door needs of Redis beside values: numbers that only Redis knows, such as how long a key lives.
 */

import type { Buffer } from "node:buffer";

/** What Redis replied: the number, or its error with the code first. */
export type IntegerReply =
  | { readonly kind: "integer"; readonly value: number }
  | { readonly kind: "error"; readonly text: string };

/** Asks Redis for numbers. */
export interface IntegerSource {
  /**
   * Sends one command whose reply is an integer; those of one turn travel together.
   *
   * Rejects when there is no connection, or it is lost before the reply came. It has no deadline of its own.
   */
  integer(words: readonly Buffer[]): Promise<IntegerReply>;
}
