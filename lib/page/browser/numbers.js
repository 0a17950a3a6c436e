/** Numbers as a person reads them, with their units. What has no value is a dash. */

const NONE = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** @param {number | null} value */
export function count(value) {
  return value === null ? NONE : whole.format(value);
}

/** At most three digits below a thousand: more would only flicker. @param {number} value */
function short(value) {
  return Math.abs(value) < 1000 ? precise.format(value) : whole.format(value);
}

/** @param {number | null} value */
export function perSecond(value) {
  return value === null ? NONE : `${short(value)} /s`;
}

/** Rounded down near 100, which is to mean all. @param {number | null} value */
export function percent(value) {
  if (value === null) return NONE;
  return `${(value > 99 ? Math.floor(value * 100) / 100 : Math.round(value * 10) / 10).toString()} %`;
}

/** @param {number | null} ms @returns {string} */
export function duration(ms) {
  if (ms === null) return NONE;
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms === 0) return "0 s";
  if (ms < 1) return `${precise.format(ms * 1000)} µs`;
  if (ms < 1000) return `${precise.format(ms)} ms`;
  if (ms < 60_000) return `${precise.format(ms / 1000)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return joined(minutes, "min", Math.floor(ms / 1000) % 60, "s");
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? joined(hours, "h", minutes % 60, "min") : joined(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** @type {(large: number, largeUnit: string, small: number, smallUnit: string) => string} */
function joined(large, largeUnit, small, smallUnit) {
  return `${whole.format(large)} ${largeUnit}` + (small === 0 ? "" : ` ${small} ${smallUnit}`);
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** @param {number | null} value */
export function bytes(value) {
  if (value === null) return NONE;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${short(value)} ${BYTE_UNITS[unit]}`;
}

/** For axes, where room is short. @param {number} value */
export function compact(value) {
  if (value >= 1e6) return `${precise.format(value / 1e6)}M`;
  return value >= 1e4 ? `${precise.format(value / 1e3)}k` : precise.format(value);
}

/** The time of day of a moment in seconds since 1970. @param {number} seconds */
export function timeOfDay(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB");
}
