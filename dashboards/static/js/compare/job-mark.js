// @ts-check
/** The mark of a job, in its colour, as the charts draw it. */

import { html } from "../preact.js";
import { colourOf } from "../charts/overlay.js";

const SHAPES = /** @type {Record<string, string>} */ ({
  circle: "M50 5A45 45 0 1 1 49.9 5Z", rect: "M10 10 90 10 90 90 10 90Z", diamond: "M50 0 100 50 50 100 0 50Z",
  triangle: "M50 5 98 92 2 92Z",
});

/** @param {{line: import("./lines.js").Line}} props */
export function JobMark({ line }) {
  const path = SHAPES[line.symbol] ?? line.symbol.replace("path://", "");
  return html`
    <svg class="job-mark" viewBox="0 0 100 100" width="12" height="12" aria-hidden="true">
      <path d=${path} fill=${colourOf(line.number)} />
    </svg>`;
}
