// @ts-check
/** What was asked of a job and for whom it runs, as a row of facts. */

import { Ago, Button } from "../components/index.js";
import { formatCount, formatDuration, formatTime } from "../format.js";
import { html } from "../preact.js";
import { Link } from "../router.js";
import { Term } from "../terms.js";
import { budgetText, lossName } from "./answers.js";
import { objectivesOf } from "./objectives.js";
import { isFinal } from "../states.js";

/** @typedef {import("../model.d.ts").JobDetail} JobDetail */

const LIMITS = [-100, 100]; // of a priority

/** @param {{job: JobDetail, onPriority: (priority: number) => void}} props */
export function JobFacts({ job, onPriority }) {
  const objectives = objectivesOf(job);
  const cloned = job.cloned_from;
  return html`<dl class="job-facts">
    <div><dt>Model</dt><dd title=${job.model}>${lastPart(job.model)}</dd></div>
    <div><dt><${Term} name="budget">Budget</${Term}></dt><dd>${limitText(job)}</dd></div>
    <div><dt><${Term} name="strategy">Strategy</${Term}></dt><dd>${job.strategy || "default"}</dd></div>
    <div><dt><${Term} name="objective">${objectives.length > 1 ? "Objectives" : "Objective"}</${Term}></dt>
      <dd><span>${objectives.map((each, index) =>
        html`${index > 0 && ", "}<${Term} name=${each.term}>${each.name}</${Term}>`)}</span></dd></div>
    <div><dt><${Term} name="worker">Workers</${Term}></dt><dd>${workersText(job)}</dd></div>
    <div><dt>Owner</dt><dd>${job.owner}</dd></div>
    <div><dt>Priority</dt><dd>${job.priority}${!isFinal(job.state) && html`
      <${Nudge} job=${job} by=${1} icon="up" label="Raise the priority" onPriority=${onPriority} />
      <${Nudge} job=${job} by=${-1} icon="down" label="Lower the priority" onPriority=${onPriority} />`}</dd></div>
    <${When} job=${job} />
    ${cloned && html`<div><dt>Cloned from</dt>
      <dd><${Link} to=${`/jobs/${cloned}`}><code>${cloned}</code></${Link}></dd></div>`}
  </dl>`;
}

/** @param {{job: JobDetail, by: number, icon: string, label: string, onPriority: (priority: number) => void}} props */
function Nudge({ job, by, icon, label, onPriority }) {
  const next = job.priority + by;
  return html`<${Button} kind="quiet" small icon=${icon} aria-label=${label} title=${`${label}: higher goes first`}
    disabled=${next < LIMITS[0] || next > LIMITS[1]} onClick=${() => onPriority(next)} />`;
}

/** Its budget, and where there is one the loss that it has to stay under. @param {JobDetail} job */
function limitText(job) {
  const most = job.spec.max_loss;
  const budget = job.budget ?? job.spec.budget;
  const hasBudget = Object.keys(budget ?? {}).length > 0;
  if (typeof most !== "number") return budgetText(budget);
  const loss = `${lossName(job.objective)} at most ${most}`;
  return hasBudget ? `${budgetText(budget)}, ${loss}` : `smallest with ${loss}`;
}

/** @param {JobDetail} job */
function workersText({ state, workers: { wanted, granted } }) {
  if (isFinal(/** @type {string} */ (state))) return `${formatCount(wanted)} wanted`;
  return `${formatCount(granted)} of ${formatCount(wanted)} granted`;
}

/** @param {{job: JobDetail}} props */
function When({ job }) {
  const { created_at, started_at, finished_at } = job;
  if (!finished_at || !started_at) {
    const name = finished_at ? "Ended" : started_at ? "Started" : "Submitted";
    return html`<div><dt>${name}</dt><dd><${Ago} date=${finished_at ?? started_at ?? created_at} /></dd></div>`;
  }
  const seconds = (Date.parse(finished_at) - Date.parse(started_at)) / 1000;
  return html`<div><dt>Took</dt><dd title=${`${formatTime(started_at)} to ${formatTime(finished_at)}`}>
    <span>${formatDuration(seconds)}, <${Ago} date=${finished_at} /></span></dd></div>`;
}

/** @param {string} path */
function lastPart(path) {
  return path.split("/").filter(Boolean).at(-1) ?? path;
}
