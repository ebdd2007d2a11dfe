// @ts-check
/** One candidate: its figures and how they compare, and what it does with each layer. */

import { Button, Bytes, CopyButton, EmptyState, Loading, ProblemBox } from "../components/index.js";
import { lazy } from "../components/lazy.js";
import { exactFlops, formatBits, formatCount, formatFlops, formatParameters } from "../format.js";
import { usePolled } from "../live.js";
import { html, useMemo, useState } from "../preact.js";
import { Term } from "../terms.js";
import { lossName } from "./answers.js";
import { Comparisons } from "./comparisons.js";
import { useLayers } from "./layers.js";
import { frontOf, lossText } from "./standing.js";
import { StripPanel } from "./strip-panel.js";
import { formatError } from "../task-errors.js";

const ExportDialog = lazy(() => import("../export/dialog.js"), "ExportDialog");

/**
 * @typedef {import("../model.d.ts").JobDetail} JobDetail
 * @typedef {import("../model.d.ts").CandidateView} CandidateView
 */

/**
 * @param {{
 *   job: JobDetail, seq: number, candidates: CandidateView[], isComplete: boolean, hasSensitivity: boolean,
 *   onSelect: (seq: number | null) => void,
 * }} props
 */
export function CandidatePanel({ job, seq, candidates, isComplete, hasSensitivity, onSelect }) {
  const candidate = useMemo(() => candidates.find((each) => each.seq === seq), [candidates, seq]);
  const front = useMemo(() => frontOf(candidates), [candidates]);
  const [isExporting, setExporting] = useState(false);
  const close = () => onSelect(null);
  if (!candidate && !isComplete) return html`<${Loading} />`;
  if (!candidate) return html`<${NoSuchCandidate} seq=${seq} count=${candidates.length} onClose=${close} />`;
  return html`
    <section class="candidate-panel" aria-labelledby="candidate-title">
      <header class="candidate-head">
        <div><h2 id="candidate-title">Candidate ${seq}</h2><p class="muted">${candidate.label}</p></div>
        <div class="row">
          <${Button} kind="primary" small icon="download" onClick=${() => setExporting(true)}>Export</${Button}>
          <${Button} kind="quiet" small icon="close" aria-label="Close the candidate" onClick=${close} />
        </div>
      </header>
      <${Figures} job=${job} candidate=${candidate} />
      <${Comparisons} job=${job} candidate=${candidate} candidates=${candidates} front=${front} onSelect=${onSelect} />
      <${Layers} job=${job} candidate=${candidate} hasSensitivity=${hasSensitivity} />
      ${isExporting && html`<${ExportDialog} jobId=${job.id} seq=${seq} onClose=${() => setExporting(false)} />`}
    </section>`;
}

/** @param {{seq: number, count: number, onClose: () => void}} props */
function NoSuchCandidate({ seq, count, onClose }) {
  const action = html`<${Button} onClick=${onClose}>Close</${Button}>`;
  return html`<${EmptyState} title=${`There is no candidate ${seq}`} action=${action}>
    This job has measured ${count} so far; choose one on the front or in its table.
  </${EmptyState}>`;
}

/** @param {{job: JobDetail, candidate: CandidateView}} props */
function Figures({ job, candidate }) {
  const { configuration_id: id, loss, source } = candidate;
  const name = lossName(job.objective);
  const known = html`<${Term} name="cached share">known already</${Term}>`;
  return html`<dl class="figures">
    <div><dt><${Term} name="size">Size</${Term}></dt><dd><${Bytes} value=${candidate.size_bytes} /></dd></div>
    <div><dt><${Term} name=${name === "KL" ? "kl" : "perplexity"}>${name}</${Term}></dt>
      <dd title=${`${loss ?? "none"}, on the calibration text`}>${lossText(candidate)}</dd></div>
    <div><dt><${Term} name="bits per weight">Bits per weight</${Term}></dt>
      <dd>${formatBits(candidate.bits_per_weight)}</dd></div>
    <div><dt><${Term} name="nominal bits">Nominal bits</${Term}></dt>
      <dd>${formatBits(candidate.nominal_bits_per_weight)}</dd></div>
    <div><dt><${Term} name="FLOPs per token" /></dt>
      <dd title=${exactFlops(candidate.flops)}>${formatFlops(candidate.flops)}</dd></div>
    <div><dt><${Term} name="parameters">Parameters kept</${Term}></dt>
      <dd title=${formatCount(candidate.parameters)}>${formatParameters(candidate.parameters)}</dd></div>
    ${Object.entries(candidate.task_errors ?? {}).map(([task, error]) => html`<div key=${task}>
      <dt><${Term} name="task error">Error on ${task}</${Term}></dt><dd title=${error}>${formatError(error)}</dd></div>`)}
    <div><dt>Measured</dt><dd>${source === "cached" ? known : "by this job"}</dd></div>
    <div><dt><${Term} name="configuration">Configuration</${Term}></dt>
      <dd class="row"><code>${id}</code><${CopyButton} text=${id} label="Copy the configuration's id" /></dd></div>
  </dl>`;
}

/** @param {{job: JobDetail, candidate: CandidateView, hasSensitivity: boolean}} props */
function Layers({ job, candidate, hasSensitivity }) {
  const { layers, seq, problem } = useLayers(job.id, candidate.seq);
  const [isAsked, setAsked] = useState(false);
  const isWanted = hasSensitivity || isAsked; // without the file it takes the service seconds, or is refused
  const sensitivity = usePolled(isWanted ? `jobs/${job.id}/sensitivity` : null);
  if (problem) return html`<${ProblemBox} problem=${problem} />`;
  if (layers === null) return html`<${Loading}>Reading its layers</${Loading}>`;
  const none = html`<${NoSensitivity} isAsked=${isWanted} problem=${sensitivity.problem} onAsk=${setAsked} />`;
  return html`<${StripPanel} layers=${layers} name=${`candidate ${candidate.seq}`} isStale=${seq !== candidate.seq}
    sensitivity=${sensitivity.value} whyNoSensitivity=${none} />`;
}

/** @param {{isAsked: boolean, problem: import("../api.js").Problem | null, onAsk: (is: boolean) => void}} props */
function NoSensitivity({ isAsked, problem, onAsk }) {
  if (problem) return html`<p class="muted small">No sensitivity to show: ${problem.detail}.</p>`;
  if (isAsked) return html`<${Loading}>Working out the sensitivity</${Loading}>`;
  return html`<p><${Button} small onClick=${() => onAsk(true)}>Show the sensitivity of these layers</${Button}>
    <span class="muted small"> Worked out from what is stored; the job is not held up.</span></p>`;
}
