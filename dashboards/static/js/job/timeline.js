// @ts-check
/** A job's life in stretches: what it was doing from when to when, read from its events. */

import { isFinal } from "../states.js";

/**
 * @typedef {import("../model.d.ts").EventView} EventView
 * @typedef {{name: string, kind: "phase" | "wait", start: number, end: number | null}} Stretch  end null: it lasts
 */

export const PHASE_NAMES = new Map([
  ["prepare", "prepare"], ["bank", "compress layers"], ["dense", "dense model"], ["baselines", "uniform baselines"],
  ["search", "search"], ["validation", "validate"],
]);

export const PHASE_MEANINGS = new Map([
  ["prepare", "Reads the model's structure and the text."],
  ["bank", "Compresses each layer with each option, once for all jobs of the model."],
  ["dense", "Runs the uncompressed model, whose predictions all others are held against."],
  ["baselines", "Measures one option for every layer: what a search has to beat."],
  ["search", "Proposes candidates and measures them on the calibration text."],
  ["validation", "Measures the best found and the baselines on text that the search never saw."],
  ["queued", "Waits for a free worker."],
  ["paused", "Waits until somebody resumes it."],
]);

/** @param {EventView[]} events in order @returns {Stretch[]} */
export function stretchesOf(events) {
  /** @type {Stretch[]} */
  const found = [];
  /** @param {string | null} name @param {Stretch["kind"]} kind @param {number} at */
  const turn = (name, kind, at) => {
    const open = found.at(-1);
    if (open && open.end === null && open.name === name) return;
    if (open && open.end === null) open.end = at;
    if (name !== null) found.push({ name, kind, start: at, end: null });
  };
  for (const event of events) {
    const at = Date.parse(event.created_at);
    const payload = /** @type {any} */ (event.payload);
    if (event.kind === "phase") turn(String(payload.phase), "phase", at);
    if (event.kind === "progress" && payload.phase) turn(String(payload.phase), "phase", at);
    if (event.kind !== "state") continue;
    if (payload.state === "queued" || payload.state === "paused") turn(payload.state, "wait", at);
    else if (payload.state === "validating") turn("prepare", "phase", at);
    else if (isFinal(payload.state)) turn(null, "wait", at);
  }
  return merged(found);
}

/** Stretches that lasted no time are noise between two others. @param {Stretch[]} stretches */
function merged(stretches) {
  return stretches.filter((each) => each.end === null || each.end > each.start);
}

/** The seconds of each kind of stretch.
 *  @param {Stretch[]} stretches @param {number} now @returns {Map<string, number>} */
export function secondsByName(stretches, now) {
  /** @type {Map<string, number>} */
  const sums = new Map();
  for (const { name, start, end } of stretches) {
    sums.set(name, (sums.get(name) ?? 0) + Math.max(0, (end ?? now) - start) / 1000);
  }
  return sums;
}
