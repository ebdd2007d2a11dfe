// @ts-check
/** The job's JSON Schema as fields of a form: what each is called, what it may hold, what it is when left out. */

import { getIn } from "./values.js";

/**
 * @typedef {import("./yaml-tree.js").Path} Path
 * @typedef {"text" | "integer" | "number" | "truth" | "choice" | "list" | "object" | "rows" | "named" | "any"} Kind
 * @typedef {{path: Path, key: string, label: string, hint: string, kind: Kind, isRequired: boolean, fallback: unknown,
 *   choices: unknown[], fields: Field[], minimum: number | null, maximum: number | null, of?: string}} Field
 * @typedef {Record<string, any>} Schema
 */

// Keys that the server adds later come last, under More: no key of the schema is ever left out.
/** @type {{name: string, title: string, keys: string[]}[]} */
const GROUPS = [
  { name: "text", title: "Model & text", keys: ["model", "name", "calibration", "validation"] },
  { name: "space", title: "Space", keys: ["space"] },
  { name: "budget", title: "Budget", keys: ["budget", "objective", "max_loss", "front_points", "constraints"] },
  { name: "strategy", title: "Strategy", keys: ["strategy", "tasks", "seed"] },
  { name: "more", title: "More", keys: ["workers", "resources", "bank", "evaluation"] },
];
const FIRST_KEYS = ["name", "preset", "points"]; // of what the schema leaves open
const SHORT = new Set(["id", "kl", "gpus", "cpus", "mlp", "flops"]);

/** @param {Schema} schema @returns {{name: string, title: string, fields: Field[]}[]} */
export function groupsOf(schema) {
  const fields = fieldsOf(schema, schema, []);
  const known = new Set(GROUPS.flatMap((group) => group.keys));
  return GROUPS.map(({ name, title, keys }) => {
    const own = keys.flatMap((key) => fields.filter((field) => field.key === key));
    const rest = name === "more" ? fields.filter((field) => !known.has(field.key)) : [];
    return { name, title, fields: [...own, ...rest] };
  });
}

/** The keys of a job in the order that its schema has them. @param {Schema} schema @returns {string[]} */
export function orderOf(schema) {
  return Object.keys(schema.properties ?? {});
}

/** @param {Schema} schema @param {Schema} node @param {Path} path @returns {Field[]} */
export function fieldsOf(schema, node, path) {
  const required = new Set(node.required ?? []);
  return Object.entries(node.properties ?? {})
    .map(([key, each]) => fieldOf(schema, each, [...path, key], required.has(key)));
}

/** @param {Schema} schema @param {Schema} given @param {Path} path @param {boolean} isRequired @returns {Field} */
export function fieldOf(schema, given, path, isRequired) {
  const node = resolved(schema, given);
  const key = String(path[path.length - 1]);
  const kind = kindOf(node);
  const items = kind === "list" ? resolved(schema, node.items ?? {}) : {};
  return {
    path, key, label: labelOf(key), hint: node.description ?? "", kind, isRequired, fallback: node.default,
    choices: choicesOf(kind === "list" ? items : node),
    fields: kind === "object" ? fieldsOf(schema, node, path) : [],
    minimum: node.minimum ?? node.exclusiveMinimum ?? null,
    maximum: node.maximum ?? node.exclusiveMaximum ?? null,
    of: items.type,
  };
}

/**
 * The node behind references, and behind a choice with null: its own words win.
 * @param {Schema} schema @param {Schema} node @returns {Schema}
 */
export function resolved(schema, node) {
  const { $ref, anyOf, ...own } = node;
  if ($ref) return { ...resolved(schema, getIn(schema, $ref.replace(/^#\//, "").split("/")) ?? {}), ...own };
  const parts = anyOf?.filter((/** @type {Schema} */ each) => each.type !== "null");
  if (!parts) return node;
  if (parts.length === 1) return { ...resolved(schema, parts[0]), ...own };
  const isPlain = parts.every((/** @type {Schema} */ each) => ["string", "integer", "number"].includes(each.type));
  return { ...own, type: isPlain ? "string" : "any" };
}

/**
 * A job with its keys in the schema's order; a store may have sorted them. What the schema does not know comes last.
 * @param {any} value @param {Schema} schema @param {Schema} [given] @returns {any}
 */
export function inOrder(value, schema, given = schema) {
  const node = resolved(schema, given);
  if (Array.isArray(value)) return value.map((each) => inOrder(each, schema, node.items ?? {}));
  if (typeof value !== "object" || value === null) return value;
  const first = [...Object.keys(node.properties ?? {}), ...FIRST_KEYS].filter((key) => Object.hasOwn(value, key));
  const keys = [...new Set([...first, ...Object.keys(value)])];
  return Object.fromEntries(keys.map((key) => [key, inOrder(value[key], schema, node.properties?.[key] ?? {})]));
}

/** @param {string} key @returns {string} */
export function labelOf(key) {
  const words = key.replaceAll("_", " ").replaceAll("-", " ");
  return SHORT.has(key) ? words.toUpperCase() : words.charAt(0).toUpperCase() + words.slice(1);
}

/** @param {Schema} node @returns {Kind} */
function kindOf(node) {
  if (node.enum || node.const !== undefined) return "choice";
  if (node.type === "object") return node.properties ? "object" : "any";
  if (node.type === "array") return isListed(node.items ?? {}) ? "list" : "any";
  const kinds = { boolean: "truth", integer: "integer", number: "number", string: "text" };
  return /** @type {Record<string, Kind>} */ (kinds)[node.type] ?? "any";
}

/** Whether the items are words or numbers. @param {Schema} items */
function isListed(items) {
  return !items.$ref && items.type !== "object" && items.type !== "array";
}

/** @param {Schema} node @returns {unknown[]} */
function choicesOf(node) {
  if (node.type === "boolean") return [false, true];
  return node.enum ?? (node.const === undefined ? [] : [node.const]);
}
