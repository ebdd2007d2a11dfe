// @ts-check
/** Handing the job in: its priority, a note, and one button that is safe to press again. */

import { send } from "../api.js";
import { Button, Field, ProblemBox, TextInput } from "../components/index.js";
import { html, useState } from "../preact.js";
import { attemptFor, dropDraft, keepDraft, readDraft } from "./draft.js";
import { messages } from "./field-view.js";
import { faultsWithin } from "./locate.js";
import { placeId } from "./places.js";

/**
 * @param {{of: string | null, faults: import("./locate.js").Fault[], whyNot: string, onMade: (id: string) => void,
 *   onRefused: (problem: import("../api.js").Problem) => void}} props `of`: the job as JSON; null: it does not read
 */
export function SendPanel({ of, faults, whyNot, onMade, onRefused }) {
  const [{ note, priority }, setBeside] = useState(readDraft);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const change = (/** @type {Record<string, string>} */ changes) => {
    keepDraft(changes);
    setBeside((before) => ({ ...before, ...changes }));
  };
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (of === null || isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      const job = await handIn(of, note, priority);
      dropDraft();
      onMade(job.id);
    } catch (error) {
      setProblem(error);
      if (/** @type {any} */ (error).errors?.length) onRefused(/** @type {any} */ (error));
    } finally {
      setBusy(false);
    }
  };
  const error = (/** @type {string} */ name) => messages(faultsWithin(faults, ["query", name]));
  return html`<form class="send" onSubmit=${submit} aria-label="Hand in the job" novalidate>
    ${problem && !problem.errors?.length && html`<${ProblemBox} problem=${problem} isRetrying=${false} />
      ${problem.isPassing && html`<p class="hint">
        Whether the job arrived is not known. Send it again: it becomes one job, not two.</p>`}`}
    <div class="send-fields">
      <div class="send-priority" id=${placeId(["query", "priority"])}>
        <${Field} label="Priority" error=${error("priority")}>
        ${(/** @type {any} */ attributes) => html`<${TextInput} inputmode="numeric" placeholder="0" value=${priority}
          title="-100 to 100; higher goes first" onInput=${(/** @type {string} */ text) => change({ priority: text })}
            ...${attributes} />`}
      </${Field}></div>
      <div class="send-note" id=${placeId(["query", "note"])}><${Field} label="Note" error=${error("note")}>
        ${(/** @type {any} */ attributes) => html`<${TextInput} maxlength="4000" placeholder="for you and others"
          value=${note}
          onInput=${(/** @type {string} */ text) => change({ note: text })} ...${attributes} />`}
      </${Field}></div>
      <${Button} kind="primary" type="submit" busy=${isBusy} disabled=${of === null}>
        ${problem?.isPassing ? "Send it again" : "Queue the job"}</${Button}>
    </div>
    ${whyNot && html`<p class="hint">${whyNot}</p>`}
  </form>`;
}

/**
 * The key is kept until there is an answer: the same job sent again is the same job.
 * @param {string} of @param {string} note @param {string} priority
 */
async function handIn(of, note, priority) {
  const params = { note: note.trim() || undefined, priority: priority.trim() || undefined };
  const attempt = attemptFor(readDraft().attempt, JSON.stringify([of, params]));
  keepDraft({ attempt });
  try {
    return await send("POST", "jobs", JSON.parse(of), { params, key: attempt.key });
  } catch (error) {
    if (!(/** @type {any} */ (error).isPassing)) keepDraft({ attempt: null });
    throw error;
  }
}
