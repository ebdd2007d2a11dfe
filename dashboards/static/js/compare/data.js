// @ts-check
/**
 * What the pages over several jobs show: their fronts, their baselines, and which of them are gone.
 *
 * A job that was deleted does not take the others along: its problem is told. Jobs that run are asked about again.
 */

import { useCallback, useEffect, useRef, useState } from "../preact.js";
import { get, Problem, send } from "../api.js";
import { useIsLive } from "../live.js";
import { isFinal } from "../states.js";
import { MOST_JOBS } from "./view.js";

/**
 * @typedef {{seq: number, configuration_id: string, label: string, kind: "candidate" | "plain" | "answer",
 *   size_bytes: number, bits_per_weight: number, nominal_bits_per_weight: number, loss: number | null,
 *   loss_se: number | null, flops?: number | null, parameters?: number | null, task_errors?: Record<string, number>,
 *   state: string, source: string, is_on_front: boolean, created_at: string}} Candidate
 * @typedef {{bits_per_weight: number, loss: number}} Reference
 * @typedef {{id: string, name: string, model: string, state: string, budget: Record<string, unknown>, strategy: string,
 *   seed: number, objective: "kl" | "perplexity", items: Candidate[],
 *   hypervolume: {value: number, unit: string, reference: Reference} | null}} ComparedFront
 * @typedef {{items: ComparedFront[], is_comparable: boolean, message: string}} Comparison
 * @typedef {{fronts: ComparedFront[], plains: Record<string, Candidate[]>, gone: Record<string, Problem>,
 *   isComparable: boolean, message: string}} Compared
 */

const COMPARE = "./jobs:compare"; // without "./", "jobs:" would be a scheme
const AGAIN_MS = 4000;
const NUM_FIRST = 200; // baselines are measured before anything is searched

/**
 * The fronts of `ids` in that order, and the plain choices of each, kept fresh while a job runs.
 * @param {string[]} ids
 * @returns {{value: Compared | null, problem: Problem | null, isLoading: boolean, reload: () => void}}
 */
export function useComparison(ids) {
  const [state, setState] = useState(/** @type {{value: Compared | null, problem: Problem | null}} */ (nothing()));
  const [isLoading, setLoading] = useState(ids.length > 0);
  const [round, setRound] = useState(0);
  const isLive = useIsLive();
  const plains = useRef(/** @type {Record<string, Candidate[]>} */ ({}));
  const key = ids.join(",");
  useEffect(() => {
    const stop = new AbortController();
    setLoading(true);
    load(key.split(",").filter(Boolean), plains.current, stop.signal)
      .then((value) => setState({ value, problem: null }))
      .catch((problem) => stop.signal.aborted || setState((old) => ({ ...old, problem })))
      .finally(() => stop.signal.aborted || setLoading(false));
    return () => stop.abort();
  }, [key, round]);
  const isMoving = state.value?.fronts.some((front) => !isFinal(front.state)) ?? false;
  useEffect(() => {
    if (!isLive || isLoading || !(isMoving || state.problem?.isPassing)) return undefined;
    const timer = setTimeout(() => setRound((now) => now + 1), AGAIN_MS);
    return () => clearTimeout(timer);
  }, [isLive, isLoading, isMoving, state]);
  return { ...state, isLoading, reload: useCallback(() => setRound((now) => now + 1), []) };
}

const nothing = () => ({ value: null, problem: null });

/**
 * @param {string[]} ids
 * @param {Record<string, Candidate[]>} plains those known already; the new ones are added
 * @param {AbortSignal} signal
 * @returns {Promise<Compared>}
 */
async function load(ids, plains, signal) {
  const gone = /** @type {Record<string, Problem>} */ ({});
  const comparison = await compareThoseThere(ids, gone, signal);
  const unknown = comparison.items.filter((front) => !plains[front.id]?.length || !isFinal(front.state));
  await Promise.all(unknown.map(async ({ id }) => {
    plains[id] = await plainChoices(id, signal).catch(() => plains[id] ?? []);
  }));
  return {
    fronts: comparison.items, plains: { ...plains }, gone,
    isComparable: comparison.is_comparable, message: comparison.message,
  };
}

/**
 * @param {string[]} ids
 * @param {Record<string, Problem>} gone filled with those that are not there
 * @param {AbortSignal} signal
 * @returns {Promise<Comparison>}
 */
async function compareThoseThere(ids, gone, signal) {
  const asked = ids.filter((id) => !(id in gone)).slice(0, MOST_JOBS);
  if (asked.length === 0) return { items: [], is_comparable: true, message: "" };
  try {
    return await compared(asked, signal);
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.status !== 404) throw problem;
    await Promise.all(asked.map(async (id) => {
      const found = await get(`jobs/${id}`, undefined, { signal }).catch((/** @type {Problem} */ each) => each);
      if (found instanceof Problem && found.status === 404) gone[id] = found;
    }));
    if (!asked.some((id) => id in gone)) throw problem; // one came back meanwhile: the next round asks again
    return compareThoseThere(ids, gone, signal);
  }
}

/** @type {(ids: string[], signal: AbortSignal) => Promise<Comparison>} */
export const compared = (ids, signal) => send("POST", COMPARE, { ids }, { signal });

/** @type {(id: string, signal: AbortSignal) => Promise<Candidate[]>} */
async function plainChoices(id, signal) {
  const page = await get(`jobs/${id}/candidates`, { limit: NUM_FIRST }, { signal });
  return page.items.filter((/** @type {Candidate} */ each) => each.kind === "plain");
}
