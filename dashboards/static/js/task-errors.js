// @ts-check
/** Errors on tasks, 1 - the metric over all documents: an axis and an objective each, under "task:" and its name. */

const PREFIX = "task:";
const figures = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

/** The task that a key of an axis or an objective names, or null. @param {string} key */
export const taskOf = (key) => (key.startsWith(PREFIX) ? key.slice(PREFIX.length) : null);

/** @param {string} task */
export const taskKey = (task) => `${PREFIX}${task}`;

/** @param {string} task */
export const taskName = (task) => `error on ${task}`;

/** @param {number} error */
export const formatError = (error) => figures.format(error);

/** The tasks that any of these candidates tells of. @param {{task_errors?: Record<string, number>}[]} candidates */
export function tasksOf(candidates) {
  return [...new Set(candidates.flatMap((each) => Object.keys(each.task_errors ?? {})))];
}
