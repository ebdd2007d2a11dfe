// @ts-check
/**
 * The dry run: what the service would say to the job, asked again whenever the job has been left alone for a moment.
 */

import { Problem, send } from "../api.js";
import { useCallback, useEffect, useRef, useState } from "../preact.js";
import { rangesJob } from "./budget.js";

/**
 * @typedef {{size_bytes: number, bits_per_weight: number, nominal_bits_per_weight: number | null}} SizePoint
 * @typedef {{num_layers: number, num_units: number, num_options: number, num_budgets: number, dense_size_bytes: number,
 *   smallest: SizePoint, largest: SizePoint, feasible: Record<string, import("./budget.js").Range>,
 *   planned_tokens: number, target: string, formats: string[], bank_bytes: number, dense_logits_bytes: number}} Preview
 * @typedef {"nothing" | "waiting" | "asking" | "fine" | "refused" | "unreachable"} Phase
 * @typedef {{phase: Phase, preview: Preview | null, problem: Problem | null, sizes: Preview | null, of: string}} Check
 */

const QUIET_MS = 600;
/** @type {Check} */
const NOTHING = { phase: "nothing", preview: null, problem: null, sizes: null, of: "" };

/**
 * `of` is the job as JSON; null: there is none that could be asked about. `limits` names the budgets that there are.
 * @param {string | null} of @param {string[]} limits
 * @returns {{check: Check, ask: () => void, refuse: (problem: Problem) => void}}
 */
export function useCheck(of, limits) {
  const [check, setCheck] = useState(NOTHING);
  const asking = useRef(new AbortController());
  const sizes = useRef({ of: "", preview: /** @type {Preview | null} */ (null) });
  const latest = useRef({ of, limits });
  latest.current = { of, limits };

  const ask = useCallback(async () => {
    const job = latest.current;
    if (job.of === null) return;
    asking.current.abort();
    const { signal } = (asking.current = new AbortController());
    setCheck((before) => ({ ...before, phase: "asking" }));
    const answer = await outcome(dryRun(JSON.parse(job.of), signal));
    if (signal.aborted) return;
    setCheck((before) => ({ ...before, ...phaseOf(answer), of: job.of ?? "" }));
    if (answer.problem?.isPassing) return;
    const preview = await sizesOf(JSON.parse(job.of), job.limits, sizes.current, signal);
    if (!signal.aborted) setCheck((before) => ({ ...before, sizes: preview ?? answer.preview }));
  }, []);

  useEffect(() => {
    asking.current.abort();
    if (of === null) return setCheck(NOTHING);
    setCheck((before) => ({ ...before, phase: "waiting" }));
    const timer = setTimeout(ask, QUIET_MS);
    return () => clearTimeout(timer);
  }, [of, limits.length]);
  useEffect(() => () => asking.current.abort(), []);
  const refuse = useCallback((/** @type {Problem} */ problem) =>
    setCheck((before) => ({ ...before, ...phaseOf({ preview: null, problem }) })), []);
  return { check, ask, refuse };
}

/**
 * How small and how large the space is and every limit can be, whatever is wrong with budget and strategy.
 * @param {any} job @param {string[]} limits
 * @param {{of: string, preview: Preview | null}} known the last answer: it is asked once for a space
 * @param {AbortSignal} signal
 */
async function sizesOf(job, limits, known, signal) {
  if (limits.length === 0) return null; // not known yet: it is asked again once they are
  const question = rangesJob(job, limits);
  const of = JSON.stringify([question.model, question.space, question.calibration, question.validation, limits]);
  if (known.of !== of) {
    const { preview, problem } = await outcome(dryRun(question, signal));
    if (signal.aborted || problem?.isPassing) return null;
    Object.assign(known, { of, preview });
  }
  return known.preview;
}

/** @param {unknown} job @param {AbortSignal} signal @returns {Promise<Preview>} */
function dryRun(job, signal) {
  return send("POST", "jobs", job, { params: { dry_run: true }, signal });
}

/** @param {Promise<Preview>} answer @returns {Promise<{preview: Preview | null, problem: Problem | null}>} */
async function outcome(answer) {
  try {
    return { preview: await answer, problem: null };
  } catch (error) {
    if (error instanceof Problem) return { preview: null, problem: error };
    return { preview: null, problem: new Problem({ status: 0, code: "unreachable", detail: String(error) }) };
  }
}

/**
 * @param {{preview: Preview | null, problem: Problem | null}} answer
 * @returns {Pick<Check, "phase" | "preview" | "problem">}
 */
function phaseOf({ preview, problem }) {
  if (!problem) return { phase: "fine", preview, problem };
  return { phase: problem.isPassing ? "unreachable" : "refused", preview, problem };
}
