// @ts-check
/** The state of a job, a candidate or a worker: a word with a mark, so that colour alone says nothing. */

import { html } from "../preact.js";

const RING = "M8 12.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9z";
const HALF = "M8 3.5v9a4.5 4.5 0 0 0 0-9z";
/** @type {Record<string, {path: string, filled?: boolean}>} */
const MARKS = {
  queued: { path: RING },
  idle: { path: RING },
  validating: { path: `${RING}${HALF}` },
  starting: { path: `${RING}${HALF}` },
  running: { path: RING, filled: true },
  busy: { path: RING, filled: true },
  paused: { path: "M5.8 4v8M10.2 4v8" },
  stopping: { path: "M4.5 4.5h7v7h-7z" },
  cancelling: { path: "M4 4l8 8M12 4l-8 8" },
  succeeded: { path: "M3 8.5l3.3 3.3L13 4.5" },
  done: { path: "M3 8.5l3.3 3.3L13 4.5" },
  failed: { path: "M4 4l8 8M12 4l-8 8" },
  cancelled: { path: "M4 8h8" },
};

/** @param {{state: string, children?: any, title?: string}} props */
export function Badge({ state, children, title }) {
  const mark = MARKS[state] ?? MARKS.queued;
  return html`<span class=${`badge state-${state}`} title=${title}>
    <svg viewBox="0 0 16 16" width="14" height="14" fill=${mark.filled ? "currentColor" : "none"} stroke="currentColor"
        stroke-width="2"
      stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${mark.path} /></svg>
      ${children ?? state}
  </span>`;
}
