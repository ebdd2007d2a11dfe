// @ts-check
/** What happened: the phases as a line of time, and every event and line of the log, with the latest in sight. */

import { Checkbox, EmptyState, Select } from "../components/index.js";
import { formatCount } from "../format.js";
import { html, useMemo, useState } from "../preact.js";
import { useQuery } from "../router.js";
import { EventList } from "./event-list.js";
import { PhaseTimeline } from "./phase-timeline.js";

/**
 * @typedef {import("../model.d.ts").EventView} EventView
 * @typedef {import("../model.d.ts").JobDetail} JobDetail
 */

const FILTERS = [
  { value: "steps", label: "all but progress" },
  { value: "all", label: "everything" },
  { value: "log", label: "log lines" },
  { value: "state", label: "states" },
  { value: "phase", label: "phases" },
  { value: "candidates", label: "candidates" },
  { value: "progress", label: "progress" },
];

/** @param {{job: JobDetail, events: EventView[], connection: string}} props */
export function EventsPanel({ job, events, connection }) {
  const [query, setQuery] = useQuery();
  const [isFollowing, setFollowing] = useState(true);
  const filter = FILTERS.find((each) => each.value === query.kind)?.value ?? "steps";
  const shown = useMemo(() => events.filter((event) => holds(event, filter)), [events, filter]);
  const turn = (/** @type {string} */ value) => setQuery({ kind: value === "steps" ? null : value });
  return html`
    <div class="job-events">
      <${PhaseTimeline} events=${events} job=${job} />
      <div class="job-tools">
        <${Select} label="Show events" options=${FILTERS} value=${filter} onChange=${turn} />
        <${Checkbox} checked=${isFollowing} onChange=${setFollowing}>Follow the latest</${Checkbox}>
        <span class="muted">${formatCount(shown.length)} of ${formatCount(events.length)} events
          ${told(connection)}</span>
      </div>
      ${shown.length === 0 && html`<${NoEvents} filter=${filter} />`}
      ${shown.length > 0 && html`<${EventList} events=${shown} isFollowing=${isFollowing} onFollow=${setFollowing} />`}
    </div>`;
}

/** @param {EventView} event @param {string} filter */
function holds(event, filter) {
  return filter === "all" || (filter === "steps" ? event.kind !== "progress" : event.kind === filter);
}

/** @param {string} connection */
function told(connection) {
  if (connection === "reconnecting") return "; reconnecting";
  return connection === "paused" ? "; live updates are paused" : "";
}

/** @param {{filter: string}} props */
function NoEvents({ filter }) {
  if (filter !== "log") {
    return html`<${EmptyState} title="Nothing of this kind yet">Events show up as they happen.</${EmptyState}>`;
  }
  return html`<${EmptyState} title="The log is empty">
    Only warnings and errors are written to it, so an empty log is a good one.
  </${EmptyState}>`;
}
