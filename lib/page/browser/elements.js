/** Elements of the document. Everything that comes from outside is put in as text, never as markup. */

/**
 * Returns the element with this id, which the page is known to have.
 * @param {string} id
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`Cannot find #${id}`);
  return element;
}

/**
 * Makes an element. `attributes` are set as they are; children that are strings become text.
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Sets a text, and does nothing where it is the same: so nothing flickers, and selections stay. @type {(element: Element, text: string) => void} */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes the visible form of a key or value: isolated, so that its direction is its own; escapes are marked as such.
 * @param {readonly { readonly text: string, readonly isEscape: boolean }[]} parts
 */
export function visibleElement(parts) {
  return make(
    "bdi",
    {},
    ...parts.map(({ text, isEscape }) => isEscape ? make("span", { class: "escape" }, text) : text),
  );
}
