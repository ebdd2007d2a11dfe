// @ts-check
/** A checkpoint of one candidate: asked for, followed while the service writes it, and downloaded when it is done. */

import { html, useEffect, useRef, useState } from "../preact.js";
import { address, downloadFile, get, getToken, Problem, send } from "../api.js";
import { formatBytes } from "../format.js";
import { Button } from "../components/button.js";
import { ProblemBox } from "../components/problem-box.js";
import { Progress } from "../components/progress.js";
import { isUnderWay, phaseWords, statePath } from "./formats.js";

/** @typedef {import("./formats.js").ExportState} ExportState */

const LOOK_EVERY_MS = 1000;
const LOST = "The service began anew, or the job has found more since, and this export was lost; write it again.";

/** @param {{formatName: string, jobId: string, seq: number}} props */
export function Checkpoint({ formatName, jobId, seq }) {
  const { state, problem, isAsking, begin } = useExport(jobId, seq, formatName);
  const label = state?.state === "failed" ? "Try again" : "Write this checkpoint";
  return html`
    <div class="export-checkpoint">
      ${problem && html`<${ProblemBox} problem=${problem} />`}
      ${state?.state === "failed" && html`<p class="error" role="alert">${state.error}</p>`}
      ${(!state || state.state === "failed") && html`
        <p class="muted">The service writes it beside its other work, one at a time, and keeps it for a while.
          This window may be closed meanwhile.</p>
        <div class="export-foot"><${Button} kind="primary" busy=${isAsking} onClick=${begin}>${label}<//></div>`}
      ${state && isUnderWay(state) && html`<${UnderWay} state=${state} />`}
      ${state?.state === "done" && html`<${Archive} state=${state} path=${statePath(jobId, seq, formatName)} />`}
    </div>`;
}

/** @param {{state: ExportState}} props */
function UnderWay({ state }) {
  const words = phaseWords(state);
  return html`
    <div class="export-progress" role="status">
      <p>${words}</p>
      <${Progress} done=${state.done} total=${state.total} label=${words} />
    </div>`;
}

/** @param {{state: ExportState, path: string}} props */
function Archive({ state, path }) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  const file = `${state.name}.tar`;
  const size = state.size_bytes === null ? "" : `, ${formatBytes(state.size_bytes)}`;
  const fetched = () => {
    setBusy(true);
    setProblem(null);
    downloadFile(`${path}/archive`).catch(setProblem).finally(() => setBusy(false));
  };
  // without a token the browser saves it as it comes; with one it has to be fetched first
  const control = getToken() === null
    ? html`<a class="button primary" href=${address(`${path}/archive`).href} download=${file}>Download${size}</a>`
    : html`<${Button} kind="primary" icon="download" busy=${isBusy} onClick=${fetched}>Download${size}<//>`;
  return html`
    ${problem && html`<${ProblemBox} problem=${problem} />`}
    <div class="export-foot">${control}<span class="muted" role="status">${file} is ready.</span></div>`;
}

/** How far the service is, looked at again as long as it works on it. @param {string} jobId @param {number} seq
 *  @param {string} formatName */
function useExport(jobId, seq, formatName) {
  const [state, setState] = useState(/** @type {ExportState | null} */ (null));
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  const [isAsking, setAsking] = useState(false);
  const isWanted = useRef(true);
  const seen = useRef(state);
  seen.current = state;
  const path = statePath(jobId, seq, formatName);
  const looked = (/** @type {Promise<ExportState>} */ asked) => asked.then(
    (found) => void (isWanted.current && (setState(found), setProblem(null))),
    (error) => {
      if (!isWanted.current) return;
      if (!isUnknown(error)) setProblem(error);
      else if (seen.current && isUnderWay(seen.current)) {
        setState(null);
        setProblem(new Problem({ status: 404, code: "lost", detail: LOST }));
      }
    },
  );
  useEffect(() => {
    isWanted.current = true;
    looked(get(path));
    return () => void (isWanted.current = false);
  }, [path]);
  useEffect(() => {
    if (!state || !isUnderWay(state)) return undefined;
    const timer = setTimeout(() => looked(get(path)), LOOK_EVERY_MS);
    return () => clearTimeout(timer);
  }, [path, state, problem]);
  const begin = () => {
    setAsking(true);
    setProblem(null);
    looked(send("POST", `jobs/${jobId}/candidates/${seq}:export`, { format: formatName }))
      .finally(() => isWanted.current && setAsking(false));
  };
  return { state, problem, isAsking, begin };
}

/** Nobody asked for it yet. @param {Error} error */
const isUnknown = (error) => error instanceof Problem && error.status === 404;
