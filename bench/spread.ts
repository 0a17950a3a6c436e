/**
 * Several measurements of one thing: their middle and their ends.
 */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Returns the spread of `values`. Throws RangeError when there are none. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError("Cannot find a median: a value is needed: received none");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}

/** Writes a number with three or so digits that mean something, and commas: 61,234; 12.3; 0.95. */
export function written(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Writes a spread as `median (min–max)`; of one value, the value alone. */
export function writtenSpread(values: readonly number[]): string {
  const { median, min, max } = spreadOf(values);
  return values.length === 1 ? written(median) : `${written(median)} (${written(min)}–${written(max)})`;
}
