// @ts-check
/** Modules of pages and their parts: fetched when they are first needed, and again by itself where that fails. */

import { useEffect, useState } from "../preact.js";
import { backOffMs, repeat } from "./timing.js";

/**
 * What `load` imports. An import that failed is tried again, patiently, until it succeeds: browsers that keep to the
 * HTML standard since 2026 fetch the module anew then. In older ones it fails until the page is loaded again.
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
    return repeat(async (signal) => {
      try {
        const module = await load();
        if (!signal.aborted) setSeen({ key, module, problem: null });
        return null;
      } catch (problem) {
        failures += 1;
        if (!signal.aborted) setSeen({ key, module: null, problem });
        return backOffMs(failures);
      }
    });
  }, [key, turn]);
  const reload = () => setTurn((before) => before + 1);
  return seen.key === key ? { ...seen, reload } : { module: null, problem: null, reload };
}
