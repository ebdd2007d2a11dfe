// @ts-check
/** What a job makes small, and what its front weighs: loss and size always, and whatever else it minimises. */

import { formatBytes, formatFlops, formatParameters } from "../format.js";
import { formatError, taskName, taskOf } from "../task-errors.js";

/**
 * @typedef {import("../model.js").CandidateView} CandidateView
 * @typedef {{key: string, name: string, term: string, more: string, less: string,
 *   format: (value: number) => string}} Objective  key: as of the axes
 */

/** @type {Record<string, Objective>} */
const BESIDE = {
  size: { key: "size_bytes", name: "size", term: "size", more: "larger", less: "smaller", format: formatBytes },
  flops: {
    key: "flops", name: "FLOPs per token", term: "FLOPs per token", more: "more FLOPs", less: "fewer FLOPs",
    format: formatFlops,
  },
  parameters: {
    key: "parameters", name: "parameters", term: "parameters", more: "more parameters", less: "fewer parameters",
    format: formatParameters,
  },
};

/** @param {string} name @param {string | null | undefined} objective "kl" or "perplexity" @returns {Objective[]} */
function described(name, objective) {
  const isKl = objective !== "perplexity";
  const [word, term] = isKl ? ["KL", "kl"] : ["perplexity", "perplexity"];
  if (name === "loss") return [{ key: "loss", name: word, term, more: "more", less: "less", format: String }];
  const task = taskOf(name);
  if (task !== null) {
    const [own, one] = [taskName(task), `on ${task}`];
    return [{ key: name, name: own, term: "task error", more: `more ${one}`, less: `less ${one}`, format: formatError }];
  }
  return BESIDE[name] ? [BESIDE[name]] : [];
}

/**
 * What the job's strategy minimises together.
 * @param {{objective?: string | null, objectives?: string[]}} job
 */
export function objectivesOf(job) {
  return (job.objectives ?? ["loss"]).flatMap((name) => described(name, job.objective));
}

/**
 * In what no candidate of the job's front beats another.
 * @param {{objective?: string | null, objectives?: string[]}} job
 */
export function weighedBy(job) {
  const names = new Set(["loss", "size", ...(job.objectives ?? [])]);
  return [...names].flatMap((name) => described(name, job.objective));
}

/** "KL, size and FLOPs per token". @param {Objective[]} objectives */
export function listed(objectives) {
  const names = objectives.map((each) => each.name);
  return [names.slice(0, -1).join(", "), ...names.slice(-1)].filter(Boolean).join(" and ");
}

/** Infinite where it is not known. @param {CandidateView} candidate @param {Objective} objective */
export function weightOf(candidate, { key }) {
  const task = taskOf(key);
  const own = task === null ? /** @type {any} */ (candidate)[key] : candidate.task_errors?.[task];
  return /** @type {number} */ (own ?? Infinity);
}

/**
 * Whether one is as good as another in all of these, and better in one.
 * @param {CandidateView} one @param {CandidateView} other @param {Objective[]} objectives
 */
export function beats(one, other, objectives) {
  const isNoWorse = objectives.every((each) => weightOf(one, each) <= weightOf(other, each));
  return isNoWorse && objectives.some((each) => weightOf(one, each) < weightOf(other, each));
}
