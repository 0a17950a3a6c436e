/** What the checker looks at in a response. */
export interface KeyResponse {
  readonly status: number;
  readonly isHit: boolean;
  readonly body: string;
}

const HEAD_END = "\r\n\r\n";
const LENGTH = /\r\ncontent-length: *(\d+)/i;
const HIT = /\r\ncache-status: redis-proxy; hit/i;

/**
 * Cuts a connection's bytes into the responses of the proxy. It reads only what the checker needs, so that one core
 * reads more than one proxy can answer; `support/raw_http.ts` is the strict reader.
 */
export class ResponseStream {
  #text = "";

  /** Takes bytes as they came, one character each. */
  push(text: string): void {
    this.#text += text;
  }

  /** Returns the next whole response; null when more bytes are needed. */
  next(): KeyResponse | null {
    const headEnd = this.#text.indexOf(HEAD_END);
    if (headEnd === -1) return null;
    const head = this.#text.slice(0, headEnd);
    const length = LENGTH.exec(head)?.[1];
    if (!head.startsWith("HTTP/1.1 ") || length === undefined) {
      throw new Error(`Cannot read a response: a length is needed: received ${JSON.stringify(head)}`);
    }
    const bodyStart = headEnd + HEAD_END.length;
    const bodyEnd = bodyStart + Number(length);
    if (this.#text.length < bodyEnd) return null;
    const body = this.#text.slice(bodyStart, bodyEnd);
    this.#text = this.#text.slice(bodyEnd);
    return { status: Number(head.slice(9, 12)), isHit: HIT.test(head), body };
  }
}
