// @ts-check
/** Modules of pages and their parts: fetched when they are first needed, and again by itself where that fails. */

import { useEffect, useState } from "../preact.js";
import { backOffMs, repeat } from "./timing.js";

const STORED = "layerpress-loaded-anew";
const AGAIN_MS = 600_000;

/**
 * What `load` imports. An import that failed is tried again, patiently, until it succeeds: browsers that keep to the
 * HTML standard since 2026 fetch the module anew then. Older ones never do, so where the service answers again and the
 * import still fails, the whole page is loaded anew: its address says what it shows, a draft of a job is kept, and a
 * dialog is to be opened again.
 * @template Module
 * @param {string | null} key names the module; null: nothing is loaded
 * @param {() => Promise<Module>} load
 * @returns {{module: Module | null, problem: any, reload: () => void}}
 */
export function useModule(key, load) {
  const [seen, setSeen] = useState({ key, module: /** @type {Module | null} */ (null), problem: /** @type {any} */ (null) });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (key === null) return undefined;
    let failures = 0;
    let isServed = false;
    return repeat(async (signal) => {
      try {
        const module = await load();
        if (!signal.aborted) setSeen({ key, module, problem: null });
        return null;
      } catch (problem) {
        if (signal.aborted) return null;
        setSeen({ key, module: null, problem });
        if (isServed && isFirstFor(key)) location.reload();
        const wasAway = !isServed;
        isServed = await serves(signal);
        failures = wasAway && isServed ? 1 : failures + 1;
        return backOffMs(failures);
      }
    });
  }, [key, turn]);
  const reload = () => setTurn((before) => before + 1);
  return seen.key === key ? { ...seen, reload } : { module: null, problem: null, reload };
}

/** Whether the service gives its files: this very one. @param {AbortSignal} signal */
async function serves(signal) {
  try {
    return (await fetch(import.meta.url, { cache: "no-store", signal })).ok;
  } catch {
    return false;
  }
}

/** Whether the page was not loaded anew for this module in the last minutes: one that is broken stays so.
 *  @param {string} key */
function isFirstFor(key) {
  try {
    const before = JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
    if (Date.now() - (before[key] ?? 0) < AGAIN_MS) return false;
    sessionStorage.setItem(STORED, JSON.stringify({ ...before, [key]: Date.now() }));
    return true;
  } catch {
    return false; // nothing would tell it from the second time
  }
}
