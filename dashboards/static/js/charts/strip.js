// @ts-check
/** A candidate as a strip: what it does with each layer, a cell for each block and module. */

import { formatBits, formatBytes, formatCount } from "../format.js";
import { html, useCallback, useMemo } from "../preact.js";
import { BlockGrid } from "./block-grid.js";
import { meanBits, means } from "./layer-grid.js";
import { cellTexts, inOrder, optionFacts } from "./option.js";
import { colours, useColours } from "./theme.js";

/**
 * @typedef {import("./layer-grid.js").LayerGrid} LayerGrid
 * @typedef {import("./layer-grid.js").LayerView} LayerView
 * @typedef {import("./block-grid.js").Face} Face
 * @typedef {{slug: string, text: string, face: Face, count: number, size_bytes: number, title: string}} Tone
 */

const MARKS = {
  quantize: "", sparse: "is-sparse", "low-rank": "is-rank", keep: "is-keep", drop: "is-drop", other: "is-other",
};

/**
 * @param {{
 *   grid: LayerGrid, layers: LayerView[], options?: string[], chosen: number | null,
 *   onPoint: (cell: number | null) => void, label: string,
 * }} props  options: all that should look alike in several strips; without, those of the layers
 */
export function Strip({ grid, layers, options, chosen, onPoint, label }) {
  const scheme = useColours();
  const faces = useMemo(() => stripFaces(grid, layers, options), [grid, layers, options, scheme]);
  const bars = useMemo(() => barsOf(grid, layers), [grid, layers]);
  const tell = useCallback((/** @type {number} */ cell) => tellCell(grid, layers, cell), [grid, layers]);
  return html`<${BlockGrid} grid=${grid} faces=${faces} bars=${bars} chosen=${chosen} onPoint=${onPoint} tell=${tell}
    label=${label} />`;
}

/**
 * The look of every cell of a grid.
 * @param {LayerGrid} grid @param {LayerView[]} layers @param {string[]} [options]
 * @returns {Face[]}
 */
export function stripFaces(grid, layers, options) {
  const texts = cellTexts(options ?? inOrder(layers.map((layer) => layer.option)));
  /** @type {Map<string, Face>} */
  const known = new Map();
  return grid.cells.map((cell) => {
    const members = cell.members.map((index) => layers[index]);
    const first = members[0];
    if (members.some((layer) => layer.option !== first.option)) return mixedFace(members);
    const key = `${first.option} ${first.bits}`;
    const face = known.get(key) ?? faceOf(first, texts);
    known.set(key, face);
    return face;
  });
}

/** @param {LayerView} layer @param {Map<string, string>} texts @returns {Face} */
function faceOf(layer, texts) {
  const { kind } = optionFacts(layer.option);
  const { bits: fillOf, text } = colours();
  if (kind === "drop") return { text: "\u00d7", fill: null, ink: text, mark: "is-drop" };
  if (layer.bits === null) return { text: "", fill: null, ink: text, mark: "is-whole" };
  if (kind === "keep") return filled(String(layer.bits), fillOf(layer.bits), "is-keep");
  const shown = texts.get(layer.option) ?? String(layer.bits);
  if (kind === "quantize") return filled(shown, fillOf(layer.bits), "");
  return { text: shown, fill: null, ink: text, mark: MARKS[kind] };
}

/** @param {LayerView[]} members @returns {Face} */
function mixedFace(members) {
  const mean = meanBits(members);
  if (mean === null) return { text: "~", fill: null, ink: colours().text, mark: "is-mixed" };
  return filled(mean.toFixed(1), colours().bits(mean), "is-mixed");
}

/** @param {string} text @param {string} fill @param {string} mark @returns {Face} */
function filled(text, fill, mark) {
  return { text, fill, ink: colours().inkOn(fill), mark: text.length > 1 ? `${mark} is-long`.trim() : mark };
}

/** @param {LayerGrid} grid @param {LayerView[]} layers */
function barsOf(grid, layers) {
  const { blocks, rows } = means(grid, layers);
  const values = blocks.filter((value) => value !== null);
  if (values.length === 0 && rows.every((value) => value === null)) return null;
  const format = (/** @type {number} */ value) => `${value.toFixed(2).replace(/\.?0+$/, "")} bits a weight`;
  return { values: blocks, rows, most: Math.max(1, ...values), format, label: "mean bits" };
}

/**
 * One cell in words.
 * @param {LayerGrid} grid @param {LayerView[]} layers @param {number} cell
 */
export function tellCell(grid, layers, cell) {
  const { members } = grid.cells[cell];
  const place = tellPlace(grid, layers, cell);
  if (members.length === 1) return [place, ...layerFacts(layers[members[0]])].join(" \u00b7 ");
  const counts = countOptions(members.map((index) => layers[index]));
  const options = counts.map(([slug, count]) => `${count} \u00d7 ${slug}`).join(", ");
  const bytes = members.reduce((sum, index) => sum + layers[index].size_bytes, 0);
  return [place, `${formatCount(members.length)} layers`, options, formatBytes(bytes)].join(" \u00b7 ");
}

/** Where a cell is. @param {LayerGrid} grid @param {LayerView[]} layers @param {number} cell */
export function tellPlace(grid, layers, cell) {
  const { row, members } = grid.cells[cell];
  const { block, name } = layers[members[0]];
  return block === null ? name : `block ${block}, ${grid.rows[row].title}`;
}

/** What a layer is told with: option, bits, bytes and shape. @param {LayerView} layer */
export function layerFacts(layer) {
  const bits = layer.bits === null ? null : `${formatBits(layer.bits)} bits`;
  const shape = layer.rows > 0 ? `${formatCount(layer.rows)} \u00d7 ${formatCount(layer.columns)}` : null;
  return [layer.option, bits, formatBytes(layer.size_bytes), shape].filter((fact) => fact !== null);
}

/** @param {LayerView[]} layers @returns {[string, number][]} */
function countOptions(layers) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const layer of layers) counts.set(layer.option, (counts.get(layer.option) ?? 0) + 1);
  return inOrder(counts.keys()).map((slug) => [slug, counts.get(slug) ?? 0]);
}

/**
 * The legend: each option with its look, how many layers take it and their bytes.
 * @param {LayerView[]} layers @param {string[]} [options]
 * @returns {Tone[]}
 */
export function tonesOf(layers, options) {
  const slugs = inOrder(layers.map((layer) => layer.option));
  const texts = cellTexts(options ?? slugs);
  return slugs.map((slug) => {
    const members = layers.filter((layer) => layer.option === slug);
    const weighty = members.find((layer) => layer.bits !== null) ?? members[0];
    const size_bytes = members.reduce((sum, layer) => sum + layer.size_bytes, 0);
    const face = faceOf(weighty, texts);
    return { slug, text: face.text, face, count: members.length, size_bytes, title: optionFacts(slug).title };
  });
}
