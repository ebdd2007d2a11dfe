// @ts-check
/** Jobs and candidates side by side: fronts in one chart, losses at equal size, figures, and where the bits went. */

import { html, useMemo, useState } from "../preact.js";
import { useQuery } from "../router.js";
import { Button, ButtonLink } from "../components/button.js";
import { EmptyState } from "../components/empty-state.js";
import { Loading } from "../components/loading.js";
import { ProblemBox } from "../components/problem-box.js";
import { CandidatesPanel, columnsOf } from "../compare/candidates-panel.js";
import { useChosen } from "../compare/chosen.js";
import { useComparison } from "../compare/data.js";
import { FrontsPanel } from "../compare/fronts-panel.js";
import { JobsTable } from "../compare/jobs-table.js";
import { useKinds } from "../compare/kinds.js";
import { linesOf } from "../compare/lines.js";
import { CandidatePicker, JobPicker } from "../compare/pickers.js";
import { RatioPanel } from "../compare/ratio-panel.js";
import { StripsPanel } from "../compare/strips-panel.js";
import {
  MOST_CANDIDATES, MOST_JOBS, readJobs, readPicks, shownJobs, withJob, withoutJob, withToggled,
} from "../compare/view.js";
import { ExportDialog } from "../export/dialog.js";

/** @typedef {import("../compare/view.js").Pick} Pick */

export function ComparePage() {
  const view = useCompared();
  const { ids, query, setQuery, compared, lines, columns, picks, dialog, setDialog } = view;
  const plains = compared.value?.plains ?? NO_PLAINS;
  const close = () => setDialog(null);
  const toggle = (/** @type {Pick} */ pick) => setQuery(withToggled(query, pick));
  const isFull = picks.length >= MOST_CANDIDATES;
  const isBeside = (/** @type {Pick} */ pick) => picks.some((each) => each.key === pick.key);
  const mayAdd = (/** @type {Pick} */ pick) => !isFull && !isBeside(pick);
  const closeWith = (/** @type {Record<string, string | null>} */ changes) => {
    setQuery(changes);
    close();
  };
  return html`
    <div class="compare-page">
      <header class="page-header">
        <h1>Compare</h1>
        <${Button} icon="plus" kind=${ids.length ? "plain" : "primary"} disabled=${ids.length >= MOST_JOBS}
          onClick=${() => setDialog("job")}>Add a job<//>
      </header>
      ${ids.length === 0 && html`<${NothingChosen} />`}
      <${Notes} view=${view} />
      ${compared.isLoading && !compared.value && html`<${Loading} />`}
      ${lines.length > 0 && html`
        <section aria-label="Jobs">
          <${JobsTable} lines=${lines} hidden=${view.hidden}
            onRemove=${(/** @type {string} */ id) => setQuery(withoutJob(query, id))}
            onHide=${(/** @type {string} */ id) => setQuery({ hidden: toggled(readJobs(query.hidden), id) })} />
        </section>
        <div class="compare-charts">
          <${FrontsPanel} lines=${lines} plains=${plains} hidden=${view.hidden} marked=${view.marked}
            onPick=${(/** @type {Pick} */ pick) => (isBeside(pick) || mayAdd(pick)) && toggle(pick)} />
          <${RatioPanel} lines=${view.shown} plains=${plains}
            kinds=${view.kinds} message=${compared.value?.message ?? ""} />
        </div>`}
      ${(lines.length > 0 || picks.length > 0) && html`
        <${CandidatesPanel} columns=${columns} onRemove=${toggle} onExport=${setDialog}
          onAdd=${() => setDialog("candidate")} />
        ${isFull && html`<p class="muted small">More than ${MOST_CANDIDATES} side by side cannot be read; remove one
          to add another.</p>`}
        <${StripsPanel} columns=${columns} />`}
      ${dialog === "job" && html`
        <${JobPicker} shown=${ids} onClose=${close}
          onPick=${(/** @type {string} */ id) => closeWith(withJob(query, id))} />`}
      ${dialog === "candidate" && html`
        <${CandidatePicker} lines=${lines} picked=${new Set(picks.map((each) => each.key))} onClose=${close}
          onPick=${(/** @type {Pick} */ pick) => closeWith(mayAdd(pick) ? withToggled(query, pick) : {})} />`}
      ${dialog !== null && typeof dialog === "object" && html`
        <${ExportDialog} jobId=${dialog.jobId} seq=${dialog.seq} onClose=${close} />`}
    </div>`;
}

const NO_PLAINS = {};

/** All that the page shows, from the address and what the service answers. */
function useCompared() {
  const [query, setQuery] = useQuery();
  const [dialog, setDialog] = useState(/** @type {"job" | "candidate" | Pick | null} */ (null));
  const all = useMemo(() => shownJobs(query), [query.jobs, query.candidates]);
  const ids = useMemo(() => all.slice(0, MOST_JOBS), [all]);
  const picks = useMemo(() => readPicks(query.candidates).slice(0, MOST_CANDIDATES), [query.candidates]);
  const compared = useComparison(ids);
  const chosen = useChosen(picks);
  const lines = useMemo(() => linesOf(compared.value?.fronts ?? [], ids), [compared.value, ids]);
  const hidden = useMemo(() => new Set(readJobs(query.hidden)), [query.hidden]);
  const shown = useMemo(() => lines.filter((line) => !hidden.has(line.id)), [lines, hidden]);
  const known = useMemo(() => lines.map((line) => line.id), [lines]);
  const kinds = useKinds(known, compared.value?.isComparable ?? true);
  const columns = useMemo(() => columnsOf(chosen, query.base, lines, kinds), [chosen, query.base, lines, kinds]);
  const marked = useMemo(() => markedOf(columns), [columns]);
  const asked = { query, setQuery, dialog, setDialog, all, ids, picks };
  return { ...asked, compared, lines, hidden, shown, kinds, columns, marked };
}

/** @type {(columns: import("../compare/candidates-panel.js").Column[]) => import("../charts/overlay.js").Marked[]} */
const markedOf = (columns) => columns.flatMap(({ pick, letter, candidate }) =>
  (candidate ? [{ letter, jobId: pick.jobId, candidate }] : []));

/** What stands in the way of comparing, in words. @param {{view: ReturnType<typeof useCompared>}} props */
function Notes({ view: { all, ids, query, setQuery, compared } }) {
  const gone = Object.keys(compared.value?.gone ?? {});
  return html`
    <div class="notes" role="status">
      ${compared.problem && html`<${ProblemBox} problem=${compared.problem} onRetry=${compared.reload} />`}
      ${all.length > ids.length && html`
        <p class="note">Only the first ${MOST_JOBS} of ${all.length} jobs are shown.</p>`}
      ${gone.map((id) => html`
        <p class="note" key=${id}>There is no job ${id}: it was deleted, or never was.
          ${" "}<${Button} small onClick=${() => setQuery(withoutJob(query, id))}>Take it out<//></p>`)}
      ${compared.value && !compared.value.isComparable && html`
        <p class="note" data-testid="not-comparable">Compare with care: ${compared.value.message}.</p>`}
    </div>`;
}

function NothingChosen() {
  return html`
    <${EmptyState} title="Nothing to compare yet" action=${html`<${ButtonLink} to="/jobs">See all jobs<//>`}>
      <p>Add two jobs or more: their fronts stand in one chart, with their losses at equal size. Then click points of
        the fronts to put candidates side by side and see which layers gained or lost bits.</p>
      <p>The address keeps what you chose, so you can send it to somebody.</p>
    <//>`;
}

/** @type {(ids: string[], id: string) => string | null} */
const toggled = (ids, id) => (ids.includes(id) ? ids.filter((each) => each !== id) : [...ids, id]).join(",") || null;
