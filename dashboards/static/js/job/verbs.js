// @ts-check
/** What can be asked of a job: a button for each verb with its meaning, those that are possible now enabled. */

import { send } from "../api.js";
import { Button, ProblemBox } from "../components/index.js";
import { html, useState } from "../preact.js";
import { MEANINGS, VERBS, whyNot } from "./possible.js";
import { VerbDialog } from "./verb-dialogs.js";

/**
 * @typedef {import("../model.d.ts").JobDetail} JobDetail
 * @typedef {import("./possible.js").Verb} Verb
 */

/** @type {Record<Verb, {title: string, icon: string}>} */
const FACES = {
  pause: { title: "Pause", icon: "pause" },
  resume: { title: "Resume", icon: "play" },
  stop: { title: "Stop", icon: "stop" },
  extend: { title: "Extend", icon: "plus" },
  clone: { title: "Clone", icon: "clone" },
  cancel: { title: "Cancel", icon: "cancel" },
  delete: { title: "Delete", icon: "delete" },
};
/** @type {Verb[]} */
const AT_ONCE = ["pause", "resume"]; // each is undone by the other: nothing to ask

/** @param {{job: JobDetail, apply: (changes: Partial<JobDetail>) => void}} props */
export function Verbs({ job, apply }) {
  const [told, setTold] = useState(/** @type {Verb | null} */ (null));
  const [open, setOpen] = useState(/** @type {Verb | null} */ (null));
  const [busy, setBusy] = useState(/** @type {Verb | null} */ (null));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const ask = async (/** @type {Verb} */ verb) => {
    setProblem(null);
    if (!AT_ONCE.includes(verb)) return setOpen(verb);
    setBusy(verb);
    try {
      apply(await send("POST", `jobs/${job.id}:${verb}`));
    } catch (error) {
      setProblem(error);
    }
    setBusy(null);
  };
  const shown = told ?? open;
  return html`
    <div class="verbs">
      <div class="verb-row" role="group" aria-label="Steer the job" onPointerLeave=${() => setTold(null)}>
        ${VERBS.map((verb) => html`<${VerbButton} key=${verb} verb=${verb} why=${whyNot(verb, job)}
          busy=${busy === verb} onAsk=${ask} onTell=${setTold} />`)}
      </div>
      <p class="verb-told">${shown ? `${FACES[shown].title}: ${whyNot(shown, job) || MEANINGS[shown]}` : ""}</p>
      ${problem && html`<${ProblemBox} problem=${problem} />`}
      ${open && html`<${VerbDialog} verb=${open} job=${job} apply=${apply} onClose=${() => setOpen(null)} />`}
    </div>`;
}

/** Where it is not possible it can still be reached, and says why.
 *  @param {{
 *    verb: Verb, why: string, busy: boolean, onAsk: (verb: Verb) => void, onTell: (verb: Verb | null) => void,
 *  }} props */
function VerbButton({ verb, why, busy, onAsk, onTell }) {
  const { title, icon } = FACES[verb];
  const tell = () => onTell(verb);
  const words = why || MEANINGS[verb];
  return html`<span onPointerEnter=${tell}>
    <${Button} small kind="quiet" icon=${icon} class=${`verb is-${verb}`} busy=${busy} title=${words}
      aria-disabled=${why ? "true" : undefined} aria-description=${words} onFocus=${tell} onBlur=${() => onTell(null)}
      onClick=${() => (why ? tell() : onAsk(verb))}>${title}</${Button}>
  </span>`;
}
