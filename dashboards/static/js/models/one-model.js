// @ts-check
/** One model: the fronts of all its jobs in one chart, its jobs, and the banks made of it. */

import { html, useMemo } from "../preact.js";
import { Link, useQuery } from "../router.js";
import { formatLoss } from "../format.js";
import { Badge } from "../components/badge.js";
import { ButtonLink } from "../components/button.js";
import { Card } from "../components/card.js";
import { EmptyState } from "../components/empty-state.js";
import { Loading } from "../components/loading.js";
import { ProblemBox } from "../components/problem-box.js";
import { Ago } from "../components/quantity.js";
import { Table } from "../components/table.js";
import { FrontsPanel } from "../compare/fronts-panel.js";
import { JobMark } from "../compare/job-mark.js";
import { linesOf } from "../compare/lines.js";
import { MOST_JOBS } from "../compare/view.js";
import { MOST_DRAWN, useModel, useUnions } from "./data.js";

/**
 * @typedef {import("../model.d.ts").JobView} JobView
 * @typedef {import("../compare/lines.js").Line} Line
 */

/** @param {{path: string, name: string}} props */
export function OneModel({ path, name }) {
  const [query] = useQuery();
  const { value, problem } = useModel(path);
  const fronts = value?.fronts ?? NONE;
  const unions = useUnions(value);
  const lines = useMemo(() => linesOf(fronts, fronts.map((front) => front.id)), [fronts]);
  const measured = useMemo(() => lines.filter((line) => line.front.items.length > 0), [lines]);
  const hidden = useMemo(() => new Set((query.hidden ?? "").split(",")), [query.hidden]);
  return html`
    <section class="one-model" aria-label=${`Model ${name}`}>
      <header class="page-header">
        <div><p class="small"><${Link} to="/models">All models<//></p><h1>${name}</h1>
          <p class="muted small">${path}</p></div>
        <div class="head-actions">
          ${measured.length > 1 && html`<${ButtonLink} to="/compare" icon="compare"
            query=${{ jobs: measured.slice(0, MOST_JOBS).map((line) => line.id).join(",") }}>Compare its jobs<//>`}
          <${ButtonLink} to="/submit" kind="primary" icon="plus" query=${{ model: path }}>New job on this model<//>
        </div>
      </header>
      ${problem && html`<${ProblemBox} problem=${problem} />`}
      ${!value && !problem && html`<${Loading} rows=${4} />`}
      ${value?.jobs.length === 0 && html`
        <${EmptyState} title="No jobs on this model yet">
          <p>A job searches for the best way to compress it within a budget. Its front will stand here.</p><//>`}
      ${value && value.jobs.length > 0 && html`
        ${measured.length > 0
          ? html`<${FrontsPanel} title="All its fronts" lines=${measured} plains=${NO_PLAINS} hidden=${hidden}
              marked=${NO_MARKS} onPick=${null} unions=${unions} hasBaselines=${false}
              notes=${notesOf(value.messages)} />`
          : html`<p class="muted">None of its jobs has measured a candidate that holds yet: there is no front.</p>`}
        <${Jobs} jobs=${value.jobs} lines=${measured} hasMore=${value.hasMore} />`}
    </section>`;
}

const NONE = /** @type {import("../compare/data.js").ComparedFront[]} */ ([]);
const NO_PLAINS = {};
const NO_MARKS = /** @type {import("../charts/overlay.js").Marked[]} */ ([]);

/** @type {(messages: Record<string, string>) => Record<string, string>} */
const notesOf = (messages) => Object.fromEntries(Object.entries(messages).map(([objective, message]) =>
  [objective, message && `There is no one front of all: ${message}.`]));

/** @param {{jobs: JobView[], lines: Line[], hasMore: boolean}} props */
function Jobs({ jobs, lines, hasMore }) {
  const marks = new Map(lines.map((line) => [line.id, line]));
  return html`
    <${Card} title="Its jobs">
      <${Table} columns=${columns(marks)} rows=${jobs} rowKey=${(/** @type {JobView} */ job) => job.id}
        caption="Jobs on this model" />
      ${jobs.length > MOST_DRAWN && html`<p class="muted small">The chart shows the newest ${MOST_DRAWN}.</p>`}
      ${hasMore && html`<p class="muted small">The newest ${jobs.length} are listed;
        <${Link} to="/jobs">all jobs<//> has the rest.</p>`}
    <//>`;
}

/** @type {(marks: Map<string, Line>) => import("../compare/columns.js").Column<JobView>[]} */
function columns(marks) {
  return [
    {
      key: "name", title: "Job", render: (job) => html`
        <span class="job-name">${marks.has(job.id) && html`<${JobMark} line=${marks.get(job.id)} /> `}
          <${Link} to=${`/jobs/${job.id}`}>${job.name || job.id}<//></span>`,
    },
    { key: "state", title: "State", render: (job) => html`<${Badge} state=${job.state} />` },
    { key: "strategy", title: "Strategy", render: (job) => marks.get(job.id)?.front.strategy ?? strategyOf(job) },
    {
      key: "points", title: "Front", align: "right",
      render: (job) => (marks.has(job.id) ? `${marks.get(job.id)?.front.items.length} points` : "–"),
    },
    { key: "best", title: "Least loss", align: "right", render: (job) => formatLoss(job.progress?.best, null) },
    { key: "created", title: "Handed in", align: "right", render: (job) => html`<${Ago} date=${job.created_at} />` },
  ];
}

/** @type {(job: JobView & {strategy?: string}) => string} */
const strategyOf = (job) => job.strategy ?? "–";
