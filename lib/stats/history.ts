/**
 * The last ten minutes as rows of numbers, one a second, in memory that is taken once.
 *
 * It is written to whether or not somebody looks: a chart that begins when its page is opened cannot tell what happened
 * before, which is why it was opened. A row is some twenty stores; what follows from the rows is worked out
 * when somebody looks. `bench/stats_bench.ts` measures both.
 */
export class History<Column extends string> {
  readonly #columns: readonly Column[];
  readonly #rowsMax: number;
  readonly #values: Float64Array;
  readonly #offsets: ReadonlyMap<Column, number>;
  #rows = 0;

  /** Makes it empty. Memory: 8 bytes for each of `rowsMax` rows and each column. */
  constructor(columns: readonly Column[], { rowsMax }: { rowsMax: number }) {
    this.#columns = columns;
    this.#rowsMax = rowsMax;
    this.#values = new Float64Array(columns.length * rowsMax);
    this.#offsets = new Map(columns.map((column, offset) => [column, offset]));
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
    const row = (this.#rows - this.length + index) % this.#rowsMax;
    return this.#values[row * this.#columns.length + this.#offsets.get(column)!];
  }
}
