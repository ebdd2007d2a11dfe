// @ts-check
/** How much each layer's loss grows under an option, on the same grid as the strip above it. */

import { formatLoss } from "../format.js";
import { html, useCallback, useMemo } from "../preact.js";
import { BlockGrid } from "./block-grid.js";
import { colours, useColours } from "./theme.js";

/**
 * @typedef {import("./layer-grid.js").LayerGrid} LayerGrid
 * @typedef {import("./layer-grid.js").LayerView} LayerView
 * @typedef {import("./block-grid.js").Face} Face
 * @typedef {{name: string, block: number | null, module: string, losses: Record<string, number | null>}} LayerLosses
 * @typedef {{unit: string, source: string, items: LayerLosses[]}} Sensitivity
 * @typedef {{low: number, high: number}} Range
 */

export const AS_CHOSEN = "as-chosen"; // each layer under the option that the candidate takes

/**
 * The loss of each layer of the strip; undefined where it was not measured, null where the option is not open to it.
 * @param {LayerView[]} layers @param {Sensitivity} sensitivity @param {string} option a slug, or AS_CHOSEN
 * @returns {(number | null | undefined)[]}
 */
export function layerLosses(layers, sensitivity, option) {
  const byName = new Map(sensitivity.items.map((item) => [item.name, item.losses]));
  return layers.map((layer) => {
    const losses = byName.get(layer.name);
    if (!losses) return undefined;
    const slug = option === AS_CHOSEN ? layer.option : option;
    return slug === "keep" && !("keep" in losses) ? 0 : (losses[slug] ?? null);
  });
}

/** One value for each cell: the mean of its layers.
 *  @param {LayerGrid} grid @param {(number | null | undefined)[]} losses */
export function cellLosses(grid, losses) {
  return grid.cells.map((cell) => {
    const known = cell.members.map((index) => losses[index]).filter((loss) => typeof loss === "number");
    if (known.length > 0) return known.reduce((sum, loss) => sum + loss, 0) / known.length;
    return cell.members.some((index) => losses[index] === null) ? null : undefined;
  });
}

/** The range of the colours: all that is above zero, but no wider than four decades.
 *  @param {(number | null | undefined)[]} values @returns {Range | null} */
export function rangeOf(values) {
  const above = values.filter((value) => typeof value === "number" && Number.isFinite(value) && value > 0);
  if (above.length === 0) return null;
  const high = above.reduce((most, value) => Math.max(Number(most), Number(value)), 0);
  const low = above.reduce((least, value) => Math.min(Number(least), Number(value)), Infinity);
  return { low: Math.max(Number(low), Number(high) / 1e4), high: Number(high) };
}

/** Where a loss lies on the scale, 0 to 1. @param {number} loss @param {Range | null} range */
export function position(loss, range) {
  if (range === null || loss <= range.low) return 0;
  return range.high === range.low ? 1 : Math.min(1, Math.log(loss / range.low) / Math.log(range.high / range.low));
}

/**
 * @param {{
 *   grid: LayerGrid, values: (number | null | undefined)[], chosen: number | null,
 *   onPoint: (cell: number | null) => void, place: (cell: number) => string, label: string, unit: string,
 * }} props  values: one for each cell
 */
export function SensitivityStrip({ grid, values, chosen, onPoint, place, label, unit }) {
  const scheme = useColours();
  const faces = useMemo(() => facesOf(values), [values, scheme]);
  const tell = useCallback(
    (/** @type {number} */ cell) => `${place(cell)} \u00b7 ${tellLoss(values[cell], unit)}`,
    [place, values, unit],
  );
  return html`<${BlockGrid} grid=${grid} faces=${faces} chosen=${chosen} onPoint=${onPoint} tell=${tell}
    label=${label} />`;
}

/** @param {number | null | undefined} loss @param {string} unit */
export function tellLoss(loss, unit) {
  if (loss === undefined) return "not measured";
  if (loss === null) return "not open to this layer";
  return `${formatLoss(loss)} ${unit}`;
}

/** @param {(number | null | undefined)[]} values @returns {Face[]} */
function facesOf(values) {
  const range = rangeOf(values);
  return values.map((value) => {
    if (value === undefined) return { text: "", fill: null, ink: "", mark: "is-unknown" };
    if (value === null) return { text: "", fill: null, ink: "", mark: "is-closed" };
    const fill = ramp(position(value, range));
    return { text: "", fill, ink: colours().inkOn(fill), mark: "is-heat" };
  });
}

/** The colour at a place of the sequential scale, 0 to 1. @param {number} place */
export function ramp(place) {
  const { sequential } = colours();
  const at = Math.min(1, Math.max(0, place)) * (sequential.length - 1);
  const index = Math.min(Math.floor(at), sequential.length - 2);
  const [from, to] = [channels(sequential[index]), channels(sequential[index + 1])];
  const mixed = from.map((value, channel) => Math.round(value + (at - index) * (to[channel] - value)));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** @param {string} colour "#rrggbb" */
function channels(colour) {
  return [1, 3, 5].map((start) => Number.parseInt(colour.slice(start, start + 2), 16));
}
