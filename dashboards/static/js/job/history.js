// @ts-check
/** How a search got on: the best so far after each measured candidate, over evaluations, tokens or time. */

import { isMeasured, lossOf } from "./standing.js";

/**
 * @typedef {import("../model.d.ts").CandidateView} CandidateView
 * @typedef {import("../model.d.ts").EventView} EventView
 * @typedef {"evaluations" | "tokens" | "time"} Over
 * @typedef {{x: number, y: number, candidate: CandidateView}} Moment
 * @typedef {{points: Moment[], best: Moment[], hasX: boolean}} History
 */

/**
 * Every candidate in the order of measurement, and those that were the best when they came.
 * @param {CandidateView[]} candidates in the order of seq @param {EventView[]} events @param {Over} over
 * @param {string | null} startedAt
 * @returns {History}
 */
export function historyOf(candidates, events, over, startedAt) {
  const place = placing(candidates, events, over, startedAt);
  if (place === null) return { points: [], best: [], hasX: false };
  /** @type {Moment[]} */
  const points = [];
  /** @type {Moment[]} */
  const best = [];
  let least = Infinity;
  candidates.forEach((candidate, index) => {
    if (!isMeasured(candidate) || candidate.kind === "plain") return;
    const moment = { x: place(candidate, index), y: lossOf(candidate), candidate };
    points.push(moment);
    if (moment.y < least) best.push(moment);
    least = Math.min(least, moment.y);
  });
  return { points, best, hasX: true };
}

/**
 * @param {CandidateView[]} candidates @param {EventView[]} events @param {Over} over @param {string | null} startedAt
 * @returns {((candidate: CandidateView, index: number) => number) | null}
 */
export function placing(candidates, events, over, startedAt) {
  if (over === "evaluations") return (_, index) => index + 1;
  if (over === "time") {
    const start = Date.parse(startedAt ?? candidates[0]?.created_at ?? "");
    return Number.isNaN(start) ? null : (candidate) => Math.max(0, (Date.parse(candidate.created_at) - start) / 1000);
  }
  const read = tokensRead(events);
  return read.length === 0 ? null : (candidate) => tokensAt(read, Date.parse(candidate.created_at));
}

/** The tokens that the job had read at each moment it told of.
 *  @param {EventView[]} events @returns {{at: number, tokens: number}[]} */
function tokensRead(events) {
  let before = 0;
  return events.filter((event) => event.kind === "progress").flatMap((event) => {
    const tokens = Number(/** @type {any} */ (event.payload).tokens ?? NaN);
    if (!Number.isFinite(tokens)) return [];
    before = Math.max(before, tokens); // a job that was taken up again counts from nothing
    return [{ at: Date.parse(event.created_at), tokens: before }];
  });
}

/** Between two moments that were told, as far along as the clock.
 *  @param {{at: number, tokens: number}[]} read @param {number} at */
function tokensAt(read, at) {
  let [low, high] = [0, read.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (read[middle].at <= at) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [read[low - 1], read[low]];
  if (!before) return after.at > 0 ? 0 : after.tokens;
  if (!after || after.at === before.at) return before.tokens;
  return before.tokens + ((after.tokens - before.tokens) * (at - before.at)) / (after.at - before.at);
}

/**
 * The area between the front so far and a reference, over bits per weight and log loss: larger is better.
 * @param {CandidateView[]} candidates in the order of seq @param {{bits_per_weight: number, loss: number}} reference
 * @param {(candidate: CandidateView, index: number) => number} place
 * @returns {Moment[]}
 */
export function areaHistory(candidates, reference, place) {
  /** @type {CandidateView[]} */
  let front = [];
  /** @type {Moment[]} */
  const moments = [];
  candidates.forEach((candidate, index) => {
    if (!isMeasured(candidate)) return;
    if (front.some((each) => isNoWorse(each, candidate))) return;
    front = front.filter((each) => !isNoWorse(candidate, each));
    front.push(candidate);
    front.sort((left, right) => left.bits_per_weight - right.bits_per_weight);
    moments.push({ x: place(candidate, index), y: area(front, reference), candidate });
  });
  return moments;
}

/** @param {CandidateView} each @param {CandidateView} other */
function isNoWorse(each, other) {
  return each.bits_per_weight <= other.bits_per_weight && lossOf(each) <= lossOf(other);
}

const LEAST_LOSS = 1e-12; // as the service has it: a loss of zero has no logarithm

/** @param {CandidateView[]} front by bits @param {{bits_per_weight: number, loss: number}} reference */
function area(front, reference) {
  const ceiling = Math.log(Math.max(reference.loss, LEAST_LOSS));
  return front.reduce((sum, each, index) => {
    const right = Math.min(front[index + 1]?.bits_per_weight ?? Infinity, reference.bits_per_weight);
    const width = right - each.bits_per_weight;
    const height = ceiling - Math.log(Math.max(lossOf(each), LEAST_LOSS));
    return width > 0 && height > 0 ? sum + width * height : sum;
  }, 0);
}

/** The plain choices, best first, as lines to compare with. @param {CandidateView[]} candidates */
export function plainsOf(candidates) {
  const plains = candidates.filter((each) => each.kind === "plain" && isMeasured(each));
  return plains.sort((left, right) => left.size_bytes - right.size_bytes);
}
