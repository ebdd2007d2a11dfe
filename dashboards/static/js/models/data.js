// @ts-check
/** Every job on one model and their fronts, and the front of all of them together. */

import { useEffect, useMemo, useState } from "../preact.js";
import { get } from "../api.js";
import { useIsLive } from "../live.js";
import { isFinal } from "../states.js";
import { compared } from "../compare/data.js";
import { staircase } from "../compare/ratios.js";
import { MOST_JOBS } from "../compare/view.js";

/**
 * @typedef {import("../compare/data.js").ComparedFront} ComparedFront
 * @typedef {import("../compare/data.js").Candidate} Candidate
 * @typedef {import("../model.d.ts").JobView} JobView
 * @typedef {import("../api.js").Problem} Problem
 * @typedef {{jobs: JobView[], hasMore: boolean, fronts: ComparedFront[], messages: Record<string, string>}} OfModel
 *   messages: why the losses of an objective are not of one kind; empty where they are
 */

export const MOST_DRAWN = 46; // three comparisons; more lines than this tell nothing
const PAGE = 200;
const AGAIN_MS = 5000;

/**
 * What is known of one model, kept fresh while one of its jobs runs.
 * @param {string} model
 * @returns {{value: OfModel | null, problem: Problem | null}}
 */
export function useModel(model) {
  const [state, setState] = useState(/** @type {{of: string, value: OfModel | null, problem: Problem | null}} */ (
    { of: model, value: null, problem: null }));
  const [turn, setTurn] = useState(0);
  const isLive = useIsLive();
  useEffect(() => {
    const stop = new AbortController();
    load(model, stop.signal)
      .then((value) => setState({ of: model, value, problem: null }))
      .catch((problem) => stop.signal.aborted
        || setState((old) => ({ of: model, value: old.of === model ? old.value : null, problem })));
    return () => stop.abort();
  }, [model, turn]);
  useEffect(() => {
    const isMoving = state.value?.jobs.some((job) => !isFinal(job.state)) || state.problem?.isPassing;
    if (!isLive || !isMoving) return undefined;
    const timer = setTimeout(() => setTurn((now) => now + 1), AGAIN_MS);
    return () => clearTimeout(timer);
  }, [state, isLive]);
  return state.of === model ? state : { value: null, problem: null };
}

/** @type {(model: string, signal: AbortSignal) => Promise<OfModel>} */
async function load(model, signal) {
  const page = await get("jobs", { model, limit: PAGE }, { signal });
  const jobs = /** @type {JobView[]} */ (page.items);
  const objectives = [...new Set(jobs.map(objectiveOf))];
  const found = await Promise.all(objectives.map((objective) => frontsOf(
    jobs.slice(0, MOST_DRAWN).filter((job) => objectiveOf(job) === objective).map((job) => job.id), signal)));
  return {
    jobs,
    hasMore: page.next_cursor !== null,
    fronts: found.flatMap((each) => each.fronts),
    messages: Object.fromEntries(objectives.map((objective, index) => [objective, found[index].message])),
  };
}

/** @type {(job: JobView) => string} */
const objectiveOf = (job) => job.objective ?? "kl";

/** @type {(ids: string[], signal: AbortSignal) => Promise<{fronts: ComparedFront[], message: string}>} */
async function frontsOf(ids, signal) {
  const parts = await Promise.all(inParts(ids).map((part) => compared(part, signal).catch(withoutThoseGone)));
  const fronts = new Map(parts.flatMap((part) => part.items.map((front) => [front.id, front])));
  return { fronts: [...fronts.values()], message: parts.find((part) => part.message)?.message ?? "" };
}

/**
 * A job may be deleted between the two questions: its part is left out until the next round.
 * @type {(problem: Problem) => import("../compare/data.js").Comparison}
 */
function withoutThoseGone(problem) {
  if (problem.status !== 404) throw problem;
  return { items: [], is_comparable: true, message: "" };
}

/**
 * Lists that one comparison takes, each with the first job, so that what differs from it is told in every part.
 * @type {(ids: string[]) => string[][]}
 */
export function inParts(ids) {
  const [first, ...rest] = ids;
  if (first === undefined) return [];
  const parts = [];
  for (let from = 0; from === 0 || from < rest.length; from += MOST_JOBS - 1) {
    parts.push([first, ...rest.slice(from, from + MOST_JOBS - 1)]);
  }
  return parts;
}

/**
 * For each objective the candidates that none of any job beats; none where losses are not of one kind, or of one front.
 * @param {OfModel | null} value
 * @returns {Record<string, Candidate[]>}
 */
export function useUnions(value) {
  return useMemo(() => {
    const unions = /** @type {Record<string, Candidate[]>} */ ({});
    for (const [objective, message] of Object.entries(value?.messages ?? {})) {
      const fronts = value?.fronts.filter((front) => front.objective === objective && front.items.length > 0) ?? [];
      if (!message && fronts.length > 1) unions[objective] = staircase(fronts.flatMap((front) => front.items));
    }
    return unions;
  }, [value]);
}
