// @ts-check
/** Every job with how far it is and how well it does; the way to steer, compare and begin them. */

import { Button, ButtonLink } from "../components/button.js";
import { EmptyState } from "../components/empty-state.js";
import { Icon } from "../components/icon.js";
import { Loading } from "../components/loading.js";
import { ProblemBox } from "../components/problem-box.js";
import { Tooltip } from "../components/tooltip.js";
import { FirstTime } from "../jobs/first-time.js";
import { Filters } from "../jobs/filters.js";
import { useJobList } from "../jobs/list.js";
import { FILTERS, orderOf, orderText, parametersOf, sorted, ORDERS } from "../jobs/query.js";
import { JobRow } from "../jobs/row.js";
import { usePolled } from "../live.js";
import { html, useEffect, useMemo, useState } from "../preact.js";
import { useQuery } from "../router.js";
import { TERMS } from "../terms.js";

/** @typedef {import("../jobs/query.js").Order} Order */

const COLUMNS = [
  { key: "name", title: "Job", class: "job-name" },
  { key: "state", title: "State", class: "job-state" },
  { key: "progress", title: "Progress", class: "job-progress" },
  { key: "ratio", title: "Against uniform", term: "uniform baseline", class: "job-best" },
  { key: "event", title: "Last event", class: "job-event" },
];

export function JobsPage() {
  const [query, setQuery] = useQuery();
  const list = useJobList(parametersOf(query));
  const models = usePolled("models", { limit: 200 }, 0);
  const [selected, setSelected] = useState(/** @type {string[]} */ ([]));
  const order = orderOf(query.sort);
  const jobs = useMemo(() => sorted(list.jobs, order), [list.jobs, query.sort]);
  const isFiltered = FILTERS.some((name) => query[name]);
  const owners = useSeen(list.jobs.map((job) => job.owner));
  const known =
    models.value?.items
      .filter((/** @type {any} */ one) => one.num_jobs > 0)
      .map((/** @type {any} */ one) => one.path) ?? [];
  const toggle = (/** @type {string} */ id) =>
    setSelected((before) => (before.includes(id) ? before.filter((one) => one !== id) : [...before, id]));
  const isEmpty = list.isKnown && jobs.length === 0;

  return html`<header class="page-header"><h1>Jobs</h1></header>
    ${(isFiltered || !isEmpty) && html`<${Filters} query=${query} setQuery=${setQuery} models=${known}
    owners=${owners} />`}
    ${list.problem && !(list.isKnown && list.problem.isPassing) && html`<${ProblemBox} problem=${list.problem}
    onRetry=${list.reload} isRetrying=${list.problem.isPassing} />`}
    <p class="unseen" role="status">${list.isKnown && `${jobs.length} jobs shown`}</p>
    ${!list.isKnown && !list.problem && html`<${Loading} rows=${6}>Reading the jobs</${Loading}>`}
    ${isEmpty && (isFiltered ? html`<${NothingFits} />` : html`<${FirstTime} />`)}
    ${
      jobs.length > 0 &&
      html`<div class="job-list" role="table" aria-label="Jobs">
      <${Head} order=${order} onOrder=${(/** @type {Order} */ next) => setQuery({ sort: orderText(next) })} />
      <div role="rowgroup">${jobs.map((job) => html`<${JobRow} key=${job.id} job=${job}
          isSelected=${selected.includes(job.id)} onSelect=${toggle} put=${list.put} />`)}</div>
    </div>`
    }
    ${list.moreProblem && html`<${ProblemBox} problem=${list.moreProblem} />`}
    ${
      list.hasMore &&
      html`<div class="more"><${Button} busy=${list.isLoadingMore} onClick=${list.more}>Show older jobs</${Button}>
      ${order.key !== "created" && html`<p
      class="muted small">The order is that of the ${jobs.length} jobs shown so far.</p>`}</div>`
    }
    ${selected.length > 0 && html`<${Selection} ids=${selected} onClear=${() => setSelected([])} />`}`;
}

/** @param {{order: Order, onOrder: (order: Order) => void}} props */
function Head({ order, onOrder }) {
  const press = (/** @type {string} */ key) =>
    onOrder({ key, isDescending: order.key === key ? !order.isDescending : ORDERS[key].isDescending });
  return html`<div role="rowgroup"><div role="row" class="job-row job-head">
    <div role="columnheader" class="job-pick"><span class="unseen">Select</span></div>
    ${COLUMNS.map(({ key, title, term, class: name }) => {
      const isSorted = order.key === key;
      return html`<div role="columnheader" key=${key} class=${name}
          aria-sort=${isSorted ? (order.isDescending ? "descending" : "ascending") : undefined}>
        <${Explained} term=${term}><button type="button" class=${`head-button ${isSorted ? "sorted" : ""}`}
            onClick=${() => press(key)}>
          <span class=${term ? "term" : ""}>${title}</span>
          <${Icon} name=${isSorted && order.isDescending ? "down" : "up"} /></button></${Explained}>
      </div>`;
    })}
    <div role="columnheader" class="job-verbs"><span class="unseen">Actions</span></div>
  </div></div>`;
}

/** @param {{term?: string, children?: any}} props */
function Explained({ term, children }) {
  return term ? html`<${Tooltip} text=${TERMS[term]}>${children}</${Tooltip}>` : children;
}

/** @param {{ids: string[], onClear: () => void}} props */
function Selection({ ids, onClear }) {
  return html`<div class="selection-bar" role="region" aria-label="Selected jobs">
    <span>${ids.length === 1 ? "1 job selected; select another to compare" : `${ids.length} jobs selected`}</span>
    <${Button} kind="quiet" onClick=${onClear}>Clear</${Button}>
    ${ids.length > 1 && html`<${ButtonLink} to="/compare" query=${{ jobs: ids.join(",") }} kind="primary"
    icon="compare">Compare</${ButtonLink}>`}
  </div>`;
}

function NothingFits() {
  return html`<${EmptyState} title="No job fits">
    <p>Clear a filter, or search for part of a name, a note, a model or an id.</p>
  </${EmptyState}>`;
}

/** Every value that was ever seen, so that a filter does not take away the way back. @param {string[]} values */
function useSeen(values) {
  const [seen, setSeen] = useState(/** @type {string[]} */ ([]));
  const key = [...new Set(values)].sort().join("\n");
  useEffect(() => {
    setSeen((before) => [...new Set([...before, ...values])].sort());
  }, [key]);
  return seen;
}
