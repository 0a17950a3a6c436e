/**
 * The last ten minutes as rows of numbers, one a second, in memory that is taken once.
 *
 * It is written to whether or not somebody looks: a chart that begins when its page is opened cannot tell what happened
 * before, which is why it was opened. A row is some twenty stores (`bench/page_cost.ts` measures it); what follows from
 * the rows is worked out when somebody looks.
 */
export class History<Column extends string> {
  readonly #columns: readonly Column[];
  readonly #rowsMax: number;
  readonly #values: Float64Array;
  #rows = 0;

  /** Makes it empty. Memory: 8 bytes for each of `rowsMax` rows and each column. */
  constructor(columns: readonly Column[], { rowsMax }: { rowsMax: number }) {
    this.#columns = columns;
    this.#rowsMax = rowsMax;
    this.#values = new Float64Array(columns.length * rowsMax);
  }

  /** Rows held. */
  get length(): number {
    return Math.min(this.#rows, this.#rowsMax);
  }

  /** Adds a row; when full, the oldest goes. */
  add(row: Readonly<Record<Column, number>>): void {
    const start = (this.#rows++ % this.#rowsMax) * this.#columns.length;
    for (let i = 0; i < this.#columns.length; i++) this.#values[start + i] = row[this.#columns[i]];
  }

  /** Returns the value of `column` in the row `index`, 0 being the oldest. Throws RangeError when there is no such row. */
  at(index: number, column: Column): number {
    if (!(index >= 0 && index < this.length)) {
      throw new RangeError(`Cannot read a row: an index below ${this.length} is needed: received ${index}`);
    }
    const first = this.#rows - this.length;
    const row = (first + index) % this.#rowsMax;
    return this.#values[row * this.#columns.length + this.#columns.indexOf(column)];
  }
}
