/**
 * A table as text: columns two or more spaces apart, so that it can be read by people and read back by a program.
 */
export class Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The line above a table that was read back; empty for others. */
  readonly caption: string;

  /** Cells must not hold two spaces in a row, nor be empty: they would be read back as two, or as none. */
  constructor(
    columns: readonly string[],
    rows: readonly (readonly string[])[],
    { caption = "" }: { caption?: string } = {},
  ) {
    this.caption = caption;
    for (const row of [columns, ...rows]) {
      const bad = row.find((cell) => cell.trim() !== cell || cell === "" || /\s{2}|\n/.test(cell));
      if (bad !== undefined) throw new RangeError(`Cannot make a table: plain cells are needed: received "${bad}"`);
    }
    this.columns = columns;
    this.rows = rows;
  }

  /** The text; the first column is left-aligned, the others right-aligned. */
  toString(): string {
    const lines = [this.columns, ...this.rows];
    // A row with fewer cells ends in a sentence, which needs no column.
    const isWide = (cells: readonly string[], i: number): boolean => cells.length < lines[0].length && i > 0;
    const widths = this.columns.map((_, i) =>
      Math.max(...lines.map((cells) => isWide(cells, i) ? 0 : cells[i].length))
    );
    const write = (cells: readonly string[]): string =>
      cells.map((cell, i) => i === 0 ? cell.padEnd(widths[0]) : isWide(cells, i) ? cell : cell.padStart(widths[i]))
        .join("  ").trimEnd();
    const rule = widths.map((width) => "-".repeat(width)).join("  ");
    return [write(this.columns), rule, ...this.rows.map(write)].join("\n");
  }

  /** Reads the tables in a text: each begins at a line of dashes, and ends at an empty line. */
  static parseAll(text: string): Table[] {
    const lines = text.split("\n");
    const tables: Table[] = [];
    lines.forEach((line, at) => {
      if (!/^-+( {2}-+)+$/.test(line)) return;
      const end = lines.findIndex((line, i) => i > at && line.trim() === "");
      const cells = (line: string): string[] => line.trim().split(/\s{2,}/);
      const rows = lines.slice(at + 1, end < 0 ? undefined : end).map(cells);
      // The caption, an empty line, the names of the columns, the line of dashes.
      tables.push(new Table(cells(lines[at - 1]), rows, { caption: lines[at - 3]?.trim() ?? "" }));
    });
    return tables;
  }
}
