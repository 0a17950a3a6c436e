/** Tables of names and numbers, made once and then kept up to date. */

import { byId, make, setText } from "./elements.js";
import { bytes, count, duration } from "./numbers.js";

/** A table whose rows are known by name, and whose cells change. */
export class NumberTable {
  /** @type {Map<string, Element[]>} */
  #rows = new Map();
  #body;

  /** @param {string} id of a tbody */
  constructor(id) {
    this.#body = byId(id);
  }

  /** @type {(name: string, row: { heading: (Node | string)[], cells: string[] }) => void} */
  set(name, { heading, cells }) {
    let elements = this.#rows.get(name);
    if (elements === undefined) {
      elements = cells.map(() => make("td"));
      this.#body.append(make("tr", {}, make("th", { scope: "row" }, ...heading), ...elements));
      this.#rows.set(name, elements);
    }
    elements.forEach((element, i) => {
      setText(element, cells[i]);
      element.classList.toggle("zero", cells[i] === "0");
    });
  }
}

/** The sums since the start: reads by outcome and door, what left and why, everything that is counted. */
export class Totals {
  #reads = new NumberTable("reads");
  #removals = new NumberTable("removals");
  #counters = new NumberTable("counters");
  #texts;

  /** @param {{ outcomes: Record<string, string>, removals: Record<string, string>, counters: Record<string, string> }} texts */
  constructor(texts) {
    this.#texts = texts;
  }

  /** @param {{ http: Record<string, number>, resp: Record<string, number>, removals: Record<string, number>, counters: Record<string, number> }} totals */
  show({ http, resp, removals, counters }) {
    for (const [name, text] of Object.entries(this.#texts.outcomes)) {
      this.#reads.set(name, { heading: named(name, text), cells: [count(http[name]), count(resp[name])] });
    }
    for (const [name, text] of Object.entries(this.#texts.removals)) {
      this.#removals.set(name, { heading: named(name, text), cells: [count(removals[name])] });
    }
    for (const [name, text] of Object.entries(this.#texts.counters)) {
      this.#counters.set(name, { heading: [text], cells: [count(counters[name])] });
    }
  }
}

/** Shows the settings, with units where the name tells them. @param {Record<string, string | number | null>} settings */
export function showSettings(settings) {
  const table = new NumberTable("settings");
  for (const [name, value] of Object.entries(settings)) {
    table.set(name, { heading: [make("code", {}, name)], cells: [settingText(name, value)] });
  }
}

/** @type {(name: string, value: string | number | null) => string} */
function settingText(name, value) {
  if (value === null) return "none";
  if (typeof value === "string") return value;
  if (name.endsWith("Ms")) return duration(value);
  if (name.endsWith("BytesMax")) return bytes(value);
  return name.endsWith("Port") ? String(value) : count(value);
}

/** @type {(name: string, text: string) => (Node | string)[]} */
function named(name, text) {
  return [make("span", { class: "name" }, name.replaceAll("_", " ")), make("span", { class: "meaning" }, text)];
}
