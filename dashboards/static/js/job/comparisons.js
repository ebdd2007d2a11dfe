// @ts-check
/** How a candidate compares, in sentences: with the uniform baseline, with what beats it, with its neighbours. */

import { html, useMemo } from "../preact.js";
import { Term } from "../terms.js";
import { answersOf, lossName } from "./answers.js";
import { listed, weighedBy } from "./objectives.js";
import { comparison, isMeasured, standingOf } from "./standing.js";

/**
 * @typedef {import("../model.d.ts").JobDetail} JobDetail
 * @typedef {import("../model.d.ts").CandidateView} CandidateView
 * @typedef {import("./standing.js").Standing} Standing
 * @typedef {{name: string, candidate: CandidateView, onSelect: (seq: number) => void}} Words
 */

/**
 * @param {{
 *   job: JobDetail, candidate: CandidateView, candidates: CandidateView[], front: CandidateView[],
 *   onSelect: (seq: number) => void,
 * }} props
 */
export function Comparisons({ job, candidate, candidates, front, onSelect }) {
  const weighed = useMemo(() => weighedBy(job), [job.objective, (job.objectives ?? []).join()]);
  const standing = useMemo(
    () => standingOf(candidate, candidates, front, weighed), [candidate, candidates, front, weighed]);
  const { place, frontLength } = standing;
  const isBeyond = weighed.length > 2 && place === 0 && candidate.is_on_front;
  return html`<ul class="comparisons">
    ${!isMeasured(candidate) && html`<li class="is-bad">It broke the model: its loss is infinite or no number.
      It counts as measured, and is on no front.</li>`}
    ${isAnswer(job, candidate) && html`<li class="is-good">It is the job's <${Term} name="answer" />.</li>`}
    ${candidate.kind === "plain" && html`<li>It is a plain choice, made without a search.</li>`}
    ${place > 0 && html`<li class="is-good">On the <${Term} name="front" />:
      number ${place} of ${frontLength} from the smallest.</li>`}
    ${isBeyond && html`<li class="is-good"><${Term} name="best in all">On the front</${Term}>:
      nothing beats it in ${listed(weighed)} together, though other candidates do in size and loss.</li>`}
    ${isMeasured(candidate) && html`<${Others} standing=${standing} name=${lossName(job.objective)}
      weighed=${weighed} candidate=${candidate} onSelect=${onSelect} />`}
  </ul>`;
}

/** @param {Words & {standing: Standing, weighed: import("./objectives.js").Objective[]}} props */
function Others({ standing, name, candidate, weighed, onSelect }) {
  const { plain, isPlainLarger, smaller, larger, better } = standing;
  const link = (/** @type {CandidateView} */ each, words = `candidate ${each.seq}`) => html`<button type="button"
    class="text-button" onClick=${() => onSelect(each.seq)}>${words}</button>`;
  const beside = (/** @type {CandidateView} */ each) => comparison(each, candidate, name, weighed);
  return html`
    ${better && html`<li><${Term} name="dominated">Dominated</${Term}> by ${link(better)},
      ${" "}which has ${beside(better)}.</li>`}
    ${plain && html`<li>${upper(comparison(candidate, plain, name, weighed))} than
      ${" "}${link(plain, plain.label)}${isPlainLarger ? "" : ", the largest plain choice"}.</li>`}
    ${smaller && smaller !== better && html`<li>Next smaller on the front: ${link(smaller)}, ${beside(smaller)}.</li>`}
    ${larger && html`<li>Next larger on the front: ${link(larger)}, ${beside(larger)}.</li>`}`;
}

/** Whether a finished job handed it over, also where the same was measured before it was chosen.
 *  @param {JobDetail} job @param {CandidateView} candidate */
function isAnswer(job, { kind, configuration_id: id }) {
  return kind === "answer" || answersOf(job).some(({ answer }) => answer.configuration_id === id);
}

/** @param {string} text */
function upper(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
