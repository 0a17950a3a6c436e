/**
 * The value that a key has in every measurement: made of the key, so that a wrong answer cannot look right.
 */
export function valueOf(key: string, bytes: number): string {
  const unit = `${key}|`;
  return unit.repeat(Math.ceil(bytes / unit.length)).slice(0, bytes);
}

/** The name of the key with this number; names of one prefix are all of the same length. */
export function keyOf(prefix: string, number: number): string {
  return `${prefix}:${String(number).padStart(7, "0")}`;
}
