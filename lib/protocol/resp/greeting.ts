/**
 * How a connection to Redis begins.
 */

import type { Protocol } from "./reply_writer.ts";

/** The user that a password alone belongs to. */
export const DEFAULT_USER = "default";

/** The protocol that is spoken, and further commands, whose errors are no reason to give up: a name, a library. */
export interface Greeting {
  readonly protocol: Protocol;
  readonly further: readonly (readonly string[])[];
}
