// @ts-check
/**
 * The events of one job as they come: server-sent events read with fetch, taken up again after the last one that was
 * seen.
 */

import { address, authorization, noteReach } from "./api.js";
import { isFinal } from "./states.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const SILENCE_MS = 40_000; // the service says something every 15 s

/** @typedef {import("./model.d.ts").EventView} EventView */
/** @typedef {"live" | "reconnecting" | "ended" | "refused"} StreamState */
/** @typedef {{onEvents: (events: EventView[]) => void, onState: (state: StreamState) => void}} Listener */

/** Follow a job's events after a number until it has ended; call the answer to stop.
 *  @param {string} jobId @param {number} after @param {Listener} listener @returns {() => void} */
export function follow(jobId, after, listener) {
  const stop = new AbortController();
  void run(jobId, after, listener, stop.signal);
  return () => stop.abort();
}

/** @param {string} jobId @param {number} after @param {Listener} listener @param {AbortSignal} stop */
async function run(jobId, after, { onEvents, onState }, stop) {
  let last = after;
  let waitMs = FIRST_WAIT_MS;
  while (!stop.aborted) {
    try {
      const answer = await open(jobId, last, stop);
      if (answer.status === 401 || answer.status === 403 || answer.status === 404) return onState("refused");
      if (!answer.ok || answer.body === null) throw new Error(`status ${answer.status}`);
      onState("live");
      const isComplete = await read(answer.body, stop, (events) => {
        waitMs = FIRST_WAIT_MS;
        const fresh = events.filter((event) => event.seq > last);
        last = Math.max(last, ...fresh.map((event) => event.seq));
        if (fresh.length > 0 && !stop.aborted) onEvents(fresh);
      });
      if (isComplete && !stop.aborted && (await hasEnded(jobId, stop))) return onState("ended");
    } catch {
      if (stop.aborted) return;
    }
    if (stop.aborted) return;
    onState("reconnecting");
    await pause(waitMs * (0.75 + Math.random() / 2), stop);
    waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
  }
}

/** @param {string} jobId @param {number} last @param {AbortSignal} stop */
async function open(jobId, last, stop) {
  const headers = { ...authorization(), Accept: "text/event-stream", "Last-Event-ID": String(last) };
  try {
    const answer = await fetch(address(`jobs/${jobId}/events`), { headers, signal: stop, cache: "no-store" });
    noteReach(true);
    return answer;
  } catch (error) {
    if (!stop.aborted) noteReach(false);
    throw error;
  }
}

/**
 * A stream ends when its job has, but also when the service is shut down.
 * @param {string} jobId
 * @param {AbortSignal} stop
 */
async function hasEnded(jobId, stop) {
  const answer = await fetch(address(`jobs/${jobId}`), { headers: authorization(), signal: stop });
  return answer.ok && isFinal((await answer.json()).state);
}

/** Read to the end; true unless it fell silent. @param {ReadableStream<Uint8Array>} body @param {AbortSignal} stop
 *  @param {(events: EventView[]) => void} onEvents */
async function read(body, stop, onEvents) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const part = await orSilence(reader.read(), stop);
    if (part === null) {
      void reader.cancel();
      return false;
    }
    if (part.done) return true;
    rest += decoder.decode(part.value, { stream: true }).replaceAll("\r\n", "\n");
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    onEvents(blocks.map(parse).filter((event) => event !== null));
  }
}

/** @param {string} block @returns {EventView | null} */
function parse(block) {
  const data = block
    .split("\n")
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).trimStart());
  return data.length > 0 ? JSON.parse(data.join("\n")) : null;
}

/** @template T @param {Promise<T>} promise @param {AbortSignal} stop @returns {Promise<T | null>} */
async function orSilence(promise, stop) {
  const spoken = new AbortController();
  const silence = pause(SILENCE_MS, AbortSignal.any([stop, spoken.signal])).then(() => null);
  try {
    return await Promise.race([promise, silence]);
  } finally {
    spoken.abort();
  }
}

/** @param {number} ms @param {AbortSignal} stop @returns {Promise<void>} */
function pause(ms, stop) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
