// @ts-check
/** Every candidate of a job, kept complete by reading only what is new. */

import { get } from "../api.js";
import { useEffect, useMemo, useRef, useState } from "../preact.js";
import { backOffMs, gathering, useLogins } from "./timing.js";

const PAGE = 200;

/** @typedef {import("../model.d.ts").CandidateView} CandidateView */
/** @typedef {import("../model.d.ts").EventView} EventView */
/** @typedef {import("../api.js").Problem} Problem */

/** Every candidate of a job in the order of seq: all pages first, then only what is new whenever `lastSeq` (any number
 *  that grows, such as the job's last_seq) has changed. `events` keep the marks of the front right.
 *  @param {string} id @param {number} lastSeq @param {EventView[]} [events]
 *  @returns {{items: CandidateView[], isComplete: boolean, problem: Problem | null}} */
export function useCandidates(id, lastSeq, events = []) {
  const [state, setState] = useState({
    items: /** @type {CandidateView[]} */ ([]),
    isComplete: false,
    problem: /** @type {Problem | null} */ (null),
  });
  const known = useRef({ id, after: 0, isComplete: false });
  const logins = useLogins();
  const isIdle = useRef(true);
  const wanted = useRef(lastSeq);
  wanted.current = lastSeq;

  useEffect(() => {
    known.current = { id, after: 0, isComplete: false };
    setState({ items: [], isComplete: false, problem: null });
    return () => {
      known.current = { id: "", after: 0, isComplete: false }; // nobody looks any more
    };
  }, [id]);
  useEffect(() => {
    if (!isIdle.current) return;
    const run = async () => {
      isIdle.current = false;
      for (let done = ""; known.current.id !== "" && done !== known.current.id;) {
        done = known.current.id;
        await catchUp(done, known, wanted, setState);
      }
      isIdle.current = true;
    };
    void run();
  }, [id, lastSeq, logins]);

  const left = useLeft(events);
  return useMemo(() => {
    if (left.size === 0) return state;
    const isOff = (/** @type {CandidateView} */ item) => item.is_on_front && left.has(item.seq);
    if (!state.items.some(isOff)) return state;
    return { ...state, items: state.items.map((item) => (isOff(item) ? { ...item, is_on_front: false } : item)) };
  }, [state, left]);
}

/** @typedef {{current: {id: string, after: number, isComplete: boolean}}} Known */

/** @param {string} id @param {Known} known @param {{current: number}} wanted @param {(change: any) => void} setState */
async function catchUp(id, known, wanted, setState) {
  const gather = gathering((/** @type {CandidateView[]} */ items) => {
    if (known.current.id !== id) return;
    setState((/** @type {any} */ before) => ({
      items: before.items.concat(items),
      isComplete: known.current.isComplete,
      problem: null,
    }));
  }, 200);
  let failures = 0;
  for (let seen = -1; seen !== wanted.current && known.current.id === id;) {
    const aim = wanted.current;
    try {
      const page = await get(`jobs/${id}/candidates`, { after_seq: known.current.after, limit: PAGE });
      if (known.current.id !== id) return;
      const items = page.items.filter((/** @type {CandidateView} */ item) => item.seq > known.current.after);
      known.current.after = items.at(-1)?.seq ?? known.current.after;
      known.current.isComplete ||= page.next_cursor === null;
      gather.add(items);
      failures = 0;
      setState((/** @type {any} */ before) => (before.problem === null ? before : { ...before, problem: null }));
      if (page.next_cursor === null) seen = aim;
    } catch (error) {
      const problem = /** @type {Problem} */ (error);
      if (known.current.id === id) setState((/** @type {any} */ before) => ({ ...before, problem }));
      if (!problem.isPassing) break;
      failures += 1;
      await new Promise((resolve) => setTimeout(resolve, backOffMs(failures)));
    }
  }
  gather.flush();
  if (known.current.id === id && known.current.isComplete) {
    setState((/** @type {any} */ before) => (before.isComplete ? before : { ...before, isComplete: true }));
  }
}

/**
 * The numbers of all candidates that left the front, as events told.
 * @param {EventView[]} events
 * @returns {Set<number>}
 */
function useLeft(events) {
  const kept = useRef({ seq: 0, left: /** @type {Set<number>} */ (new Set()) });
  return useMemo(() => {
    if (events.length === 0) kept.current = { seq: 0, left: new Set() };
    const fresh = events.filter((event) => event.seq > kept.current.seq && event.kind === "candidates");
    const seqs = fresh.flatMap((event) => /** @type {any} */ (event.payload).left ?? []);
    if (fresh.length > 0) kept.current.seq = fresh[fresh.length - 1].seq;
    if (seqs.length > 0) kept.current.left = new Set([...kept.current.left, ...seqs]);
    return kept.current.left;
  }, [events]);
}
