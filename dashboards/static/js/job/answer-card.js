// @ts-check
/** What a finished job found: its verdict as a sentence, and the figures that count. */

import { Button, Bytes } from "../components/index.js";
import { formatBits, formatBytes, formatLoss, formatPercent, formatRatio } from "../format.js";
import { html, useMemo } from "../preact.js";
import { Term } from "../terms.js";
import { answersOf, denseBytes, lossName, unseenLoss } from "./answers.js";

/**
 * @typedef {import("../model.d.ts").JobDetail} JobDetail
 * @typedef {import("../model.d.ts").CandidateView} CandidateView
 * @typedef {import("./answers.js").Answer} Answer
 * @typedef {{job: JobDetail, candidates: CandidateView[], space: any, onSelect: (seq: number) => void}} Props
 */

/** @param {Props} props */
export function AnswerCard({ job, candidates, space, onSelect }) {
  const answers = useMemo(() => answersOf(job), [job.report]);
  const seqs = useMemo(() => new Map(candidates.map((each) => [each.configuration_id, each.seq])), [candidates]);
  if (answers.length === 0) return null;
  const seqOf = (/** @type {Answer} */ { answer }) => seqs.get(answer.configuration_id) ?? null;
  const objective = String(job.report?.objective ?? job.objective ?? "kl");
  const [first] = answers;
  return html`
    <section class="answer-card" aria-label="The answer">
      <p class="verdict">${String(job.report?.verdict ?? job.message)}</p>
      ${answers.length === 1
        ? html`<${Figures} objective=${objective} answer=${first} space=${space} seq=${seqOf(first)}
            onSelect=${onSelect} />`
        : html`<${Answers} job=${job} objective=${objective} answers=${answers} seqOf=${seqOf} onSelect=${onSelect} />`}
    </section>`;
}

/**
 * @param {{
 *   objective: string, answer: Answer, space: any, seq: number | null, onSelect: (seq: number) => void,
 * }} props
 */
function Figures({ objective, answer: { answer, plain }, space, seq, onSelect }) {
  const [own, base] = [unseenLoss(answer, objective), unseenLoss(plain, objective)];
  const dense = denseBytes(space);
  const error = objective === "kl" ? answer.kl_validation_se : null;
  const isPlain = plain?.configuration_id === answer.configuration_id;
  const besidePlain = plain
    ? `${plain.name}: ${formatLoss(base)} at ${formatBytes(plain.size_bytes)}`
    : "no plain choice meets the budget";
  return html`
    <dl class="big-figures">
      <div><dt>Size</dt><dd><${Bytes} value=${answer.size_bytes} /></dd>
        <dd class="muted">${formatBits(answer.bits_per_weight)} <${Term} name="bits per weight" />,
          ${" "}${formatBits(answer.nominal_bits_per_weight)} nominal</dd></div>
      <div><dt><${Term} name=${objective === "perplexity" ? "perplexity" : "kl"}>${lossName(objective)}</${Term}>
        ${" "}on <${Term} name="validation text">unseen text</${Term}></dt>
        <dd>${formatLoss(own, error)}</dd>
        <dd class="muted">${error ? html`± ${Number(error.toPrecision(2))} <${Term} name="standard error" />` : ""}</dd>
      </div>
      <div><dt>Against the <${Term} name="uniform baseline" /></dt>
        <dd>${isPlain ? "the same" : against(own, base)}</dd><dd class="muted">${besidePlain}</dd></div>
      ${dense !== null && html`<div><dt>Saved</dt><dd>${formatBytes(dense - answer.size_bytes)}</dd>
        <dd class="muted">${formatRatio(dense / answer.size_bytes)} smaller than ${formatBytes(dense)} dense</dd>
      </div>`}
    </dl>
    ${seq !== null && html`<p class="answer-actions">
      <${Button} small onClick=${() => onSelect(seq)}>Look at its layers</${Button}></p>`}`;
}

/** @param {number | null} own @param {number | null} base */
function against(own, base) {
  if (own === null || base === null || base === 0) return "–";
  const change = own / base - 1;
  const size = Math.abs(change);
  const share = size < 0.0995 ? `${(100 * size).toFixed(1)}\u00a0%` : formatPercent(size);
  return size < 0.0005 ? "the same" : `${change < 0 ? "−" : "+"}${share}`;
}

/** The answers of a job of several budgets.
 *  @param {{
 *    job: JobDetail, objective: string, answers: Answer[], seqOf: (answer: Answer) => number | null,
 *    onSelect: (seq: number) => void,
 *  }} props */
function Answers({ job, objective, answers, seqOf, onSelect }) {
  const limit = String(job.report?.limit ?? "budget").replaceAll("_", " ");
  const heads = [limit, "size", `${lossName(objective)}, unseen text`, "uniform baseline", "difference"];
  return html`
    <div class="table-scroller" tabindex="0" role="group" aria-label="The answer at each budget">
      <table class="table answers">
        <caption class="unseen">The answer at each budget</caption>
        <thead><tr>${heads.map((head) => html`<th scope="col" class="right">${head}</th>`)}
          <th scope="col"><span class="unseen">look</span></th></tr></thead>
        <tbody>${answers.map((each) => html`<${AnswerRow} key=${each.budget} answer=${each} objective=${objective}
          seq=${seqOf(each)} onSelect=${onSelect} />`)}</tbody>
      </table>
    </div>`;
}

/** @param {{answer: Answer, objective: string, seq: number | null, onSelect: (seq: number) => void}} props */
function AnswerRow({ answer: { budget, answer, plain, verdict }, objective, seq, onSelect }) {
  const [own, base] = [unseenLoss(answer, objective), unseenLoss(plain, objective)];
  const look = seq !== null && html`<${Button} kind="quiet" small aria-label=${`Look at the answer at ${budget}`}
    onClick=${() => onSelect(seq)}>Look</${Button}>`;
  return html`<tr title=${verdict}>
    <th scope="row" class="right">${budget}</th><td class="right"><${Bytes} value=${answer.size_bytes} /></td>
    <td class="right">${formatLoss(own)}</td><td class="right">${plain ? formatLoss(base) : "none fits"}</td>
    <td class="right">${against(own, base)}</td><td>${look}</td>
  </tr>`;
}
