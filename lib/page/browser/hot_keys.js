/** The list of the hottest keys. It stands still while somebody points at it, so that a click meets what was meant. */

import { byId, make, setText, visibleElement } from "./elements.js";
import { visibleKey } from "./visible_text.js";

/** @typedef {{ halfLifeSeconds: number, keys: { key: string, sharePercent: number }[] } | null} HotKeysView */

/** Shows the hottest keys, each a button that looks it up. */
export class HotKeyList {
  #list = byId("hot-keys");
  #note = byId("hot-keys-note");
  #shown = "";
  #onChoose;

  /** @param {(encodedKey: string) => void} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose;
  }

  /** @type {(hotKeys: HotKeysView, sampledOneIn: number) => void} */
  show(hotKeys, sampledOneIn) {
    setText(this.#note, noteOf(hotKeys, sampledOneIn));
    const text = JSON.stringify(hotKeys?.keys ?? []);
    if (text === this.#shown || this.#list.matches(":hover, :focus-within")) return;
    this.#shown = text;
    this.#list.replaceChildren(...(hotKeys?.keys ?? []).map((hotKey, _, all) => this.#row(hotKey, all[0])));
  }

  /** @type {(hotKey: { key: string, sharePercent: number }, hottest: { sharePercent: number }) => Element} */
  #row({ key, sharePercent }, hottest) {
    const button = make("button", { type: "button" }, visibleElement(visibleKey(key)));
    button.addEventListener("click", () => this.#onChoose(key));
    const share = make("span", { class: "share" }, `${sharePercent.toFixed(1)} %`);
    const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("span"));
    /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${100 * sharePercent / hottest.sharePercent}%`;
    return make("li", {}, button, share, bar);
  }
}

/** @type {(hotKeys: HotKeysView, sampledOneIn: number) => string} */
function noteOf(hotKeys, sampledOneIn) {
  if (hotKeys === null) return "Switched off by CACHE_HOT_KEYS=0.";
  if (hotKeys.keys.length === 0) return "No hits of late.";
  const sample = sampledOneIn === 1 ? "all of them" : `one in ${sampledOneIn}`;
  return `Share of the hits, counted from ${sample}; older ones fade, by half in ${hotKeys.halfLifeSeconds} s.`;
}
