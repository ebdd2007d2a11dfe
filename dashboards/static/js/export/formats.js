// @ts-check
/** What the export dialog knows of a format: its file, whether it can be shown, and the same as a command. */

/**
 * @typedef {{name: string, summary: string, kind: "checkpoint" | "recipe" | "table", media_type: string,
 *   file_name: string, loads_in: string | string[], limits: string | string[], checked: string}} ExportFormat
 * @typedef {{format: string, state: "queued" | "writing" | "done" | "failed", phase: string, done: number,
 *   total: number, error: string | null, name: string, size_bytes: number | null}} ExportState
 */

const SHOWN_TYPES = /^(text\/|application\/(json|yaml|x-yaml|toml|xml)\b)|\+(json|xml|yaml)\b/;
const MOST_SHOWN = 20000; // characters: a page of layers, not a download

/** @type {(format: ExportFormat) => boolean} */
export const isText = (format) => SHOWN_TYPES.test(format.media_type);

/** Whether it is a folder with weights, which takes a while. @type {(format: ExportFormat) => boolean} */
export const isFolder = (format) => format.kind === "checkpoint";

/** Where the service says how far a checkpoint is. @type {(jobId: string, seq: number, name: string) => string} */
export const statePath = (jobId, seq, name) => `jobs/${jobId}/candidates/${seq}/exports/${name}`;

/** @type {(state: ExportState) => boolean} */
export const isUnderWay = (state) => state.state === "queued" || state.state === "writing";

/** What the service does with a checkpoint just now. @type {(state: ExportState) => string} */
export function phaseWords(state) {
  if (state.state === "queued") return "Waits for another export";
  return state.phase === "tensors" ? "Writing tensors" : `Preparing: ${state.phase}`;
}

/** @type {(jobId: string, seq: number) => string} */
export const exportPath = (jobId, seq) => `jobs/${jobId}/candidates/${seq}/export`;

/**
 * The same file from a command line; `url` is where the download is, for the formats that only the service writes.
 * @type {(format: ExportFormat, jobId: string, seq: number, url: string) => string}
 */
export function commandLine(format, jobId, seq, url) {
  if (format.name === "configuration") return `layerpress show ${jobId} ${seq} --out ${format.file_name}`;
  if (format.name === "layers.csv") return `curl -sSf ${shellWord(url)} -o ${shellWord(format.file_name)}`;
  const command = `layerpress export ${jobId} --pick ${seq} --format ${format.name}`;
  return isFolder(format) ? `${command} --out ${format.name}` : `${command} > ${shellWord(format.file_name)}`;
}

/** @type {(word: string) => string} */
const shellWord = (word) => (/^[A-Za-z0-9._/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** @type {(told: string | string[] | null | undefined) => string[]} */
export const sentences = (told) => (Array.isArray(told) ? told : told ? [told] : []);

/**
 * The beginning of a text, cut at a line, and how many lines were left out.
 * @type {(text: string) => {shown: string, numMore: number}}
 */
export function beginning(text) {
  if (text.length <= MOST_SHOWN) return { shown: text, numMore: 0 };
  const end = text.lastIndexOf("\n", MOST_SHOWN);
  const shown = text.slice(0, end > 0 ? end : MOST_SHOWN);
  return { shown, numMore: text.slice(shown.length).trim().split("\n").length };
}
