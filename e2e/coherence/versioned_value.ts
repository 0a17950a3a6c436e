/**
 * Values that say which key they belong to and which version they are, in two forms: text, and a number for INCR.
 *
 *   text     key:7|0000001234|key:7|xxxx…        always the same length, so that SETRANGE 0 replaces all of it
 *   counter  8000001234                          (key + 1) * 10^9 + version, so that INCR makes the next version
 */

const VERSION_DIGITS = 10;
const COUNTER_STEP = 1_000_000_000;
const TEXT = /^key:(\d+)\|(\d{10})\|key:(\d+)\|x*$/;

/** What a value says of itself. */
export interface Versioned {
  readonly key: number;
  readonly version: number;
}

/** Returns the name in Redis of the key with this number. */
export function keyName(key: number): string {
  return `key:${key}`;
}

/** Returns a value as text, filled up with `paddingBytes` more. */
export function textValue({ key, version }: Versioned, paddingBytes: number): string {
  const name = keyName(key);
  return `${name}|${String(version).padStart(VERSION_DIGITS, "0")}|${name}|${"x".repeat(paddingBytes)}`;
}

/** Returns a value as a decimal number. */
export function counterValue({ key, version }: Versioned): string {
  return String((key + 1) * COUNTER_STEP + version);
}

/** Reads either form; null when `value` is neither, or names two keys. */
export function parseValue(value: string): Versioned | null {
  if (/^\d{10,15}$/.test(value)) {
    const number = Number(value);
    return { key: Math.floor(number / COUNTER_STEP) - 1, version: number % COUNTER_STEP };
  }
  const [, first, version, second] = TEXT.exec(value) ?? [];
  return first === undefined || first !== second ? null : { key: Number(first), version: Number(version) };
}
