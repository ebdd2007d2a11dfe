// @ts-check
/** Writes a changed value into a YAML text and leaves the rest as a person wrote it: order, comments, unknown keys. */

import { dump } from "../../vendor/js-yaml-5.5.0/js-yaml.js";
import { getIn, isSame, putIn } from "./values.js";
import { childOf, deepest, isMapping, readYaml } from "./yaml-tree.js";

/**
 * @typedef {import("./yaml-tree.js").Node} Node
 * @typedef {import("./yaml-tree.js").Pair} Pair
 * @typedef {import("./yaml-tree.js").Path} Path
 * @typedef {{from: number, to: number, text: string}} Splice
 */

const LONGEST_LINE = 100; // a longer value is written over several lines

/**
 * The text with `value` at `path`; undefined takes the key out. A text that does not read stays as it is.
 * The smallest rewrite that reads as wished is taken: the value, else what it lies in, at last the whole text.
 * @param {string} text @param {Path} path @param {unknown} value @param {string[]} order of the keys at the top
 */
export function editYaml(text, path, value, order = []) {
  const reading = readYaml(text);
  if (reading.problem) return text;
  const wanted = putIn(reading.value, path, value);
  if (isSame(reading.value, wanted)) return text;
  for (let depth = path.length; depth > 0; depth--) {
    const part = path.slice(0, depth);
    const splice = spliceOf(text, reading.root, part, getIn(wanted, part), order);
    const edited = splice && text.slice(0, splice.from) + splice.text + text.slice(splice.to);
    if (edited && isSame(readYaml(edited).value, wanted)) return edited;
  }
  return writeYaml(wanted);
}

/** @param {unknown} value @returns {string} a whole job as a person would write it */
export function writeYaml(value) {
  if (!isMapping(value)) return inline(value) + "\n";
  return Object.entries(value).map(([key, each]) => `${inline(key)}:${behindColon(each, 0)}\n`).join("");
}

/** @param {unknown} value @returns {string} on one line */
export function inline(value) {
  return dump(value, { flowLevel: 0, lineWidth: -1, noRefs: true, skipInvalid: true }).trim();
}

/** @param {unknown} value @param {number} indent of the key @returns {string} ` 3`, ` {a: 1}`, or lines below */
function behindColon(value, indent) {
  const short = inline(value);
  if (short.length + indent <= LONGEST_LINE && !isLines(value)) return " " + short;
  const pad = " ".repeat(indent + 2);
  if (Array.isArray(value)) return value.map((each) => `\n${pad}- ${inline(each)}`).join("");
  if (!isMapping(value)) return " " + short;
  return Object.entries(value).map(([key, each]) => `\n${pad}${inline(key)}:${behindColon(each, indent + 2)}`).join("");
}

/** A list of mappings reads better with a line for each. @param {unknown} value @returns {boolean} */
function isLines(value) {
  if (Array.isArray(value)) return value.some(isMapping);
  return isMapping(value) && Object.values(value).some((each) => Array.isArray(each) && each.some(isMapping));
}

/**
 * @param {string} text @param {Node | null} root @param {Path} path @param {unknown} value @param {string[]} order
 * @returns {Splice | null}
 */
function spliceOf(text, root, path, value, order) {
  if (!root) return { from: text.length, to: text.length, text: topLines(text, path, value) };
  const last = path[path.length - 1];
  const parent = deepest(root, path.slice(0, -1));
  if (!parent || parent.depth < path.length - 1 || !["map", "list"].includes(parent.node.kind)) return null;
  const child = childOf(parent.node, last);
  if (value === undefined) return child ? removal(text, parent.node, last) : null;
  if (!child) return insertion(text, parent.node, last, value, path.length === 1 ? order : []);
  if ("colon" in child) return replacement(text, parent.node, /** @type {Pair} */ (child), value);
  const { start, end } = child.node;
  if (start < 0) return { from: child.start + 1, to: child.start + 1, text: " " + inline(value) };
  return { from: start, to: end, text: inline(value) };
}

/** @param {string} text @param {Path} path @param {unknown} value */
function topLines(text, path, value) {
  return (text && !text.endsWith("\n") ? "\n" : "") + writeYaml(putIn({}, path, value));
}

/** @param {string} text @param {Node} parent @param {Pair} pair @param {unknown} value @returns {Splice} */
function replacement(text, parent, pair, value) {
  const { node } = pair;
  const isScalar = typeof value !== "object" || value === null;
  const indent = parent.isFlow || isScalar ? null : columnOf(text, pair.start);
  const written = indent === null ? " " + inline(value) : behindColon(value, indent);
  if (node.start < 0) return { from: pair.colon, to: pair.colon, text: written };
  const between = text.slice(pair.colon, node.start);
  if (between.trim()) return { from: node.start, to: node.end, text: inline(value) }; // a comment stands there
  const after = node.isFlow || node.kind !== "scalar" ? "" : lineBreakOf(text, node.end);
  return { from: pair.colon, to: node.end, text: written + after };
}

/** A block scalar ends behind its line break. @param {string} text @param {number} end */
function lineBreakOf(text, end) {
  return text[end - 1] === "\n" ? "\n" : "";
}

/**
 * @param {string} text @param {Node} parent @param {string | number} key @param {unknown} value @param {string[]} order
 * @returns {Splice}
 */
function insertion(text, parent, key, value, order) {
  const isList = parent.kind === "list";
  if (parent.isFlow) {
    const children = isList ? parent.items : parent.pairs;
    const written = isList ? inline(value) : `${inline(key)}: ${inline(value)}`;
    const from = children.length ? endOf(children[children.length - 1]) : parent.start + 1;
    return { from, to: from, text: children.length ? `, ${written}` : written };
  }
  const indent = columnOf(text, parent.start);
  const pad = " ".repeat(indent);
  const before = isList ? null : neighbour(parent, String(key), order);
  const line = isList ? `${pad}- ${inline(value)}` : `${pad}${inline(key)}:${behindColon(value, indent)}`;
  if (before === -1) return { from: parent.start, to: parent.start, text: line.slice(indent) + "\n" + pad };
  const children = isList ? parent.items : parent.pairs;
  const from = lineEnd(text, endOf(children[before ?? children.length - 1]));
  return { from, to: from, text: text[from - 1] === "\n" ? line + "\n" : "\n" + line };
}

/**
 * The number of the pair that a new key stands behind; -1: before all.
 * @param {Node} parent @param {string} key @param {string[]} order
 */
function neighbour(parent, key, order) {
  const place = order.indexOf(key);
  if (place < 0) return null;
  const numbers = parent.pairs.map((pair) => order.indexOf(pair.key));
  const before = numbers.findLastIndex((number) => number >= 0 && number < place);
  return before;
}

/** @param {string} text @param {Node} parent @param {string | number} key @returns {Splice | null} */
function removal(text, parent, key) {
  const children = parent.kind === "list" ? parent.items : parent.pairs;
  const number = parent.kind === "list" ? Number(key) : parent.pairs.findLastIndex((pair) => pair.key === String(key));
  const child = children[number];
  if (parent.isFlow) {
    const next = children[number + 1], previous = children[number - 1];
    if (next) return { from: child.start, to: next.start, text: "" };
    return { from: previous ? endOf(previous) : child.start, to: endOf(child), text: "" };
  }
  const from = text.lastIndexOf("\n", child.start - 1) + 1;
  if (text.slice(from, child.start).trim()) { // behind a dash: the next key takes its place
    const next = children[number + 1];
    return next ? { from: child.start, to: next.start, text: "" } : null;
  }
  const end = lineEnd(text, endOf(child));
  return { from, to: text[end] === "\n" ? end + 1 : end, text: "" };
}

/** @param {import("./yaml-tree.js").Pair | import("./yaml-tree.js").Item} child @returns {number} */
function endOf(child) {
  return "colon" in child ? Math.max(child.colon, child.node.end) : Math.max(child.start + 1, child.node.end);
}

/** @param {string} text @param {number} offset the end of the line, behind a comment; itself at a line's start */
function lineEnd(text, offset) {
  if (text[offset - 1] === "\n") return offset;
  const end = text.indexOf("\n", offset);
  return end < 0 ? text.length : end;
}

/** @param {string} text @param {number} offset */
function columnOf(text, offset) {
  return offset - (text.lastIndexOf("\n", offset - 1) + 1);
}
