// @ts-check
/** What the cache saved: how much of what the job asked for was known already, or computed for several at once. */

import { EmptyState } from "../components/index.js";
import { formatCount, formatPercent, formatTokens } from "../format.js";
import { html } from "../preact.js";
import { Term } from "../terms.js";

/**
 * @typedef {import("../model.d.ts").JobDetail} JobDetail
 * @typedef {{computed: number, cached: number, tokens: number, tokens_computed: number}} Costs
 */

/** @param {JobDetail} job @returns {Costs | null} */
export function costsOf(job) {
  const report = /** @type {any} */ (job.report);
  const progress = /** @type {any} */ (job.progress);
  const [evaluations, samples] = [report?.evaluations, report?.statistics];
  if (evaluations) {
    return {
      computed: evaluations.computed + (samples?.computed ?? 0),
      cached: evaluations.cached + (samples?.cached ?? 0),
      tokens: evaluations.tokens + (samples?.forward_tokens ?? 0) + (samples?.backward_tokens ?? 0),
      tokens_computed: (evaluations.tokens_computed ?? evaluations.tokens) + (samples?.tokens_computed ?? 0),
    };
  }
  return progress && progress.computed + progress.cached > 0 ? progress : null;
}

/** @param {{job: JobDetail}} props */
export function SavingsPanel({ job }) {
  const costs = costsOf(job);
  if (costs === null) {
    return html`<${EmptyState} title="Nothing was asked for yet">
      Once the job measures, this says how much of it was measured before, by itself or by other jobs.
    </${EmptyState}>`;
  }
  const asked = costs.computed + costs.cached;
  const shared = costs.tokens - costs.tokens_computed;
  return html`
    <section class="job-savings" aria-label="What the cache saved">
      <p class="lead">${inWords(costs)}</p>
      <${Share} title="Evaluations" term="cached share" whole=${asked} parts=${[
        { name: "known already", value: costs.cached, isSaved: true },
        { name: "computed", value: costs.computed, isSaved: false },
      ]} format=${formatCount} />
      ${costs.tokens > 0 && html`<${Share} title="Tokens read" term="evaluation" whole=${costs.tokens} parts=${[
        { name: "shared between candidates", value: Math.max(0, shared), isSaved: true },
        { name: "computed", value: costs.tokens_computed, isSaved: false },
      ]} format=${formatTokens} />`}
      <p class="muted">An evaluation is known by the model's weights, the configuration, the text and what is measured,
        whoever asked for it first. Candidates that begin with the same layers share the work of those layers.</p>
    </section>`;
}

/** @param {Costs} costs */
export function inWords({ computed, cached, tokens, tokens_computed }) {
  const asked = computed + cached;
  const known = cached === 0
    ? `None of the ${formatCount(asked)} evaluations was known before.`
    : `Of ${formatCount(asked)} evaluations, ${formatCount(cached)} (${formatPercent(cached / asked)}) were known `
      + "already and cost nothing.";
  if (computed === 0) return `${known} The model did not run at all.`;
  const saved = tokens > 0 ? 1 - tokens_computed / tokens : 0;
  if (saved < 0.005) return `${known} The rest read ${formatTokens(tokens)}.`;
  return `${known} The rest read ${formatTokens(tokens)}, but only ${formatTokens(tokens_computed)} `
    + `had to be computed: ${formatPercent(saved)} was shared between candidates.`;
}

/** @param {{
 *    title: string, term: string, whole: number, parts: {name: string, value: number, isSaved: boolean}[],
 *    format: (value: number) => string,
 *  }} props */
function Share({ title, term, whole, parts, format }) {
  const look = (/** @type {{isSaved: boolean}} */ part) => (part.isSaved ? "is-saved" : "is-spent");
  const shareOf = (/** @type {{value: number}} */ part) => part.value / Math.max(1, whole);
  return html`
    <div class="share">
      <h3><${Term} name=${term}>${title}</${Term}></h3>
      <div class="share-bar" aria-hidden="true">
        ${parts.map((part) => html`<span class=${look(part)} style=${{ flexGrow: shareOf(part) }}></span>`)}
      </div>
      <dl class="share-parts">
        ${parts.map((part) => html`<div><dt><span class=${`swatch ${look(part)}`}></span>${part.name}</dt>
          <dd>${format(part.value)} <span class="muted">${formatPercent(shareOf(part))}</span></dd></div>`)}
      </dl>
    </div>`;
}
