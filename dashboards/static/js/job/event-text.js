// @ts-check
/** An event of a job as one line for people. */

import { formatCount, formatLoss, formatPercent } from "../format.js";
import { PHASE_MEANINGS, PHASE_NAMES } from "./timeline.js";

/** @typedef {import("../model.d.ts").EventView} EventView */

const MOST_NUMBERS = 6;

/** @param {EventView} event @returns {string} */
export function eventText(event) {
  const payload = /** @type {any} */ (event.payload);
  switch (event.kind) {
    case "state": return stateText(payload);
    case "phase": return phaseText(String(payload.phase));
    case "progress": return progressText(payload);
    case "candidates": return candidatesText(payload);
    case "log": return String(payload.message ?? "").split("\n")[0];
    default: return JSON.stringify(payload);
  }
}

/** All that an event says. @param {EventView} event */
export function eventDetail(event) {
  const payload = /** @type {any} */ (event.payload);
  return event.kind === "log" ? String(payload.message ?? "") : JSON.stringify(payload, null, 2);
}

/** Whether a person should look: warnings, errors, failures. @param {EventView} event */
export function isGrave(event) {
  const payload = /** @type {any} */ (event.payload);
  return (event.kind === "log" && payload.level !== "INFO") || (event.kind === "state" && payload.state === "failed");
}

/** @param {any} payload */
function stateText({ state, wish, message }) {
  const isOpen = wish && wish !== "run" && !["cancelled", "succeeded", "failed", "paused"].includes(state);
  const wished = isOpen ? ` (asked to ${wish})` : "";
  return `${state}${wished}${message ? `: ${message}` : ""}`;
}

/** @param {string} phase */
function phaseText(phase) {
  const meaning = PHASE_MEANINGS.get(phase);
  return `${PHASE_NAMES.get(phase) ?? phase}${meaning ? `: ${meaning}` : ""}`;
}

/** @param {any} payload */
function progressText(payload) {
  const { label, phase, done, total, unit, best, uniform } = payload;
  const share = total ? ` ${formatPercent(done / total)} of ${formatCount(total)} ${unit ?? ""}`.trimEnd() : "";
  const found = typeof best === "number" ? `; best ${formatLoss(best)}` : "";
  const base = typeof uniform === "number" ? `; uniform ${formatLoss(uniform)}` : "";
  return `${label || (PHASE_NAMES.get(phase) ?? phase ?? "")}${share ? `:${share}` : ""}${found}${base}`;
}

/** @param {any} payload */
function candidatesText({ seqs = [], entered = [], left = [] }) {
  const many = `${formatCount(seqs.length)} candidates (${numbers(seqs)})`;
  const count = seqs.length === 1 ? `candidate ${seqs[0]}` : many;
  const news = entered.length ? `; ${numbers(entered)} entered the front` : "";
  const old = left.length ? `; ${numbers(left)} left it` : "";
  return count + news + old;
}

/** @param {number[]} seqs */
function numbers(seqs) {
  const shown = seqs.slice(0, MOST_NUMBERS).join(", ");
  return seqs.length > MOST_NUMBERS ? `${shown} and ${formatCount(seqs.length - MOST_NUMBERS)} more` : shown;
}
