// @ts-check
/** What a YAML text says, and where in it each value stands, so that an edit can rewrite that place alone. */

import {
  constructFromEvents, EVENT_ID, getScalarValue, parseEvents, Schema, timestampTag, YAML11_SCHEMA, YAMLException,
} from "../../vendor/js-yaml-5.5.0/js-yaml.js";

/**
 * A value in the text. `start` and `end` are -1 where nothing is written (`key:` with nothing behind it).
 * @typedef {{kind: "scalar" | "map" | "list" | "alias", start: number, end: number, isFlow: boolean,
 *   pairs: Pair[], items: Item[]}} Node
 * @typedef {{key: string, start: number, colon: number, node: Node}} Pair   `colon`: just behind the colon
 * @typedef {{start: number, node: Node}} Item   `start`: of the dash in a block list, of the value in a flow list
 * @typedef {{message: string, line: number, column: number}} YamlProblem   line and column count from 1
 * @typedef {{value: unknown, root: Node | null, problem: YamlProblem | null}} Reading
 * @typedef {(string | number)[]} Path
 */

// The service reads job files as YAML 1.1; a date there is nothing that a job could use, so it stays a word.
const SCHEMA = new Schema(YAML11_SCHEMA.tags.filter((tag) => tag !== timestampTag));
const MAX_ALIASES = 1000;
/** What the parser says, for people who do not write parsers. @type {Record<string, string>} */
const WORDS = {
  "deficient indentation": "a bracket above is not closed, or this line is not indented enough",
  "bad indentation of a mapping entry": "the indentation does not fit the lines above",
  "duplicated mapping key": "this key is there twice",
  "end of the stream or a document separator is expected": "this does not fit the lines above",
};

/** @param {string} text @returns {Reading} An empty text is an empty mapping. */
export function readYaml(text) {
  try {
    const events = parseEvents(text, { maxDepth: 40 });
    const documents = constructFromEvents(events, { source: text, schema: SCHEMA, maxAliases: MAX_ALIASES });
    if (documents.length > 1) return unreadable("one document is a job; take out the line ---", 1, 1);
    const root = documents.length ? new Builder(text, events).root() : null;
    const value = documents[0] ?? {};
    return isMapping(value) ? { value, root: isEmptyNode(root) ? null : root, problem: null } : notMapping(value);
  } catch (error) {
    if (!(error instanceof YAMLException)) return unreadable(String(error), 1, 1);
    return unreadable(WORDS[error.reason] ?? error.reason, (error.mark?.line ?? 0) + 1, (error.mark?.column ?? 0) + 1);
  }
}

/**
 * The last node on the path that is there, how many steps lead to it, and the pair whose value it is.
 * @param {Node | null} root @param {Path} path @returns {{node: Node, pair: Pair | null, depth: number} | null}
 */
export function deepest(root, path) {
  if (!root) return null;
  let node = root;
  /** @type {Pair | null} */
  let pair = null;
  for (let depth = 0; depth < path.length; depth++) {
    const found = childOf(node, path[depth]);
    if (!found) return { node, pair, depth };
    node = found.node;
    pair = "colon" in found ? /** @type {Pair} */ (found) : null;
  }
  return { node, pair, depth: path.length };
}

/** @param {Node} node @param {string | number} step @returns {Pair | Item | undefined} */
export function childOf(node, step) {
  if (node.kind === "list") return node.items[Number(step)];
  return node.pairs.findLast((pair) => pair.key === String(step));
}

/** @param {string} text @param {number} offset @returns {{line: number, column: number}} counted from 1 */
export function placeOf(text, offset) {
  const before = text.slice(0, Math.max(offset, 0));
  return { line: before.split("\n").length, column: before.length - before.lastIndexOf("\n") };
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
export function isMapping(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {string} message @param {number} line @param {number} column @returns {Reading} */
function unreadable(message, line, column) {
  return { value: null, root: null, problem: { message, line, column } };
}

/** @param {unknown} value */
function notMapping(value) {
  const shown = JSON.stringify(value)?.slice(0, 40);
  return unreadable(`a job is keys with values, such as model: folder; got ${shown}`, 1, 1);
}

/** @param {Node | null} node */
function isEmptyNode(node) {
  return !node || (node.kind === "scalar" && node.start < 0);
}

/** Turns the flat events of the parser into nodes with their ranges. */
class Builder {
  /** @param {string} text @param {any[]} events */
  constructor(text, events) {
    this.text = text;
    this.events = events;
    this.at = 1; // behind the event of the document
  }

  root() {
    return this.events[this.at]?.type === EVENT_ID.POP ? null : this.node();
  }

  /** @returns {Node} */
  node() {
    const event = this.events[this.at++];
    if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE) return this.collection(event);
    if (event.type === EVENT_ID.ALIAS) return leaf("alias", event.anchorStart - 1, event.anchorEnd);
    if (event.valueStart < 0) return leaf("scalar", -1, -1);
    return this.scalar(event);
  }

  /** @param {any} event @returns {Node} */
  scalar(event) {
    const quotes = event.style === 2 || event.style === 3 ? 1 : 0;
    let start = event.valueStart - quotes;
    if (event.style > 3) start = this.text.slice(0, start).search(/[|>][^\n]*\n[ \n]*$/); // the sign of a block scalar
    return leaf("scalar", firstOf(start, event), event.valueEnd + quotes);
  }

  /** @param {any} event @returns {Node} */
  collection(event) {
    const kind = event.type === EVENT_ID.MAPPING ? "map" : "list";
    const isFlow = event.style === 2;
    /** @type {Node} */
    const node = { kind, start: event.start, end: event.start + 1, isFlow, pairs: [], items: [] };
    while (this.events[this.at].type !== EVENT_ID.POP) kind === "map" ? this.pair(node) : this.item(node);
    this.at++;
    if (isFlow) node.end = this.skip(node.end, ",") + 1; // the bracket that closes it
    node.start = firstOf(node.start, event);
    return node;
  }

  /** @param {Node} owner */
  pair(owner) {
    const event = this.events[this.at];
    const key = this.node();
    const name = event.type === EVENT_ID.SCALAR ? getScalarValue(this.text, event) : "";
    const colon = key.end < 0 ? owner.end : this.text.indexOf(":", key.end) + 1;
    const node = this.node();
    owner.pairs.push({ key: name, start: key.start, colon, node });
    owner.end = Math.max(node.end, colon);
  }

  /** @param {Node} owner */
  item(owner) {
    let dash = owner.end - 1;
    if (!owner.isFlow) dash = this.skip(owner.items.length ? owner.end : owner.start, "");
    const node = this.node();
    owner.items.push({ start: owner.isFlow ? node.start : dash, node });
    owner.end = Math.max(node.end, owner.isFlow ? owner.end : dash + 1);
  }

  /** @param {number} from @param {string} also @returns {number} the next place that is no blank or comment */
  skip(from, also) {
    let at = from;
    for (;;) {
      const sign = this.text[at];
      if (sign === "#") at = (this.text.indexOf("\n", at) + 1 || this.text.length + 1) - 1;
      else if (sign === undefined || !(" \t\r\n" + also).includes(sign)) return at;
      else at++;
    }
  }
}

/** @param {"scalar" | "alias"} kind @param {number} start @param {number} end @returns {Node} */
function leaf(kind, start, end) {
  return { kind, start, end, isFlow: false, pairs: [], items: [] };
}

/** A tag or an anchor before the value belongs to it. @param {number} start @param {any} event */
function firstOf(start, event) {
  const before = [event.tagStart, event.anchorStart - 1].filter((offset) => offset >= 0);
  return Math.min(start, ...before);
}
