// @ts-check
/** The candidates that stand side by side, each with its layers, read once: a measured candidate does not change. */

import { useEffect, useMemo, useRef, useState } from "../preact.js";
import { get } from "../api.js";

/**
 * @typedef {import("./view.js").Pick} Pick
 * @typedef {import("./data.js").Candidate} Candidate
 * @typedef {import("./differences.js").Layer} Layer
 * @typedef {import("../api.js").Problem} Problem
 * @typedef {{pick: Pick, candidate: Candidate | null, layers: Layer[] | null, problem: Problem | null,
 *   layersProblem: Problem | null}} Chosen
 */

const AGAIN_MS = 4000;

/**
 * One entry for each pick, in order; fields are null until they are there. What was not answered is asked again.
 * @type {(picks: Pick[]) => Chosen[]}
 */
export function useChosen(picks) {
  const known = useRef(/** @type {Map<string, Chosen>} */ (new Map()));
  const [turn, setTurn] = useState(0);
  const [numRead, setNumRead] = useState(0);
  const keys = picks.map((each) => each.key).join(",");
  useEffect(() => {
    const stop = new AbortController();
    const missing = picks.filter((each) => isWanted(known.current.get(each.key)));
    let timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
    Promise.all(missing.map((each) => read(each, stop.signal))).then((read) => {
      if (stop.signal.aborted || read.length === 0) return;
      for (const each of read) known.current.set(each.pick.key, each);
      setNumRead((now) => now + read.length);
      if (read.some(isWanted)) timer = setTimeout(() => setTurn((now) => now + 1), AGAIN_MS);
    });
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [keys, turn]);
  return useMemo(() => picks.map((each) => known.current.get(each.key) ?? empty(each)), [keys, numRead]);
}

/** @type {(chosen: Chosen | undefined) => boolean} */
const isWanted = (chosen) => chosen === undefined || Boolean((chosen.problem ?? chosen.layersProblem)?.isPassing);

/** @type {(pick: Pick) => Chosen} */
const empty = (pick) => ({ pick, candidate: null, layers: null, problem: null, layersProblem: null });

/** @type {(pick: Pick, signal: AbortSignal) => Promise<Chosen>} */
async function read(pick, signal) {
  const path = `jobs/${pick.jobId}/candidates/${pick.seq}`;
  const [candidate, layers] = await Promise.allSettled([
    get(path, {}, { signal }), get(`${path}/layers`, {}, { signal }),
  ]);
  return {
    pick,
    candidate: candidate.status === "fulfilled" ? candidate.value : null,
    layers: layers.status === "fulfilled" ? layers.value : null,
    problem: candidate.status === "rejected" ? candidate.reason : null,
    layersProblem: layers.status === "rejected" ? layers.reason : null,
  };
}
