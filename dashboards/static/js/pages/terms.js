// @ts-check
/** Every word of the dashboard with its meaning, on one page. */

import { html } from "../preact.js";
import { TERMS } from "../terms.js";

export function TermsPage() {
  const names = Object.keys(TERMS).sort((a, b) => a.localeCompare(b));
  return html`<header class="page-header"><div>
      <h1>What the words mean</h1>
      <p class="lead">Every dotted underline in the dashboard shows one of these when you point at it.</p>
    </div></header>
    <dl class="terms">${names.map((name) => html`<div key=${name}><dt>${name === "kl" ? "KL divergence" : name}</dt><dd>
    ${TERMS[name]}</dd></div>`)}</dl>`;
}
