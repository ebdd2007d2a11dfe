// @ts-check
/** The figures of candidates side by side, each with its difference from the first, in words. */

import { exactBytes, formatBytes, formatCount, formatLoss } from "../format.js";
import { formatError, tasksOf } from "../task-errors.js";

/**
 * @typedef {import("./candidates-panel.js").Column} Column
 * @typedef {import("./data.js").Candidate} Candidate
 * @typedef {{value: string, difference: string | null}} Cell
 * @typedef {{name: string, cells: Cell[]}} Row
 * @typedef {number | null | undefined} Count
 * @typedef {(own: Candidate, base: Candidate | null, isOneKind: boolean) => Cell} Figure
 */

/** @type {Record<string, Figure>} */
const FIGURES = {
  "Proposed by": (own) => plain(own.label),
  Kind: (own) => plain(KINDS[own.kind]),
  Size: (own, base) => cell(exactBytes(own.size_bytes), base && sizeDifference(own, base)),
  "Bits per weight": (own, base) => number(own.bits_per_weight, base?.bits_per_weight),
  "Nominal bits": (own, base) => number(own.nominal_bits_per_weight, base?.nominal_bits_per_weight),
  "FLOPs per token": (own, base) => count(own.flops, base?.flops),
  "Parameters kept": (own, base) => count(own.parameters, base?.parameters),
  Loss: (own, base, isOneKind) => cell(lossTold(own), base && lossDifference(own, base, isOneKind)),
  "Loss ÷ base’s": (own, base, isOneKind) => plain(ratioTold(own, base, isOneKind)),
  "On the front": (own) => plain(own.is_on_front ? "yes" : "no"),
  Measured: (own) => plain(own.source === "cached" ? "known from the store" : "computed by this job"),
  Configuration: (own, base) => cell(
    own.configuration_id.slice(0, 12), base && (own.configuration_id === base.configuration_id ? "the same" : null),
  ),
};

const KINDS = { candidate: "candidate", plain: "uniform baseline", answer: "the job's answer" };

/** @param {string} task @returns {Figure} */
const errorOn = (task) => (own, base) => {
  const [error, other] = [own.task_errors?.[task], base?.task_errors?.[task]];
  return error === undefined ? plain("–") : cell(formatError(error), other === undefined ? null : signed(error - other, 4));
};

/**
 * @param {Column} base
 * @param {Column[]} columns
 * @returns {Row[]}
 */
export function figureRows(base, columns) {
  const tasks = tasksOf(columns.flatMap((column) => column.candidate ?? []));
  const errors = tasks.map((task) => /** @type {[string, Figure]} */ ([`Error on ${task}`, errorOn(task)]));
  return [...Object.entries(FIGURES), ...errors].map(([name, figure]) => ({
    name, cells: columns.map((column) => cellOf(figure, column, base)),
  }));
}

/** @type {(figure: Figure, column: Column, base: Column) => Cell} */
function cellOf(figure, column, base) {
  if (!column.candidate) return plain(column.problem ? "–" : "…");
  const isOneKind = column.pick.jobId === base.pick.jobId || (column.kind !== null && column.kind === base.kind);
  return figure(column.candidate, column === base ? null : base.candidate, isOneKind);
}

/** @type {(value: string, difference: string | null) => Cell} */
const cell = (value, difference) => ({ value, difference });

/** @type {(value: string) => Cell} */
const plain = (value) => cell(value, null);

/** @type {(own: number, base: number | undefined) => Cell} */
const number = (own, base) => cell(own.toFixed(4), base === undefined ? null : signed(own - base, 4));

/** In full, with the difference in percent. @type {(own: Count, base: Count) => Cell} */
function count(own, base) {
  if (own == null || !base) return plain(formatCount(own));
  return cell(formatCount(own), own === base ? "the same" : `${signed((100 * (own - base)) / base, 2)} %`);
}

/** @type {(own: Candidate) => string} */
function lossTold({ loss, loss_se: error }) {
  if (loss === null) return "broke the model";
  return error === null ? formatLoss(loss, error) : `${formatLoss(loss, error)} ± ${error.toPrecision(2)}`;
}

/** @type {(own: Candidate, base: Candidate) => string} */
function sizeDifference(own, base) {
  const bytes = own.size_bytes - base.size_bytes;
  if (bytes === 0) return "to the byte the same";
  const percent = base.size_bytes ? ` (${signed((100 * bytes) / base.size_bytes, 2)} %)` : "";
  return `${bytes > 0 ? "+" : "−"}${formatBytes(Math.abs(bytes))}${percent}`;
}

/** @type {(own: Candidate, base: Candidate, isOneKind: boolean) => string | null} */
function lossDifference(own, base, isOneKind) {
  if (own.loss === null || base.loss === null) return null;
  if (!isOneKind) return "not of one kind";
  const difference = own.loss - base.loss;
  if (own.loss_se === null || base.loss_se === null) return signed(difference, 4);
  const error = Math.hypot(own.loss_se, base.loss_se);
  const digits = error > 0 ? Math.min(10, Math.max(0, 1 - Math.floor(Math.log10(error)))) : 4;
  return `${signed(difference, digits)} ± ${error.toPrecision(2)}`;
}

/** @type {(own: Candidate, base: Candidate | null, isOneKind: boolean) => string} */
function ratioTold(own, base, isOneKind) {
  if (base === null) return "1";
  if (!isOneKind || own.loss === null || !base.loss) return "–";
  return (own.loss / base.loss).toFixed(3);
}

/** @type {(value: number, digits: number) => string} */
export function signed(value, digits) {
  const told = Math.abs(value).toFixed(digits);
  if (Number(told) === 0) return "±0";
  return `${value > 0 ? "+" : "−"}${told}`;
}
