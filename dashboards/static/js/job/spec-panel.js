// @ts-check
/** What was asked of the job, to read, to copy and to hand in again. */

import { saveBlob } from "../api.js";
import { Button, ButtonLink, CopyButton, Segmented } from "../components/index.js";
import { html, useMemo } from "../preact.js";
import { useQuery } from "../router.js";
import { toYaml } from "./yaml.js";

/** @typedef {import("../model.d.ts").JobDetail} JobDetail */

const FORMS = [{ value: "yaml", label: "YAML" }, { value: "json", label: "JSON" }];
const TYPES = { yaml: "application/yaml", json: "application/json" };
// as people tell it; the store keeps keys by their letters
const ORDER = ["name", "model", "calibration", "validation", "space", "budget", "max_loss", "objective", "strategy"];

/** @param {{job: JobDetail}} props */
export function SpecPanel({ job }) {
  const [query, setQuery] = useQuery();
  const form = query.form === "json" ? "json" : "yaml";
  const text = useMemo(() => {
    const spec = inOrder(job.spec);
    return form === "json" ? `${JSON.stringify(spec, null, 2)}\n` : toYaml(spec);
  }, [job.spec, form]);
  const turn = (/** @type {string} */ value) => setQuery({ form: value === "yaml" ? null : value });
  const download = () => saveBlob(new Blob([text], { type: TYPES[form] }), `job-${job.id}.${form}`);
  return html`
    <section class="job-spec" aria-label="Spec">
      <div class="job-tools">
        <${Segmented} label="form" options=${FORMS} value=${form} onChange=${turn} />
        <span class="spacer"></span>
        <${CopyButton} text=${text}>Copy</${CopyButton}>
        <${Button} kind="quiet" small icon="download" onClick=${download}>Download</${Button}>
        <${ButtonLink} small to="/submit" query=${{ from: job.id }}>Submit again</${ButtonLink}>
      </div>
      <p class="muted small">What was handed in; all that it leaves out has its default.
        Saved as a file, <code>layerpress submit job.yaml</code> hands it in again.</p>
      <pre class="spec-text" tabindex="0" role="group" aria-label="the job's spec"
        ><code>${form === "yaml" ? coloured(text) : text}</code></pre>
    </section>`;
}

/** @param {Record<string, unknown>} spec */
function inOrder(spec) {
  const known = ORDER.filter((key) => key in spec);
  const others = Object.keys(spec).filter((key) => !ORDER.includes(key));
  return Object.fromEntries([...known, ...others].map((key) => [key, spec[key]]));
}

/** Keys stand out from values. @param {string} text */
function coloured(text) {
  return text.split("\n").map((line) => {
    const found = /^(\s*(?:- )?)([^\s:"][^:]*|"[^"]*")(:)(.*)$/.exec(line);
    if (!found) return `${line}\n`;
    const [, indent, key, colon, value] = found;
    return html`${indent}<span class="spec-key">${key}</span>${colon}${value}${"\n"}`;
  });
}
