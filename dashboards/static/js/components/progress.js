// @ts-check
/** How far something is: a bar with its words. A total of 0 or less is unknown, and the bar says so. */

import { formatCount, formatPercent } from "../format.js";
import { html } from "../preact.js";

/** @param {{done: number, total: number, label?: any, isActive?: boolean, unit?: string}} props */
export function Progress({ done, total, label = "", isActive = true, unit = "" }) {
  const isKnown = total > 0;
  const share = isKnown ? Math.min(1, Math.max(0, done / total)) : 0;
  const words = isKnown ? `${formatCount(done)} of ${formatCount(total)}${unit ? ` ${unit}` : ""}` : "";
  const name = typeof label === "string" && label ? label : "progress";
  return html`<div class="progress">
    <div class="progress-words"><span class="clip">${label}</span><span class="number" title=${words}>
    ${isKnown && formatPercent(share)}</span></div>
    <div class=${`progress-track ${isKnown ? "" : "unknown"} ${isActive ? "active" : ""}`} role="progressbar"
        aria-label=${name}
        aria-valuemin="0" aria-valuemax="100" aria-valuenow=${isKnown ? Math.round(100 * share) : undefined}
        aria-valuetext=${words || undefined}>
      <div class="progress-bar" style=${{ width: `${100 * share}%` }}></div>
    </div>
  </div>`;
}
