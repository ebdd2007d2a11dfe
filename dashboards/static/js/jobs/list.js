// @ts-check
/**
 * The list of jobs, kept fresh: its first page is read again every few seconds, and of later pages what is under way.
 */

import { get } from "../api.js";
import { usePolled } from "../live.js";
import { useEffect, useMemo, useRef, useState } from "../preact.js";
import { STATES, isFinal } from "../states.js";

const PAGE = 50;
const MOST = 200; // that the service gives at once
const MOST_READ = 20; // jobs that are read one by one; the rest wait for the next time
const MOVING = STATES.filter((state) => !isFinal(state));

/** @typedef {import("../model.d.ts").JobView} JobView */
/** @typedef {import("../model.d.ts").JobPage} JobPage */

/** How often to ask: the more there is to read and the less happens, the rarer. @param {JobView[]} jobs */
function everyMs(jobs) {
  if (!jobs.some((job) => MOVING.includes(job.state) && job.state !== "paused")) return 5000;
  return jobs.length <= 100 ? 2000 : jobs.length <= 500 ? 5000 : 10_000;
}

/** @param {JobView} a @param {JobView} b */
function isOlder(a, b) {
  return a.created_at < b.created_at || (a.created_at === b.created_at && a.id < b.id);
}

/**
 * New jobs pushed these off the first page: they are the first of the later ones.
 * @template {{items: JobView[]}} Later
 * @param {JobView[]} pushed
 * @param {Later} later
 */
function behind(pushed, later) {
  const ids = new Set(pushed.map((job) => job.id));
  return { ...later, items: pushed.concat(later.items.filter((job) => !ids.has(job.id))) };
}

/**
 * Jobs one by one; null for those that are gone, or in no state that is asked for any more.
 * @param {JobView[]} jobs
 * @param {string[]} states
 * @param {AbortSignal} signal
 * @returns {Promise<Map<string, JobView | null>>}
 */
async function readAnew(jobs, states, signal) {
  const found = await Promise.allSettled(
    jobs.slice(0, MOST_READ).map((job) => get(`jobs/${job.id}`, {}, { signal })),
  );
  /** @type {Map<string, JobView | null>} */
  const read = new Map();
  found.forEach((each, index) => {
    const isWanted = each.status === "fulfilled" && (states.length === 0 || states.includes(each.value.state));
    if (each.status === "fulfilled" || each.reason.status === 404)
      read.set(jobs[index].id, isWanted ? each.value : null);
  });
  return read;
}

/** @param {import("../api.js").Parameters} params as the service's list takes them */
export function useJobList(params) {
  const key = JSON.stringify(params);
  const [older, setOlder] = useState({
    key,
    items: /** @type {JobView[]} */ ([]),
    cursor: /** @type {string | null | undefined} */ (undefined),
  });
  const [isLoadingMore, setLoadingMore] = useState(false);
  const [moreProblem, setMoreProblem] = useState(/** @type {any} */ (null));
  const shown = useRef(/** @type {JobView[]} */ ([]));
  const later = older.key === key ? older.items : [];

  const first = usePolled("jobs", { ...params, limit: PAGE }, everyMs(shown.current));
  const page = /** @type {JobPage | null} */ (first.value);
  const wantsLater = later.some((job) => MOVING.includes(job.state));
  const asked = /** @type {string[]} */ (params.state ?? []);
  const moving = asked.length === 0 ? MOVING : asked.filter((state) => MOVING.includes(state));
  const second = usePolled(
    wantsLater ? "jobs" : null,
    { ...params, state: moving, limit: MOST },
    2 * everyMs(shown.current),
  );

  const read = (/** @type {Map<string, JobView | null>} */ fresh) =>
    setOlder((before) => ({
      ...before,
      items: before.items.flatMap((job) => (fresh.has(job.id) ? (fresh.get(job.id) ?? []) : job)),
    }));
  useEffect(() => {
    const answer = /** @type {JobPage | null} */ (second.value);
    if (answer === null) return undefined;
    const fresh = new Map(answer.items.map((job) => [job.id, job]));
    if (fresh.size > 0) read(fresh);
    const left = later.filter((job) => MOVING.includes(job.state) && !fresh.has(job.id)); // these have come to rest
    if (answer.next_cursor !== null || left.length === 0) return undefined;
    const stop = new AbortController();
    void readAnew(left, asked, stop.signal).then((found) => stop.signal.aborted || read(found));
    return () => stop.abort();
  }, [second.value]);

  const firstPage = useRef({ key: "", items: /** @type {JobView[]} */ ([]) });
  useEffect(() => {
    if (page === null) return;
    const before = firstPage.current.key === key ? firstPage.current.items : [];
    firstPage.current = { key, items: page.items };
    const [last, here] = [page.items.at(-1), new Set(page.items.map((job) => job.id))];
    const pushed = before.filter((job) => last !== undefined && !here.has(job.id) && isOlder(job, last));
    if (pushed.length > 0) setOlder((now) => (now.key === key && now.items.length > 0 ? behind(pushed, now) : now));
  }, [page, key]);

  const jobs = useMemo(() => {
    if (page === null) return [];
    const last = page.items.at(-1);
    return page.next_cursor === null || last === undefined
      ? page.items
      : page.items.concat(later.filter((job) => isOlder(job, last)));
  }, [page, later]);
  shown.current = jobs;

  const cursor = page?.next_cursor == null ? null : later.length > 0 ? older.cursor : page.next_cursor;
  const more = async () => {
    setLoadingMore(true);
    setMoreProblem(null);
    try {
      const next = await get("jobs", { ...params, limit: PAGE, cursor });
      setOlder((before) => ({
        key,
        items: (before.key === key ? before.items : []).concat(next.items),
        cursor: next.next_cursor,
      }));
    } catch (error) {
      setMoreProblem(error);
      // 422: the job at the cursor was deleted
      if (/** @type {any} */ (error).status === 422) setOlder({ key, items: [], cursor: undefined });
    }
    setLoadingMore(false);
  };
  /** Show at once what a verb answered; null: the job is gone. @param {string} id @param {JobView | null} job */
  const put = (id, job) => {
    setOlder((before) => ({
      ...before,
      items: before.items.flatMap((one) => (one.id !== id ? [one] : job === null ? [] : [job])),
    }));
    first.reload();
  };
  const isKnown = page !== null;
  return {
    jobs,
    isKnown,
    problem: first.problem,
    hasMore: Boolean(cursor),
    more,
    isLoadingMore,
    moreProblem,
    put,
    reload: first.reload,
  };
}
