// @ts-check
/** The layers of a candidate as a table: all that the strip shows, in words and figures. */

import { tellLoss } from "../charts/sensitivity.js";
import { Bytes, Table } from "../components/index.js";
import { formatBits, formatCount, formatLoss } from "../format.js";
import { html, useMemo, useState } from "../preact.js";

/**
 * @typedef {import("../charts/layer-grid.js").LayerView} LayerView
 * @typedef {LayerView & {index: number, loss: number | null | undefined}} Row
 */

/** @type {Record<string, (row: Row) => number | string>} */
const ORDERS = {
  block: (row) => row.block ?? Infinity,
  module: (row) => row.module,
  option: (row) => row.option,
  bits: (row) => row.bits ?? -1,
  size_bytes: (row) => row.size_bytes,
  shape: (row) => row.rows * row.columns,
  loss: (row) => row.loss ?? -1,
};

/** @param {{layers: LayerView[], losses: (number | null | undefined)[] | null, unit: string}} props */
export function LayerTable({ layers, losses, unit }) {
  const [sort, setSort] = useState(/** @type {{key: string, isDescending: boolean} | null} */ (null));
  const rows = useMemo(() => sorted(layers, losses, sort), [layers, losses, sort]);
  const columns = useMemo(() => columnsOf(losses !== null, unit), [losses !== null, unit]);
  return html`<${Table} columns=${columns} rows=${rows} rowKey=${(/** @type {Row} */ row) => row.name} sort=${sort}
    onSort=${setSort}
    caption="Every layer with its option, bits, bytes and shape" maxHeight=${420} />`;
}

/** @param {boolean} hasLosses @param {string} unit */
function columnsOf(hasLosses, unit) {
  return [
    { key: "block", title: "block", align: "right", sort: true, render: (/** @type {Row} */ row) => row.block ?? "" },
    { key: "module", title: "module", sort: true, render: moduleCell },
    { key: "option", title: "option", term: "option", sort: true },
    { key: "bits", title: "bits", align: "right", sort: true, render: bitsCell },
    { key: "size_bytes", title: "size", align: "right", sort: true, render: sizeCell },
    { key: "shape", title: "shape", align: "right", sort: true, render: shapeCell },
    ...(hasLosses ? [lossColumn(unit)] : []),
  ];
}

/** @param {string} unit */
function lossColumn(unit) {
  const render = (/** @type {Row} */ { loss }) => html`<span title=${tellLoss(loss, unit)}>${lossCell(loss)}</span>`;
  return { key: "loss", title: "sensitivity", term: "sensitivity", align: "right", sort: true, render };
}

/** @param {Row} row */
function moduleCell({ name, block, module }) {
  return html`<span title=${name}>${block === null ? name : module}</span>`;
}

/** @param {Row} row */
function bitsCell({ bits }) {
  return bits === null ? "" : formatBits(bits);
}

/** @param {Row} row */
function sizeCell({ size_bytes }) {
  return html`<${Bytes} value=${size_bytes} />`;
}

/** @param {Row} row */
function shapeCell({ rows, columns }) {
  return rows > 0 ? `${formatCount(rows)} \u00d7 ${formatCount(columns)}` : "";
}

/** @param {number | null | undefined} loss */
function lossCell(loss) {
  return typeof loss === "number" ? formatLoss(loss) : "";
}

/** @param {LayerView[]} layers @param {(number | null | undefined)[] | null} losses
 *  @param {{key: string, isDescending: boolean} | null} sort @returns {Row[]} */
function sorted(layers, losses, sort) {
  const rows = layers.map((layer, index) => ({ ...layer, index, loss: losses?.[index] }));
  const order = sort === null ? undefined : ORDERS[sort.key];
  if (!order) return rows;
  const sign = sort?.isDescending ? -1 : 1;
  return rows.sort((left, right) => {
    const [a, b] = [order(left), order(right)];
    return sign * (typeof a === "string" ? a.localeCompare(String(b)) : a - Number(b)) || left.index - right.index;
  });
}
