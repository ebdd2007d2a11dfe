// @ts-check
/** The chart of a search's course: every candidate as a dot, the best so far as steps, plain choices as lines. */

import { formatBytes, formatCount, formatDuration, formatLoss, formatTokens } from "../format.js";
import { extentOf } from "../job/front-math.js";
import { lossOf } from "../job/standing.js";
import { roomy, scaleOf } from "./front-scale.js";
import { colours } from "./theme.js";

/**
 * @typedef {import("../job/history.js").Moment} Moment
 * @typedef {import("../job/history.js").Over} Over
 * @typedef {import("../model.d.ts").CandidateView} CandidateView
 * @typedef {{
 *   points: Moment[], best: Moment[], plains: CandidateView[], over: Over, isLog: boolean, valueName: string,
 *   isArea: boolean, chosen: number | null,
 * }} HistoryView
 */

export const AXIS_NAMES = { evaluations: "candidates measured", tokens: "tokens read", time: "time since the start" };
const MANY = 2000; // dots from which on they are drawn in one go
const MOST_LINES = 6;
const NEAR = 2; // times the worst or a part of the best that was found

/** @param {HistoryView} view */
export function historyOption(view) {
  const { muted, accent, series, line } = colours();
  const scale = scaleOf({ key: "loss" }, view.isLog && !view.isArea);
  const plains = nearPlains(view);
  const place = (/** @type {Moment} */ { x, y }) => [x, scale.place(y)];
  const datum = (/** @type {Moment} */ moment) => ({ value: place(moment), seq: moment.candidate.seq });
  const isMany = view.points.length > MANY;
  const last = Math.max(view.points.at(-1)?.x ?? 0, view.best.at(-1)?.x ?? 0);
  const steps = view.best.map(datum);
  const end = view.best.at(-1);
  if (end && last > end.x) steps.push(datum({ ...end, x: last }));
  const chosen = (view.isArea ? view.best : view.points).find((moment) => moment.candidate.seq === view.chosen);
  return {
    animation: false,
    grid: { left: 64, right: 16, top: 28, bottom: 48 },
    xAxis: acrossAxis(view, last),
    yAxis: upAxis(view, scale, plains),
    dataZoom: [{ type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false }],
    tooltip: { trigger: "item", confine: true, formatter: (/** @type {any} */ item) => tellMoment(item, view) },
    series: [
      {
        id: "candidates", type: "scatter", data: isMany ? view.points.map(place) : view.points.map(datum),
        symbolSize: 5, large: isMany, itemStyle: { color: muted, opacity: 0.55 }, emphasis: { disabled: isMany },
        z: 2, cursor: "pointer",
      },
      {
        id: "best", type: "line", step: "end", data: steps, symbol: "circle", symbolSize: 6, z: 4,
        showSymbol: steps.length <= 200, lineStyle: { color: accent, width: 2 }, itemStyle: { color: accent },
        markLine: {
          silent: true, symbol: "none", animation: false, data: plainLines(plains, scale, muted, series[1] ?? line),
        },
      },
      {
        id: "chosen", type: "scatter", data: chosen ? [place(chosen)] : [], symbolSize: 15, silent: true, z: 5,
        itemStyle: { color: "transparent", borderColor: accent, borderWidth: 2 },
      },
    ],
  };
}

/** @param {HistoryView} view @param {number} last */
function acrossAxis(view, last) {
  return {
    type: "value", name: AXIS_NAMES[view.over], nameLocation: "middle", nameGap: 28,
    min: 0, max: last > 0 ? last : undefined,
    axisLabel: {
      formatter: (/** @type {number} */ x) => placeText(x, view.over), hideOverlap: true, showMaxLabel: false,
    },
    splitLine: { show: false },
  };
}

/** @param {HistoryView} view @param {import("./front-scale.js").Scale} scale @param {CandidateView[]} plains */
function upAxis(view, scale, plains) {
  const values = [...view.points, ...view.best].map((moment) => moment.y).concat(plains.map(lossOf));
  const [min, max] = roomy(extentOf(values.map(scale.place)), 0.06);
  const { positions, label } = scale.ticks([min, max], 5);
  return {
    type: "value", min, max, name: view.valueName, nameLocation: "end",
    nameTextStyle: { align: "left", padding: [0, 0, 4, -56] },
    axisTick: { customValues: positions }, splitLine: { show: true, customValues: positions },
    axisLabel: { customValues: positions, formatter: label, hideOverlap: true, showMinLabel: null, showMaxLabel: null },
  };
}

/** The plain choices about as good as what was found: others would press all that is worth seeing into a line.
 *  @param {Pick<HistoryView, "points" | "best" | "plains" | "isArea">} view */
export function nearPlains(view) {
  const losses = extentOf([...view.points, ...view.best].map((moment) => moment.y));
  const last = view.best.at(-1);
  if (view.isArea || losses === null || last === undefined) return [];
  const distance = (/** @type {CandidateView} */ plain) => Math.abs(Math.log(lossOf(plain) / last.y));
  const nearest = Math.min(...view.plains.map(distance));
  return view.plains.filter((plain) => distance(plain) === nearest
    || (lossOf(plain) > losses[0] / NEAR && lossOf(plain) < losses[1] * NEAR)).slice(0, MOST_LINES);
}

/** @param {CandidateView[]} plains @param {import("./front-scale.js").Scale} scale @param {string} ink
 *  @param {string} colour */
function plainLines(plains, scale, ink, colour) {
  return plains.map((plain) => ({
    yAxis: scale.place(lossOf(plain)), lineStyle: { color: colour, type: "dashed", width: 1.2 },
    label: { formatter: shortName(plain.label), position: "insideStartTop", color: ink, fontSize: 11 },
  }));
}

/** "uniform gptq-int3-g128-asym" -> "uniform int3". @param {string} label */
export function shortName(label) {
  const bits = /int\d+/.exec(label);
  return bits ? `uniform ${bits[0]}` : label;
}

/** @param {number} x @param {Over} over */
export function placeText(x, over) {
  if (over === "tokens") return formatTokens(x).replace(/ tokens?$/, "");
  return over === "time" ? (x === 0 ? "0" : formatDuration(x)) : formatCount(x);
}

/** @param {any} item @param {HistoryView} view */
function tellMoment(item, view) {
  const found = momentOf(item, view);
  if (!found) return "";
  const { candidate } = found;
  const loss = `${view.valueName} ${formatLoss(found.y, candidate.loss_se)}`;
  const value = view.isArea ? `area ${found.y.toPrecision(4)}` : loss;
  const place = `${AXIS_NAMES[view.over]}: ${placeText(found.x, view.over)}`;
  return [escaped(candidate.label), value, formatBytes(candidate.size_bytes), place].join("<br>");
}

/** The moment that a mark of the chart stands for.
 *  @param {any} item @param {HistoryView} view @returns {Moment | undefined} */
export function momentOf(item, view) {
  if (item.seriesId !== "best") return view.points[item.dataIndex];
  return view.best[Math.min(item.dataIndex, view.best.length - 1)]; // the last step is drawn on to the edge
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
