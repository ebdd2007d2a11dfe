// @ts-check
/** The settings that the catalogue lists for strategies, scores, solvers and options, as fields of a form. */

import { labelOf } from "./schema.js";
import { isMapping } from "./yaml-tree.js";

/**
 * @typedef {import("./schema.js").Field} Field
 * @typedef {import("./schema.js").Kind} Kind
 * @typedef {import("./yaml-tree.js").Path} Path
 * @typedef {{name: string, type: string, default: any, is_required: boolean}} Setting
 * @typedef {{name: string, summary: string, settings: Setting[]}} Entry
 * @typedef {{options: Entry[], targets: Entry[], ties: Entry[], budgets: Entry[], strategies: Entry[], presets: Entry[],
 *   scores: Entry[], solvers: Entry[]}} Catalogue
 */

const PLAIN = /** @type {Record<string, Kind>} */ ({ int: "integer", float: "number", bool: "truth", str: "text" });
const TABLES = /** @type {Record<string, string>} */ ({ Score: "scores", Solver: "solvers", Strategy: "strategies" });
const INTO_LIST = /^(?:list|tuple)\[(.*)\]$/;

/** @param {Setting} setting @param {Path} path of the setting @returns {Field} */
export function settingField(setting, path) {
  const type = setting.type.replace(/ \| None$/, "");
  const { kind, choices, of } = shapeOf(type, setting.default);
  return {
    path, key: setting.name, label: labelOf(setting.name), hint: "", kind, choices, of,
    isRequired: setting.is_required, fallback: setting.default, minimum: null, maximum: null,
    fields: kind === "object" || kind === "rows" ? partsOf(setting.default, path) : [],
  };
}

/** @param {string} type @param {unknown} fallback @returns {{kind: Kind, choices: unknown[], of?: string}} */
function shapeOf(type, fallback) {
  if (PLAIN[type]) return { kind: PLAIN[type], choices: [] };
  if (TABLES[type]) return { kind: "named", choices: [], of: TABLES[type] };
  const inner = type.match(INTO_LIST)?.[1];
  if (inner !== undefined) {
    if (Array.isArray(fallback) && fallback.length && fallback.every(isMapping)) return { kind: "rows", choices: [] };
    const of = inner.includes("int") || inner.includes("float") ? "number" : "string";
    return { kind: "list", choices: inner === "bool" ? [false, true] : choicesIn(inner), of };
  }
  const choices = choicesIn(type);
  if (choices.length) return { kind: "choice", choices };
  return { kind: isMapping(fallback) && !type.includes("|") ? "object" : "any", choices: [] };
}

/** `2 | 3 | channel` as values; none where a part names a type. @param {string} type @returns {unknown[]} */
function choicesIn(type) {
  const parts = type.split(" | ");
  const isOpen = parts.some((part) => part in PLAIN || part in TABLES || /^[A-Z]|\[/.test(part));
  if (parts.length < 2 || isOpen) return [];
  return parts.map((part) => (/^-?\d+$/.test(part) ? Number(part) : part));
}

/**
 * The fields of a mapping, or of a row, from an example of it.
 * @param {any} example @param {Path} path @returns {Field[]}
 */
function partsOf(example, path) {
  const first = Array.isArray(example) ? example[0] : example;
  return Object.entries(first ?? {}).map(([name, value]) => settingField(
    { name, type: typeName(value), default: value, is_required: Array.isArray(example) }, [...path, name],
  ));
}

/** @param {unknown} value */
function typeName(value) {
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return typeof value === "boolean" ? "bool" : "str";
}
