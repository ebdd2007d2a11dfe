// @ts-check
/** What the dry run said: sizes and ranges as bars, costs as figures, and each error with links to where it lies. */

import { Button, Icon, Loading, ProblemBox } from "../components/index.js";
import { formatBytes, formatCount, formatTokens } from "../format.js";
import { html } from "../preact.js";
import { Term } from "../terms.js";
import { LimitBar, SizeBar } from "./bars.js";
import { pathText } from "./values.js";

/**
 * @typedef {import("./check.js").Check} Check
 * @typedef {import("./check.js").Preview} Preview
 * @typedef {import("./locate.js").Fault} Fault
 * @typedef {import("./yaml-tree.js").Path} Path
 */

/**
 * @param {{check: Check, faults: Fault[], budget: any, onAsk: () => void, onField: (path: Path) => void,
 *   onLine: (line: number) => void, hasJob: boolean, isReadable: boolean}} props
 */
export function CheckPanel({ check, faults, budget, onAsk, onField, onLine, hasJob, isReadable }) {
  const isBusy = check.phase === "asking" || check.phase === "waiting";
  return html`<section class="check" aria-labelledby="check-title">
    <header class="check-head">
      <h2 id="check-title">Dry run</h2>
      <p class=${`check-state is-${check.phase}`} role="status" aria-live="polite">${stateWords(check, faults)}</p>
      <${Button} small icon="refresh" busy=${check.phase === "asking"} disabled=${!hasJob}
        onClick=${onAsk}>Check now</${Button}>
    </header>
    ${check.phase === "unreachable" && check.problem
      && html`<${ProblemBox} problem=${check.problem} onRetry=${onAsk} isRetrying=${false} />`}
    ${faults.length > 0 && html`<${FaultList} faults=${faults} onField=${onField} onLine=${onLine} />`}
    ${check.sizes && html`<${Sizes} sizes=${check.sizes} budget=${budget} isOld=${isBusy} />`}
    ${check.preview && check.phase !== "refused" && html`<${Costs} preview=${check.preview} />`}
    ${check.phase === "asking" && !check.preview && !check.sizes
      && html`<${Loading}>Asking the service, which stores nothing of it</${Loading}>`}
    ${!hasJob && isReadable && html`<p class="hint">Once there is a job, this says how many layers it has, how small and
      how large it can get, and what it will cost; nothing is queued.</p>`}
  </section>`;
}

/** @param {Check} check @param {Fault[]} faults */
function stateWords({ phase, preview }, faults) {
  if (phase === "refused") return html`<${Icon}
    name="warning" /> ${faults.length === 1 ? "1 problem" : `${faults.length} problems`}`;
  if (phase === "fine" && preview) return html`<${Icon}
    name="check" /> ${preview.num_budgets > 1 ? `Ready: answers at ${preview.num_budgets} budgets` : "Ready"}`;
  return { waiting: "Will check …", asking: "Checking …", unreachable: "Not checked", nothing: "", fine: "",
    refused: "" }[phase];
}

/** @param {{faults: Fault[], onField: (path: Path) => void, onLine: (line: number) => void}} props */
function FaultList({ faults, onField, onLine }) {
  return html`<ul class="faults" id="job-faults" tabindex="-1" aria-label="Problems of the job">
    ${faults.map(({ path, message, line }) => html`<li key=${pathText(path) + message}>
      <p>${message}</p>
      <p class="fault-links">
        ${path.length > 0 && html`<button type="button" class="link"
          onClick=${() => onField(path)}>To the field ${pathText(path)}</button>`}
        ${line !== null && html`<button type="button" class="link"
          onClick=${() => onLine(line)}>To line ${line}</button>`}
      </p>
    </li>`)}
  </ul>`;
}

/** @param {{sizes: Preview, budget: any, isOld: boolean}} props */
function Sizes({ sizes, budget, isOld }) {
  const limits = Object.entries(budget ?? {}).filter(([name]) => sizes.feasible[name]);
  return html`<div class=${`sizes ${isOld ? "is-old" : ""}`}>
    <${SizeBar} sizes=${sizes} budget=${budget ?? {}} />
    ${limits.filter(([name]) => name !== "size").map(([name,
      value]) => html`<${LimitBar} key=${name} name=${name} value=${value} range=${sizes.feasible[name]} />`)}
  </div>`;
}

/** @param {{preview: Preview}} props */
function Costs({ preview }) {
  const { num_layers: layers, num_units: units, num_options: options, target, formats } = preview;
  const figures = [
    ...(formats.length ? [["Exported as", `${formats.join(" or ")}, for ${target}`]] : []),
    [html`<${Term} name="layer">Layers</${Term}>`, units === layers ? formatCount(layers)
      : `${formatCount(layers)}, decided in ${formatCount(units)} units`],
    [html`<${Term} name="option">Options</${Term}>`, formatCount(options)],
    ["To be read", `about ${formatTokens(preview.planned_tokens)}`],
    ["On disk", `about ${formatBytes(preview.bank_bytes + preview.dense_logits_bytes)}`],
  ];
  return html`<dl class="costs">
    ${figures.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}
  </dl>
  <p class="hint">On disk: ${preview.bank_bytes > 0 && html`${formatBytes(preview.bank_bytes)} of compressed weights
    (<${Term} name="bank">bank</${Term}>), shared with other jobs on the model, and${" "}`}
    ${formatBytes(preview.dense_logits_bytes)} of the dense model's predictions.</p>`;
}
