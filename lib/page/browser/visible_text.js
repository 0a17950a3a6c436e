/**
 * Keys and values as text that shows what is in it: nothing invisible, nothing that turns the line around.
 *
 * What is not a visible character stands as an escape, `\x0a` for a byte and `\u{202e}` for a character, and a backslash
 * in a key as two: so what is shown of a key can be typed into the look-up and means the same bytes.
 */

/** Control, format (the bidirectional marks among them), private, unassigned, separators other than the space. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

/**
 * @typedef {{ readonly text: string, readonly isEscape: boolean }} Part
 */

/** Returns the bytes of a percent-encoded key. @param {string} encoded */
export function decodedBytes(encoded) {
  /** @type {number[]} */
  const bytes = [];
  for (let i = 0; i < encoded.length; i++) {
    const isEncoded = encoded[i] === "%";
    bytes.push(isEncoded ? parseInt(encoded.slice(i + 1, i + 3), 16) : encoded.charCodeAt(i));
    if (isEncoded) i += 2;
  }
  return new Uint8Array(bytes);
}

/** Returns `bytes` percent-encoded, as they may stand in a query. @param {Uint8Array} bytes */
export function encodedBytes(bytes) {
  return Array.from(bytes, (byte) => "%" + hexByte(byte)).join("");
}

/** Returns the parts of a key, percent-encoded as the proxy sends it. @param {string} encoded @returns {Part[]} */
export function visibleKey(encoded) {
  const bytes = decodedBytes(encoded);
  const text = textOf(bytes);
  if (text !== null) return partsOf(text, (character) => character === "\\" ? "\\\\" : null);
  return merged(Array.from(bytes, (byte) => {
    if (byte === 0x5c) return { text: "\\\\", isEscape: false };
    const isPlain = byte >= 0x20 && byte < 0x7f;
    return { text: isPlain ? String.fromCharCode(byte) : `\\x${hexByte(byte)}`, isEscape: !isPlain };
  }));
}

/** Returns the parts of a value's text; line breaks and tabs are themselves. @param {string} text @returns {Part[]} */
export function visibleValue(text) {
  return partsOf(text, (character) => character === "\n" || character === "\t" ? character : null);
}

/** Returns the parts as one string. @param {Part[]} parts */
export function plainText(parts) {
  return parts.map((part) => part.text).join("");
}

/** Returns the bytes that are meant by what a person typed. @param {string} typed */
export function typedBytes(typed) {
  const encoder = new TextEncoder();
  /** @type {number[]} */
  const bytes = [];
  const pattern = /\\\\|\\x([0-9a-f]{2})|\\u\{([0-9a-f]{1,6})\}|[^\\]+|\\/giu;
  for (const [piece, byte, codePoint] of typed.matchAll(pattern)) {
    if (byte !== undefined) bytes.push(parseInt(byte, 16));
    else if (codePoint !== undefined && parseInt(codePoint, 16) <= 0x10ffff) {
      bytes.push(...encoder.encode(String.fromCodePoint(parseInt(codePoint, 16))));
    } else bytes.push(...encoder.encode(piece === "\\\\" ? "\\" : piece));
  }
  return new Uint8Array(bytes);
}

/** Returns rows of eight bytes: where they begin, the bytes, and their ASCII. @param {string} hex */
export function hexRows(hex) {
  const bytes = (hex.match(/../g) ?? []).map((digits) => parseInt(digits, 16));
  const rows = [];
  for (let start = 0; start < bytes.length; start += 8) {
    const row = bytes.slice(start, start + 8);
    const digits = row.map(hexByte).join(" ").padEnd(23);
    const ascii = row.map((byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·").join("");
    rows.push(`${start.toString(16).padStart(4, "0")}  ${digits}  ${ascii}`);
  }
  return rows.join("\n");
}

/** @type {(text: string, known: (character: string) => string | null) => Part[]} */
function partsOf(text, known) {
  return merged(Array.from(text, (character) => {
    const shown = known(character);
    if (shown !== null) return { text: shown, isEscape: false };
    if (!INVISIBLE.test(character)) return { text: character, isEscape: false };
    const code = character.codePointAt(0) ?? 0;
    return { text: code < 0x80 ? `\\x${hexByte(code)}` : `\\u{${code.toString(16)}}`, isEscape: true };
  }));
}

/** Joins neighbours of one kind. @param {Part[]} parts @returns {Part[]} */
function merged(parts) {
  /** @type {Part[]} */
  const result = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (last?.isEscape === part.isEscape) result[result.length - 1] = { ...part, text: last.text + part.text };
    else result.push(part);
  }
  return result;
}

/** @param {number} byte */
function hexByte(byte) {
  return byte.toString(16).padStart(2, "0");
}

/** @param {Uint8Array} bytes */
function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
