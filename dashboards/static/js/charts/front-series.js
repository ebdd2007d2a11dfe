// @ts-check
/** The series of the front's chart: every point, the front as a step line, errors, plain choices, the answer, marks. */

import { errorSeries } from "./front-errors.js";

/** @typedef {import("../job/axes.js").Candidate} Candidate */
/** @typedef {import("../job/front-view.js").FrontView} FrontView */
/** @typedef {Record<string, any>} Series */

const STAR = "path://M50 4 61 38 97 38 68 59 79 93 50 72 21 93 32 59 3 38 39 38Z";
const MANY = 1500; // points beyond which they are drawn as one, in a typed array

/** The groups of points that can be pointed at, from the back to the front. */
export const GROUPS = /** @type {const} */ (["faded", "dominated", "beyond", "front", "plain", "answer"]);

/** @param {FrontView} view @param {Candidate[]} candidates @returns {[number, number][]} */
function placed(view, candidates) {
  return candidates.map((each) => [view.x.place(view.axes.x.of(each)), view.y.place(view.axes.y.of(each))]);
}

/** @param {FrontView} view @param {Candidate[]} candidates */
function flat(view, candidates) {
  const { x, y, axes } = view;
  const values = new Float64Array(candidates.length * 2);
  candidates.forEach((each, index) => {
    values[2 * index] = x.place(axes.x.of(each));
    values[2 * index + 1] = y.place(axes.y.of(each));
  });
  return values;
}

/** @param {string} id @param {any} data @param {Series} look @returns {Series} */
function scatter(id, data, look) {
  return { id, name: id, type: "scatter", data, dimensions: ["x", "y"], cursor: "pointer", animation: false, ...look };
}

/**
 * Points in numbers: large ones give up their own look.
 * @param {FrontView} view
 * @param {"faded" | "dominated"} id
 * @param {Series} itemStyle
 */
function crowd(view, id, itemStyle) {
  const candidates = view.groups[id];
  const isMany = candidates.length > MANY;
  return scatter(id, isMany ? flat(view, candidates) : placed(view, candidates), {
    large: isMany,
    largeThreshold: MANY,
    symbolSize: isMany ? 4 : 6,
    z: 2,
    itemStyle,
    progressive: 0,
    emphasis: { disabled: isMany },
  });
}

/**
 * The corners of the front's line: across to the next point, then down to it; the last reaches the axis's end.
 * @param {FrontView} view
 */
function corners(view) {
  const points = placed(view, view.line);
  const steps = points.flatMap((point, index) => (index === 0 ? [point] : [[point[0], points[index - 1][1]], point]));
  const last = points.at(-1);
  return last ? [...steps, [view.extent.x[1], last[1]]] : [];
}

/**
 * The line itself, drawn by hand: a line series leaves out corners less than a pixel apart and slants.
 * @param {FrontView} view
 * @param {any} colours
 */
function stepLine(view, colours) {
  const steps = corners(view);
  const isOne = view.budget.length === 1;
  const lines = view.budget.map(({ position, label, short }) => ({
    xAxis: position,
    label: { formatter: isOne ? label : short },
  }));
  return {
    id: "line",
    type: "custom",
    data: steps.length > 0 ? [steps[0]] : [],
    silent: true,
    z: 3,
    zlevel: 0,
    animation: false,
    clip: true,
    tooltip: { show: false },
    renderItem: (/** @type {any} */ _, /** @type {any} */ api) => ({
      type: "polyline",
      silent: true,
      shape: { points: steps.map((step) => api.coord(step)) },
      style: { stroke: colours.accent, lineWidth: 2, fill: "none" },
    }),
    markLine: {
      silent: true,
      symbol: "none",
      animation: false,
      data: lines,
      lineStyle: { color: colours.text, type: [5, 4], width: 1.2 },
      label: { color: colours.text, fontSize: 11, position: "end", distance: 4, show: lines.length < 12 },
    },
  };
}

/** @param {FrontView} view @param {Candidate[]} candidates @param {Series} [style] */
function dimmed(view, candidates, style = {}) {
  const places = placed(view, candidates);
  return candidates.map((each, index) => ({
    value: places[index],
    itemStyle: { opacity: view.holds(each) ? 1 : 0.25 },
    ...style,
  }));
}

/**
 * Rings: what only a third axis would show on the front.
 * @param {FrontView} view
 * @param {any} colours
 */
function beyondSeries(view, colours) {
  const { beyond } = view.groups;
  const isMany = beyond.length > MANY;
  const ring = { color: colours.surface, borderColor: colours.accent, borderWidth: 1.6 };
  return scatter("beyond", isMany ? flat(view, beyond) : dimmed(view, beyond), {
    large: isMany,
    largeThreshold: MANY,
    symbolSize: isMany ? 4 : 8,
    z: 3,
    progressive: 0,
    itemStyle: isMany ? { color: colours.accent, opacity: 0.5 } : ring,
    emphasis: { disabled: isMany },
  });
}

/**
 * Every series of a view.
 * @param {FrontView} view
 * @param {any} colours
 * @param {boolean} isNarrow leaves the names of plain choices to the tooltip
 * @returns {Series[]}
 */
export function frontSeries(view, colours, isNarrow) {
  const { front, plain, answer } = view.groups;
  const label = (/** @type {string[]} */ names) => ({
    show: true,
    color: colours.muted,
    fontSize: 11,
    position: [15, -11],
    formatter: (/** @type {any} */ spot) => names[spot.dataIndex] ?? "",
  });
  return [
    crowd(view, "faded", { color: colours.candidate, opacity: 0.15 }),
    crowd(view, "dominated", { color: colours.candidate, opacity: view.groups.dominated.length > MANY ? 0.5 : 0.8 }),
    beyondSeries(view, colours),
    stepLine(view, colours),
    errorSeries(view, colours),
    scatter("front", dimmed(view, front), { symbolSize: 9, z: 5, itemStyle: { color: colours.accent } }),
    scatter("plain", dimmed(view, plain), {
      symbol: "diamond",
      symbolSize: 13,
      z: 6,
      itemStyle: { color: colours.surface, borderColor: colours.text, borderWidth: 1.6 },
      label: isNarrow ? { show: false } : label(view.plainNames),
      labelLayout: { hideOverlap: true },
    }),
    scatter("answer", dimmed(view, answer), {
      symbol: STAR,
      symbolSize: answer.length > 1 ? 17 : 21,
      z: 7,
      itemStyle: { color: colours.answer, borderColor: colours.surface, borderWidth: 1 },
    }),
  ];
}

/**
 * Rings around the chosen point and marks of the sliders: drawn by themselves, so that a slider moves nothing else.
 * @param {FrontView} view
 * @param {{chosen: Candidate | null, picks: {name: string, candidate: Candidate | null}[]}} marks
 * @param {any} colours
 * @returns {Series[]}
 */
export function markSeries(view, { chosen, picks }, colours) {
  const found = picks.flatMap(({ name, candidate }) => (candidate ? [{ name, candidate }] : []));
  const places = placed(
    view,
    found.map((pick) => pick.candidate),
  );
  const data = found
    .map((pick, index) => ({
      value: places[index],
      symbolOffset: [0, "-75%"],
      label: {
        formatter: pick.name,
        position: "top",
        show: true,
        color: colours.text,
        fontSize: 11,
        fontWeight: 600,
        backgroundColor: colours.surface,
        padding: [2, 4],
        borderRadius: 3,
      },
    }))
    .filter(({ value }) => value.every(Number.isFinite));
  const ring = chosen ? placed(view, [chosen]).filter((value) => value.every(Number.isFinite)) : [];
  return [
    scatter("chosen", ring, {
      symbol: "circle",
      symbolSize: 26,
      z: 8,
      silent: true,
      tooltip: { show: false },
      itemStyle: { color: "transparent", borderColor: colours.text, borderWidth: 2 },
    }),
    scatter("picks", data, {
      symbol: "path://M50 100 L12 38 A44 44 0 1 1 88 38 Z",
      symbolSize: [16, 20],
      z: 9,
      silent: true,
      itemStyle: { color: colours.text, borderColor: colours.surface, borderWidth: 1 },
      tooltip: { show: false },
    }),
  ];
}
