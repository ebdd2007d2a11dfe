// @ts-check
/** What a candidate can be drawn over: each axis with its name, its value and how that is written. */

import { exactBytes, exactFlops, formatBits, formatBytes, formatCount, formatFlops, formatLoss,
  formatParameters } from "../format.js";
import { formatError, taskKey, taskName, taskOf, tasksOf } from "../task-errors.js";

/** @typedef {import("../model.js").CandidateView} Candidate a candidate as the API answers it */

/**
 * @typedef {object} Axis
 * @property {string} key the field, as `x` and `y` of the address name it
 * @property {string} range the word under which the address keeps a range of it
 * @property {string} name for people
 * @property {string} short for heads of columns
 * @property {string} [term] an entry of the glossary
 * @property {boolean} isLoss whether a log scale suits it
 * @property {(candidate: Candidate) => number} of NaN where there is none
 * @property {(value: number) => string} format
 * @property {(value: number) => string} [exact] to the last digit, with its unit
 */

const figures = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

/** @param {number | null | undefined} value */
const finite = (value) => (typeof value === "number" && Number.isFinite(value) ? value : Number.NaN);

/** @param {number} value */
const plain = (value) => figures.format(value);

/** @type {Axis[]} */
const FIXED = [
  {
    key: "size_bytes",
    range: "size",
    name: "size of the checkpoint",
    short: "size",
    term: "size",
    isLoss: false,
    of: (candidate) => finite(candidate.size_bytes),
    format: (value) => formatBytes(value),
    exact: (value) => exactBytes(value),
  },
  {
    key: "bits_per_weight",
    range: "bits",
    name: "bits per weight",
    short: "bits/weight",
    term: "bits per weight",
    isLoss: false,
    of: (candidate) => finite(candidate.bits_per_weight),
    format: (value) => formatBits(value),
  },
  {
    key: "nominal_bits_per_weight",
    range: "nominal",
    name: "nominal bits per weight",
    short: "nominal bits",
    term: "nominal bits",
    isLoss: false,
    of: (candidate) => finite(candidate.nominal_bits_per_weight),
    format: (value) => formatBits(value),
  },
];

/** What dropped parts change, and candidates of an earlier release do not tell. @type {Axis[]} */
const MEASURES = [
  {
    key: "flops",
    range: "flops",
    name: "FLOPs per token",
    short: "FLOPs/token",
    term: "FLOPs per token",
    isLoss: false,
    of: (candidate) => finite(candidate.flops),
    format: (value) => formatFlops(value),
    exact: (value) => exactFlops(value),
  },
  {
    key: "parameters",
    range: "parameters",
    name: "parameters kept",
    short: "parameters",
    term: "parameters",
    isLoss: false,
    of: (candidate) => finite(candidate.parameters),
    format: (value) => formatParameters(value),
    exact: (value) => `${formatCount(value)} parameters`,
  },
];

/** @type {Axis} */
const ERROR = {
  key: "loss_se",
  range: "se",
  name: "standard error of the loss",
  short: "± error",
  term: "standard error",
  isLoss: true,
  of: (candidate) => finite(candidate.loss_se),
  format: plain,
};

/** @type {Axis} */
const ORDER = {
  key: "seq",
  range: "order",
  name: "order of measurement",
  short: "order",
  isLoss: false,
  of: (candidate) => candidate.seq,
  format: (value) => String(Math.round(value)),
};

/** @param {string} objective @returns {Axis} */
function lossAxis(objective) {
  const isKl = objective === "kl";
  return {
    key: "loss",
    range: "loss",
    name: isKl ? "KL to the dense model, nats per token" : objective,
    short: isKl ? "KL" : objective,
    term: isKl ? "kl" : objective,
    isLoss: true,
    of: (candidate) => finite(candidate.loss),
    format: (value) => formatLoss(value),
  };
}

/** @param {string} task @returns {Axis} */
function taskAxis(task) {
  return {
    key: taskKey(task),
    range: taskKey(task),
    name: taskName(task),
    short: taskName(task),
    term: "task error",
    isLoss: false,
    of: (candidate) => finite(candidate.task_errors?.[task]),
    format: formatError,
  };
}

/** Which measures any of these candidates tells. @param {Candidate[]} candidates */
export function measuresOf(candidates) {
  const own = MEASURES.map((axis) => axis.key).filter((key) =>
    candidates.some((each) => /** @type {any} */ (each)[key] != null));
  return [...own, ...tasksOf(candidates).map(taskKey)];
}

/**
 * Every axis of a job.
 * @param {string[]} measures those that its candidates tell
 * @param {string} objective of the job: "kl" or "perplexity"
 * @returns {Axis[]}
 */
export function axesOf(measures, objective) {
  const known = MEASURES.filter((axis) => measures.includes(axis.key));
  const tasks = measures.flatMap((key) => taskOf(key) ?? []);
  return [...FIXED, lossAxis(objective), ...known, ...tasks.map(taskAxis), ERROR, ORDER];
}

/**
 * The axes along which these candidates differ, or which every job has.
 * @param {Axis[]} axes @param {Candidate[]} candidates
 */
export function tellingAxes(axes, candidates) {
  return axes.filter((axis) => {
    if (!MEASURES.includes(axis) && taskOf(axis.key) === null) return true;
    const first = candidates.find((each) => Number.isFinite(axis.of(each)));
    return first !== undefined && candidates.some((each) => Math.abs(axis.of(each) - axis.of(first)) > 0);
  });
}

/**
 * The axis of that key, or the one to begin with.
 * @param {Axis[]} axes @param {string | undefined} key @param {string} otherwise
 */
export function axisOf(axes, key, otherwise) {
  const found = axes.find((axis) => axis.key === key) ?? axes.find((axis) => axis.key === otherwise);
  return /** @type {Axis} */ (found ?? axes[0]);
}
