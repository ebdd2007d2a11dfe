// @ts-check
/** What may be asked of a job now, and what each verb means. The service decides; this only spares a refusal. */

import { isFinal } from "../states.js";

/**
 * @typedef {"pause" | "resume" | "stop" | "cancel" | "clone" | "extend" | "delete"} Verb
 * @typedef {{state: string, wish: string, started_at: string | null, strategy?: string | null}} Standing
 */

/** @type {Verb[]} */
export const VERBS = ["pause", "resume", "stop", "extend", "clone", "cancel", "delete"];

/** @type {Record<Verb, string>} */
export const MEANINGS = {
  pause: "Begins nothing new; what is under way finishes, then the job waits until it is resumed.",
  resume: "Goes on where it was.",
  stop: "Searches no further: validates the best found so far, reports it, and succeeds.",
  cancel: "Breaks off what is under way. What was measured is kept; there is no answer and no report.",
  clone: "Hands in the same job once more, as a job of yours.",
  extend: "Queues it again with a longer search. What it measured before is not measured again.",
  delete: "Forgets the job and all that is shown of it. Its evaluations stay, for other jobs to use.",
};

const UNBEGUN = ["queued", "paused"];

// what each strategy counts its length in; the others are over when they have answered
/** @type {Record<string, string>} */
export const LENGTHS = {
  random: "samples", evolution: "generations", "trust-region": "rounds", nsga2: "trials", nsga3: "trials",
  tpe: "trials", gp: "trials", qmc: "trials", surrogate: "rounds",
};

/** @type {Record<string, {states: string[], wishes: string[]}>} */
const STEERING = {
  pause: { states: ["queued", "validating", "running"], wishes: ["run"] },
  resume: { states: ["paused", "queued", "validating", "running"], wishes: ["pause"] },
  stop: { states: ["queued", "paused", "validating", "running"], wishes: ["run", "pause"] },
  cancel: { states: ["queued", "paused", "validating", "running", "stopping"], wishes: ["run", "pause", "stop"] },
};

/**
 * Why a verb cannot be asked of a job now; empty where it can.
 * @param {Verb} verb @param {Standing} job
 */
export function whyNot(verb, job) {
  if (verb === "clone") return "";
  if (verb === "delete") return isFinal(job.state) ? "" : "Only a job that has ended can be deleted; cancel it first.";
  if (verb === "extend") return whyNotExtend(job);
  const { states, wishes } = STEERING[verb];
  if (verb === "stop" && UNBEGUN.includes(job.state) && job.started_at === null) {
    return "The job has not begun: there is nothing found that it could finish with.";
  }
  if (states.includes(job.state) && wishes.includes(job.wish)) return "";
  if (states.includes(job.state) && job.wish !== "run") return `The job was already asked to ${job.wish}.`;
  return `The job is ${job.state}.`;
}

/** @param {Standing} job */
function whyNotExtend(job) {
  if (job.state !== "paused" && !isFinal(job.state)) return "Only a job that is paused or has ended can be extended.";
  if (job.strategy && !(job.strategy in LENGTHS)) {
    return `Strategy ${job.strategy} has no length that could grow; clone the job with another strategy or budget.`;
  }
  return "";
}

/** What a wish that is not yet the case means for the reader; empty where there is none. @param {Standing} job */
export function wishSentence(job) {
  if (job.wish === "pause" && job.state !== "paused") return "Pausing: what is under way finishes first.";
  if (job.wish === "stop" && !isFinal(job.state)) return "Stopping: it finishes with the best found so far.";
  if (job.wish === "cancel" && !isFinal(job.state)) return "Cancelling: what is under way is broken off.";
  return "";
}
