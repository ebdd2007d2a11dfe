// @ts-check
/** One job: its head, its answer, and its sections; which of them and which candidate is in the address. */

import { ButtonLink, EmptyState, Loading, ProblemBox, TabPanel, Tabs } from "../components/index.js";
import { lazy } from "../components/lazy.js";
import { formatCount } from "../format.js";
import { AnswerCard } from "../job/answer-card.js";
import { FrontSection } from "../job/front-section.js";
import { JobHeader } from "../job/header.js";
import { useCandidates, useJob, usePolled } from "../live.js";
import { html, useCallback, useEffect, useMemo, useRef } from "../preact.js";
import { useQuery } from "../router.js";
import { isFinal } from "../states.js";

/** @typedef {import("../model.d.ts").JobDetail} JobDetail */
/** @typedef {import("../model.d.ts").EventView} EventView */

const EventsPanel = lazy(() => import("../job/events-panel.js"), "EventsPanel");
const FilesPanel = lazy(() => import("../job/files-panel.js"), "FilesPanel");
const HistoryPanel = lazy(() => import("../job/history-panel.js"), "HistoryPanel");
const SavingsPanel = lazy(() => import("../job/savings.js"), "SavingsPanel");
const SpecPanel = lazy(() => import("../job/spec-panel.js"), "SpecPanel");

const SPACE_FILE = "space.json"; // what the job writes down when it begins
const SENSITIVITY_FILE = "sensitivity.json"; // and, where its scores tell it, when it has succeeded
const TABS = [
  { value: "front", label: "Front" }, { value: "history", label: "History" },
  { value: "events", label: "Events & log" }, { value: "spec", label: "Spec" },
  { value: "savings", label: "Savings" }, { value: "files", label: "Files" },
];

/** @param {{id: string}} props */
export function JobPage({ id }) {
  const live = useJob(id);
  const { job, problem, reload } = live;
  useEffect(() => {
    if (job) document.title = `${job.name || job.id} · Layerpress`;
  }, [job?.name, job?.id]);
  if (job !== null) return html`<${Job} job=${job} live=${live} />`;
  if (problem?.status === 404) return html`<${NoSuchJob} detail=${problem.detail} />`;
  return html`<h1 class="unseen">Job ${id}</h1>
    ${problem ? html`<${ProblemBox} problem=${problem} onRetry=${reload} />` : html`<${Loading} rows=${4} />`}`;
}

/** @param {{detail: string}} props */
function NoSuchJob({ detail }) {
  const action = html`<${ButtonLink} to="/jobs" kind="primary">To the jobs</${ButtonLink}>`;
  return html`<h1 class="unseen">No such job</h1>
    <${EmptyState} title="There is no such job" action=${action}>
      <p>${detail}. It may have been deleted.</p>
    </${EmptyState}>`;
}

/** @param {{job: JobDetail, live: import("../live.js").LiveJob}} props */
function Job({ job, live }) {
  const [query, setQuery] = useQuery();
  const { events, connection } = live;
  const { items, isComplete, problem } = useCandidates(job.id, lastNews(events), events);
  const front = useFront(job, items.length);
  const files = useReloaded(`jobs/${job.id}/artifacts`, `${job.state} ${items.length > 0}`);
  const names = useMemo(() => namesOf(files.value), [files.value]);
  const space = usePolled(names.has(SPACE_FILE) ? `jobs/${job.id}/artifacts/${SPACE_FILE}` : null).value;
  const sections = useRef(/** @type {HTMLElement | null} */ (null));
  const tab = TABS.find((each) => each.value === query.tab) ?? TABS[0];
  const selected = /^\d{1,9}$/.test(query.candidate ?? "") ? Number(query.candidate) : null;
  const select = useCallback((/** @type {number | null} */ seq) => setQuery({ candidate: seq }), [setQuery]);
  const look = useCallback((/** @type {number} */ seq) => {
    setQuery({ candidate: seq, tab: null }, { replace: false });
    requestAnimationFrame(() => sections.current?.scrollIntoView());
  }, [setQuery]);
  const panels = {
    front: () => html`<${FrontSection} job=${job} candidates=${items} isComplete=${isComplete} problem=${problem}
      front=${front} selected=${selected} onSelect=${select} hasSensitivity=${names.has(SENSITIVITY_FILE)} />`,
    history: () => html`<${HistoryPanel} job=${job} candidates=${items} events=${events} front=${front}
      selected=${selected} onSelect=${look} />`,
    events: () => html`<${EventsPanel} job=${job} events=${events} connection=${connection} />`,
    spec: () => html`<${SpecPanel} job=${job} />`,
    savings: () => html`<${SavingsPanel} job=${job} />`,
    files: () => html`<${FilesPanel} job=${job} files=${files.value?.items ?? null} problem=${files.problem} />`,
  };
  const tabs = TABS.map((each) => ({
    ...each, count: each.value === "front" && items.length > 0 ? formatCount(items.length) : undefined,
  }));
  const refused = live.problem?.status === 0 ? null : live.problem; // the header tells of a service that is away
  const turn = (/** @type {string} */ value) => setQuery({ tab: value === "front" ? null : value });
  return html`
    <article class="job-page">
      <${JobHeader} job=${job} apply=${live.apply} connection=${connection} />
      ${refused && html`<${ProblemBox} problem=${refused} onRetry=${live.reload} />`}
      <${AnswerCard} job=${job} candidates=${items} space=${space} onSelect=${look} />
      <div class="job-sections" ref=${sections}>
        <${Tabs} tabs=${tabs} value=${tab.value} label="Sections of the job" onChange=${turn} />
        <${TabPanel} value=${tab.value}>
          ${tab.value !== "front" && html`<h2 class="unseen">${tab.label}</h2>`}
          ${panels[/** @type {keyof typeof panels} */ (tab.value)]()}
        </${TabPanel}>
      </div>
    </article>`;
}

/** The number of the last event that brought candidates: no other makes it worth asking for more.
 *  @param {EventView[]} events */
function lastNews(events) {
  return useMemo(() => {
    for (let index = events.length - 1; index >= 0; index -= 1) {
      if (events[index].kind === "candidates") return events[index].seq;
    }
    return 0;
  }, [events]);
}

/** What a path answers, asked again whenever `when` is another. @param {string | null} path @param {string} when */
function useReloaded(path, when) {
  const polled = usePolled(path);
  const seen = useRef(when);
  useEffect(() => {
    if (seen.current !== when) polled.reload();
    seen.current = when;
  }, [when]);
  return polled;
}

/** The front as the service has it: its objective and the corner that areas are measured from.
 *  @param {JobDetail} job @param {number} count of candidates */
function useFront(job, count) {
  const step = isFinal(job.state) ? count : Math.floor(6 * Math.log(count + 1)); // seldom, as a search grows long
  return useReloaded(count > 0 ? `jobs/${job.id}/front` : null, `${job.state} ${step}`).value;
}

/** @param {{items: {name: string}[]} | null} files @returns {Set<string>} */
function namesOf(files) {
  return new Set((files?.items ?? []).map((file) => file.name));
}
