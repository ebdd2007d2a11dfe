// @ts-check
/** The front of a job, and beside or under it the candidate that was chosen there. */

import { Button, Loading, ProblemBox } from "../components/index.js";
import { formatBytes } from "../format.js";
import { html, useEffect, useState } from "../preact.js";
import { lossName } from "./answers.js";
import { CandidatePanel } from "./candidate-panel.js";
import { FrontPanel } from "./front-panel.js";
import { lossText } from "./standing.js";

/** @typedef {import("../model.d.ts").JobDetail} JobDetail */
/** @typedef {import("../model.d.ts").CandidateView} CandidateView */

/**
 * @param {{
 *   job: JobDetail, candidates: CandidateView[], isComplete: boolean, problem: any, front: any,
 *   selected: number | null, onSelect: (seq: number | null) => void, hasSensitivity: boolean,
 * }} props
 */
export function FrontSection({ job, candidates, isComplete, problem, front, selected, onSelect, hasSensitivity }) {
  const chosen = selected === null ? undefined : candidates.find((each) => each.seq === selected);
  if (candidates.length === 0 && !isComplete) {
    return problem ? html`<${ProblemBox} problem=${problem} />` : html`<${Loading}>Reading the candidates</${Loading}>`;
  }
  return html`
    <div class=${`job-front${selected === null ? "" : " has-candidate"}`}>
      <div class="job-front-main">
        ${problem && html`<${ProblemBox} problem=${problem} />`}
        <${FrontPanel} job=${job} candidates=${candidates} front=${front} selected=${selected} onSelect=${onSelect} />
      </div>
      ${selected !== null && html`<div class="job-candidate" id="candidate" tabindex="-1">
        <${CandidatePanel} job=${job} seq=${selected} candidates=${candidates} isComplete=${isComplete}
          hasSensitivity=${hasSensitivity} onSelect=${onSelect} />
      </div>`}
      ${chosen && html`<${Peek} job=${job} candidate=${chosen} />`}
    </div>`;
}

/** On a narrow screen: what is chosen, and the way down to it.
 *  @param {{job: JobDetail, candidate: CandidateView}} props */
function Peek({ job, candidate }) {
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    const panel = document.getElementById("candidate");
    if (!panel) return undefined;
    const watch = new IntersectionObserver(([entry]) => setSeen(entry.isIntersecting));
    watch.observe(panel);
    return () => watch.disconnect();
  }, []);
  const show = () => {
    const panel = document.getElementById("candidate");
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    panel?.scrollIntoView({ behavior: isCalm ? "auto" : "smooth" });
    panel?.focus({ preventScroll: true });
  };
  const loss = `${lossName(job.objective)} ${lossText(candidate)}`;
  return html`<div class="job-peek" hidden=${isSeen}>
    <span class="clip"><strong>Candidate ${candidate.seq}</strong> ${formatBytes(candidate.size_bytes)}, ${loss}</span>
    <${Button} small kind="primary" icon="down" onClick=${show}>Show</${Button}>
  </div>`;
}
