// @ts-check
/** Values as a job holds them: read, changed by a path without touching the rest, and held against each other. */

/** @typedef {import("./yaml-tree.js").Path} Path */

/** @param {any} value @param {Path} path @returns {any} undefined where the path leads nowhere */
export function getIn(value, path) {
  let current = value;
  for (const step of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, step)) return undefined;
    current = current[step];
  }
  return current;
}

/**
 * A copy of `value` with `changed` at the end of the path; undefined takes the key or the place out.
 * @param {any} value @param {Path} path @param {any} changed @returns {any}
 */
export function putIn(value, path, changed) {
  if (!path.length) return changed;
  const [step, ...rest] = path;
  const isList = Array.isArray(value) && typeof step === "number";
  const copy = isList ? [...value] : { ...(typeof value === "object" && !Array.isArray(value) ? value : {}) };
  const next = putIn(Object.hasOwn(copy, step) ? copy[step] : undefined, rest, changed);
  if (next !== undefined) copy[step] = next;
  else if (isList) copy.splice(step, 1);
  else delete copy[step];
  return copy;
}

/** @param {any} left @param {any} right @returns {boolean} the same, whatever the order of keys */
export function isSame(left, right) {
  if (Object.is(left, right) || (left === 0 && right === 0)) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length
    && keys.every((key) => Object.hasOwn(right, key) && isSame(left[key], right[key]));
}

/** @param {Path} path @returns {string} `space.options.0.bits`, which also names the field on the page */
export function pathText(path) {
  return path.join(".");
}
