// @ts-check
/** Every model there is to work with, each leading to its page. */

import { html } from "../preact.js";
import { href } from "../router.js";
import { formatCount } from "../format.js";
import { Bytes } from "../components/quantity.js";
import { Table } from "../components/table.js";

/** @typedef {import("../model.d.ts").ModelView} ModelView */

/** @param {{models: ModelView[]}} props */
export function ModelList({ models }) {
  return html`
    <${Table} columns=${COLUMNS} rows=${models} caption="Models"
      rowKey=${(/** @type {ModelView} */ each) => each.path} />`;
}

/** @type {import("../compare/columns.js").Column<ModelView>[]} */
const COLUMNS = [
  {
    key: "name", title: "Model", render: (each) => html`
      <a class="model-link" href=${href("/models", { model: each.path })}>${each.name}</a>
      <span class="model-path muted small">${each.path}</span>`,
  },
  { key: "size", title: "Weights", align: "right", render: (each) => html`<${Bytes} value=${each.size_bytes} />` },
  { key: "jobs", title: "Jobs", align: "right", render: (each) => formatCount(each.num_jobs) },
  {
    key: "found", title: "Where", render: (each) => (each.is_found
      ? "in the service's folders"
      : html`<span class="muted" title="A hub id, or moved, or outside --root.">known from its jobs</span>`),
  },
];
