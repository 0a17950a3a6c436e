/** One chart: lines over the last ten minutes, a number for each, and the same as a table. */

import { make, setText } from "./elements.js";
import { timeOfDay } from "./numbers.js";
import { SECONDS } from "./store.js";

const HEIGHT_PX = 132;
const STEP = 10;

/** @type {any} uPlot is a script of its own in the page. */
const Plot = /** @type {any} */ (globalThis).uPlot;

/**
 * @typedef {{
 *   label: string, column: string, color: string, dash?: number[],
 *   text: (value: number | null, held: any) => string,
 *   place?: (value: number, held: any) => number,
 * }} Line
 * `text` writes a value; `place` is where it lies on the axis, the value itself unless told.
 * @typedef {{
 *   title: string, note: string, lines: Line[], axis: (value: number) => string, top?: number, splits?: number[],
 *   isStepped?: boolean,
 * }} ChartDefinition
 * `top` is the fixed end of the axis.
 */

/** A chart in the page. */
export class Chart {
  #definition;
  #store;
  /** @type {any} */
  #plot;
  #figure;
  #area;
  #time;
  /** @type {Element[]} */
  #values;
  #details = /** @type {HTMLDetailsElement} */ (make("details"));
  #rows = make("tbody");
  /** @type {any} */
  #held = null;
  /** @type {Record<string, number | null>} */
  #figures = {};

  /**
   * @param {Element} parent
   * @param {ChartDefinition} definition
   * @param {import("./store.js").Store} store
   */
  constructor(parent, definition, store) {
    this.#definition = definition;
    this.#store = store;
    const { title, note, lines } = definition;
    this.#values = lines.map(() => make("span", { class: "value" }, "–"));
    this.#time = make("span", { class: "moment" });
    this.#area = make("div", {
      class: "plot",
      role: "slider",
      tabindex: "0",
      "aria-label": `${title}: moment`,
      "aria-valuemin": "0",
      "aria-valuemax": "0",
      "aria-valuenow": "0",
      "aria-valuetext": "no data yet",
    });
    const legend = lines.map(({ label, color, dash }, i) =>
      make(
        "li",
        {},
        make("span", { class: `swatch ${color}${dash ? " dashed" : ""}`, "aria-hidden": "true" }),
        `${label} `,
        this.#values[i],
      )
    );
    this.#figure = make(
      "figure",
      { class: "card chart" },
      make("figcaption", {}, make("h3", {}, title), this.#time),
      make("ul", { class: "legend" }, ...legend),
      this.#area,
      make("p", { class: "note" }, note),
      this.#tableElement(),
    );
    parent.append(this.#figure);
    this.#plot = new Plot(this.#options(), [[], ...lines.map(() => [])], this.#area);
    new ResizeObserver(() => this.#plot.setSize({ width: this.#area.clientWidth, height: HEIGHT_PX })).observe(
      this.#area,
    );
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#plot.redraw());
    this.#area.addEventListener("keydown", (event) => this.#onKey(event));
    this.#area.addEventListener("blur", () => this.#moveTo(null));
    this.#details.addEventListener("toggle", () => this.#showTable());
  }

  /** Shows what the store holds, with `figures` as the numbers beside it. @type {(figures: Record<string, number | null>, held: any) => void} */
  show(figures, held) {
    this.#figures = figures;
    this.#held = held;
    this.#plot.setData([this.#store.time, ...this.#definition.lines.map((line) => this.#placed(line))]);
    this.#area.setAttribute("aria-valuemax", String(Math.max(0, this.#store.time.length - 1)));
    this.#showNumbers(this.#plot.cursor.idx ?? null);
    if (this.#details.open) this.#showTable();
  }

  /** @param {Line} line */
  #placed({ column, place }) {
    const values = this.#store.column(column);
    return place === undefined ? values : values.map((value) => value === null ? null : place(value, this.#held));
  }

  /** Shows the numbers of a moment, and of now where `index` is null. @param {number | null} index */
  #showNumbers(index) {
    const { lines } = this.#definition;
    const time = index === null ? undefined : this.#store.time[index];
    const texts = lines.map(({ column, text }) =>
      text(time === undefined ? this.#figures[column] ?? null : this.#store.column(column)[index ?? 0], this.#held)
    );
    this.#values.forEach((element, i) => setText(element, texts[i]));
    setText(this.#time, time === undefined ? "" : timeOfDay(time));
    const moment = time === undefined ? "now" : timeOfDay(time);
    this.#area.setAttribute("aria-valuenow", String(index ?? Math.max(0, this.#store.time.length - 1)));
    this.#area.setAttribute(
      "aria-valuetext",
      `${moment}: ${lines.map(({ label }, i) => `${label} ${texts[i]}`).join(", ")}`,
    );
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const last = this.#store.time.length - 1;
    const index = this.#plot.cursor.idx ?? last;
    /** @type {Record<string, number | null>} */
    const moves = {
      ArrowLeft: index - STEP,
      ArrowDown: index - STEP,
      ArrowRight: index + STEP,
      ArrowUp: index + STEP,
      PageDown: index - 60,
      PageUp: index + 60,
      Home: 0,
      End: last,
      Escape: null,
    };
    if (!(event.key in moves) || last < 0) return;
    event.preventDefault();
    const move = moves[event.key];
    this.#moveTo(move === null ? null : Math.min(Math.max(move, 0), last));
  }

  /** Puts the cursor at an entry, on all charts; away where `index` is null. @param {number | null} index */
  #moveTo(index) {
    const left = index === null ? -10 : this.#plot.valToPos(this.#store.time[index], "x");
    // Told here, and to the other charts.
    this.#plot.setCursor({ left, top: index === null ? -10 : 1 }, true, true);
  }

  #tableElement() {
    const { title, lines } = this.#definition;
    const heads = ["Minute", ...lines.map(({ label }) => label)].map((text) => make("th", { scope: "col" }, text));
    const table = make(
      "table",
      {},
      make("caption", {}, `${title}, averages by minute`),
      make("thead", {}, make("tr", {}, ...heads)),
      this.#rows,
    );
    this.#details.append(
      make("summary", {}, "As a table"),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title} as a table` }, table),
    );
    return this.#details;
  }

  #showTable() {
    const { lines } = this.#definition;
    const { time } = this.#store;
    /** @type {Map<string, number[]>} */
    const minutes = new Map();
    time.forEach((seconds, i) => {
      const minute = timeOfDay(seconds).slice(0, 5);
      minutes.set(minute, [...minutes.get(minute) ?? [], i]);
    });
    const rows = [...minutes].reverse().map(([minute, indexes]) => {
      const cells = lines.map(({ column, text }) => {
        const values = indexes.map((i) => this.#store.column(column)[i]).filter((value) => value !== null);
        const mean = values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
        return make("td", {}, text(mean, this.#held));
      });
      return make("tr", {}, make("th", { scope: "row" }, minute), ...cells);
    });
    this.#rows.replaceChildren(...rows);
  }

  #options() {
    const { lines, axis, top, splits, isStepped } = this.#definition;
    const color = (/** @type {string} */ name) => () => getComputedStyle(this.#figure).getPropertyValue(`--${name}`);
    const axes = { stroke: color("soft"), font: "11px system-ui, sans-serif", ticks: { show: false } };
    const grid = { stroke: color("line"), width: 1 };
    return {
      width: this.#area.clientWidth || 300,
      height: HEIGHT_PX,
      legend: { show: false },
      padding: [8, 8, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "moment" }, points: { size: 6 } },
      hooks: { setCursor: [(/** @type {any} */ plot) => this.#showNumbers(plot.cursor.idx ?? null)] },
      scales: {
        x: { range: () => this.#range() },
        y: {
          range: (
            /** @type {any} */ _,
            /** @type {any} */ __,
            /** @type {number} */ max,
          ) => [0, top ?? Math.max(max * 1.1, 0.01)],
        },
      },
      axes: [
        { ...axes, grid: { show: false }, size: 24, space: 64, values: "{HH}:{mm}" },
        {
          ...axes,
          grid,
          size: 52,
          space: 36,
          splits: splits && (() => splits),
          values: (/** @type {any} */ _, /** @type {number[]} */ values) => values.map(axis),
        },
      ],
      series: [
        {},
        ...lines.map(({ label, color: name, dash }) => ({
          label,
          stroke: color(name),
          width: 1.5,
          dash,
          points: { show: false },
          paths: isStepped ? Plot.paths.stepped({ align: 1 }) : undefined,
        })),
      ],
    };
  }

  #range() {
    const last = this.#store.time.at(-1) ?? Date.now() / 1000;
    return [last - SECONDS, last];
  }
}
