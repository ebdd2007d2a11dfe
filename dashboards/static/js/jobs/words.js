// @ts-check
/** Short words for what a row says: the model, the budget, what is going on. */

import { formatBytes, formatDuration, formatPercent } from "../format.js";
import { isFinal } from "../states.js";

/** @typedef {import("../model.d.ts").JobView} JobView */

const PHASES = /** @type {Record<string, string>} */ ({
  prepare: "Preparing",
  bank: "Making the bank",
  baselines: "Measuring plain choices",
  scores: "Computing scores",
  search: "Searching",
  validation: "Checking the answer",
  report: "Writing the report",
});
const BUDGETS = /** @type {Record<string, (value: string) => string>} */ ({
  nominal_bits_per_weight: (value) => `${value} nominal bits`,
  bits_per_weight: (value) => `${value} bits per weight`,
  size: (value) => value,
  sparsity: (value) => `${value} sparse`,
  dropped_attentions: (value) => `${value} attentions dropped`,
  dropped_mlps: (value) => `${value} MLPs dropped`,
  dropped_blocks: (value) => `${value} blocks dropped`,
  parameters: (value) => `${value} parameters`,
});

/** The last part of a path or hub id. @param {string} model */
export function shortModel(model) {
  return model.split("/").filter(Boolean).at(-1) ?? model;
}

/** "3 nominal bits"; several limits are joined. @param {Record<string, any> | null | undefined} budget */
export function budgetWords(budget) {
  const limits = Object.entries(budget ?? {});
  if (limits.length === 0) return "no budget";
  return limits
    .map(([name, value]) =>
      (BUDGETS[name] ?? ((text) => `${name.replaceAll("_", " ")} ${text}`))(limitText(name, value)),
    )
    .join(", ");
}

/** @param {string} name @param {any} value @returns {string} */
function limitText(name, value) {
  if (value !== null && typeof value === "object" && "points" in value) {
    const range =
      value.from === undefined
        ? `up to ${limitText(name, value.to)}`
        : `${limitText(name, value.from)} to ${limitText(name, value.to)}`;
    return `${value.points} points, ${range}`;
  }
  if (Array.isArray(value)) return value.map((one) => limitText(name, one)).join(" / ");
  return name === "size" && typeof value === "number" ? formatBytes(value) : String(value);
}

/** What a job does now, for its bar. @param {JobView} job */
export function phaseWords(job) {
  if (job.state === "queued") return "Waiting for its turn";
  if (job.progress === null) return job.state === "validating" ? "Starting" : "Not begun";
  const { phase, label } = job.progress;
  return label || PHASES[phase] || phase;
}

/** How long it took, or will take. @param {JobView} job */
export function timeWords(job) {
  if (isFinal(job.state)) {
    if (!job.started_at || !job.finished_at) return "Never began";
    return `Took ${formatDuration((Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000)}`;
  }
  return typeof job.eta_s === "number" ? `about ${formatDuration(job.eta_s)} left` : "";
}

/** @param {JobView} job */
export function cachedWords(job) {
  return typeof job.cached_share === "number" ? `${formatPercent(job.cached_share)} cached` : "";
}

/** The last event without the name of the state that stands beside it. @param {JobView} job */
export function eventWords(job) {
  const text = (job.state === "failed" && job.message) || job.last_event?.text || job.message; // why comes first
  return text.startsWith(`${job.state}: `) ? text.slice(job.state.length + 2) : text;
}
