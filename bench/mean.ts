/**
 * The mean of ratios, and how far it can be trusted.
 */

/** The geometric mean of ratios, and the interval that holds the true one in 95 of 100 benches. */
export interface Mean {
  readonly mean: number;
  readonly from: number;
  readonly to: number;
}

/** Returns the mean of `ratios`; they are taken to be independent. */
export function meanOf(ratios: readonly number[]): Mean {
  const logs = ratios.map(Math.log);
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / Math.max(1, logs.length - 1);
  const error = 1.96 * Math.sqrt(variance / logs.length);
  return { mean: Math.exp(mean), from: Math.exp(mean - error), to: Math.exp(mean + error) };
}

/** Writes a mean and its interval. */
export function describeMean({ mean, from, to }: Mean): string {
  return `${mean.toFixed(3)} (${from.toFixed(3)}–${to.toFixed(3)})`;
}
