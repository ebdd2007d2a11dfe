// @ts-check
/** What a first-time user sees: what this is, and the three ways to begin. */

import { ButtonLink } from "../components/button.js";
import { CopyButton } from "../components/copy-button.js";
import { html } from "../preact.js";
import { Term } from "../terms.js";

const COMMAND = "layerpress submit examples/jobs/demo.yaml --watch";

export function FirstTime() {
  return html`<section class="first-time">
    <div>
      <h2>No jobs yet</h2>
      <p class="first-words">A job looks for the best way to compress each <${Term} name="layer">layer</${Term}> of a
        model so that the whole stays within a <${Term} name="budget">budget</${Term}>,
        and tells how much better that is
        than the <${Term} name="uniform baseline">same choice everywhere</${Term}>. The demo takes a few minutes.</p>
      <div class="empty-actions">
        <${ButtonLink} to="/submit" query=${{ example: "demo" }} kind="primary"
            icon="plus">New job from the demo</${ButtonLink}>
        <${ButtonLink} to="/submit">Start from your own model</${ButtonLink}>
      </div>
      <div class="first-command"><p class="muted small">Or from a terminal, in the project's folder:</p>
        <p class="command"><code>${COMMAND}</code><${CopyButton} text=${COMMAND} label="Copy the command" /></p></div>
    </div>
    <ol class="first-steps">
      <li><h3>Submit</h3><p>Say which model, which options and which budget. A check shows sizes and what is feasible
        before anything is queued.</p></li>
      <li><h3>Watch</h3><p>Follow the <${Term} name="front">front</${Term}> as it grows. Everything measured is kept:
        pause, go on, extend, or ask for another budget.</p></li>
      <li><h3>Choose</h3><p>Pick the point you can afford, see what it does to each layer, and export it for your
        runtime.</p></li>
    </ol>
  </section>`;
}
