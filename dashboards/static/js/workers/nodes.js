// @ts-check
/** Workers grouped by the machine they run on, and what they are together, in words. */

/**
 * @typedef {{id: string, job_id: string, node: string, pid: number, device: string, cpus: number, gpus: number,
 *   state: "starting" | "idle" | "busy", task: string, updated_at: string, evaluations_per_minute?: number | null,
 *   num_failed?: number | null}} Worker
 * @typedef {{name: string, workers: Worker[]}} Node
 */

/**
 * Nodes by name, numbers in their order; workers by job, then process.
 * @type {(workers: Worker[]) => Node[]}
 */
export function byNode(workers) {
  const nodes = new Map();
  for (const worker of workers) nodes.set(worker.node, [...(nodes.get(worker.node) ?? []), worker]);
  const names = [...nodes.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return names.map((name) => ({
    name,
    workers: nodes.get(name).sort((/** @type {Worker} */ a, /** @type {Worker} */ b) =>
      a.job_id.localeCompare(b.job_id) || a.pid - b.pid || a.id.localeCompare(b.id)),
  }));
}

/** @type {(workers: Worker[]) => string} */
export function summary(workers) {
  const nodes = new Set(workers.map((each) => each.node)).size;
  return [
    `${counted(workers.length, "worker")} on ${counted(nodes, "node")}`, states(workers), resources(workers),
    ...pace(workers),
  ].join(" · ");
}

/** @type {(workers: Worker[]) => string} */
export function states(workers) {
  const counts = ["busy", "idle", "starting"].map((state) => ({
    state, count: workers.filter((each) => each.state === state).length,
  }));
  return counts.filter(({ count }) => count > 0).map(({ count, state }) => `${count} ${state}`).join(", ");
}

/** @type {(workers: Worker[]) => string} */
export function resources(workers) {
  const [gpus, cpus] = [total(workers, "gpus"), total(workers, "cpus")];
  return [...(gpus ? [counted(gpus, "GPU")] : []), counted(cpus, "CPU")].join(", ");
}

/**
 * Evaluations a minute and failures, where the service tells them.
 * @type {(workers: Worker[]) => string[]}
 */
export function pace(workers) {
  const told = [];
  if (workers.some(({ evaluations_per_minute: each }) => typeof each === "number")) {
    told.push(`${rounded(total(workers, "evaluations_per_minute"))} evaluations a minute`);
  }
  const failed = new Map(workers.map((each) => [each.job_id, each.num_failed ?? 0])); // once for each job
  const numFailed = [...failed.values()].reduce((sum, each) => sum + each, 0);
  return numFailed > 0 ? [...told, `${counted(numFailed, "failure")} in their jobs`] : told;
}

/** @type {(workers: Worker[], key: "gpus" | "cpus" | "evaluations_per_minute") => number} */
const total = (workers, key) => workers.reduce((sum, each) => sum + (each[key] ?? 0), 0);

/** @type {(count: number, noun: string) => string} */
const counted = (count, noun) => `${rounded(count)} ${noun}${count === 1 ? "" : "s"}`;

/** @type {(value: number) => string} */
export const rounded = (value) => value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
