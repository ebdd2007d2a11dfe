// @ts-check
/**
 * Submit: a form and a YAML editor that follow each other, a dry run beside them, and the button that queues the job.
 */

import { get } from "../api.js";
import { Button, Loading, ProblemBox, Segmented, toast } from "../components/index.js";
import { html, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../preact.js";
import { navigate, useQuery } from "../router.js";
import { CheckPanel } from "../submit/check-panel.js";
import { useCheck } from "../submit/check.js";
import { FormContext } from "../submit/context.js";
import { keepDraft, readDraft } from "../submit/draft.js";
import { exampleText } from "../submit/examples.js";
import { Form } from "../submit/form.js";
import { locate } from "../submit/locate.js";
import { goToField } from "../submit/places.js";
import { inOrder, orderOf } from "../submit/schema.js";
import { SendPanel } from "../submit/send-panel.js";
import { useSources } from "../submit/sources.js";
import { Start } from "../submit/start.js";
import { editYaml, writeYaml } from "../submit/yaml-edit.js";
import { goToLine, YamlEditor } from "../submit/yaml-editor.js";
import { readYaml } from "../submit/yaml-tree.js";

/** @typedef {import("../submit/locate.js").Fault} Fault */

const VIEWS = [{ value: "form", label: "Form" }, { value: "yaml", label: "YAML" }];

export function SubmitPage() {
  const sources = useSources();
  const job = useText(sources);
  const limits = useMemo(() => sources.catalogue.budgets.map((entry) => entry.name), [sources.catalogue]);
  const hasJob = Object.keys(job.value).length > 0;
  const of = job.problem || !hasJob ? null : JSON.stringify(job.value);
  const { check, ask, refuse } = useCheck(of, limits);
  const [view, setView] = useState("form");
  const [beganEmpty] = useState(() => !job.text.trim()); // the large start goes when it was used, not at the first key
  const faults = useFaults(check, job, sources.schema);
  const form = {
    value: job.value, change: job.change, faults, catalogue: sources.catalogue, models: sources.models ?? [],
    schema: sources.schema ?? {}, ranges: check.sizes?.feasible ?? {},
  };
  const onLine = (/** @type {number} */ line) => {
    setView("yaml");
    requestAnimationFrame(() => goToLine(line)); // once it is in view
  };
  const onField = (/** @type {import("../submit/yaml-tree.js").Path} */ path) => {
    setView("form");
    requestAnimationFrame(() => goToField(path));
  };
  const onRefused = (/** @type {any} */ problem) => {
    refuse(problem);
    requestAnimationFrame(() => document.getElementById("job-faults")?.focus());
  };
  return html`<div class="submit-page">
    <header class="submit-head">
      <h1>Submit a job</h1>
      <p class="lead">Fill in the form or write YAML: each follows the other.
        The dry run says what will happen before anything is queued.</p>
    </header>
    <${Start} isFirst=${beganEmpty && !job.from} onExample=${job.startFromExample} onJob=${job.startFromJob}
      onText=${job.startFromFile} onFault=${(/** @type {string} */ words) => toast(words, "error")} />
    ${job.previous !== null && html`<p class="restore" role="status">Begun anew${job.from ? ` from ${job.from}` : ""}.
      <${Button} small kind="quiet" onClick=${job.restore}>Put back what stood here before</${Button}></p>`}
    <div class="submit-view">
      <${Segmented} label="What to edit" options=${VIEWS} value=${view} onChange=${setView} />
    </div>
    <div class=${`submit-columns shows-${view}`}>
      <div class="submit-form">
        ${job.problem && html`<${Unread} problem=${job.problem} onLine=${onLine} onBack=${job.goBack} />`}
        ${sources.problem && html`<${ProblemBox} problem=${sources.problem} onRetry=${sources.reload}
          isRetrying=${false} />`}
        ${!sources.schema && !sources.problem && html`<${Loading} rows=${6}>
          Asking the service what a job may hold</${Loading}>`}
        ${sources.schema && html`<fieldset class="submit-fields" disabled=${job.problem !== null}>
          <legend class="unseen">The job</legend>
          <${FormContext.Provider} value=${form}><${Form} /></${FormContext.Provider}>
        </fieldset>`}
      </div>
      <div class="submit-side">
        <section class="submit-yaml" aria-labelledby="yaml-title">
          <h2 id="yaml-title">YAML</h2>
          <${YamlEditor} text=${job.text} onText=${job.write} problem=${job.problem} faults=${faults} />
        </section>
        <${CheckPanel} check=${check} faults=${faults} budget=${job.value.budget} onAsk=${ask} onField=${onField}
          onLine=${onLine} hasJob=${of !== null} isReadable=${!job.problem} />
        <${SendPanel} of=${of} faults=${faults} whyNot=${whyNot(job, hasJob)}
          onMade=${(/** @type {string} */ id) => navigate(`/jobs/${id}`)} onRefused=${onRefused} />
      </div>
    </div>
  </div>`;
}

/**
 * @param {{problem: import("../submit/yaml-tree.js").YamlProblem, onLine: (line: number) => void,
 *   onBack: () => void}} props
 */
function Unread({ problem, onLine, onBack }) {
  return html`<div class="unread" role="alert">
    <p><strong>Line ${problem.line}, column ${problem.column}: ${problem.message}.</strong>
      ${" "}The form shows the job as it last read and waits until the YAML reads again.</p>
    <p><${Button} small onClick=${() => onLine(problem.line)}>To line ${problem.line}</${Button}>
      <${Button} small kind="quiet" onClick=${onBack}>Back to the YAML that last read</${Button}></p>
  </div>`;
}

/** @param {{problem: unknown}} job @param {boolean} hasJob */
function whyNot(job, hasJob) {
  if (job.problem) return "The YAML does not read.";
  return hasJob ? "" : "There is no job yet: start from an example, or fill in the form.";
}

/** The text, what it says, and every way to change it. @param {import("../submit/sources.js").Sources} sources */
function useText({ schema, models }) {
  const [query] = useQuery();
  const [text, setText] = useState(() => readDraft().text);
  const [from, setFrom] = useState(() => readDraft().from);
  const [previous, setPrevious] = useState(/** @type {string | null} */ (null));
  const reading = useMemo(() => readYaml(text), [text]);
  const good = useRef({ text: "", value: /** @type {any} */ ({}), root: /** @type {any} */ (null) });
  if (!reading.problem) good.current = { text, value: reading.value, root: reading.root };
  const order = useMemo(() => orderOf(schema ?? {}), [schema]);

  useLayoutEffect(() => keepDraft({ text, from }), [text, from]); // at once: the page may be left before it is painted
  const change = useCallback((/** @type {any} */ path, /** @type {any} */ value) =>
    setText((before) => editYaml(before, path, value, order)), [order]);
  const [example, startFromExample] = useState(/** @type {string | null} */ (null)); // until it is known where it lies
  const begin = useCallback((/** @type {string} */ next, /** @type {string} */ name) => {
    startFromExample(null); // an example that still waits does not replace what was begun after it
    setText((before) => {
      if (before.trim() && before !== next) setPrevious(before);
      return next;
    });
    setFrom(name);
  }, []);
  const startFromJob = useCallback(async (/** @type {string} */ id) => {
    try {
      const { name, spec } = await get(`jobs/${encodeURIComponent(id)}`);
      begin(`# from job ${id}${name ? `: ${name}` : ""}\n${writeYaml(inOrder(spec, schema ?? {}))}`, `job ${id}`);
    } catch (error) {
      toast(error, "error");
    }
  }, [schema]);
  useEffect(() => {
    if (example !== null && models) begin(exampleText(example, models) ?? "", `the example ${example}`);
  }, [example, models]);
  useEffect(() => {
    if (query.from && schema && from !== `job ${query.from}`) startFromJob(query.from);
  }, [query.from, schema]);
  useEffect(() => {
    const name = `a new job on ${query.model}`;
    if (query.model && from !== name) begin(writeYaml({ model: query.model }), name);
  }, [query.model]);
  useEffect(() => {
    if (query.example && from !== `the example ${query.example}`) startFromExample(query.example);
  }, [query.example]);
  const restore = () => {
    setText(previous ?? "");
    setPrevious(null);
    setFrom("");
  };
  return {
    text, from, previous, problem: reading.problem, value: good.current.value, root: good.current.root,
      goodText: good.current.text,
    write: setText, change, restore, startFromJob, startFromExample, startFromFile: begin, goBack: () =>
      setText(good.current.text),
  };
}

/**
 * @param {import("../submit/check.js").Check} check @param {{value: any, goodText: string, root: any}} job
 * @param {any} schema @returns {Fault[]}
 */
function useFaults(check, job, schema) {
  return useMemo(() => {
    if (!check.problem || check.problem.isPassing) return [];
    return locate(check.problem, job.value, job.goodText, job.root, orderOf(schema ?? {}));
  }, [check.problem, job.goodText, schema]);
}
