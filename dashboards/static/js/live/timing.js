// @ts-check
/** When data is read: while somebody looks, again after a while, and patiently where the service is away. */

import { session } from "../api.js";
import { useEffect, useState } from "../preact.js";
import { usePaused } from "../preferences.js";

/** Whether updates should come: not paused, and somebody may be looking. */
export function useIsLive() {
  const isPaused = usePaused();
  const [isHidden, setHidden] = useState(document.hidden);
  useEffect(() => {
    const look = () => setHidden(document.hidden);
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  return !isPaused && !isHidden;
}

/** A number that grows whenever somebody signs in. */
export function useLogins() {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const add = () => setCount((before) => before + 1);
    session.addEventListener("login", add);
    return () => session.removeEventListener("login", add);
  }, []);
  return count;
}

/** Call `read` now and, as `nextMs` says after each answer, again; null ends it. One request at a time.
 *  @param {(signal: AbortSignal) => Promise<number | null>} read */
export function repeat(read) {
  const stop = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const turn = async () => {
    const nextMs = await read(stop.signal);
    if (nextMs !== null && !stop.signal.aborted) timer = setTimeout(turn, nextMs);
  };
  void turn();
  return () => {
    stop.abort();
    clearTimeout(timer);
  };
}

/** How long to wait after so many failures in a row. @param {number} failures */
export function backOffMs(failures) {
  return Math.min(500 * 2 ** failures, 15_000);
}

/** Collects what comes within a moment and hands it on at once. @template T @param {(items: T[]) => void} onItems */
export function gathering(onItems, waitMs = 120) {
  /** @type {T[]} */
  let waiting = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const items = waiting;
    waiting = [];
    if (items.length > 0) onItems(items);
  };
  const add = (/** @type {T[]} */ items) => {
    waiting = waiting.concat(items);
    timer ??= setTimeout(flush, waitMs);
  };
  return { add, flush };
}
