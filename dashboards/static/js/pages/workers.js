// @ts-check
/** Who works: every node with its workers, what each is doing, for which job, how fast and how well. */

import { html } from "../preact.js";
import { usePolled } from "../live.js";
import { ButtonLink } from "../components/button.js";
import { EmptyState } from "../components/empty-state.js";
import { Loading } from "../components/loading.js";
import { ProblemBox } from "../components/problem-box.js";
import { NodeGroup } from "../workers/node-group.js";
import { byNode, summary } from "../workers/nodes.js";

const EVERY_MS = 2000;
const UNFINISHED = ["queued", "validating", "running", "paused", "stopping", "cancelling"];
const NAMES_EVERY_MS = 6000; // of jobs, which change seldom

export function WorkersPage() {
  const workers = usePolled("workers", {}, EVERY_MS);
  const jobs = usePolled("jobs", { state: UNFINISHED, limit: 200 }, NAMES_EVERY_MS);
  const items = workers.value?.items ?? null;
  const names = new Map((jobs.value?.items ?? []).map((/** @type {any} */ job) => [job.id, job.name || job.id]));
  return html`
    <div class="workers-page">
      <header class="page-header">
        <div>
          <h1>Workers</h1>
          ${items?.length > 0 && html`<p class="lead" data-testid="workers-summary">${summary(items)}</p>`}
          ${workers.isStale && items && html`
            <p class="muted small" role="status">As last heard; the service has not answered since.</p>`}
        </div>
      </header>
      ${workers.problem && html`<${ProblemBox} problem=${workers.problem} onRetry=${workers.reload} />`}
      ${!workers.value && !workers.problem && html`<${Loading} />`}
      ${items?.length === 0 && html`<${NoWorkers} jobs=${jobs.value?.items ?? []} />`}
      ${byNode(items ?? []).map((node) => html`<${NodeGroup} key=${node.name} node=${node} names=${names} />`)}
    </div>`;
}

/** @param {{jobs: {state: string, message: string}[]}} props */
function NoWorkers({ jobs }) {
  const running = jobs.filter((job) => job.state === "running").length;
  return html`
    <${EmptyState} title="No workers now" action=${html`<${ButtonLink} to="/submit" kind="primary">Submit a job<//>`}>
      <p>A running job starts its own workers, as many as its spec asks for, where the service's Ray cluster has room:
        one CPU each, and one GPU where there are any. When the job has ended they end as well, so there is nothing to
        start by hand.</p>
      <p>${running === 0 ? "No job is running." : `${running} running ${running === 1 ? "job has" : "jobs have"} no
        worker that was seen in the last half minute: still loading the model, or preparing.`}</p>
    <//>`;
}
