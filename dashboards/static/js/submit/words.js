// @ts-check
/** What stands in a field as a value of the job, and a value as it stands in a field. */

import { inline } from "./yaml-edit.js";
import { isMapping, readYaml } from "./yaml-tree.js";

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/;

/** `3` as a number, `12MB` as a word. @param {string} text @returns {string | number} */
export function scalar(text) {
  const trimmed = text.trim();
  const number = Number(trimmed);
  return NUMBER.test(trimmed) && Number.isFinite(number) ? number : trimmed;
}

/** `2, 3, channel` @param {string} text @param {boolean} isNumbers @returns {(string | number)[]} */
export function listed(text, isNumbers) {
  const parts = text.split(/[,\n]/).map((part) => part.trim()).filter(Boolean);
  return isNumbers ? parts.map(scalar) : parts;
}

/**
 * The text of a field of this kind; what does not fit the kind is shown as YAML.
 * @param {unknown} value @param {string} kind
 */
export function shown(value, kind) {
  if (value === undefined || value === null) return "";
  if (kind === "list") return (Array.isArray(value) ? value : [value]).map(item).join(", ");
  if (kind === "any" || typeof value === "object") return inline(value);
  return String(value);
}

/**
 * The value that a text stands for; undefined: the key is left out.
 * What does not fit stays a word, for the service to judge.
 * @param {string} text @param {string} kind @param {string} [of] of a list's items
 */
export function meant(text, kind, of) {
  if (!text.trim()) return undefined;
  if (kind === "list") return listed(text, of !== "string");
  if (kind === "any") return anyValue(text);
  return kind === "text" ? text : scalar(text);
}

/** @param {string} text @returns {unknown} as YAML, and as a word where it is none */
function anyValue(text) {
  const { value, problem } = readYaml(`value: ${text}`);
  if (problem || !isMapping(value) || Object.keys(value).length !== 1) return text;
  return value.value;
}

/** A sentence of the catalogue without the marks of its source. @param {string | undefined} summary */
export function plain(summary) {
  return (summary ?? "").replaceAll("``", "").replaceAll('"', "");
}

/** @param {unknown} value */
function item(value) {
  return typeof value === "object" ? inline(value) : String(value);
}
