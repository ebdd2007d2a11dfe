// @ts-check
/** What a candidate does with each layer, fetched once and kept for the next look. */

import { get } from "../api.js";
import { useEffect, useState } from "../preact.js";

/**
 * @typedef {import("../charts/layer-grid.js").LayerView} LayerView
 * @typedef {{layers: LayerView[] | null, seq: number | null, problem: any}} Layers  seq: whose layers these are
 */

/** @type {Layers} */
const NONE = { layers: null, seq: null, problem: null };
const KEPT = 64; // candidates, the least lately seen go first

/** @type {Map<string, LayerView[]>} */
const seen = new Map();

/**
 * The layers of a candidate; those of the one before stay until they are there, so that nothing flickers.
 * @param {string} jobId @param {number} seq
 * @returns {Layers}
 */
export function useLayers(jobId, seq) {
  const key = `${jobId}/${seq}`;
  const [state, setState] = useState(/** @type {Layers & {key: string}} */ ({ ...NONE, key: "" }));
  useEffect(() => {
    if (seen.has(key)) return undefined;
    const stop = new AbortController();
    get(`jobs/${jobId}/candidates/${seq}/layers`, {}, { signal: stop.signal }).then(
      (layers) => {
        keep(key, layers);
        setState({ key, layers, seq, problem: null });
      },
      (problem) => {
        if (!stop.signal.aborted) setState({ key, layers: null, seq, problem });
      },
    );
    return () => stop.abort();
  }, [key]);
  const known = seen.get(key);
  if (known) return { layers: known, seq, problem: null };
  const isOfThisJob = state.key.startsWith(`${jobId}/`);
  if (state.key === key || !isOfThisJob) return isOfThisJob ? state : NONE;
  const [lastKey, last] = lastOf(jobId);
  return { layers: last, seq: last === null ? null : Number(lastKey.split("/")[1]), problem: null };
}

/** @param {string} key @param {LayerView[]} layers */
function keep(key, layers) {
  seen.delete(key);
  seen.set(key, layers);
  for (const old of seen.keys()) if (seen.size > KEPT) seen.delete(old);
}

/** @param {string} jobId @returns {[string, LayerView[] | null]} */
function lastOf(jobId) {
  return [...seen].reverse().find(([key]) => key.startsWith(`${jobId}/`)) ?? ["", null];
}
