/**
 * What is wrong with the layout of a page, found by the boxes of its elements.
 */

import type { Page } from "playwright-core";

/** Returns what sticks out to the side and what lies on something else, in words; nothing when all is well. */
export async function layoutFaults(page: Page): Promise<string[]> {
  // As text: the types of the browser are none of the proxy's, which has no document.
  return await page.evaluate<string[]>(`(${findFaults})()`);
}

const findFaults = String.raw`function () {
  const faults = [];
  const name = (element) => element.tagName.toLowerCase() + (element.id ? "#" + element.id : "") +
    (element.className ? "." + String(element.className).replaceAll(" ", ".") : "") +
    " '" + element.textContent.trim().slice(0, 20) + "'";
  const isBlock = (element) => !/^(inline|none|contents)/.test(getComputedStyle(element).display) ||
    /^inline-(block|flex|grid)/.test(getComputedStyle(element).display);
  const isSeen = (element) => element.checkVisibility() && !element.closest(".unseen, .uplot");
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    faults.push("the page is " + document.documentElement.scrollWidth + " wide, the window " + width);
  }
  for (const element of document.body.querySelectorAll("*")) {
    if (!isSeen(element)) continue;
    const box = element.getBoundingClientRect();
    // What scrolls by itself, or ends in dots, may be wider than it looks.
    const holder = element.parentElement.closest(".scroll, pre, #hot-keys button");
    if (holder === null && (box.right > width + 0.5 || box.left < -0.5)) faults.push(name(element) + " sticks out");
    const card = element.parentElement.closest(".card");
    if (holder === null && card !== null && box.right > card.getBoundingClientRect().right + 0.5) {
      faults.push(name(element) + " sticks out of its card");
    }
    const children = [...element.children].filter((child) => isSeen(child) && isBlock(child));
    for (let i = 0; i < children.length; i++) {
      const a = children[i].getBoundingClientRect();
      for (let j = i + 1; j < children.length; j++) {
        const b = children[j].getBoundingClientRect();
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (across > 1 && down > 1) faults.push(name(children[i]) + " lies on " + name(children[j]));
      }
    }
  }
  return faults;
}`;
