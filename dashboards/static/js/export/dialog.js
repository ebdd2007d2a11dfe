// @ts-check
/** A dialog that writes one candidate as another tool's files: what they are, what loads them, and the download. */

import { html, useEffect, useState } from "../preact.js";
import { address, downloadFile, get, getText } from "../api.js";
import { formatBytes } from "../format.js";
import { Button } from "../components/button.js";
import { CopyButton } from "../components/copy-button.js";
import { Dialog } from "../components/dialog.js";
import { EmptyState } from "../components/empty-state.js";
import { Loading } from "../components/loading.js";
import { ProblemBox } from "../components/problem-box.js";
import { Checkpoint } from "./checkpoint.js";
import { beginning, commandLine, exportPath, isFolder, isText, sentences } from "./formats.js";

/** @typedef {import("./formats.js").ExportFormat} ExportFormat */

/** @param {{jobId: string, seq: number, onClose: () => void}} props */
export function ExportDialog({ jobId, seq, onClose }) {
  const formats = useAsked(() => get("exports").then(listed), "exports");
  const [name, setName] = useState(/** @type {string | null} */ (null));
  const format = formats.value?.find((each) => each.name === name) ?? formats.value?.[0] ?? null;
  return html`
    <${Dialog} title=${`Export candidate ${seq}`} wide onClose=${onClose}>
      <div class="export">
        ${formats.problem && html`<${ProblemBox} problem=${formats.problem} />`}
        ${!formats.value && !formats.problem && html`<${Loading} />`}
        ${formats.value?.length === 0 && html`<${EmptyState} title="No formats">
          This service knows no export format. Its log says what it was installed with.<//>`}
        ${format && html`
          <${Formats} formats=${formats.value} chosen=${format} onChoose=${setName} />
          <${Chosen} key=${format.name} format=${format} jobId=${jobId} seq=${seq} />`}
      </div>
    <//>`;
}

/** @param {{formats: ExportFormat[], chosen: ExportFormat, onChoose: (name: string) => void}} props */
function Formats({ formats, chosen, onChoose }) {
  return html`
    <fieldset class="export-formats">
      <legend>Format</legend>
      ${formats.map((each) => html`
        <label key=${each.name} class=${each === chosen ? "export-format is-chosen" : "export-format"}>
          <input type="radio" name="export-format" value=${each.name} checked=${each === chosen}
            onChange=${() => onChoose(each.name)} />
          <span><strong>${each.name}</strong><span class="export-summary">${each.summary}</span></span>
        </label>`)}
    </fieldset>`;
}

/** @param {{format: ExportFormat, jobId: string, seq: number}} props */
function Chosen({ format, jobId, seq }) {
  const path = exportPath(jobId, seq);
  const text = useAsked(
    () => (isText(format) && !isFolder(format) ? getText(path, { format: format.name }) : Promise.resolve(null)), `${path} ${format.name}`,
  );
  const command = commandLine(format, jobId, seq, address(path, { format: format.name }).href);
  return html`
    <dl class="export-facts">
      ${isFolder(format) ? html`<dt>Files</dt><dd>a folder with the weights, as one tar file</dd>` : html`
        <dt>File</dt>
        <dd>${format.file_name} <span class="muted">(${format.media_type}${sizeTold(text.value)})</span></dd>`}
      <dt>Loads in</dt><dd><${Told} lines=${sentences(format.loads_in)} otherwise="not stated" /></dd>
      <dt>Limits</dt><dd><${Told} lines=${sentences(format.limits)} otherwise="none known" /></dd>
      <dt>Checked</dt><dd>${format.checked}</dd>
    </dl>
    ${!isFolder(format) && html`<${Preview} format=${format} text=${text} />`}
    <div class="export-command">
      <code>${command}</code>
      <${CopyButton} text=${command} label="Copy the command" />
    </div>
    ${isFolder(format) ? html`<${Checkpoint} formatName=${format.name} jobId=${jobId} seq=${seq} />`
      : html`<${Download} path=${path} format=${format} isPossible=${!text.problem} />`}`;
}

/** @type {(text: string | null) => string} */
const sizeTold = (text) => (text === null ? "" : `, ${formatBytes(new Blob([text]).size)}`);

/** @param {{lines: string[], otherwise: string}} props */
function Told({ lines, otherwise }) {
  if (lines.length === 0) return html`<span class="muted">${otherwise}</span>`;
  if (lines.length === 1) return html`<span>${lines[0]}</span>`;
  return html`<ul>${lines.map((line) => html`<li key=${line}>${line}</li>`)}</ul>`;
}

/** @param {{format: ExportFormat, text: Asked<string | null>}} props */
function Preview({ format, text }) {
  if (text.problem) return html`<${ProblemBox} problem=${text.problem} />`;
  if (!isText(format)) return html`<p class="muted">A binary file: there is no preview.</p>`;
  if (text.value === null) return html`<${Loading} />`;
  const { shown, numMore } = beginning(text.value);
  return html`
    <div class="export-preview">
      <pre tabindex="0" role="region" aria-label="What the file holds">${shown || "(an empty file)"}</pre>
      ${numMore > 0 && html`<p class="muted">${numMore.toLocaleString("en")} more lines in the file.</p>`}
    </div>`;
}

/** @param {{path: string, format: ExportFormat, isPossible: boolean}} props */
function Download({ path, format, isPossible }) {
  const [isBusy, setBusy] = useState(false);
  const [done, setDone] = useState(/** @type {Error | true | null} */ (null));
  const download = () => {
    setBusy(true);
    downloadFile(path, { format: format.name })
      .then(() => setDone(true), setDone).finally(() => setBusy(false));
  };
  return html`
    <div class="export-foot">
      ${done instanceof Error && html`<${ProblemBox} problem=${done} />`}
      <${Button} kind="primary" icon="download" busy=${isBusy} disabled=${!isPossible} onClick=${download}>
        Download ${format.file_name}<//>
      <span role="status" class="muted">${done === true ? "Handed to the browser." : ""}</span>
    </div>`;
}

/**
 * @template T
 * @typedef {{value: T | null, problem: Error | null}} Asked
 */

/**
 * What `ask` answers, asked once for each `key`.
 * @template T
 * @param {() => Promise<T>} ask
 * @param {string} key
 * @returns {Asked<T>}
 */
function useAsked(ask, key) {
  const [state, setState] = useState(/** @type {Asked<T>} */ ({ value: null, problem: null }));
  useEffect(() => {
    let isWanted = true;
    setState({ value: null, problem: null });
    ask().then(
      (value) => isWanted && setState({ value, problem: null }),
      (problem) => isWanted && setState({ value: null, problem }),
    );
    return () => void (isWanted = false);
  }, [key]);
  return state;
}

/** @type {(answer: ExportFormat[] | {items: ExportFormat[]}) => ExportFormat[]} */
const listed = (answer) => (Array.isArray(answer) ? answer : answer.items);
