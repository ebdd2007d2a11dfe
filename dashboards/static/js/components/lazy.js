// @ts-check
/** Parts of a page that are fetched when they are first shown. */

import { useModule } from "../live/module.js";
import { html } from "../preact.js";
import { Loading } from "./loading.js";
import { ProblemBox } from "./problem-box.js";

/**
 * A component in the place of `name` of the module that `load` imports.
 * @template {Record<string, any>} Module
 * @param {() => Promise<Module>} load
 * @param {keyof Module & string} name
 */
export function lazy(load, name) {
  /** @type {Module | null} */
  let known = null;
  /** @param {any} props */
  return function Lazy(props) {
    const { module, problem, reload } = useModule(known === null ? name : null, load);
    known ??= module;
    if (known !== null) return html`<${known[name]} ...${props} />`;
    if (problem === null) return html`<${Loading} />`;
    const said = { detail: `this part could not be loaded: ${problem.message}.` };
    return html`<${ProblemBox} problem=${said} onRetry=${reload} isRetrying />`;
  };
}
