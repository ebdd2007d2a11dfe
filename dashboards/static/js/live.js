// @ts-check
/**
 * Data that stays fresh: hooks that read, follow and poll, and rest while live updates are paused or the tab is hidden.
 */

export { useCandidates } from "./live/candidates.js";
export { useJob } from "./live/job.js";
export { usePolled } from "./live/polled.js";
export { useIsLive } from "./live/timing.js";

/**
 * @typedef {import("./live/job.js").LiveJob} LiveJob
 * @typedef {import("./model.d.ts").EventView} EventView
 */
