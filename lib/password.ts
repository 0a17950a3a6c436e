/**
 * `PROXY_PASSWORD`, as both front doors check it.
 */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";

/** Knows the password, and no other. */
export class Password {
  readonly #salt = randomBytes(32);
  readonly #expected: Buffer;

  constructor(password: string) {
    this.#expected = this.#digest(Buffer.from(password));
  }

  /**
   * True when `candidate` is the password.
   *
   * Compares digests of equal length in constant time, so that neither length nor content shows. Cost: about 3 us.
   */
  is(candidate: Uint8Array): boolean {
    return timingSafeEqual(this.#digest(candidate), this.#expected);
  }

  #digest(bytes: Uint8Array): Buffer {
    return createHmac("sha256", this.#salt).update(bytes).digest();
  }
}
