// @ts-check
/** What a path answers, kept fresh by asking again. */

import { get } from "../api.js";
import { useEffect, useMemo, useRef, useState } from "../preact.js";
import { backOffMs, repeat, useIsLive, useLogins } from "./timing.js";

/** @typedef {import("../api.js").Problem} Problem */

/**
 * What a path answers, asked again every so often (0: once); keeps the last answer while a new one is on its way.
 * @template [T=any]
 * @param {string | null} path null: nothing is asked
 * @param {import("../api.js").Parameters} [params]
 * @param {number} [everyMs]
 * @returns {{value: T | null, problem: Problem | null, isStale: boolean, reload: () => void}}
 */
export function usePolled(path, params = {}, everyMs = 0) {
  const key = path === null ? null : JSON.stringify([path, params]);
  const [seen, setSeen] = useState(
    /** @type {{key: string | null, value: T | null, problem: Problem | null}} */ ({ key, value: null, problem: null }),
  );
  const [turn, setTurn] = useState(0);
  const isLive = useIsLive();
  const logins = useLogins();
  const everyRef = useRef(everyMs);
  everyRef.current = everyMs;
  const readKey = useRef("");
  const isAtRest = useRef(false); // answered, and nothing was to be asked again
  useEffect(() => {
    if (path === null) return undefined;
    const now = `${key} ${turn} ${logins}`;
    if (readKey.current === now && (!isLive || everyRef.current === 0)) return undefined;
    isAtRest.current = false;
    let failures = 0;
    return repeat(async (signal) => {
      try {
        const value = await get(path, params, { signal });
        failures = 0;
        readKey.current = now;
        setSeen({ key, value, problem: null });
      } catch (error) {
        if (signal.aborted) return null;
        const problem = /** @type {Problem} */ (error);
        failures += 1;
        setSeen((before) => ({ key, value: before.key === key ? before.value : null, problem }));
        if (problem.isPassing) return backOffMs(failures);
      }
      isAtRest.current = everyRef.current === 0;
      return isLive && everyRef.current > 0 ? everyRef.current : null;
    });
  }, [key, turn, logins, isLive]);
  useEffect(() => {
    if (everyMs > 0 && isAtRest.current) setTurn((before) => before + 1);
  }, [everyMs > 0]);
  const reload = useMemo(() => () => setTurn((before) => before + 1), []);
  return { value: seen.value, problem: seen.problem, isStale: seen.problem !== null || seen.key !== key, reload };
}
