// @ts-check
/** One job in the list. */

import { Badge } from "../components/badge.js";
import { Progress } from "../components/progress.js";
import { Ago, Loss } from "../components/quantity.js";
import { formatRatio } from "../format.js";
import { wishSentence } from "../job/possible.js";
import { html } from "../preact.js";
import { Link } from "../router.js";
import { Term } from "../terms.js";
import { lossesOf, ratioOf } from "./query.js";
import { RowVerbs } from "./verbs.js";
import { budgetWords, cachedWords, eventWords, phaseWords, shortModel, timeWords } from "./words.js";

/** @typedef {import("../model.d.ts").JobView} JobView */

/** @param {{job: JobView, isSelected: boolean, onSelect: (id: string) => void, put: import("./verbs.js").Put}} props */
export function JobRow({ job, isSelected, onSelect, put }) {
  const name = job.name || job.id;
  const wish = wishSentence(job);
  return html`<div role="row" class=${`job-row ${isSelected ? "selected" : ""}`} data-job=${job.id}>
    <div role="cell" class="job-pick"><label><input type="checkbox" checked=${isSelected}
        aria-label=${`Select ${name} to compare`} onChange=${() => onSelect(job.id)} /></label></div>
    <div role="cell" class="job-name">
      <${Link} to=${`/jobs/${job.id}`} class="job-link">${name}</${Link}>
      <p class="job-sub"><span title=${job.model}>${shortModel(job.model)}</span><span>${budgetWords(job.budget)}</span>
      ${job.owner !== "local" && html`<span>by ${job.owner}</span>`}<span><${Ago} date=${job.created_at} /></span></p>
      ${job.note && html`<p class="job-sub clip" title=${job.note}>${job.note}</p>`}
    </div>
    <div role="cell" class="job-state"><${Badge} state=${job.state} />${wish && html`<p class="job-sub">
    ${wish}</p>`}</div>
    <div role="cell" class="job-progress"><${HowFar} job=${job} /></div>
    <div role="cell" class="job-best"><${AgainstUniform} job=${job} /></div>
    <div role="cell" class="job-event"><p class="job-event-words" title=${eventWords(job)}>${eventWords(job)}</p>
      ${job.last_event && html`<p class="job-sub"><${Ago} date=${job.last_event.created_at} /></p>`}</div>
    <div role="cell" class="job-verbs"><${RowVerbs} job=${job} put=${put} /></div>
  </div>`;
}

/** @param {{job: JobView}} props */
function HowFar({ job }) {
  const isFinal = job.finished_at !== null;
  const isActive = ["validating", "running", "stopping", "cancelling"].includes(job.state);
  const done = job.progress?.done ?? 0;
  const total = job.progress?.total ?? 0;
  const cached = cachedWords(job);
  const share = cached && html`<span><${Term} name="cached share">${cached}</${Term}></span>`;
  if (isFinal) return html`<p>${timeWords(job)}</p><p class="job-sub">${share}</p>`;
  const left = timeWords(job);
  const words = html`<p class="job-sub">${left && html`<span>${left}</span>`}${share}</p>`;
  if (!isActive && total === 0) return html`<p class="muted">${phaseWords(job)}</p>${words}`;
  return html`<${Progress} done=${done} total=${total} label=${phaseWords(job)} isActive=${isActive}
      unit=${job.progress?.unit} />${words}`;
}

/** @param {{job: JobView}} props */
function AgainstUniform({ job }) {
  const { best, uniform, isAnswer } = lossesOf(job);
  const ratio = ratioOf(job);
  if (best === null && uniform === null) return html`<p class="muted">–</p>`;
  const better = ratio !== null && ratio < 0.995; // as it is shown
  const where = isAnswer ? "on unseen text" : "on the calibration text";
  return html`<p class=${`job-ratio ${better ? "better" : ""}`}
      title=${`the best loss over that of the best plain choice, ${where}`}>${formatRatio(ratio)}</p>
    <p class="job-sub"><span><${Loss} value=${best} /> of <${Loss} value=${uniform} /></span></p>`;
}
