// @ts-check
/** The layers of candidates side by side, and which of them gained or lost bits against the first. */

import { html, useMemo, useState } from "../preact.js";
import { formatBytes, formatCount } from "../format.js";
import { BlockGrid } from "../charts/block-grid.js";
import { layerGrid } from "../charts/layer-grid.js";
import { inOrder } from "../charts/option.js";
import { useColours } from "../charts/theme.js";
import { Strip } from "../charts/strip.js";
import { Card } from "../components/card.js";
import { Table } from "../components/table.js";
import { layerDifferences, sums } from "./differences.js";
import { changeFaces, LEGEND, tellChange } from "./change-faces.js";

/**
 * @typedef {import("./candidates-panel.js").Column} Column
 * @typedef {import("./differences.js").LayerDifference} LayerDifference
 * @typedef {Column & {layers: import("./differences.js").Layer[]}} Read
 */

/** @param {{columns: Column[]}} props */
export function StripsPanel({ columns }) {
  const [pointed, setPointed] = useState(/** @type {number | null} */ (null));
  const read = /** @type {Read[]} */ (columns.filter((column) => column.layers !== null));
  const options = useMemo(() => inOrder(read.flatMap(({ layers }) => layers.map((layer) => layer.option))), [columns]);
  const untold = columns.filter((column) => column.layersProblem && !column.problem);
  if (read.length === 0 && untold.length === 0) return null;
  return html`
    <${Card} title="Their layers">
      ${untold.map((column) => html`<p class="note" key=${column.pick.key}>
        ${column.letter}: ${column.layersProblem?.message}</p>`)}
      ${read.map((column, index) => html`
        <section class="strip-pair" key=${column.pick.key}>
          <${OneStrip} column=${column} options=${options} pointed=${pointed} onPoint=${setPointed} />
          ${index > 0 && html`<${Difference} base=${read[0]} column=${column} />`}
        </section>`)}
    <//>`;
}

/** @param {{column: Read, options: string[], pointed: number | null, onPoint: (cell: number | null) => void}} props */
function OneStrip({ column, options, pointed, onPoint }) {
  const grid = useMemo(() => layerGrid(column.layers), [column.layers]);
  const label = `Layers of ${column.letter}, ${column.title} ${column.pick.seq}`;
  return html`
    <figure class="strip-figure">
      <figcaption><span class="letter">${column.letter}</span> ${column.title}, ${column.pick.seq}</figcaption>
      <${Strip} grid=${grid} layers=${column.layers} options=${options} chosen=${pointed} onPoint=${onPoint}
        label=${label} />
    </figure>`;
}

/** @param {{base: Read, column: Read}} props */
function Difference({ base, column }) {
  const [pointed, setPointed] = useState(/** @type {number | null} */ (null));
  const scheme = useColours();
  const differences = useMemo(() => layerDifferences(base.layers, column.layers), [base.layers, column.layers]);
  const grid = useMemo(() => layerGrid(differences), [differences]);
  const faces = useMemo(() => changeFaces(grid, differences), [grid, differences, scheme]);
  const changed = useMemo(() => differences.filter((each) => each.change !== "same"), [differences]);
  const tell = (/** @type {number} */ cell) => tellChange(grid, differences, cell);
  const isShared = differences.some((each) => each.before && each.after);
  const names = `from ${base.letter} to ${column.letter}`;
  return html`
    <figure class="strip-figure is-difference">
      <figcaption><strong>What changes ${names}</strong>
        <span class="difference-sum" data-testid="difference-sum">${summaryTold(differences)}</span></figcaption>
      ${isShared && changed.length > 0 && html`
        <${BlockGrid} grid=${grid} faces=${faces} chosen=${pointed} onPoint=${setPointed}
          tell=${tell} label=${`Bits gained and lost ${names}`} />
        <p class="cell-told" role="status">${pointed === null ? LEGEND : tell(pointed)}</p>
        <details class="points">
          <summary>Table of the ${formatCount(changed.length)} changed layers</summary>
          <${Table} columns=${columnsOf(base.letter, column.letter)} rows=${changed} maxHeight=${360}
            rowKey=${(/** @type {LayerDifference} */ each) => each.name} caption=${`Layers that change ${names}`} />
        </details>`}
    </figure>`;
}

/** @type {(differences: LayerDifference[]) => string} */
export function summaryTold(differences) {
  const { gained, lost, other, same, missing } = sums(differences);
  if (missing.count === differences.length) return "Their spaces have no layer in common.";
  if (same.count === differences.length) return "Nothing: every layer takes the same option.";
  const told = [
    gained.count && `${layers(gained.count)} gained (+${formatBytes(gained.bytes)})`,
    lost.count && `${layers(lost.count)} lost (−${formatBytes(-lost.bytes)})`,
    other.count && `${layers(other.count)} of another option at equal bits`,
    missing.count && `${layers(missing.count)} in one space only`,
    `${formatCount(same.count)} the same`,
  ];
  return `${told.filter(Boolean).join(", ")}.`;
}

/** @type {(count: number) => string} */
const layers = (count) => `${formatCount(count)} ${count === 1 ? "layer" : "layers"}`;

/** @type {(before: string, after: string) => import("./columns.js").Column<LayerDifference>[]} */
function columnsOf(before, after) {
  return [
    { key: "name", title: "Layer", render: (each) => each.name },
    { key: "before", title: before, render: (each) => each.before?.option ?? "not in its space" },
    { key: "after", title: after, render: (each) => each.after?.option ?? "not in its space" },
    {
      key: "bits", title: "Bits", align: "right",
      render: ({ bits }) => (bits === null ? "–" : signed(bits)),
    },
    { key: "bytes", title: "Bytes", align: "right", render: ({ bytes }) => signed(bytes) },
  ];
}

/** @type {(value: number) => string} */
function signed(value) {
  const told = Math.abs(value).toLocaleString("en", { maximumFractionDigits: 2 });
  return value === 0 ? "0" : `${value > 0 ? "+" : "−"}${told}`;
}
