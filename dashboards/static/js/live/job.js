// @ts-check
/** One job, kept fresh by its own events: what they say is shown at once, and the job is read again soon after. */

import { get } from "../api.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../preact.js";
import { follow } from "../stream.js";
import { backOffMs, gathering, repeat, useIsLive, useLogins } from "./timing.js";

const SOON_MS = 1000; // a job is read again at most so often after a change of state
const LATER_MS = 4000; // and so often while it only gets further
const MAX_EVENTS = 20_000;

/** @typedef {import("../model.d.ts").JobDetail} JobDetail */
/** @typedef {import("../model.d.ts").EventView} EventView */
/** @typedef {import("../api.js").Problem} Problem */

/**
 * @typedef {{job: JobDetail | null, events: EventView[], connection: import("../stream.js").StreamState | "paused" |
 *   "loading", problem: Problem | null, reload: () => void, apply: (job: Partial<JobDetail>) => void}} LiveJob
 */

/**
 * A job, its events from the first on, and how well they are heard. `apply` merges what a verb answered.
 * @param {string} id
 * @returns {LiveJob}
 */
export function useJob(id) {
  const [events, setEvents] = useState(/** @type {EventView[]} */ ([]));
  const [job, setJob] = useState(/** @type {JobDetail | null} */ (null));
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const [stream, setStream] = useState(/** @type {import("../stream.js").StreamState | "loading"} */ ("loading"));
  const [turn, setTurn] = useState(0);
  const isLive = useIsLive();
  const logins = useLogins();
  const last = useRef(0);
  const isBehind = useRef(false); // whether it was about to be read when updates were paused
  const reader = useReader(id, setJob, setProblem);

  useEffect(() => {
    last.current = 0;
    setEvents([]);
    setJob(null);
    setProblem(null);
    setStream("loading");
  }, [id]);
  useEffect(() => reader.now(), [id, turn, logins]);
  const isKnown = job !== null && job.id === id;
  // ended with the very render that says so: nothing slips in behind "updates paused"
  useLayoutEffect(() => {
    if (!isKnown || !isLive) return undefined;
    const gather = gathering((/** @type {EventView[]} */ fresh) => {
      setEvents((before) => [...before, ...fresh].slice(-MAX_EVENTS));
      setJob((before) => (before === null ? before : fresh.reduce(applied, before)));
      reader.soon(fresh.some((event) => event.kind === "state") ? SOON_MS : LATER_MS);
    });
    if (isBehind.current) reader.soon(0);
    isBehind.current = false;
    const stop = follow(id, last.current, {
      onEvents: (fresh) => {
        last.current = Math.max(last.current, ...fresh.map((event) => event.seq));
        gather.add(fresh);
      },
      onState: (state) => {
        setStream(state);
        if (state === "ended" || state === "refused") reader.soon(0); // it says why, and asks for a token where it must
      },
    });
    return () => {
      stop();
      gather.flush();
      isBehind.current = reader.rest();
    };
  }, [id, isKnown, isLive, turn, logins]);

  const apply = useMemo(
    () => (/** @type {Partial<JobDetail>} */ given) => {
      setJob((before) => (before === null ? before : { ...before, ...given }));
      setTurn((before) => before + 1);
    },
    [],
  );
  const reload = useMemo(() => () => setTurn((before) => before + 1), []);
  const connection = isLive || stream === "ended" ? stream : "paused";
  return useMemo(
    () => ({ job: isKnown ? job : null, events, connection, problem, reload, apply }),
    [job, isKnown, events, connection, problem],
  );
}

/** Reads a job now or soon, with one request in flight. @param {string} id @param {(job: JobDetail) => void} onJob
 *  @param {(problem: Problem | null) => void} onProblem */
function useReader(id, onJob, onProblem) {
  const reader = useMemo(() => {
    let stop = () => {};
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    let dueAt = Infinity;
    let isReading = false;
    const now = () => {
      stop();
      clearTimeout(timer);
      dueAt = Infinity;
      isReading = true;
      let failures = 0;
      stop = repeat(async (signal) => {
        try {
          const job = await get(`jobs/${id}`, {}, { signal });
          if (signal.aborted) return null;
          isReading = false;
          onProblem(null);
          onJob(job);
          return null;
        } catch (error) {
          if (signal.aborted) return null;
          onProblem(/** @type {Problem} */ (error));
          failures += 1;
          isReading = /** @type {Problem} */ (error).isPassing;
          return isReading ? backOffMs(failures) : null;
        }
      });
      return stop;
    };
    const soon = (/** @type {number} */ waitMs) => {
      if (Date.now() + waitMs >= dueAt) return;
      clearTimeout(timer);
      dueAt = Date.now() + waitMs;
      timer = setTimeout(now, waitMs);
    };
    /** Let be what is due or under way; whether there was anything. */
    const rest = () => {
      const wasDue = isReading || dueAt !== Infinity;
      stop();
      clearTimeout(timer);
      dueAt = Infinity;
      isReading = false;
      return wasDue;
    };
    return { now, soon, rest, end: () => (stop(), clearTimeout(timer)) };
  }, [id]);
  useEffect(() => reader.end, [reader]);
  return reader;
}

/**
 * What an event changes of the job that is shown.
 * @param {JobDetail} job
 * @param {EventView} event
 * @returns {JobDetail}
 */
function applied(job, event) {
  if (event.seq <= job.last_seq) return job;
  const next = { ...job, last_seq: event.seq };
  const payload = /** @type {any} */ (event.payload);
  if (event.kind === "state") return { ...next, ...payload };
  if (event.kind === "progress") return { ...next, progress: { ...job.progress, ...payload } };
  if (event.kind === "phase")
    return { ...next, progress: { .../** @type {any} */ (job.progress), phase: payload.phase, done: 0, total: 0 } };
  return next;
}
