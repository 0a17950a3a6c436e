/** The last ten minutes as the page knows them: columns of equal length, the newest last. */

export const SECONDS = 600;

/** Holds the series by name, and the time of each entry in seconds since 1970. */
export class Store {
  /** @type {Record<string, (number | null)[]>} */
  #columns = { time: [] };

  /** @returns {number[]} */
  get time() {
    return /** @type {number[]} */ (this.#columns.time);
  }

  /** @param {string} name @returns {(number | null)[]} */
  column(name) {
    return this.#columns[name] ?? [];
  }

  /** @param {Record<string, (number | null)[]>} history */
  replace(history) {
    this.#columns = history;
  }

  /** Adds an entry, and lets go of what is too old; one that is known already changes nothing. @param {Record<string, number | null> & { time: number } | null} latest */
  add(latest) {
    if (latest === null || latest.time <= (this.time.at(-1) ?? 0)) return;
    for (const [name, value] of Object.entries(latest)) (this.#columns[name] ??= []).push(value);
    while (this.time[0] < latest.time - SECONDS) for (const column of Object.values(this.#columns)) column.shift();
  }
}
