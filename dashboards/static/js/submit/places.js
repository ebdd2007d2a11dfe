// @ts-check
/** The places on the page that errors lead to: `at-space.options.0.bits` is the id of that field. */

import { pathText } from "./values.js";

const FOCUSABLE = "input, select, textarea, button";

/** @param {import("./yaml-tree.js").Path} path @returns {string} */
export function placeId(path) {
  return `at-${pathText(path)}`;
}

/**
 * The element of the field, or of the nearest one around it.
 * @param {import("./yaml-tree.js").Path} path @returns {HTMLElement | null}
 */
export function placeElement(path) {
  for (let depth = path.length; depth > 0; depth--) {
    const element = document.getElementById(placeId(path.slice(0, depth)));
    if (element) return element;
  }
  return null;
}

/**
 * Bring a field into view with the cursor in it.
 * @param {import("./yaml-tree.js").Path} path @returns {boolean} whether there is one
 */
export function goToField(path) {
  const element = placeElement(path);
  if (!element) return false;
  for (let box = element.closest("details"); box; box = box.parentElement?.closest("details") ?? null) box.open = true;
  const control = /** @type {HTMLElement | null} */ (element.matches(FOCUSABLE) ? element
    : element.querySelector(FOCUSABLE));
  (control ?? element).focus({ preventScroll: true });
  element.scrollIntoView({ block: "center", behavior: "instant" });
  return true;
}
