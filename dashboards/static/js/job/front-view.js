// @ts-check
/** What the front's chart shows of the candidates: which are drawn, in which group, where, and which have no place. */

import { useMemo } from "../preact.js";
import { roomy, scaleOf } from "../charts/front-scale.js";
import { budgetLines } from "./budget-lines.js";
import { extentOf, nonDominated } from "./front-math.js";

/** @typedef {import("./axes.js").Axis} Axis */
/** @typedef {import("./axes.js").Candidate} Candidate */
/** @typedef {import("../charts/front-scale.js").Scale} Scale */
/** @typedef {import("../charts/front-scale.js").Extent} Extent */
/** @typedef {"faded" | "dominated" | "beyond" | "front" | "plain" | "answer"} Group */

/**
 * @typedef {object} FrontView
 * @property {{x: Axis, y: Axis}} axes
 * @property {Scale} x
 * @property {Scale} y
 * @property {{x: Extent, y: Extent}} extent positions that the axes reach
 * @property {Record<Group, Candidate[]>} groups
 * @property {Candidate[]} line the front of the two axes, in the order of x
 * @property {string[]} plainNames of the plain choices, short
 * @property {{position: number, label: string, short: string}[]} budget lines across x
 * @property {string[]} budgetNotes limits that no line can show here
 * @property {number} numUnplaced candidates without a finite place
 * @property {number} numDominated drawn or not
 * @property {(candidate: Candidate) => boolean} holds whether it is in the selection
 */

/**
 * The words in which plain choices differ: "int3" of gptq-int3-g128-asym among its like.
 * @param {string[]} labels
 */
export function shortNames(labels) {
  const words = labels.map((label) => label.replace(/^uniform /, "").split("-"));
  const isShared = (/** @type {number} */ place) => words.every((each) => each[place] === words[0]?.[place]);
  if (words.length < 2) return words.map((each) => each.join("-"));
  return words.map((each) => each.filter((_, place) => !isShared(place)).join("-") || each.join("-"));
}

/**
 * @param {Candidate[]} candidates @param {Axis} x @param {Axis} y @param {Scale} across @param {Scale} up
 */
function placedPoints(candidates, x, y, across, up) {
  const points = candidates.map((candidate) => ({
    x: across.place(x.of(candidate)),
    y: up.place(y.of(candidate)),
    candidate,
  }));
  return points.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
}

/**
 * Those beyond the line are on the job's front by something that has no axis here.
 * @param {import("./front-math.js").Point[]} points @param {boolean} isWide
 */
function grouped(points, isWide) {
  const line = nonDominated(points).map((point) => point.candidate);
  const onFront = new Set(line);
  const answers = new Set(
    points.flatMap(({ candidate }) => (candidate.kind === "answer" ? [candidate.configuration_id] : [])),
  );
  const seenPlain = new Set();
  const groupOf = (/** @type {Candidate} */ each) =>
    onFront.has(each) ? "front" : isWide && each.is_on_front ? "beyond" : "others";
  /** @type {Record<"others" | "beyond" | "front" | "plain" | "answer", Candidate[]>} */
  const groups = { others: [], beyond: [], front: [], plain: [], answer: [] };
  for (const { candidate } of points) {
    const isPlain = candidate.kind === "plain" && !seenPlain.has(candidate.configuration_id);
    if (candidate.kind === "answer") groups.answer.push(candidate);
    else if (isPlain) groups.plain.push(candidate);
    else if (answers.has(candidate.configuration_id))
      continue; // drawn as the answer
    else groups[groupOf(candidate)].push(candidate);
    if (isPlain) seenPlain.add(candidate.configuration_id);
  }
  return { line, groups };
}

/** @param {Extent} extent @param {number} position whether a line there would not squeeze the points */
const isNear = ([low, high], position) => position >= low - (high - low) && position <= high + (high - low);

/**
 * @param {{
 *   candidates: Candidate[], x: Axis, y: Axis, isLog: boolean, isDominatedShown: boolean, isWide: boolean,
 *   holds: (candidate: Candidate) => boolean, isSelecting: boolean, budget: Record<string, unknown> | null | undefined,
 * }} wanted
 * `isWide`: the job's front weighs more than a picture has axes.
 * @returns {FrontView}
 */
export function frontView({ candidates, x, y, isLog, isDominatedShown, isWide, holds, isSelecting, budget }) {
  const [across, up] = [scaleOf(x, isLog && x.isLoss), scaleOf(y, isLog && y.isLoss)];
  const points = placedPoints(candidates, x, y, across, up);
  const {
    line,
    groups: { others, beyond, front, plain, answer },
  } = grouped(points, isWide);
  const drawn = isDominatedShown ? others : [];
  const groups = {
    beyond,
    front,
    plain,
    answer,
    dominated: isSelecting ? drawn.filter(holds) : drawn,
    faded: isSelecting ? drawn.filter((each) => !holds(each)) : [],
  };
  const seen = [drawn, beyond, front, plain, answer].flat();
  const raw = extentOf(seen.map((each) => across.place(x.of(each)))) ?? [0, 1];
  const lines = budgetLines(budget).map((each) => ({ ...each, position: across.place(each.value) }));
  const shown = lines.filter((each) => each.axis === x.key && isNear(/** @type {Extent} */ (raw), each.position));
  return {
    axes: { x, y },
    x: across,
    y: up,
    groups,
    line,
    holds,
    extent: {
      x: roomy(extentOf([...raw, ...shown.map((each) => each.position)]), 0.05),
      y: roomy(extentOf(seen.map((each) => up.place(y.of(each)))), 0.08),
    },
    plainNames: shortNames(plain.map((each) => each.label)),
    budget: shown,
    budgetNotes: lines.filter((each) => !shown.includes(each)).map((each) => each.label),
    numUnplaced: candidates.length - points.length,
    numDominated: others.length,
  };
}

/** The view, made anew only when something of it changed. @param {Parameters<typeof frontView>[0]} wanted */
export function useFrontView(wanted) {
  return useMemo(() => frontView(wanted), Object.values(wanted));
}
