// @ts-check
/** The head of a job's page: what it is, how it stands, how far it is, and what can be asked of it. */

import { send } from "../api.js";
import { Badge, ButtonLink, Progress, toast } from "../components/index.js";
import { formatDuration } from "../format.js";
import { html } from "../preact.js";
import { Link } from "../router.js";
import { Term } from "../terms.js";
import { Editable } from "./editable.js";
import { JobFacts } from "./job-facts.js";
import { isFinal } from "../states.js";
import { wishSentence } from "./possible.js";
import { PHASE_MEANINGS, PHASE_NAMES } from "./timeline.js";
import { Verbs } from "./verbs.js";

/**
 * @typedef {import("../model.d.ts").JobDetail} JobDetail
 * @typedef {{job: JobDetail, apply: (changes: Partial<JobDetail>) => void}} Props
 */

/** @param {Props & {connection: string}} props */
export function JobHeader({ job, apply, connection }) {
  const change = async (/** @type {Record<string, unknown>} */ changes) => {
    const { name, note, priority } = await send("PATCH", `jobs/${job.id}`, changes);
    apply({ name, note, priority });
  };
  const rename = (/** @type {string} */ name) => change({ name });
  const annotate = (/** @type {string} */ note) => change({ note });
  const hurry = (/** @type {number} */ priority) => change({ priority }).catch((error) => toast(error, "error"));
  return html`
    <header class="job-header">
      <p class="job-trail">
        <${Link} to="/jobs">Jobs</${Link}> <span aria-hidden="true">/</span> <code>${job.id}</code>
        <${Connection} connection=${connection} />
      </p>
      <div class="job-title">
        <h1><${Editable} value=${job.name} label="name" empty=${job.id} maxLength=${200} onSave=${rename} /></h1>
        <${Badge} state=${job.state} title=${job.reason} />
      </div>
      <${Message} job=${job} />
      <${JobProgress} job=${job} />
      <${Verbs} job=${job} apply=${apply} />
      <${JobFacts} job=${job} onPriority=${hurry} />
      <p class="job-note">
        <${Editable} value=${job.note} label="note" empty="No note" isLong maxLength=${4000} onSave=${annotate} />
      </p>
    </header>`;
}

/** @type {Record<string, string>} */
const CONNECTIONS = { live: "live", reconnecting: "reconnecting …", paused: "updates paused", refused: "not heard" };

/** @param {{connection: string}} props */
function Connection({ connection }) {
  const words = CONNECTIONS[connection];
  return words ? html`<span class=${`job-connection is-${connection}`} role="status">${words}</span>` : null;
}

/** Why it is in its state, and what was wished of it. @param {{job: JobDetail}} props */
function Message({ job }) {
  if (job.state === "failed") return html`<${Failure} job=${job} />`;
  const wish = wishSentence(job);
  const isVerdict = job.state === "succeeded" && job.message === job.report?.verdict; // it stands below, larger
  return html`<div class="job-message" aria-live="polite">
    ${!isVerdict && job.message && html`<p>${sentence(job.message)}</p>`}
    ${wish && html`<p><${Term} name="wish">${wish}</${Term}></p>`}
  </div>`;
}

/** What went wrong, and the ways out. @param {{job: JobDetail}} props */
function Failure({ job }) {
  const log = { tab: "events", kind: "log" };
  return html`<div class="job-failure" role="alert">
    <p><strong>The job failed.</strong> ${sentence(job.message || "It left no reason; its log may say more.")}</p>
    <p class="row">
      <${ButtonLink} kind="primary" small to="/submit" query=${{ from: job.id }}>
        Change the spec and submit again</${ButtonLink}>
      <${ButtonLink} small to=${`/jobs/${job.id}`} query=${log}>Read the log</${ButtonLink}>
    </p>
    <p class="small">What it measured is kept: a job that asks for the same again gets it from the store.</p>
  </div>`;
}

/** @param {string} text */
function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

/** @param {{job: JobDetail}} props */
function JobProgress({ job }) {
  const { progress, eta_s: left } = job;
  if (!progress || isFinal(job.state)) return null;
  const { phase, label, done, total, unit } = progress;
  const isActive = !["paused", "queued"].includes(job.state);
  const detail = label && label !== phase ? `: ${label}` : "";
  const words = html`<span title=${PHASE_MEANINGS.get(phase) ?? ""}>
    <strong>${PHASE_NAMES.get(phase) ?? phase}</strong>${detail}</span>`;
  const eta = html`<${Term} name="time left">about ${formatDuration(left)} left</${Term}>`;
  return html`<div class="job-progress">
    <${Progress} done=${done ?? 0} total=${total ?? 0} label=${words} unit=${unit ?? ""} isActive=${isActive} />
    <p class="muted">${isActive && typeof left === "number" && eta}</p>
  </div>`;
}
