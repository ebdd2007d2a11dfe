// @ts-check
/** What is kept on disk: the banks of compressed weights, and the evaluations that no job has to repeat. */

import { html } from "../preact.js";
import { usePolled } from "../live.js";
import { formatBytes, formatCount } from "../format.js";
import { Term } from "../terms.js";
import { Card } from "../components/card.js";
import { Loading } from "../components/loading.js";
import { ProblemBox } from "../components/problem-box.js";
import { Ago, Bytes } from "../components/quantity.js";
import { Table } from "../components/table.js";
import { baseName } from "../compare/lines.js";

/**
 * @typedef {{key: string, name: string, model: string | null, num_entries: number, size_bytes: number,
 *   updated_at: string}} Bank
 * @typedef {{evaluations: Record<string, number>, samples: Record<string, number>, jobs: Record<string, number>,
 *   evaluation_bytes: number, sample_bytes: number}} Cache
 */

const EVERY_MS = 10_000;

/** @param {{model: string | null}} props */
export function BanksPanel({ model }) {
  const asked = usePolled("banks", {}, EVERY_MS);
  const all = /** @type {Bank[] | null} */ (asked.value?.items ?? null);
  const banks = all?.filter((bank) => model === null || bank.model === model) ?? null;
  return html`
    <${Card} title=${html`<${Term} name="bank">Banks<//>`}>
      ${asked.problem && html`<${ProblemBox} problem=${asked.problem} />`}
      ${!banks && !asked.problem && html`<${Loading} />`}
      ${banks?.length === 0 && html`<p class="muted">${noneTold(all ?? [], model !== null)}</p>`}
      ${asked.value?.is_complete === false && html`<p class="muted small">Still looking through the folders.</p>`}
      ${banks && banks.length > 0 && html`
        <${Table} columns=${COLUMNS} rows=${banks} rowKey=${keyOf} caption="Banks" maxHeight=${320} />
        <p class="muted small">${formatBytes(banks.reduce((sum, bank) => sum + bank.size_bytes, 0))} together.</p>`}
    <//>`;
}

/** @type {(all: Bank[], isOfOne: boolean) => string} */
function noneTold(all, isOfOne) {
  if (all.length === 0) return "None yet. The first job on a model makes one, and later jobs share it.";
  const unnamed = all.filter((bank) => !bank.model).length;
  if (!isOfOne || unnamed === 0) return "None of this model.";
  return `None is known to be of this model; ${unnamed} on disk ${unnamed === 1 ? "has" : "have"} no job that names it.`;
}

/** @type {(bank: Bank) => string} */
const keyOf = (bank) => bank.key;

/** @type {import("../compare/columns.js").Column<Bank>[]} */
const COLUMNS = [
  {
    key: "name", title: "Bank",
    render: (bank) => html`<code title="the beginning of the hash of the model's weights">${bank.key}</code>`,
  },
  {
    key: "model", title: "Model", render: ({ model }) => (model
      ? html`<span title=${model}>${baseName(model)}</span>` : html`<span class="muted">not known</span>`),
  },
  { key: "entries", title: "Entries", align: "right", render: (bank) => formatCount(bank.num_entries) },
  { key: "size", title: "Size", align: "right", render: (bank) => html`<${Bytes} value=${bank.size_bytes} />` },
  { key: "updated", title: "Last written", align: "right", render: (bank) => html`<${Ago} date=${bank.updated_at} />` },
];

export function CachePanel() {
  const asked = usePolled("cache", {}, EVERY_MS);
  const cache = /** @type {Cache | null} */ (asked.value);
  return html`
    <${Card} title="Cache">
      ${asked.problem && html`<${ProblemBox} problem=${asked.problem} />`}
      ${!cache && !asked.problem && html`<${Loading} />`}
      ${cache && html`
        <dl class="store-facts">
          <dt>Evaluations</dt><dd>${statesTold(cache.evaluations)}</dd>
          <dt>Losses kept</dt><dd><${Bytes} value=${cache.evaluation_bytes} /></dd>
          <dt>Statistics</dt><dd>${statesTold(cache.samples)}</dd>
          <dt>Statistics kept</dt><dd><${Bytes} value=${cache.sample_bytes} /></dd>
          <dt>Jobs</dt><dd>${statesTold(cache.jobs)}</dd>
        </dl>
        <p class="muted small">An <${Term} name="evaluation">evaluation<//> that is done is never computed again, by
          this job or another.</p>`}
    <//>`;
}

/** @type {(states: Record<string, number>) => string} */
function statesTold(states) {
  const told = Object.entries(states).filter(([, count]) => count > 0)
    .map(([state, count]) => `${formatCount(count)} ${state.replaceAll("_", " ")}`);
  return told.join(", ") || "none";
}
