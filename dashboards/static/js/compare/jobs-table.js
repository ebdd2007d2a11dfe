// @ts-check
/** The jobs of a comparison as a table, which is the legend of the charts as well. */

import { html } from "../preact.js";
import { Link } from "../router.js";
import { formatBytes, formatCount, formatLoss } from "../format.js";
import { Term } from "../terms.js";
import { Badge } from "../components/badge.js";
import { Button } from "../components/button.js";
import { Table } from "../components/table.js";
import { JobMark } from "./job-mark.js";
import { baseName, budgetTold } from "./lines.js";

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {{lines: Line[], hidden: Set<string>, onHide: (id: string) => void, onRemove: (id: string) => void}} Props
 */

/** @param {Props} props */
export function JobsTable(props) {
  const { lines, hidden } = props;
  const objectives = new Set(lines.map((line) => line.front.objective));
  const models = new Set(lines.map((line) => line.front.model));
  const reference = lines.find((line) => line.front.hypervolume)?.front.hypervolume?.reference;
  return html`
    <${Table} columns=${columns(props, models.size > 1)} rows=${lines} rowKey=${(/** @type {Line} */ line) => line.id}
      caption="The jobs compared" />
    ${models.size === 1 && html`<p class="muted small">On ${" "}
      <${Link} to="/models" query=${{ model: lines[0].front.model }}>${baseName(lines[0].front.model)}<//>.</p>`}
    ${reference && lines.length > 1 && html`
      <p class="muted small"><${Term} name="hypervolume">Hypervolumes<//> are measured from one reference: ${" "}
        ${reference.bits_per_weight.toFixed(2)} bits per weight, loss ${formatLoss(reference.loss, null)}. Larger is
        better.</p>`}
    ${!reference && objectives.size > 1 && html`<p class="muted small">Hypervolumes have no common reference: the
      objectives differ.</p>`}
    ${hidden.size > 0 && html`<p class="muted small">${formatCount(hidden.size)} hidden in the charts.</p>`}`;
}

/** @type {(props: Props, hasModels: boolean) => import("./columns.js").Column<Line>[]} */
function columns({ hidden, onHide, onRemove }, hasModels) {
  return [
    {
      key: "title", title: "Job", render: (line) => html`
        <span class=${hidden.has(line.id) ? "job-name is-hidden" : "job-name"}>
          <${JobMark} line=${line} /> <${Link} to=${`/jobs/${line.id}`}>${line.title}<//></span>`,
    },
    { key: "state", title: "State", render: (line) => html`<${Badge} state=${line.front.state} />` },
    ...(hasModels ? [{
      key: "model", title: "Model",
      render: (/** @type {Line} */ { front }) => html`<span title=${front.model}>${baseName(front.model)}</span>`,
    }] : []),
    { key: "strategy", title: "Strategy", render: ({ front }) => `${front.strategy}, seed ${front.seed}` },
    { key: "budget", title: "Budget", render: ({ front }) => budgetTold(front) },
    { key: "points", title: "Front", align: "right", render: ({ front }) => pointsTold(front) },
    {
      key: "hypervolume", title: "Hypervolume", term: "hypervolume", align: "right",
      render: ({ front }) => front.hypervolume?.value.toPrecision(4) ?? "–",
    },
    {
      key: "actions", title: html`<span class="unseen">Actions</span>`, align: "right", render: (line) => html`
        <span class="row-actions">
          <${Button} kind="quiet" small aria-pressed=${hidden.has(line.id) ? "true" : "false"}
            aria-label=${`Hide ${line.title} in the charts`}
            onClick=${() => onHide(line.id)}>${hidden.has(line.id) ? "Show" : "Hide"}<//>
          <${Button} kind="quiet" small icon="close" title="Remove" aria-label=${`Remove ${line.title}`}
            onClick=${() => onRemove(line.id)} />
        </span>`,
    },
  ];
}

/** @param {import("./data.js").ComparedFront} front */
function pointsTold({ items }) {
  if (items.length === 0) return html`<span class="muted">nothing yet</span>`;
  const [smallest, largest] = [items[0], items[items.length - 1]];
  const range = `${formatBytes(smallest.size_bytes)} to ${formatBytes(largest.size_bytes)}`;
  return html`<span title=${range}>${formatCount(items.length)} ${items.length === 1 ? "point" : "points"}</span>`;
}
