// @ts-check
/** What went wrong, in the service's own words, and what can be done. */

import { askForToken } from "../api.js";
import { html } from "../preact.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

/**
 * @typedef {{status?: number, code?: string, detail?: string, message?: string, errors?: {loc: (string | number)[],
 *   msg: string}[]}} AnyProblem
 */

/** @param {AnyProblem} problem */
function heading(problem) {
  if (problem.status === 0) return "The service does not answer";
  if (problem.status === 401) return "A token is needed";
  if (problem.status === 403) return "This token may not do that";
  if (problem.status === 404) return "There is no such thing here";
  if (problem.status === 409) return "Not in this state";
  if (problem.status === 422) return "This cannot be done as it stands";
  return (problem.status ?? 0) >= 500 ? "The service has a fault" : "This did not work";
}

/** @param {{problem: AnyProblem, onRetry?: () => void, isRetrying?: boolean}} props */
export function ProblemBox({ problem, onRetry, isRetrying }) {
  const retries = isRetrying ?? (problem.status === 0 && onRetry !== undefined);
  const isUnknown = problem.status === 401;
  const words =
    problem.status === 0 ? "Is `layerpress serve` running?" : (problem.detail ?? problem.message ?? String(problem));
  return html`<div class="problem" role="alert">
    <${Icon} name="warning" />
    <div>
      <p class="problem-title">${heading(problem)}</p>
      <p>${words}${retries ? " Trying again by itself." : ""}</p>
      ${
        (problem.errors?.length ?? 0) > 0 &&
        html`<ul>${problem.errors?.map(
          (one) => html`<li><code>${one.loc.filter((part) => part !== "body").join(".")}</code> ${one.msg}</li>`,
        )}</ul>`
      }
      ${isUnknown && html`<${Button} small icon="signIn" onClick=${() => askForToken("")}>Give a token</${Button}>`}
      ${onRetry && !isUnknown && html`<${Button} small onClick=${onRetry}>Try now</${Button}>`}
    </div>
  </div>`;
}
