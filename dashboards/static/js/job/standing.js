// @ts-check
/** How a candidate stands: against the uniform baseline, its neighbours on the front and what beats it. */

import { formatBytes, formatLoss, formatPercent } from "../format.js";

import { beats, weightOf } from "./objectives.js";

/**
 * @typedef {import("../model.d.ts").CandidateView} CandidateView
 * @typedef {import("./objectives.js").Objective} Objective
 * @typedef {{
 *   plain: CandidateView | null, isPlainLarger: boolean, smaller: CandidateView | null, larger: CandidateView | null,
 *   better: CandidateView | null, place: number, frontLength: number,
 * }} Standing  place: its number on the front from the smallest, 0 where it is not on it
 */

/** @param {CandidateView} each */
export function isMeasured(each) {
  return typeof each.loss === "number" && Number.isFinite(each.loss);
}

/** The front, smallest first. @param {CandidateView[]} candidates */
export function frontOf(candidates) {
  const order = candidates.filter(isMeasured);
  order.sort((a, b) => a.size_bytes - b.size_bytes || lossOf(a) - lossOf(b) || a.seq - b.seq);
  let best = Infinity;
  return order.filter((each) => {
    if (lossOf(each) >= best) return false;
    best = lossOf(each);
    return true;
  });
}

/** @param {CandidateView} each */
export function lossOf(each) {
  return each.loss ?? Infinity;
}

/** `weighed` is what the job's front weighs; `front` is that of size and loss.
 *  @param {CandidateView} candidate @param {CandidateView[]} candidates @param {CandidateView[]} front
 *  @param {Objective[]} weighed @returns {Standing} */
export function standingOf(candidate, candidates, front, weighed) {
  const plains = candidates.filter((each) => each.kind === "plain" && isMeasured(each) && each.seq !== candidate.seq);
  const larger = plains.filter((each) => each.size_bytes >= candidate.size_bytes);
  const [pool, sign] = larger.length > 0 ? [larger, 1] : [plains, -1];
  const plain = least(pool, (each) => sign * each.size_bytes);
  const index = front.findIndex((each) => each.configuration_id === candidate.configuration_id);
  const others = front.filter((_, place) => place !== index);
  const rivals = weighed.length > 2 ? candidates.filter((each) => each.is_on_front && isMeasured(each)) : others;
  const better = index >= 0 ? null : least(rivals.filter((each) => beats(each, candidate, weighed)), lossOf);
  return {
    plain,
    isPlainLarger: larger.length > 0,
    smaller: others.filter((each) => each.size_bytes < candidate.size_bytes).at(-1) ?? null,
    larger: others.find((each) => each.size_bytes > candidate.size_bytes) ?? null,
    better,
    place: index + 1,
    frontLength: front.length,
  };
}

/** @template T @param {T[]} items @param {(item: T) => number} of @returns {T | null} */
function least(items, of) {
  /** @type {T | null} */
  let best = null;
  for (const item of items) if (best === null || of(item) < of(best)) best = item;
  return best;
}

/** "36 % less KL than uniform gptq-int3 and 2 % smaller", and how they differ in what else is weighed.
 *  @param {CandidateView} one @param {CandidateView} other @param {string} lossName @param {Objective[]} weighed */
export function comparison(one, other, lossName, weighed) {
  const others = weighed.slice(2).map((each) => weightWords(one, other, each));
  return [lossWords(one, other, lossName), sizeWords(one, other), ...others].filter(Boolean).join(", ");
}

/** @param {CandidateView} one @param {CandidateView} other @param {Objective} objective */
function weightWords(one, other, objective) {
  const [own, base] = [weightOf(one, objective), weightOf(other, objective)];
  if (!Number.isFinite(own) || !Number.isFinite(base)) return "";
  if (own === base) return `the same ${objective.name}`;
  const amount = objective.format(Math.abs(own - base)).replace("FLOPs", "").trim();
  const share = base > 0 ? ` (${formatPercent(Math.abs(own / base - 1))})` : "";
  return `${amount}${share} ${own < base ? objective.less : objective.more}`;
}

/** @param {CandidateView} one @param {CandidateView} other @param {string} lossName */
function lossWords(one, other, lossName) {
  if (!isMeasured(one)) return "it broke the model";
  const [own, base] = [lossOf(one), lossOf(other)];
  if (!Number.isFinite(base) || base === 0) return "";
  const change = own / base - 1;
  const noise = 2 * Math.hypot(one.loss_se ?? 0, other.loss_se ?? 0);
  if (Math.abs(change) < 0.005) return `about the same ${lossName}`;
  const share = `${formatPercent(Math.abs(change))} ${change < 0 ? "less" : "more"} ${lossName}`;
  const words = change >= 1 ? `${(1 + change).toFixed(1)} times the ${lossName}` : share;
  return Math.abs(own - base) < noise ? `${words} (within two standard errors)` : words;
}

/** @param {CandidateView} one @param {CandidateView} other */
function sizeWords(one, other) {
  const change = one.size_bytes / other.size_bytes - 1;
  if (one.size_bytes === other.size_bytes) return "the same size";
  const size = Math.abs(change);
  const share = size < 0.01 ? `${(100 * size).toFixed(2)}\u00a0%` : formatPercent(size);
  const bytes = formatBytes(Math.abs(one.size_bytes - other.size_bytes));
  return `${bytes} (${share}) ${change < 0 ? "smaller" : "larger"}`;
}

/** The loss with its standard error: "0.0712 ± 0.0021". @param {CandidateView} each */
export function lossText(each) {
  if (!isMeasured(each)) return "broke the model";
  const error = each.loss_se ?? null;
  const loss = formatLoss(each.loss, error ?? undefined);
  return error === null ? loss : `${loss} \u00b1 ${Number(error.toPrecision(2))}`;
}
