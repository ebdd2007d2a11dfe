// @ts-check
/** What of the list is shown, as the address says it: filters for the service, and an order for what is loaded. */

import { STATES, UNDER_WAY } from "../states.js";

/** @typedef {import("../model.d.ts").JobView} JobView */
/** @typedef {{key: string, isDescending: boolean}} Order */

export const FILTERS = ["search", "state", "model", "owner"];
/** @type {Order} */
const NEWEST = { key: "created", isDescending: true };

/** @type {Record<string, {title: string, isDescending: boolean, value: (job: JobView) => string | number | null}>} */
export const ORDERS = {
  created: { title: "Newest first", isDescending: true, value: (job) => Date.parse(job.created_at) },
  event: {
    title: "Latest event",
    isDescending: true,
    value: (job) => Date.parse(job.last_event?.created_at ?? job.updated_at),
  },
  name: { title: "Name", isDescending: false, value: (job) => (job.name || job.id).toLowerCase() },
  state: { title: "State", isDescending: false, value: (job) => STATES.indexOf(job.state) },
  progress: { title: "Progress", isDescending: true, value: shareDone },
  left: { title: "Time left", isDescending: false, value: (job) => job.eta_s ?? null },
  ratio: { title: "Best against uniform", isDescending: false, value: ratioOf },
};

/**
 * The loss of the best found over that of the best plain choice; null where one of them is not known.
 * @param {JobView} job
 */
export function ratioOf(job) {
  const { best, uniform } = lossesOf(job);
  return best === null || uniform === null || !(uniform > 0) ? null : best / uniform;
}

/** @param {JobView} job @returns {{best: number | null, uniform: number | null, isAnswer: boolean}} */
export function lossesOf(job) {
  const { answer, progress } = job;
  const isAnswer = typeof answer?.loss === "number" && typeof answer.uniform_loss === "number";
  if (isAnswer) return { best: answer.loss, uniform: answer.uniform_loss, isAnswer };
  return { best: progress?.best ?? null, uniform: progress?.uniform ?? null, isAnswer };
}

/** @param {JobView} job */
function shareDone(job) {
  if (job.finished_at) return 2;
  return job.progress && job.progress.total > 0 ? job.progress.done / job.progress.total : null;
}

/** The parameters of the service's list that a query asks for. @param {Record<string, string>} query */
export function parametersOf(query) {
  const state =
    query.state === "active" ? UNDER_WAY : STATES.filter((one) => (query.state ?? "").split(",").includes(one));
  return { search: query.search ?? "", model: query.model ?? "", owner: query.owner ?? "", state };
}

/** "-name" is by name, descending. @param {string | undefined} text @returns {Order} */
export function orderOf(text = "") {
  const key = text.replace(/^-/, "");
  return Object.hasOwn(ORDERS, key) ? { key, isDescending: text.startsWith("-") } : NEWEST;
}

/** @param {Order} order */
export function orderText(order) {
  const text = `${order.isDescending ? "-" : ""}${order.key}`;
  return text === "-created" ? null : text;
}

/** Sorted; what has no value comes last either way. @param {JobView[]} jobs @param {Order} order */
export function sorted(jobs, { key, isDescending }) {
  const { value } = ORDERS[key];
  const sign = isDescending ? -1 : 1;
  const keyed = jobs.map((job, at) => ({ job, at, value: value(job) }));
  keyed.sort((a, b) => {
    if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null) || a.at - b.at;
    return a.value === b.value ? a.at - b.at : a.value < b.value ? -sign : sign;
  });
  return keyed.map((one) => one.job);
}
