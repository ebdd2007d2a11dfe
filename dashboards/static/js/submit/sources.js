// @ts-check
/** What the form is made of: the job's schema, the catalogue of all that a job may name, and the models there are. */

import { get } from "../api.js";
import { useCallback, useEffect, useState } from "../preact.js";
import { EMPTY_CATALOGUE } from "./context.js";

/**
 * @typedef {{schema: import("./schema.js").Schema | null, catalogue: import("./settings.js").Catalogue,
 *   models: import("./context.js").Model[] | null, problem: any}} Sources
 */

/** @returns {Sources & {reload: () => void}} Each comes when it comes; the YAML editor waits for none. */
export function useSources() {
  const [sources, setSources] = useState(/** @type {Sources} */ ({ schema: null, catalogue: EMPTY_CATALOGUE,
    models: null, problem: null }));
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  useEffect(() => {
    const asking = new AbortController();
    const take = (/** @type {string} */ path, /** @type {(answer: any) => Partial<Sources>} */ part) =>
      get(path, {}, { signal: asking.signal })
      .then((answer) => setSources((before) => ({ ...before, ...part(answer) })))
      .catch((problem) => asking.signal.aborted
        || setSources((before) => ({ ...before, ...(path === "models" && { models: before.models ?? [] }), problem })));
    setSources((before) => ({ ...before, problem: null }));
    take("schemas/job", (schema) => ({ schema }));
    take("spaces", (catalogue) => ({ catalogue }));
    take("models", (page) => ({ models: page.items }));
    return () => asking.abort();
  }, [turn]);
  return { ...sources, reload };
}
