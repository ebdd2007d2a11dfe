// @ts-check
/**
 * The front of a job with all that chooses on it: chart, sliders, parallel coordinates and table, one selection
 * for all.
 */

import { FrontChart } from "../charts/front.js";
import { Button } from "../components/button.js";
import { Card } from "../components/card.js";
import { EmptyState } from "../components/empty-state.js";
import { formatCount } from "../format.js";
import { html, useCallback, useMemo } from "../preact.js";
import { useQuery } from "../router.js";
import { isFinal } from "../states.js";
import { Term } from "../terms.js";
import { axesOf, axisOf, measuresOf } from "./axes.js";
import { CandidateTable, SHOWN, useTableRows } from "./candidate-table.js";
import { Choose } from "./choose.js";
import { FrontControls } from "./front-controls.js";
import { tooltipOf } from "./front-facts.js";
import { csvOf, saveText } from "./front-files.js";
import { usePicks } from "./front-picks.js";
import { SolveForm } from "./front-solve.js";
import { useFrontView } from "./front-view.js";
import { WideNote } from "./front-wide.js";
import { useZoom } from "./front-zoom.js";
import { weighedBy } from "./objectives.js";
import { ParallelPanel } from "./parallel-panel.js";
import { useSelection } from "./selection.js";

/** @typedef {import("./axes.js").Candidate} Candidate */
/** @typedef {import("./front-view.js").FrontView} FrontView */
/** @typedef {import("../model.js").JobDetail} JobDetail */

/** The axis that the budget's line can be drawn on, or size. @param {any} budget */
function firstAcross(budget) {
  if (budget?.size !== undefined) return "size_bytes";
  return ["nominal_bits_per_weight", "bits_per_weight"].find((key) => budget?.[key] !== undefined) ?? "size_bytes";
}

/** @param {JobDetail} job @param {{objective?: string} | null | undefined} front */
function objectiveOf(job, front) {
  return String(front?.objective ?? /** @type {any} */ (job).objective ?? job.spec?.objective ?? "kl");
}

/** The same object as long as it says the same. @template T @param {T} value @returns {T} */
function useStable(value) {
  return useMemo(() => value, [JSON.stringify(value)]);
}

/** @param {Candidate[]} candidates @param {import("./selection.js").Selection} selection */
function countsOf(candidates, selection) {
  const counts = { all: candidates.length, front: 0, failed: 0, selected: 0 };
  for (const each of candidates) {
    counts.front += Number(SHOWN.front(each));
    counts.failed += Number(SHOWN.failed(each));
    counts.selected += Number(selection.holds(each));
  }
  return counts;
}

/** What stands over the empty axes. @param {{numFailed: number, total: number}} props */
function NoPlace({ numFailed, total }) {
  return html`<p class="front-empty" role="status">
    ${numFailed === total
      ? "No candidate so far has a finite loss: each one broke the model. A larger budget or milder options may help."
      : "No candidate has a place on these axes. Choose others, or switch the log scale off."}
  </p>`;
}

/** @param {{job: JobDetail}} props */
function NothingYet({ job }) {
  const isOver = isFinal(job.state);
  return html`<${Card} title="Pareto front">
    <${EmptyState} title="No candidate was measured${isOver ? "" : " yet"}">
      <p>${
        isOver
          ? "The job ended before its first evaluation. Its events and log say why; a clone begins anew."
          : "The first points are the uniform baselines; they appear here as soon as they are measured."
      }</p>
    <//>
  <//>`;
}

/** @param {{kind: string, name: string, count?: number, children?: any}} props */
function Mark({ kind, name, count, children }) {
  return html`<li>
    <span class=${`mark ${kind}`} aria-hidden="true">${children}</span><${Term} name=${name} />
    ${count !== undefined && html`<span class="number">${formatCount(count)}</span>`}
  </li>`;
}

/** What each mark means. @param {{view: FrontView, isDominatedShown: boolean}} props */
function Legend({ view, isDominatedShown }) {
  const { groups, line } = view;
  return html`<ul class="front-legend" aria-label="Marks of the chart">
    <${Mark} kind="front" name="front" count=${line.length} />
    ${groups.beyond.length > 0 && html`<${Mark} kind="beyond" name="best in all" count=${groups.beyond.length} />`}
    ${isDominatedShown && html`<${Mark} kind="dominated" name="dominated" count=${view.numDominated} />`}
    ${groups.plain.length > 0 && html`<${Mark} kind="plain" name="uniform baseline" count=${groups.plain.length} />`}
    ${groups.answer.length > 0 && html`<${Mark} kind="answer" name="answer">★<//>`}
    ${view.budget.length > 0 && html`<li><span class="mark budget"></span><${Term} name="budget" /></li>`}
    <li><span class="mark error"></span>± 1 <${Term} name="standard error" /></li>
  </ul>`;
}

/**
 * @param {{
 *   selection: import("./selection.js").Selection, count: number, total: number, axes: import("./axes.js").Axis[],
 *   onZoom: () => void,
 * }} props
 */
function SelectionLine({ selection, count, total, axes, onZoom }) {
  const parts = axes.flatMap((axis) => {
    const range = selection.ranges.get(axis.range);
    return range ? [`${axis.short} ${axis.format(range[0])} to ${axis.format(range[1])}`] : [];
  });
  return html`<p class="front-selection" aria-live="polite">
    ${
      selection.isActive
        ? html`<strong>${formatCount(count)} of ${formatCount(total)} selected</strong><span>${parts.join(", ")}</span>
          <${Button} kind="quiet" small onClick=${selection.clear}>Clear<//>
          <${Button} kind="quiet" small onClick=${onZoom}>Zoom the front to it<//>`
        : html`<span class="small muted">
            ${formatCount(total)} candidates. Brush the front or an axis below to select some of them.</span>`
    }
  </p>`;
}

/** What the picture leaves out, in words. @param {{view: FrontView, numFailed: number}} props */
function Omissions({ view, numFailed }) {
  const [, setQuery] = useQuery();
  const others = Math.max(0, view.numUnplaced - numFailed);
  return html`<p class="small muted front-notes">
    ${
      numFailed > 0 &&
      html`<${Button} kind="quiet" small onClick=${() => setQuery({ show: "failed" })}>
      ${formatCount(numFailed)} failed<//>
      ${numFailed === 1 ? " candidate has" : " candidates have"} no loss and no place here. `
    }
    ${others > 0 && `${formatCount(others)} more have no place on these axes. `}
    ${view.budgetNotes.length > 0 && `The ${view.budgetNotes.slice(0, 3).join(", ")} lies outside, or on another axis.`}
  </p>`;
}

/** The picture in a sentence, for those who do not see it. @param {FrontView} view */
function summaryOf(view) {
  const [first, last] = [view.line[0], view.line.at(-1)];
  if (first === undefined || last === undefined) return "No candidate has a place yet.";
  const { x, y } = view.axes;
  const end = (/** @type {Candidate} */ each) => `${x.format(x.of(each))} at ${y.format(y.of(each))}`;
  const { beyond } = view.groups;
  const others = beyond.length > 0 ? ` ${beyond.length} more are on it by what has no axis here.` : "";
  return (
    `${view.line.length} candidates on the front, from ${end(first)} to ${end(last)}.${others} ` +
    "The table below lists them."
  );
}

/**
 * @param {{
 *   job: JobDetail, candidates: Candidate[], front?: {objective?: string} | null, selected: number | null,
 *   onSelect: (seq: number) => void,
 * }} props
 */
export function FrontPanel({ job, candidates, front, selected, onSelect }) {
  const [query] = useQuery();
  const objective = objectiveOf(job, front);
  const measures = useStable(measuresOf(candidates));
  const axes = useMemo(() => axesOf(measures, objective), [objective, measures]);
  const weighed = useStable(weighedBy(job).map((each) => each.key));
  const selection = useSelection(axes);
  const budget = /** @type {any} */ (job).budget ?? job.spec?.budget;
  const [isLog, isDominatedShown] = [query.log !== "0", query.dominated === "1"];
  const tool = query.tool === "brush" ? "brush" : "move";
  const view = useFrontView({
    candidates,
    x: axisOf(axes, query.x, firstAcross(budget)),
    y: axisOf(axes, query.y, "loss"),
    isLog,
    isDominatedShown,
    isWide: weighed.length > 2,
    holds: selection.holds,
    isSelecting: selection.isActive,
    budget: useStable(budget),
  });
  const zoom = useZoom();
  const picks = usePicks(candidates);
  const whole = useMemo(
    () => (weighed.length > 2 ? candidates.filter((each) => each.is_on_front) : picks.ladder),
    [weighed, candidates, picks.ladder],
  );
  const table = useTableRows(candidates, axes, selection);
  const loss = axisOf(axes, "loss", "loss");
  const tooltip = useCallback((/** @type {Candidate} */ each) => tooltipOf(each, loss), [loss]);
  const marks = useMemo(
    () => ({
      chosen: candidates.find((each) => each.seq === selected) ?? null,
      picks: [
        { name: picks.size.found === picks.loss.found ? "" : "under the size", candidate: picks.size.found },
        { name: picks.size.found === picks.loss.found ? "both" : "under the loss", candidate: picks.loss.found },
      ],
    }),
    [candidates, selected, picks],
  );
  const { x, y } = view.axes;
  const brushed = useMemo(
    () => ({ x: selection.ranges.get(x.range) ?? null, y: selection.ranges.get(y.range) ?? null }),
    [selection, x, y],
  );
  const onBrush = (/** @type {import("../charts/front.js").Brushed} */ area) =>
    selection.setRanges({ [x.range]: area.x, [y.range]: area.y });
  const counts = useMemo(() => countsOf(candidates, selection), [candidates, selection]);
  if (candidates.length === 0) return html`<${NothingYet} job=${job} />`;
  return html`<div class="front-panel">
    <${Card} title=${html`<${Term} name="front">Pareto front<//>`} class="front-card">
      <${FrontControls} axes=${axes} view=${view} zoom=${zoom} isLog=${isLog} isDominatedShown=${isDominatedShown}
        tool=${tool} />
      ${view.line.length === 0 && html`<${NoPlace} numFailed=${counts.failed} total=${candidates.length} />`}
      <${FrontChart} view=${view} zoom=${zoom} marks=${marks} brushed=${brushed} tool=${tool} tooltip=${tooltip}
        label="Pareto front"
        summary=${summaryOf(view)} onPick=${(/** @type {Candidate} */ each) => onSelect(each.seq)} onBrush=${onBrush} />
      <${Legend} view=${view} isDominatedShown=${isDominatedShown} />
      <${WideNote} job=${job} view=${view} />
      <${Omissions} view=${view} numFailed=${counts.failed} />
    <//>
    <${Card} title="Choose" class="choose-card">
      <${Choose} picks=${picks} loss=${loss} />
      <${SolveForm} jobId=${job.id} />
    <//>
    <${Card} title="Candidates" class="candidates-card">
      <${SelectionLine} selection=${selection} count=${counts.selected} total=${candidates.length} axes=${axes}
        onZoom=${() => zoom.set(brushed, true)} />
      <${ParallelPanel} candidates=${candidates} axes=${axes} line=${whole} isLog=${isLog}
        selection=${selection} selected=${selected}
        onSelect=${onSelect} tooltip=${tooltip} />
      <${CandidateTable} table=${table} counts=${counts} selected=${selected} onSelect=${onSelect} weighed=${weighed}
        onSave=${() => saveText(`candidates-${job.id}.csv`, csvOf(table.rows), "text/csv;charset=utf-8")} />
    <//>
  </div>`;
}
