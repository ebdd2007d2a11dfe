// @ts-check
/** Where in a job each of its problems lies: at which field of the form, and on which line of the YAML. */

import { getIn, pathText } from "./values.js";
import { deepest, isMapping, placeOf } from "./yaml-tree.js";

/**
 * @typedef {import("./yaml-tree.js").Path} Path
 * @typedef {import("./yaml-tree.js").Node} Node
 * @typedef {{path: Path, message: string, line: number | null}} Fault
 * @typedef {{detail: string, errors: {loc: (string | number)[], msg: string}[]}} Refusal
 */

const DOTTED = /(?:^|\s)([a-z_]+(?:\.[\w*-]+)*)/g;
const WORD = /[\w-]+/g;
const NAMES = new Set(["name", "preset"]); // words of any sentence

/**
 * @param {Refusal} refusal @param {unknown} value @param {string} text @param {Node | null} root
 * @param {string[]} keys at the top @returns {Fault[]}
 */
export function locate(refusal, value, text, root, keys) {
  const errors = refusal.errors.length ? refusal.errors : [{ loc: [], msg: refusal.detail }];
  return errors.map(({ loc, msg }) => {
    const path = pathOf(loc, msg, value, keys);
    return { path, message: msg, line: lineOf(path, text, root) };
  });
}

/**
 * @param {(string | number)[]} loc @param {string} message @param {unknown} value @param {string[]} keys
 * @returns {Path}
 */
function pathOf(loc, message, value, keys) {
  if (loc[0] === "query") return [...loc];
  const path = loc[0] === "body" ? loc.slice(1) : [...loc];
  if (path.length > 1) return path;
  const named = dottedIn(message, keys).find((each) => !path.length || each[0] === path[0]);
  if (named && named.length > path.length) return named;
  const key = path.length ? keyIn(message, getIn(value, path)) : undefined;
  return key === undefined ? path : [...path, key];
}

/**
 * The first key of a mapping that a sentence names: `unknown setting of strategy 'round'`.
 * @param {string} message @param {unknown} value
 */
function keyIn(message, value) {
  if (!isMapping(value)) return undefined;
  return message.match(WORD)?.find((word) => Object.hasOwn(value, word) && !NAMES.has(word));
}

/**
 * Paths that a sentence names: `space.options.0: quantize needs bits`.
 * @param {string} message @param {string[]} keys @returns {Path[]}
 */
function dottedIn(message, keys) {
  return [...message.matchAll(DOTTED)]
    .map(([, path]) => path.split(".").map((step) => (/^\d+$/.test(step) ? Number(step) : step)))
    .filter((path) => keys.includes(String(path[0])));
}

/**
 * The line of the value, or of what it is missing in; null: it is nowhere, or the whole job.
 * @param {Path} path @param {string} text @param {Node | null} root
 */
export function lineOf(path, text, root) {
  const found = deepest(root, path);
  return found?.depth ? placeOf(text, found.pair ? found.pair.start : found.node.start).line : null;
}

/** What is wrong at a field or within it. @param {Fault[]} faults @param {Path} path */
export function faultsWithin(faults, path) {
  const name = pathText(path);
  return faults.filter((fault) => pathText(fault.path) === name || pathText(fault.path).startsWith(`${name}.`));
}

/**
 * What is wrong with the whole of something that has fields of its own.
 * @param {Fault[]} faults @param {Path} path @param {Set<string>} [own] keys that show their own
 */
export function faultsAt(faults, path, own = new Set()) {
  return faultsWithin(faults, path).filter((fault) => fault.path.length === path.length
    || !own.has(String(fault.path[path.length])));
}
