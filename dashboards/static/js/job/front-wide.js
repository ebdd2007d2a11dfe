// @ts-check
/** The front of more objectives than a picture has axes: said in words, with a picture for each two of them. */

import { Button } from "../components/button.js";
import { html } from "../preact.js";
import { useQuery } from "../router.js";
import { Term } from "../terms.js";
import { listed, weighedBy } from "./objectives.js";

/** @typedef {import("./objectives.js").Objective} Objective */

/** Each two, the loss up where it is one of them. @param {Objective[]} objectives @returns {[Objective, Objective][]} */
function pairsOf(objectives) {
  return objectives.flatMap((up, index) =>
    objectives.slice(index + 1).map((across) => /** @type {[Objective, Objective]} */ ([across, up])),
  );
}

/**
 * Nothing for a job whose front a picture can show.
 * @param {{job: import("../model.js").JobDetail, view: import("./front-view.js").FrontView}} props
 */
export function WideNote({ job, view }) {
  const [, setQuery] = useQuery();
  const objectives = weighedBy(job);
  if (objectives.length < 3) return null;
  const { x, y } = view.axes;
  return html`<div class="front-wide small muted">
    <p>This front weighs ${listed(objectives)}. The line joins the best in the two that are drawn; a ring is
      ${" "}<${Term} name="best in all">best in all<//>: what beats it here is worse in ${" "}
      ${objectives.length > 3 ? "one of the others" : "the third"}.</p>
    <div class="front-pairs" role="group" aria-label="Which two to draw">${pairsOf(objectives).map(
      ([across, up]) => html`<${Button} kind="quiet" small
        aria-pressed=${x.key === across.key && y.key === up.key ? "true" : "false"}
        onClick=${() => setQuery({ x: across.key, y: up.key, zx: null, zy: null })}>${up.name} over ${across.name}<//>`,
    )}</div>
  </div>`;
}
