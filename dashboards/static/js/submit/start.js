// @ts-check
/** What a job can begin as: an example, an earlier job, or a file. */

import { get } from "../api.js";
import { Button, Field, Select } from "../components/index.js";
import { formatAgo } from "../format.js";
import { html, useEffect, useRef, useState } from "../preact.js";
import { EXAMPLES } from "./examples.js";

const NUM_JOBS = 50;
const LONGEST_FILE = 1024 * 1024; // bytes: what the service reads

/**
 * @param {{isFirst: boolean, onExample: (name: string) => void, onJob: (id: string) => void,
 *   onText: (text: string, name: string) => void, onFault: (words: string) => void}} props
 */
export function Start({ isFirst, onExample, onJob, onText, onFault }) {
  const jobs = useLatestJobs();
  const file = useRef(/** @type {HTMLInputElement | null} */ (null));
  const onFile = async (/** @type {any} */ event) => {
    const [chosen] = event.currentTarget.files;
    event.currentTarget.value = "";
    if (!chosen) return;
    if (chosen.size > LONGEST_FILE) return onFault(`a job file has 1 MiB at most, ${chosen.name} ${chosen.size} bytes`);
    onText(await chosen.text(), chosen.name);
  };
  return html`<section class=${`start ${isFirst ? "is-first" : ""}`} aria-label="Start from">
    <div class="start-examples">
      <p class="start-title">Start from an example</p>
      <div class="row">
        ${EXAMPLES.map(({ name, title, summary }) => (isFirst
    ? html`<button type="button" key=${name} class="example" onClick=${() => onExample(name)}>
      <strong>${title}</strong><span class="muted">${summary}</span></button>`
    : html`<${Button} key=${name} small title=${summary} onClick=${() => onExample(name)}>${title}</${Button}>`))}
      </div>
    </div>
    <div class="start-others">
      ${jobs.length > 0 && html`<${Field} label="or from an earlier job">
        ${(/** @type {any} */ attributes) => html`<${Select} value=""
          onChange=${(/** @type {string} */ id) => id && onJob(id)} ...${attributes}
          options=${[{ value: "", label: "choose …" },
            ...jobs.map((job) => ({ value: job.id, label: jobWords(job) }))]} />`}
      </${Field}>`}
      <input ref=${file} type="file" accept=".yaml,.yml,.json" class="unseen" tabindex="-1" aria-label="A job file"
        onChange=${onFile} />
      <${Button} icon="upload" onClick=${() => file.current?.click()}>A file …</${Button}>
    </div>
  </section>`;
}

/** @param {{name: string, state: string, created_at: string}} job */
function jobWords({ name, state, created_at: createdAt }) {
  return `${name}, ${state}, ${formatAgo(createdAt)}`;
}

/** @returns {{id: string, name: string, state: string, created_at: string}[]} */
function useLatestJobs() {
  const [jobs, setJobs] = useState(/** @type {any[]} */ ([]));
  useEffect(() => {
    const asking = new AbortController();
    get("jobs", { limit: NUM_JOBS }, { signal: asking.signal }).then((page) =>
      setJobs(page.items)).catch(() => {}); // the rest of the page says so
    return () => asking.abort();
  }, []);
  return jobs;
}
