/**
 * The password as a browser asks for it: `authorization: Basic …` (RFC 7617). Any user name will do.
 */

import { Buffer } from "node:buffer";
import { Password } from "../password.ts";

/** Admits those who send the password. */
export class Basic {
  readonly #password: Password;

  constructor(password: string) {
    this.#password = new Password(password);
  }

  /** True when `header`, the value of `authorization`, holds the password; compared in constant time. */
  admits(header: string | null): boolean {
    const token = header === null ? null : /^basic +([A-Za-z0-9+/]+=*) *$/i.exec(header);
    if (token === null) return false;
    const credentials = Buffer.from(token[1], "base64");
    // A user name has no colon, the password may have some (RFC 7617, 2).
    const colon = credentials.indexOf(":");
    return colon >= 0 && this.#password.is(credentials.subarray(colon + 1));
  }
}
