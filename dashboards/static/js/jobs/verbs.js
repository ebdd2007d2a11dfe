// @ts-check
/** What can be asked of a job from its row: a menu, with a question first where something would be lost. */

import { send } from "../api.js";
import { Button } from "../components/button.js";
import { Confirm } from "../components/dialog.js";
import { Menu } from "../components/menu.js";
import { toast } from "../components/toast.js";
import { MEANINGS, whyNot } from "../job/possible.js";
import { html, useState } from "../preact.js";
import { href } from "../router.js";

/** @typedef {import("../model.d.ts").JobView} JobView */
/** @typedef {"pause" | "resume" | "stop" | "cancel" | "delete"} Verb */
/** @typedef {(id: string, job: JobView | null) => void} Put */

const LABELS = {
  pause: "Pause",
  resume: "Resume",
  stop: "Stop with the best so far",
  cancel: "Cancel",
  delete: "Delete",
};
const ICONS = { pause: "pause", resume: "play", stop: "stop", cancel: "cancel", delete: "delete" };
const CONFIRMED = /** @type {const} */ ({
  stop: {
    ask: "Stop",
    confirm: "Stop the search",
    kind: "primary",
    warning: "It does not go back to searching by itself.",
  },
  cancel: { ask: "Cancel", confirm: "Cancel the job", kind: "danger", warning: "This cannot be undone." },
  delete: { ask: "Delete", confirm: "Delete the job", kind: "danger", warning: "This cannot be undone." },
});

/** @param {{job: JobView, put: Put}} props */
export function RowVerbs({ job, put }) {
  const [asked, setAsked] = useState(/** @type {keyof typeof CONFIRMED | null} */ (null));
  const [busy, setBusy] = useState(false);
  const name = job.name || job.id;
  const act = async (/** @type {Verb} */ verb) => {
    if (verb === "delete") await send("DELETE", `jobs/${job.id}`);
    const answer = verb === "delete" ? null : await send("POST", `jobs/${job.id}:${verb}`);
    put(job.id, answer);
    if (verb === "delete") toast(`${name} was deleted`, "success");
  };
  const atOnce = async (/** @type {Verb} */ verb) => {
    setBusy(true);
    await act(verb).catch((error) => toast(error, "error"));
    setBusy(false);
  };
  const item = (/** @type {Verb} */ verb) =>
    whyNot(verb, job) === "" && {
      label: LABELS[verb],
      icon: ICONS[verb],
      title: MEANINGS[verb],
      danger: verb === "cancel" || verb === "delete",
      onClick: () => (verb in CONFIRMED ? setAsked(/** @type {any} */ (verb)) : void atOnce(verb)),
    };
  const clone = { label: "Clone and change", icon: "clone", href: href("/submit", { from: job.id }) };
  const quick = [/** @type {const} */ ("pause"), /** @type {const} */ ("resume")].find(
    (verb) => whyNot(verb, job) === "",
  );
  const question = asked && CONFIRMED[asked];
  return html`<div class="row-verbs">
    ${quick && html`<${Button} kind="quiet" icon=${ICONS[quick]} busy=${busy} aria-label=${`${LABELS[quick]} ${name}`}
    title=${MEANINGS[quick]} onClick=${() => atOnce(quick)} />`}
    <${Menu} label=${`Actions for ${name}`}
        items=${[item("pause"), item("resume"), item("stop"), clone, item("cancel"), item("delete")]} />
    ${
      asked &&
      question &&
      html`<${Confirm} title=${`${question.ask} ${name}?`} confirm=${question.confirm} kind=${question.kind}
        onConfirm=${() => act(asked)} onClose=${() => setAsked(null)}>
      <p>${MEANINGS[asked]}</p><p class="muted">${question.warning}</p>
    </${Confirm}>`
    }
  </div>`;
}
