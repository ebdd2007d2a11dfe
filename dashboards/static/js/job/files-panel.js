// @ts-check
/** The files that a job left, with their sizes and hashes, to download. */

import { downloadFile } from "../api.js";
import { Ago, Button, Bytes, EmptyState, Loading, ProblemBox, Table, toast } from "../components/index.js";
import { html } from "../preact.js";

/** @typedef {import("../model.d.ts").JobDetail} JobDetail */
/** @typedef {{name: string, media_type: string, size_bytes: number, sha256: string, created_at: string}} Artifact */

/** @type {[RegExp, string][]} */
const MEANINGS = [
  [/^report\.json$/, "everything that was measured, for programs"],
  [/^front.*\.(html|png)$/, "the front as a page or a picture that stands alone"],
  [/^front.*\.csv$/, "the front as a table"],
  [/^configuration.*\.json$/, "an answer: which option each layer takes"],
  [/^space\.json$/, "the layers and the options that were open to each"],
  [/^sensitivity\.json$/, "what each option costs each layer"],
];

/** @param {{job: JobDetail, files: Artifact[] | null, problem: any}} props  files null: on their way */
export function FilesPanel({ job, files, problem }) {
  if (files === null) return problem ? html`<${ProblemBox} problem=${problem} />` : html`<${Loading} />`;
  if (files.length === 0) {
    return html`<${EmptyState} title="No files yet">
      A job writes down its space when it begins, and its report, tables and pictures when it has succeeded.
    </${EmptyState}>`;
  }
  const columns = columnsOf((name) => download(job.id, name));
  return html`<div class="job-files">
    <${Table} columns=${columns} rows=${files} rowKey=${(/** @type {Artifact} */ file) => file.name} maxHeight=${640}
      caption="Files that the job left" />
  </div>`;
}

/** @param {(name: string) => void} onDownload */
function columnsOf(onDownload) {
  return [
    { key: "name", title: "file", render: (/** @type {Artifact} */ { name }) => html`<strong>${name}</strong>
      <span class="file-meaning">${meaning(name)}</span>` },
    { key: "size", title: "size", align: /** @type {const} */ ("right"),
      render: (/** @type {Artifact} */ file) => html`<${Bytes} value=${file.size_bytes} />` },
    { key: "sha256", title: "SHA-256",
      render: (/** @type {Artifact} */ { sha256 }) => html`<code title=${sha256}>${sha256.slice(0, 12)}…</code>` },
    { key: "created_at", title: "written",
      render: (/** @type {Artifact} */ file) => html`<${Ago} date=${file.created_at} />` },
    { key: "download", title: html`<span class="unseen">download</span>`,
      render: (/** @type {Artifact} */ { name }) => html`<${Button} kind="quiet" small icon="download"
        aria-label=${`Download ${name}`} onClick=${() => onDownload(name)}>Download</${Button}>` },
  ];
}

/** @param {string} name */
function meaning(name) {
  return MEANINGS.find(([pattern]) => pattern.test(name))?.[1] ?? "";
}

/** @param {string} id @param {string} name */
async function download(id, name) {
  try {
    await downloadFile(`jobs/${id}/artifacts/${encodeURIComponent(name)}`);
  } catch (error) {
    toast(error, "error");
  }
}
