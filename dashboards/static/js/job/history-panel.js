// @ts-check
/** The course of a search: chart and table of the best so far, against the plain choices. */

import { Chart } from "../charts/chart.js";
import { AXIS_NAMES, historyOption, momentOf, nearPlains, shortName } from "../charts/history.js";
import { Button, EmptyState, Figure, Segmented } from "../components/index.js";
import { formatBytes, formatLoss } from "../format.js";
import { html, useMemo } from "../preact.js";
import { useQuery } from "../router.js";
import { lossName } from "./answers.js";
import { areaHistory, historyOf, placing, plainsOf } from "./history.js";
import { HistoryTable } from "./history-table.js";

/**
 * @typedef {import("../model.d.ts").JobDetail} JobDetail
 * @typedef {import("../model.d.ts").CandidateView} CandidateView
 * @typedef {import("../model.d.ts").EventView} EventView
 * @typedef {import("./history.js").Over} Over
 * @typedef {import("../charts/history.js").HistoryView} HistoryView
 * @typedef {{
 *   job: JobDetail, candidates: CandidateView[], events: EventView[], front: any, selected: number | null,
 *   onSelect: (seq: number) => void,
 * }} Props
 */

/** @type {{value: Over, label: string}[]} */
const OVERS = [
  { value: "evaluations", label: "evaluations" },
  { value: "tokens", label: "tokens" },
  { value: "time", label: "time" },
];
const SCALES = [{ value: "log", label: "log" }, { value: "linear", label: "linear" }];
const MEASURES = [{ value: "loss", label: "best loss" }, { value: "area", label: "area of the front" }];

/** @param {Props} props */
export function HistoryPanel(props) {
  const { job, onSelect, selected } = props;
  const [query, setQuery] = useQuery();
  const { view, hasX, reference } = useHistoryView(props, query);
  const option = useMemo(() => historyOption(view), [view]);
  const reset = () => setQuery({ over: null });
  if (view.best.length === 0) return html`<${NoHistory} hasX=${hasX} over=${view.over} onReset=${reset} />`;
  const click = (/** @type {any} */ item) => {
    const moment = momentOf(item, view);
    if (moment) onSelect(moment.candidate.seq);
  };
  const set = (/** @type {string} */ key, standard = "") => (/** @type {string} */ value) =>
    setQuery({ [key]: value === standard ? null : value });
  const label = `${view.valueName} over ${AXIS_NAMES[view.over]}`;
  return html`
    <div class="job-history">
      <div class="job-tools">
        <${Segmented} label="over" options=${OVERS} value=${view.over} onChange=${set("over", "evaluations")} />
        ${reference && html`<${Segmented} label="measure" options=${MEASURES} value=${view.isArea ? "area" : "loss"}
          onChange=${set("measure")} />`}
        ${!view.isArea && html`<${Segmented} label="scale" options=${SCALES} value=${view.isLog ? "log" : "linear"}
          onChange=${set("scale", "log")} />`}
      </div>
      <${Figure} title=${view.isArea ? "How the front grew" : "Best so far"}
        caption=${captionOf(view, lossName(job.objective))}>
        <${Chart} option=${option} height=${360} onEvents=${{ click }} label=${label} summary=${summaryOf(view)} />
      </${Figure}>
      <${HistoryTable} view=${view} selected=${selected} onSelect=${onSelect} />
    </div>`;
}

/** What is drawn, from the candidates and the address.
 *  @param {Props} props @param {Record<string, string>} query
 *  @returns {{view: HistoryView, hasX: boolean, reference: any}} */
function useHistoryView({ job, candidates, events, front, selected }, query) {
  const over = OVERS.find((each) => each.value === query.over)?.value ?? "evaluations";
  const reference = front?.hypervolume?.reference ?? null;
  const isArea = reference !== null && (query.measure ?? (isOfSeveral(job) ? "area" : "loss")) === "area";
  const isLog = query.scale !== "linear";
  const name = lossName(job.objective);
  const told = over === "tokens" ? events : null; // all else is known from the candidates alone
  const course = useMemo(() => {
    const { points, best, hasX } = historyOf(candidates, events, over, job.started_at);
    const place = isArea ? placing(candidates, events, over, job.started_at) : null;
    if (!place) return { points, best, hasX };
    return { points: [], best: areaHistory(candidates, reference, place), hasX };
  }, [candidates, told, over, isArea, reference?.loss, reference?.bits_per_weight, job.started_at]);
  const view = useMemo(() => ({
    points: course.points, best: course.best, plains: plainsOf(candidates), over, isLog, isArea, chosen: selected,
    valueName: isArea ? "area of the front" : `${name} on the calibration text`,
  }), [course, isLog, selected, name]);
  return { view, hasX: course.hasX, reference };
}

/** Whether a job looks for answers at several budgets. @param {JobDetail} job */
function isOfSeveral(job) {
  const limits = Object.values(job.budget ?? /** @type {any} */ (job.spec.budget) ?? {});
  return limits.some((value) => value !== null && typeof value === "object");
}

/** @param {{hasX: boolean, over: Over, onReset: () => void}} props */
function NoHistory({ hasX, over, onReset }) {
  if (!hasX && over !== "evaluations") {
    const action = html`<${Button} onClick=${onReset}>Show evaluations</${Button}>`;
    return html`<${EmptyState} title=${`No ${over} to draw over`} action=${action}>
      This job's events do not tell how much was read by when.
    </${EmptyState}>`;
  }
  return html`<${EmptyState} title="No candidate was measured yet">
    The best so far is drawn from the first one on. A search begins once the uniform baselines are measured.
  </${EmptyState}>`;
}

/** @param {HistoryView} view @param {string} name of the loss */
function captionOf(view, name) {
  if (view.isArea) {
    return "The area between the front and its reference; larger is better. Each step is a candidate that entered it.";
  }
  const plains = nearPlains(view).map((each) => `${shortName(each.label)} (${formatBytes(each.size_bytes)})`);
  const dashed = plains.length > 0 ? ` Dashed: ${plains.join(", ")}.` : "";
  return `Each dot is a candidate, of whatever size; the line is the least ${name} until then.${dashed}`;
}

/** The picture in a sentence, for those who do not see it. @param {HistoryView} view */
function summaryOf({ best, isArea, valueName }) {
  const [first, last] = [best[0], best[best.length - 1]];
  const [from, to] = [first.y, last.y].map((value) => (isArea ? value.toPrecision(3) : formatLoss(value)));
  return `The ${valueName} went from ${from} to ${to} in ${best.length} steps. The table below lists them.`;
}
