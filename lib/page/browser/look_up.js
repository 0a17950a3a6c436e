/** The look-up: what is held of one key, and the button that drops it. */

import { byId, make, visibleElement } from "./elements.js";
import { bytes, count, duration } from "./numbers.js";
import { encodedBytes, hexRows, plainText, typedBytes, visibleKey, visibleValue } from "./visible_text.js";

/**
 * @typedef {{
 *   key: string, keyBytes: number,
 *   value: {
 *     isFresh: boolean, ageMs: number, remainingMs: number, bytes: number, chargedBytes: number, etag: string, hits: number,
 *     preview: { encoding: "text" | "hex", data: string, bytes: number },
 *   } | null,
 *   absence: { remainingMs: number } | null,
 *   flight: { isSent: boolean, waiters: number } | null,
 * }} KeyView
 */

/** The box, its button and what they show. */
export class LookUp {
  #section = byId("look-up");
  #input = /** @type {HTMLInputElement} */ (byId("key"));
  #result = byId("held");
  #message = byId("held-message");
  #asked = 0;

  constructor() {
    byId("look-up-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask(encodedBytes(typedBytes(this.#input.value)));
    });
  }

  /** Looks a key up that is given percent-encoded. @param {string} encoded */
  show(encoded) {
    this.#input.value = plainText(visibleKey(encoded));
    this.#ask(encoded);
    this.#section.scrollIntoView({ block: "nearest" });
  }

  /** @param {string} encoded */
  async #ask(encoded) {
    const view = await this.#fetch(`stats/key?key=${encoded}`, { method: "GET" });
    if (view === null) return;
    this.#message.textContent = summary(view);
    this.#result.replaceChildren(...this.#details(view));
  }

  /** @param {string} encoded */
  async #drop(encoded) {
    if (await this.#fetch(`stats/drop?key=${encoded}`, { method: "POST" }) === null) return;
    this.#message.textContent = "Dropped. The next read asks Redis.";
    this.#result.replaceChildren();
    // The button is gone, and the focus must be somewhere.
    this.#input.focus();
  }

  /** Returns what was answered; `null` where that failed, or another question was asked meanwhile. @type {(path: string, init: RequestInit) => Promise<any>} */
  async #fetch(path, init) {
    const number = ++this.#asked;
    this.#section.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(path, init);
      const body = await response.json();
      if (number !== this.#asked) return null;
      if (response.ok) return body;
      this.#fail(body.detail);
    } catch {
      if (number === this.#asked) this.#fail("the proxy did not answer");
    } finally {
      if (number === this.#asked) this.#section.removeAttribute("aria-busy");
    }
    return null;
  }

  /** @param {string} reason */
  #fail(reason) {
    this.#message.textContent = `That did not work: ${reason}.`;
    this.#result.replaceChildren();
  }

  /** @param {KeyView} view */
  #details(view) {
    /** @type {Node[]} */
    const nodes = [];
    const { key, keyBytes, value, flight } = view;
    /** @type {[string, Node | string][]} */
    const facts = [["Key", visibleElement(visibleKey(key))], ["Key’s length", bytes(keyBytes)]];
    if (value !== null) {
      facts.push(
        ["Hits since it was read", count(value.hits)],
        ["Age", duration(value.ageMs)],
        [value.isFresh ? "Time left" : "Past its end for", duration(Math.abs(value.remainingMs))],
        ["Size", bytes(value.bytes)],
        ["Charged for it", bytes(value.chargedBytes)],
        ["ETag", make("code", {}, value.etag)],
      );
    }
    if (flight !== null) facts.push(["Waiting for Redis", `${count(flight.waiters)} requests`]);
    nodes.push(
      make(
        "dl",
        { class: "facts" },
        ...facts.map(([name, fact]) => make("div", {}, make("dt", {}, name), make("dd", {}, fact))),
      ),
    );
    if (value !== null) nodes.push(...previewOf(value));
    if (value !== null || view.absence !== null || flight !== null) {
      const button = make("button", { type: "button", class: "drop" }, "Drop it from the cache");
      button.addEventListener("click", () => this.#drop(key));
      nodes.push(button);
    }
    return nodes;
  }
}

/** Says in a sentence what is held. @param {KeyView} view */
function summary({ value, absence, flight }) {
  const reading = flight === null
    ? ""
    : flight.isSent
    ? " A read of Redis is under way."
    : " A read of Redis waits for its turn.";
  if (value !== null) {
    return (value.isFresh
      ? "Held and fresh: reads are answered from memory."
      : "Held past its end: served only while Redis cannot be reached.") + reading;
  }
  if (absence !== null) return `Remembered as absent for another ${duration(absence.remainingMs)}.` + reading;
  return flight === null ? "Not held: the next read asks Redis." : `Not held.${reading}`;
}

/** @param {NonNullable<KeyView["value"]>} value */
function previewOf({ bytes: length, preview }) {
  const shown = preview.bytes < length
    ? `first ${count(preview.bytes)} of ${count(length)} bytes`
    : `all ${count(length)} bytes`;
  const isText = preview.encoding === "text";
  const text = isText ? visibleElement(visibleValue(preview.data)) : hexRows(preview.data);
  return [
    make("h3", {}, `${isText ? "Text" : "Bytes"}, ${shown}`),
    // It may scroll, so it can be reached by keyboard.
    make("pre", { class: "preview", tabindex: "0", "aria-label": "Value" }, text),
  ];
}
