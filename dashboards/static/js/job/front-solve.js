// @ts-check
/**
 * Another budget from stored scores: a configuration in seconds, its size exact, its loss predicted and not
 * measured.
 */

import { get, send } from "../api.js";
import { Button } from "../components/button.js";
import { Field, Select, TextInput } from "../components/field.js";
import { ProblemBox } from "../components/problem-box.js";
import { exactBytes, formatBits, formatBytes, formatDuration } from "../format.js";
import { html, useEffect, useState } from "../preact.js";
import { Term } from "../terms.js";
import { saveText } from "./front-files.js";

/** @typedef {import("../api.js").Problem} Problem */

const LIMITS = [
  { value: "nominal_bits_per_weight", label: "nominal bits per weight", hint: "such as 3.5" },
  { value: "bits_per_weight", label: "bits per weight", hint: "such as 5.25" },
  { value: "size", label: "size of the checkpoint", hint: "such as 6.5MB" },
];
const OWN_SCORE = { value: "", label: "the job's own" };
const USUAL_SOLVERS = [{ value: "knapsack", label: "knapsack" }];

/** The scores and solvers that the service knows; until it answers, the usual ones. @param {boolean} isOpen */
function useMethods(isOpen) {
  const [methods, setMethods] = useState({ scores: [OWN_SCORE], solvers: USUAL_SOLVERS });
  useEffect(() => {
    if (!isOpen) return undefined;
    const stop = new AbortController();
    const entries = (/** @type {{name: string}[]} */ list) => list.map(({ name }) => ({ value: name, label: name }));
    get("spaces", {}, { signal: stop.signal }).then(
      (found) => setMethods({ scores: [OWN_SCORE, ...entries(found.scores)], solvers: entries(found.solvers) }),
      () => {}, // the usual ones stay
    );
    return () => stop.abort();
  }, [isOpen]);
  return methods;
}

/** @param {string} limit @param {string} text what the API takes: numbers as numbers, sizes as written */
function budgetOf(limit, text) {
  const trimmed = text.trim();
  if (trimmed === "") return {};
  return { [limit]: limit !== "size" && Number.isFinite(Number(trimmed)) ? Number(trimmed) : trimmed };
}

/** @param {any} solved */
function saveConfiguration({ answer, configuration }) {
  const text = `${JSON.stringify(configuration, null, 2)}\n`;
  saveText(`configuration-${answer.configuration_id}.json`, text, "application/json");
}

/** @param {{solved: any}} props */
function Solved({ solved }) {
  const { answer, predicted, unit, seconds, score, solver, budget } = solved;
  const spent = Object.values(seconds).reduce((/** @type {number} */ sum, /** @type {any} */ each) => sum + each, 0);
  return html`<div class="solve-answer" role="status">
    <dl class="facts">
      <div><dt>budget</dt><dd>${
        Object.entries(budget)
          .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`)
          .join(", ") || "the job's own"
      }</dd></div>
      <div><dt>size, exact</dt><dd title=${exactBytes(answer.size_bytes)}>${formatBytes(answer.size_bytes)}</dd></div>
      <div><dt>nominal bits</dt><dd>${formatBits(answer.nominal_bits_per_weight)}</dd></div>
      <div><dt>bits per weight</dt><dd>${formatBits(answer.bits_per_weight)}</dd></div>
      <div><dt>predicted, not measured</dt>
        <dd>${predicted === null ? "none that is finite" : predicted.toPrecision(3)}</dd></div>
    </dl>
    <p
      class="small muted">${unit}; ${score} × ${solver}, ${formatDuration(spent)};
      configuration <code>${answer.configuration_id}</code></p>
    <${Button} kind="quiet" onClick=${() => saveConfiguration(solved)}>
      Save its configuration<//>
  </div>`;
}

/**
 * The form and its answer; nothing is sent before it is asked for.
 * @param {{jobId: string}} props
 */
export function SolveForm({ jobId }) {
  const [isOpen, setOpen] = useState(false);
  const [asked, setAsked] = useState({ limit: "nominal_bits_per_weight", text: "", score: "", solver: "knapsack" });
  const [state, setState] = useState(
    /** @type {{isBusy: boolean, solved: any, problem: Problem | null}} */ ({
      isBusy: false,
      solved: null,
      problem: null,
    }),
  );
  const methods = useMethods(isOpen);
  const change = (/** @type {object} */ changes) => setAsked((before) => ({ ...before, ...changes }));
  const solve = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setState((before) => ({ ...before, isBusy: true, problem: null }));
    const body = { budget: budgetOf(asked.limit, asked.text), score: asked.score || null, solver: asked.solver };
    try {
      const solved = await send("POST", `jobs/${jobId}:solve`, body);
      setState({ isBusy: false, solved, problem: null });
    } catch (problem) {
      setState({ isBusy: false, solved: null, problem: /** @type {Problem} */ (problem) });
    }
  };
  const set = (/** @type {string} */ key) => (/** @type {string} */ value) => change({ [key]: value });
  const limit = LIMITS.find((each) => each.value === asked.limit);
  return html`<details class="solve" onToggle=${(/** @type {any} */ event) => setOpen(event.target.open)}>
    <summary>Another budget from stored scores</summary>
    <p class="small muted">The <${Term} name="solver" /> picks options from <${Term}
      name="score">scores<//> that the store already holds:
      seconds, and no evaluation. The size is exact; the loss is predicted.</p>
    <form onSubmit=${solve}>
      <${Field} label="limit"><${Select} options=${LIMITS} value=${asked.limit} onChange=${set("limit")} /><//>
      <${Field} label="at most" hint=${`${limit?.hint}; empty: the job's own budget`}>
        <${TextInput} value=${asked.text} autocomplete="off"
          onInput=${set("text")} />
      <//>
      <${Field} label="score"><${Select} options=${methods.scores} value=${asked.score} onChange=${set("score")} /><//>
      <${Field} label="solver">
        <${Select} options=${methods.solvers} value=${asked.solver} onChange=${set("solver")} /><//>
      <${Button} kind="primary" type="submit" busy=${state.isBusy}>Solve<//>
    </form>
    ${state.problem && html`<${ProblemBox} problem=${state.problem} />`}
    ${state.solved && html`<${Solved} solved=${state.solved} />`}
  </details>`;
}
