/**
 * The password over HTTP: `authorization: Bearer …` (RFC 6750, 2.1).
 */

import { Buffer } from "node:buffer";
import { Password } from "../password.ts";

/** Admits those who send the password. */
export class Bearer {
  readonly #password: Password;

  constructor(password: string) {
    this.#password = new Password(password);
  }

  /** True when `header`, the value of `authorization`, holds the password; compared in constant time. */
  admits(header: string | null): boolean {
    const token = header === null ? null : /^bearer +(\S+) *$/i.exec(header);
    return token !== null && this.#password.is(Buffer.from(token[1]));
  }
}
