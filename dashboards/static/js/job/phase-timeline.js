// @ts-check
/** A job's phases as one bar of time, with a table of how long each took. */

import { formatDuration, formatPercent } from "../format.js";
import { html, useEffect, useMemo, useState } from "../preact.js";
import { PHASE_MEANINGS, PHASE_NAMES, secondsByName, stretchesOf } from "./timeline.js";
import { isFinal } from "../states.js";

/** @typedef {import("../model.d.ts").EventView} EventView */
/** @typedef {import("../model.d.ts").JobDetail} JobDetail */

const TICK_MS = 2000;
const LABELLED = 0.09; // share of the bar from which on a name fits

/** @param {{events: EventView[], job: JobDetail}} props */
export function PhaseTimeline({ events, job }) {
  const stretches = useMemo(() => stretchesOf(events), [events]);
  const now = useNow(!isFinal(job.state));
  if (stretches.length === 0) return null;
  const end = stretches.at(-1)?.end ?? now;
  const whole = Math.max(1, end - stretches[0].start);
  const sums = secondsByName(stretches, now);
  return html`
    <section class="phases" aria-label="Phases">
      <div class="phase-bar" aria-hidden="true">
        ${stretches.map((each) => {
          const share = Math.max(0, (each.end ?? now) - each.start) / whole;
          const title = `${nameOf(each.name)}: ${formatDuration(((each.end ?? now) - each.start) / 1000)}`;
          return html`<span class=${`phase is-${each.name}`} style=${{ flexGrow: share }} title=${title}>
            ${share > LABELLED ? nameOf(each.name) : ""}</span>`;
        })}
      </div>
      <dl class="phase-times">
        ${[...sums].map(([name, seconds]) => html`<div title=${PHASE_MEANINGS.get(name) ?? ""}>
          <dt><span class=${`swatch phase is-${name}`}></span>${nameOf(name)}</dt>
          <dd>${formatDuration(seconds)} <span class="muted">${formatPercent((1000 * seconds) / whole)}</span></dd>
        </div>`)}
      </dl>
    </section>`;
}

/** @param {string} name */
function nameOf(name) {
  return PHASE_NAMES.get(name) ?? name;
}

/** The time, told again every other second while something lasts. @param {boolean} isTicking */
function useNow(isTicking) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!isTicking) return undefined;
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [isTicking]);
  return now;
}
