// @ts-check
/** Budgets as numbers: what is asked for, on the scale of what is feasible. */

import { isMapping } from "./yaml-tree.js";

/**
 * @typedef {{smallest: string, largest: string}} Range
 * @typedef {"one" | "several" | "spread"} Mode
 * @typedef {{name: string, low: number, high: number, end: number, asked: number[], isAtLeast: boolean,
 *   isOutside: boolean}} Scale
 */

const DECIMAL = /** @type {Record<string, number>} */ ({ "": 1, k: 1e3, m: 1e6, g: 1e9, b: 1e9, t: 1e12 });
const POWERS = "kmgtp";

/**
 * What people should know of a limit before they choose it.
 * @type {Record<string, {label: string, hint: string, example: string}>}
 */
export const LIMITS = {
  size: { label: "Size", hint: "bytes of the exported checkpoint", example: "12MB" },
  bits_per_weight: { label: "Bits per weight", hint: "all that is stored, over all parameters", example: "4.25" },
  nominal_bits_per_weight: { label: "Nominal bits per weight", hint: "codes alone, as papers quote", example: "3.0" },
  parameters: { label: "Parameters", hint: "parameters kept", example: "6.5B" },
  flops: { label: "FLOPs", hint: "floating-point operations of one token", example: "1.5G" },
  dropped_attentions: { label: "Dropped attentions", hint: "at least so many", example: "2" },
  dropped_mlps: { label: "Dropped MLPs", hint: "at least so many", example: "2" },
};

/**
 * `6.5 MB`, `1.5GiB`, `6.5B`, `10,492,160` or a number, as a number; null where it is none.
 * @param {unknown} written
 */
export function quantity(written) {
  if (typeof written === "number") return Number.isFinite(written) ? written : null;
  if (typeof written !== "string") return null;
  const found = written.replaceAll(",", "").trim().match(/^(\d+\.?\d*|\.\d+)\s*([a-z]*)$/i);
  if (!found) return null;
  const factor = factorOf(found[2].toLowerCase());
  return factor === null ? null : Number(found[1]) * factor;
}

/** @param {string} unit @returns {number | null} */
function factorOf(unit) {
  if (unit in DECIMAL) return DECIMAL[unit];
  const bytes = unit.match(/^([kmgtp]?)(i?)b(?:ytes)?$/);
  if (!bytes) return null;
  return bytes[1] ? (bytes[2] ? 1024 : 1000) ** (POWERS.indexOf(bytes[1]) + 1) : 1;
}

/** @param {unknown} value of a limit @returns {Mode} */
export function modeOf(value) {
  if (Array.isArray(value)) return "several";
  return isMapping(value) ? "spread" : "one";
}

/**
 * The value in another mode, with what can be kept of it.
 * @param {any} value @param {Mode} mode @param {Range} [range]
 */
export function inMode(value, mode, range) {
  const first = modeOf(value) === "several" ? value[0] : modeOf(value) === "spread" ? (value.from ?? value.to) : value;
  const kept = first ?? range?.smallest.replaceAll(",", "") ?? "";
  if (mode === "one") return kept;
  if (mode === "several") return modeOf(value) === "spread" ? [value.from, value.to].filter(isGiven)
    : [kept].filter(isGiven);
  return { points: 9, ...spreadEnds(value) };
}

/** @param {any} value */
function spreadEnds(value) {
  const several = modeOf(value) === "several" && value.length > 1;
  return several ? { from: value[0], to: value[value.length - 1] } : {};
}

/** @param {unknown} value */
function isGiven(value) {
  return value !== undefined && value !== "";
}

/**
 * A value at the same place in the range of the limit `name` as before in another's.
 * @param {string} name @param {any} value @param {Range} [from] @param {Range} [to]
 * @returns {string | number} "" where the new range is not known
 */
export function moved(name, value, from, to) {
  const [asked, low, high] = [quantity(value), quantity(from?.smallest), quantity(from?.largest)];
  const [first, last] = [quantity(to?.smallest), quantity(to?.largest)];
  if (first === null || last === null) return "";
  const share = asked === null || low === null || high === null || high === low ? 0.25 : (asked - low) / (high - low);
  const place = rounded(first + Math.min(1, Math.max(0, share)) * (last - first));
  return name === "size" && place >= 1e6 ? `${place / 1e6}MB` : name.includes("bits") ? place : Math.round(place);
}

/** A plain figure, upwards: what is shown is met when it is asked for. @param {number} value @returns {number} */
function rounded(value) {
  const unit = value >= 1e6 ? 1e4 : value >= 100 ? 1 : 0.01;
  return Number((Math.ceil(value / unit) * unit).toFixed(2));
}

/**
 * What a limit asks for, on the scale of what is feasible.
 * @param {string} name @param {unknown} value @param {Range} range @returns {Scale | null}
 */
export function scaleOf(name, value, range) {
  const [first, last] = [quantity(range.smallest), quantity(range.largest)];
  if (first === null || last === null) return null;
  const low = Math.min(first, last), high = Math.max(first, last);
  const asked = askedValues(value, low, high);
  const isAtLeast = name.startsWith("dropped_");
  const isOutside = asked.some((each) => (isAtLeast ? each > high : each < low));
  return { name, low, high, end: Math.max(high, ...asked) || 1, asked, isAtLeast, isOutside };
}

/** @param {any} value @param {number} low @param {number} high @returns {number[]} */
function askedValues(value, low, high) {
  const numbers = (/** @type {unknown[]} */ values) => values.map(quantity).filter((each) => each !== null);
  if (modeOf(value) === "one") return numbers([value]);
  if (modeOf(value) === "several") return numbers(value);
  const from = quantity(value.from) ?? low, to = quantity(value.to) ?? high;
  const count = Number.isInteger(value.points) ? Math.min(Math.max(value.points, 2), 256) : 2;
  return Array.from({ length: count }, (_, number) => from + ((to - from) * number) / (count - 1));
}

/**
 * A job that asks how small and how large each limit can be, whatever the budget and the strategy: for a dry run.
 * @param {any} spec @param {string[]} names
 */
export function rangesJob(spec, names) {
  const { max_loss, front_points, constraints, strategy, ...rest } = spec;
  const lines = Array.isArray(spec.space?.options) ? spec.space.options : [];
  const hasWeights = lines.some((/** @type {any} */ line) => line?.kind !== "drop");
  const asked = names.filter((name) => hasWeights || name !== "nominal_bits_per_weight");
  const limit = (/** @type {string} */ name) =>
    (name.startsWith("dropped_") ? 0 : name.includes("bits") ? 1e6 : name === "size" ? "1000TB" : "1000T");
  return { ...rest, strategy: "uniform", budget: Object.fromEntries(asked.map((name) => [name, limit(name)])) };
}
