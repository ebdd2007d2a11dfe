// @ts-check
/** How a cell of a difference looks: blue and + where bits were gained, orange and − where they were lost. */

import { formatBytes } from "../format.js";
import { colours } from "../charts/theme.js";

/**
 * @typedef {import("./differences.js").LayerDifference} LayerDifference
 * @typedef {import("../charts/layer-grid.js").LayerGrid} LayerGrid
 * @typedef {import("../charts/block-grid.js").Face} Face
 */

export const LEGEND = "Blue with +: more bits. Orange with −: fewer. ~: another option at equal bits. ×: dropped. "
  + "Point at a cell.";
// from a faint change to a strong one; blue and orange are told apart by any kind of colour vision
const RAMPS = {
  light: { gained: ["#d6e6f4", "#9cc6e4", "#4f9bd0", "#0f6fb3"], lost: ["#fbe3cc", "#f5bd86", "#e8913d", "#c96a00"] },
  dark: { gained: ["#16344d", "#1d5580", "#3b8cc6", "#8cc8f2"], lost: ["#432a12", "#754314", "#c0701f", "#f6b26b"] },
};
const MANY_BITS = 4; // a change this large has the strongest colour

/**
 * One face for each cell of the grid.
 * @type {(grid: LayerGrid, differences: LayerDifference[]) => Face[]}
 */
export const changeFaces = (grid, differences) =>
  grid.cells.map(({ members }) => faceOf(members.map((index) => differences[index])));

/** @type {(members: LayerDifference[]) => Face} */
function faceOf(members) {
  const changed = members.filter((each) => each.change !== "same");
  const quiet = { text: "", fill: null, ink: colours().text, mark: "is-same" };
  if (changed.length === 0) return quiet;
  if (members.some((each) => each.change === "missing")) return { ...quiet, text: "?", mark: "is-missing" };
  const bits = bitsOf(members);
  if (bits === null) return bytesFace(members);
  if (bits === 0) return { ...quiet, text: "~", mark: "is-other" };
  const text = isDropped(members, "after") || isDropped(members, "before") ? "×" : short(bits);
  return filled(`${bits > 0 ? "+" : "−"}${text}`, bits, Math.abs(bits) / MANY_BITS);
}

/**
 * Bits gained for each weight, over all members; null where none has weights of its own.
 * @type {(members: LayerDifference[]) => number | null}
 */
function bitsOf(members) {
  let [bits, weights] = [0, 0];
  for (const each of members) {
    if (each.bits === null || !each.after) continue;
    const count = each.after.rows * each.after.columns;
    bits += each.bits * count;
    weights += count;
  }
  return weights === 0 ? null : bits / weights;
}

/** Of parts, which have bytes only. @type {(members: LayerDifference[]) => Face} */
function bytesFace(members) {
  const isOff = isDropped(members, "after");
  if (isOff || isDropped(members, "before")) return filled(isOff ? "−×" : "+×", isOff ? -1 : 1, 1);
  const bytes = members.reduce((sum, each) => sum + each.bytes, 0);
  return filled(bytes > 0 ? "+" : bytes < 0 ? "−" : "~", bytes, 0.5);
}

/** @type {(members: LayerDifference[], when: "before" | "after") => boolean} */
const isDropped = (members, when) => members.every((each) => each[when]?.option === "drop");

/** @type {(value: number) => string} */
const short = (value) => String(Number(Math.abs(value).toFixed(1)));

/** @type {(text: string, sign: number, share: number) => Face} */
function filled(text, sign, share) {
  const ramp = RAMPS[colours().isDark ? "dark" : "light"][sign > 0 ? "gained" : "lost"];
  const fill = ramp[Math.min(ramp.length - 1, Math.floor(Math.min(1, share) * ramp.length * 0.999))];
  return { text, fill, ink: colours().inkOn(fill), mark: sign > 0 ? "is-gained" : "is-lost" };
}

/**
 * One cell in words.
 * @type {(grid: LayerGrid, differences: LayerDifference[], cell: number) => string}
 */
export function tellChange(grid, differences, cell) {
  const { row, members } = grid.cells[cell];
  const all = members.map((index) => differences[index]);
  const [first] = all;
  const place = first.block === null ? first.name : `block ${first.block}, ${grid.rows[row].title}`;
  const numChanged = all.filter((each) => each.change !== "same").length;
  if (all.length > 1) return `${place}: ${numChanged} of ${all.length} layers change`;
  if (first.change === "same") return `${place}: ${first.before?.option}, unchanged`;
  const [before, after] = [first.before?.option ?? "not in the space", first.after?.option ?? "not in the space"];
  const sign = first.bytes > 0 ? "+" : first.bytes < 0 ? "−" : "±";
  return `${place}: ${before} → ${after}, ${sign}${formatBytes(Math.abs(first.bytes))}`;
}
