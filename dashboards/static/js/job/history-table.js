// @ts-check
/** Every step of the best so far as a table, the latest first. */

import { AXIS_NAMES, placeText } from "../charts/history.js";
import { Bytes, Table } from "../components/index.js";
import { formatPercent } from "../format.js";
import { html, useMemo } from "../preact.js";
import { lossText } from "./standing.js";

/**
 * @typedef {import("../charts/history.js").HistoryView} HistoryView
 * @typedef {import("./history.js").Moment & {before: number | null}} Row
 */

/** @param {{view: HistoryView, selected: number | null, onSelect: (seq: number) => void}} props */
export function HistoryTable({ view, selected, onSelect }) {
  const rows = useMemo(() => rowsOf(view), [view.best]);
  const columns = useMemo(() => columnsOf(view), [view.over, view.isArea, view.valueName]);
  const select = (/** @type {Row} */ row) => onSelect(seqOf(row));
  return html`<${Table} columns=${columns} rows=${rows} rowKey=${seqOf} selectedKey=${selected} onSelect=${select}
    caption="Every step of the best so far, the latest first" maxHeight=${320} />`;
}

/** @param {HistoryView} view @returns {Row[]} */
function rowsOf({ best }) {
  return best.map((moment, index) => ({ ...moment, before: index > 0 ? best[index - 1].y : null })).reverse();
}

/** @param {Row} row */
function seqOf(row) {
  return row.candidate.seq;
}

/** @param {HistoryView} view */
function columnsOf({ over, isArea, valueName }) {
  const right = /** @type {const} */ ("right");
  return [
    { key: "x", title: AXIS_NAMES[over], align: right, render: (/** @type {Row} */ row) => placeText(row.x, over) },
    { key: "y", title: valueName, align: right,
      render: (/** @type {Row} */ row) => (isArea ? row.y.toPrecision(4) : lossText(row.candidate)) },
    { key: "gain", title: "gain", align: right, render: gainText },
    { key: "size", title: "size", align: right,
      render: (/** @type {Row} */ row) => html`<${Bytes} value=${row.candidate.size_bytes} />` },
    { key: "label", title: "proposed by", render: (/** @type {Row} */ row) => row.candidate.label },
  ];
}

/** How much better than the step before. @param {Row} row */
function gainText({ y, before }) {
  if (before === null || before === 0) return "";
  const share = Math.abs(1 - y / before);
  return share < 0.1 ? `${(100 * share).toPrecision(2)}\u00a0%` : formatPercent(share);
}
