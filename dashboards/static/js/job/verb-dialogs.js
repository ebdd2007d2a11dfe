// @ts-check
/** What is asked before a verb that cannot be taken back, or that needs to know more. */

import { send } from "../api.js";
import { Button, ButtonLink, Confirm, Dialog, Field, ProblemBox, TextInput, toast } from "../components/index.js";
import { html, useState } from "../preact.js";
import { navigate } from "../router.js";
import { LENGTHS, MEANINGS } from "./possible.js";

/**
 * @typedef {import("../model.d.ts").JobDetail} JobDetail
 * @typedef {import("./possible.js").Verb} Verb
 * @typedef {{job: JobDetail, apply: (changes: Partial<JobDetail>) => void, onClose: () => void}} Props
 */

/** @type {Record<string, {title: string, confirm: string, kind: "primary" | "danger", after: string}>} */
const QUESTIONS = {
  stop: {
    title: "Stop", confirm: "Stop the search", kind: "primary",
    after: "There is no way back to searching, but a job that has ended can be extended.",
  },
  cancel: { title: "Cancel", confirm: "Cancel the job", kind: "danger", after: "This cannot be undone." },
  delete: { title: "Delete", confirm: "Delete the job", kind: "danger", after: "This cannot be undone." },
};
const MOST = 1_000_000; // that a search can be extended by at once

/** @param {Props & {verb: Verb}} props */
export function VerbDialog({ verb, job, apply, onClose }) {
  if (verb === "clone") return html`<${CloneDialog} job=${job} onClose=${onClose} />`;
  if (verb === "extend") return html`<${ExtendDialog} job=${job} apply=${apply} onClose=${onClose} />`;
  const name = job.name || job.id;
  const { title, confirm, kind, after } = QUESTIONS[verb];
  const remove = async () => {
    await send("DELETE", `jobs/${job.id}`);
    toast(`${name} was deleted`, "success");
    navigate("/jobs");
  };
  const steer = async () => apply(await send("POST", `jobs/${job.id}:${verb}`));
  return html`<${Confirm} title=${`${title} ${name}?`} confirm=${confirm} kind=${kind}
      onConfirm=${verb === "delete" ? remove : steer} onClose=${onClose}>
    <p>${MEANINGS[verb]}</p><p class="muted">${after}</p>
  </${Confirm}>`;
}

/** @param {{job: JobDetail, onClose: () => void}} props */
function CloneDialog({ job, onClose }) {
  const [name, setName] = useState(`${job.name || job.id} again`.slice(0, 200));
  const [key] = useState(() => `clone-${crypto.getRandomValues(new Uint32Array(3)).join("-")}`); // no second job
  const { busy, problem, act } = useAct(async () => {
    const made = await send("POST", `jobs/${job.id}:clone`, { name }, { key });
    onClose();
    toast(`${made.name || made.id} was handed in`, "success");
    navigate(`/jobs/${made.id}`);
  });
  const actions = html`
    <${ButtonLink} to="/submit" query=${{ from: job.id }}>Change more of it first</${ButtonLink}>
    <${Button} kind="primary" busy=${busy} onClick=${act}>Clone</${Button}>`;
  return html`<${Dialog} title="Clone the job" onClose=${onClose} actions=${actions}>
    <p>${MEANINGS.clone} What was measured before is not measured again.</p>
    <${Field} label="Name of the clone"><${TextInput} value=${name} onInput=${setName} maxLength="200" /></${Field}>
    ${problem && html`<${ProblemBox} problem=${problem} />`}
  </${Dialog}>`;
}

/** @param {Props} props */
function ExtendDialog({ job, apply, onClose }) {
  const [more, setMore] = useState("4");
  const unit = LENGTHS[job.strategy ?? ""] ?? "rounds";
  const count = Number(more);
  const isRight = Number.isInteger(count) && count >= 1 && count <= MOST;
  const { busy, problem, act } = useAct(async () => {
    apply(await send("POST", `jobs/${job.id}:extend`, { more: count }));
    onClose();
    toast(`${count} more ${unit}: the job is queued again`, "success");
  });
  const actions = html`<${Button} onClick=${onClose}>Keep it as it is</${Button}>
    <${Button} kind="primary" busy=${busy} disabled=${!isRight} onClick=${act}>Extend</${Button}>`;
  return html`<${Dialog} title="Extend the search" onClose=${onClose} actions=${actions}>
    <p>${MEANINGS.extend}</p>
    <${Field} label=${`How many more ${unit}`} error=${isRight ? "" : `a whole number from 1 to ${MOST}, got ${more}`}>
      <${TextInput} type="number" min="1" step="1" value=${more} onInput=${setMore} />
    </${Field}>
    ${problem && html`<${ProblemBox} problem=${problem} />`}
  </${Dialog}>`;
}

/** Something that takes a while and may be refused. @param {() => Promise<void>} run */
function useAct(run) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const act = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await run();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return { busy, problem, act };
}
