// @ts-check
/** Dialogs that find a job, and a candidate of one, to put beside the others. */

import { html, useEffect, useState } from "../preact.js";
import { get } from "../api.js";
import { usePolled } from "../live.js";
import { formatAgo, formatBytes, formatLoss } from "../format.js";
import { Badge } from "../components/badge.js";
import { Button } from "../components/button.js";
import { Dialog } from "../components/dialog.js";
import { Field, Select, TextInput } from "../components/field.js";
import { Loading } from "../components/loading.js";
import { ProblemBox } from "../components/problem-box.js";
import { Table } from "../components/table.js";
import { baseName } from "./lines.js";
import { pick } from "./view.js";

/** @typedef {{id: string, name: string, model: string, state: string, created_at: string}} Job */
/** @typedef {import("./data.js").Candidate} Candidate */
/** @typedef {import("./view.js").Pick} Pick */
/** @typedef {import("./lines.js").Line} Line */

const NUM_FOUND = 30;
const TYPING_MS = 200;

/** @param {{shown: string[], onPick: (id: string) => void, onClose: () => void}} props */
export function JobPicker({ shown, onPick, onClose }) {
  const [typed, setTyped] = useState("");
  const search = useSettled(typed, TYPING_MS);
  const found = usePolled("jobs", { search: search || null, limit: NUM_FOUND }, 0);
  const jobs = /** @type {Job[] | null} */ (found.value?.items ?? null);
  return html`
    <${Dialog} title="Add a job" onClose=${onClose}>
      <div class="picker">
        <${Field} label="Search" hint="Part of a name, a note, a model or an id.">
          ${(/** @type {object} */ given) => html`
            <${TextInput} type="search" autofocus value=${typed} onInput=${setTyped} ...${given} />`}
        <//>
        ${found.problem && html`<${ProblemBox} problem=${found.problem} />`}
        ${!jobs && !found.problem && html`<${Loading} />`}
        ${jobs?.length === 0 && html`<p class="muted">${search ? "No job is like this." : "There are no jobs."}</p>`}
        <ul class="picker-list">
          ${jobs?.map((job) => html`
            <${FoundJob} key=${job.id} job=${job} isShown=${shown.includes(job.id)} onPick=${onPick} />`)}
        </ul>
      </div>
    <//>`;
}

/** @param {{job: Job, isShown: boolean, onPick: (id: string) => void}} props */
function FoundJob({ job, isShown, onPick }) {
  const told = [baseName(job.model), formatAgo(job.created_at), ...(isShown ? ["shown already"] : [])];
  return html`
    <li>
      <button type="button" class="picker-item" disabled=${isShown} onClick=${() => onPick(job.id)}>
        <span class="picker-name">${job.name || job.id}</span>
        <${Badge} state=${job.state} />
        <span class="muted small">${told.join(" · ")}</span>
      </button>
    </li>`;
}

/**
 * @param {{lines: Line[], picked: Set<string>, onPick: (pick: Pick) => void,
 *   onClose: () => void}} props
 */
export function CandidatePicker({ lines, picked, onPick, onClose }) {
  const [jobId, setJobId] = useState(lines[0]?.id ?? "");
  const options = lines.map((line) => ({ value: line.id, label: line.title }));
  return html`
    <${Dialog} title="Add a candidate" wide onClose=${onClose}>
      <div class="picker">
        ${lines.length === 0 && html`<p class="muted">Add a job first: its candidates are found here.</p>`}
        ${lines.length > 0 && html`
          <${Field} label="Job">
            ${(/** @type {object} */ given) => html`
              <${Select} value=${jobId} options=${options} onChange=${setJobId} ...${given} />`}
          <//>
          <${ByNumber} key=${jobId} jobId=${jobId} onPick=${onPick} />
          <${Points} line=${lines.find((line) => line.id === jobId)} picked=${picked} onPick=${onPick} />`}
      </div>
    <//>`;
}

/** @param {{jobId: string, onPick: (pick: Pick) => void}} props */
function ByNumber({ jobId, onPick }) {
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState(/** @type {string | null} */ (null));
  const add = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const seq = Number(typed);
    if (!Number.isSafeInteger(seq) || seq < 1) return setProblem(`a candidate's number is 1 or more, got "${typed}"`);
    const failed = await get(`jobs/${jobId}/candidates/${seq}`).then(() => null, (each) => each.message);
    setProblem(failed);
    if (failed === null) onPick(pick(jobId, seq));
  };
  return html`
    <form class="by-number" onSubmit=${add}>
      <${Field} label="Number" error=${problem} hint="Any candidate of the job, on its front or not.">
        ${(/** @type {object} */ given) => html`
          <${TextInput} inputmode="numeric" value=${typed} onInput=${setTyped} ...${given} />`}
      <//>
      <${Button} type="submit">Add<//>
    </form>`;
}

/** @param {{line: Line | undefined, picked: Set<string>, onPick: (pick: Pick) => void}} props */
function Points({ line, picked, onPick }) {
  if (!line) return null;
  if (line.front.items.length === 0) return html`<p class="muted">This job's front has no point yet.</p>`;
  const keyOf = (/** @type {Candidate} */ each) => String(each.seq);
  return html`
    <p class="small muted">Or one of its front: choose a row.</p>
    <${Table} columns=${columns(line.id, picked)} rows=${line.front.items} rowKey=${keyOf} maxHeight=${280}
      caption=${`The front of ${line.title}`}
      onSelect=${(/** @type {Candidate} */ each) => onPick(pick(line.id, each.seq))} />`;
}

/** @type {(id: string, picked: Set<string>) => import("./columns.js").Column<Candidate>[]} */
function columns(id, picked) {
  return [
    { key: "seq", title: "Number", align: "right", render: (each) => each.seq },
    { key: "size", title: "Size", align: "right", render: (each) => formatBytes(each.size_bytes) },
    { key: "loss", title: "Loss", align: "right", render: (each) => formatLoss(each.loss, each.loss_se) },
    { key: "label", title: "Proposed by", render: (each) => each.label },
    { key: "is", title: "", render: (each) => (picked.has(`${id}:${each.seq}`) ? "beside" : "") },
  ];
}

/**
 * A value once it has not changed for a while.
 * @template T
 * @param {T} value
 * @param {number} delayMs
 */
function useSettled(value, delayMs) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), delayMs);
    return () => clearTimeout(timer);
  }, [value, delayMs]);
  return settled;
}
