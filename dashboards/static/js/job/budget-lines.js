// @ts-check
/** The limits of a budget as lines on an axis, and sizes and counts as a job file writes them. */

import { formatBytes, formatFlops, formatParameters } from "../format.js";

const figures = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

const SIZES = new Map([
  ["", 1],
  ["b", 1],
  ["bytes", 1],
  ["kb", 1e3],
  ["mb", 1e6],
  ["gb", 1e9],
  ["tb", 1e12],
  ["kib", 2 ** 10],
  ["mib", 2 ** 20],
  ["gib", 2 ** 30],
  ["tib", 2 ** 40],
]);

const COUNTS = new Map([
  ["", 1],
  ["k", 1e3],
  ["m", 1e6],
  ["g", 1e9], // of FLOPs
  ["b", 1e9], // of parameters
  ["t", 1e12],
]);

/** @param {unknown} written @param {Map<string, number>} units */
function amountOf(written, units) {
  if (typeof written === "number") return written;
  const parts = /^\s*([0-9]*\.?[0-9]+(?:e[0-9]+)?)\s*([a-z]*)\s*$/i.exec(String(written));
  const unit = parts && units.get((parts[2] ?? "").toLowerCase());
  return parts && unit ? Number(parts[1]) * unit : null;
}

/**
 * The bytes of a size as a job file writes it, such as 3MB; null where it is none.
 * @param {unknown} written
 */
export const sizeOf = (written) => amountOf(written, SIZES);

/** FLOPs or parameters, such as 20M. @param {unknown} written */
const countOf = (written) => amountOf(written, COUNTS);

/** The limits of a budget that lie on an axis. @type {Record<string, string>} */
const DRAWN_BUDGETS = {
  size: "size_bytes",
  bits_per_weight: "bits_per_weight",
  nominal_bits_per_weight: "nominal_bits_per_weight",
  flops: "flops",
  parameters: "parameters",
};

/** @type {Record<string, (value: number) => string>} */
const FORMATS = { size_bytes: formatBytes, flops: formatFlops, parameters: formatParameters };

/** @type {Record<string, string>} */
const UNIT_WORDS = { bits_per_weight: " bits per weight", nominal_bits_per_weight: " nominal bits", parameters: " parameters" };

/**
 * The values of a limit: one, a list, or evenly spaced points.
 * @param {unknown} value @param {(written: unknown) => number | null} read @returns {unknown[]}
 */
function valuesOf(value, read) {
  if (Array.isArray(value)) return value;
  const points = /** @type {{points?: number, from?: unknown, to?: unknown} | null} */ (value);
  if (points === null || typeof points !== "object" || !points.points) return [value];
  const [from, to] = [read(points.from), read(points.to)];
  if (from === null || to === null) return [];
  const count = Math.max(2, Math.min(64, points.points));
  return Array.from({ length: count }, (_, index) => from + ((to - from) * index) / (count - 1));
}

/**
 * The limits of a budget as lines on an axis.
 * @param {Record<string, unknown> | null | undefined} budget
 * @returns {{axis: string, value: number, label: string, short: string}[]}
 */
export function budgetLines(budget) {
  return Object.entries(budget ?? {}).flatMap(([name, written]) => {
    const axis = DRAWN_BUDGETS[name];
    if (axis === undefined) return [];
    const [read, format] = [axis === "flops" || axis === "parameters" ? countOf : sizeOf, FORMATS[axis]];
    const values = valuesOf(written, read).map((value) => ({ value: read(value), written: value }));
    return values.flatMap(({ value, written: text }) => {
      if (value === null || !Number.isFinite(value)) return [];
      const shown = format ? format(value) : typeof text === "string" ? text : figures.format(value);
      return [{ axis, value, short: shown, label: `budget ${shown}${UNIT_WORDS[name] ?? ""}` }];
    });
  });
}
