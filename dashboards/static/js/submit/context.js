// @ts-check
/** What every part of the form shares: the job as it stands, how to change it, and what is wrong with it. */

import { createContext, useContext } from "../preact.js";

/**
 * @typedef {import("./yaml-tree.js").Path} Path
 * @typedef {{name: string, path: string, size_bytes: number | null, num_jobs: number, is_found: boolean}} Model
 * @typedef {{value: any, change: (path: Path, value: unknown) => void, faults: import("./locate.js").Fault[],
 *   catalogue: import("./settings.js").Catalogue, models: Model[], schema: import("./schema.js").Schema,
 *   ranges: Record<string, import("./budget.js").Range>}} Form
 */

/** @type {import("./settings.js").Catalogue} */
export const EMPTY_CATALOGUE = { options: [], targets: [], ties: [], budgets: [], strategies: [], presets: [],
  scores: [], solvers: [] };

export const FormContext = createContext(/** @type {Form} */ ({
  value: {}, change: () => {}, faults: [], catalogue: EMPTY_CATALOGUE, models: [], schema: {}, ranges: {},
}));

/** @returns {Form} */
export function useForm() {
  return useContext(FormContext);
}
