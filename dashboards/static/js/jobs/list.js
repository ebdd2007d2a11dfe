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

  useEffect(() => {
    const fresh = new Map(/** @type {JobPage | null} */ (second.value)?.items.map((job) => [job.id, job]) ?? []);
    if (fresh.size > 0)
      setOlder((before) => ({ ...before, items: before.items.map((job) => fresh.get(job.id) ?? job) }));
  }, [second.value]);

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
