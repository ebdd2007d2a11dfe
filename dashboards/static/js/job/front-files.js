// @ts-check
/** Files made in the page: the shown candidates as CSV, every figure in full. */

import { tasksOf } from "../task-errors.js";

/** @typedef {import("./axes.js").Candidate} Candidate */

const FIELDS = /** @type {const} */ ([
  "seq",
  "configuration_id",
  "label",
  "kind",
  "state",
  "source",
  "is_on_front",
  "size_bytes",
  "bits_per_weight",
  "nominal_bits_per_weight",
  "loss",
  "loss_se",
  "flops",
  "parameters",
  "created_at",
]);
const FORMULA = /^[=+\-@\t\r]/; // a spreadsheet would run such a text

/** @param {unknown} value */
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {Candidate[]} candidates lines as RFC 4180 has them */
export function csvOf(candidates) {
  const tasks = tasksOf(candidates);
  const head = [...FIELDS, ...tasks.map((task) => cell(`error_${task}`))];
  const rows = candidates.map((each) => [
    ...FIELDS.map((field) => cell(each[field])),
    ...tasks.map((task) => cell(each.task_errors?.[task])),
  ]);
  return [head, ...rows].map((row) => `${row.join(",")}\r\n`).join("");
}

/**
 * Hands a text to the person as a file.
 * @param {string} name @param {string} text @param {string} mediaType
 */
export function saveText(name, text, mediaType) {
  const address = URL.createObjectURL(new Blob([text], { type: mediaType }));
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000); // the download has begun by then
}
