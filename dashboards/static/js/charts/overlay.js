// @ts-check
/** Fronts of several jobs in one chart, and their ratios at equal size: options for the chart wrapper. */

import { formatBytes, formatLoss } from "../format.js";
import { lossWithin, staircase } from "../compare/ratios.js";
import { roomy, scaleOf } from "./front-scale.js";
import { colours } from "./theme.js";

/**
 * @typedef {import("../compare/data.js").Candidate} Candidate
 * @typedef {import("../compare/lines.js").Line} Line
 * @typedef {"size_bytes" | "bits_per_weight" | "nominal_bits_per_weight"} SizeKey
 * @typedef {{letter: string, jobId: string, candidate: Candidate}} Marked
 * @typedef {{lines: Line[], plains: Record<string, Candidate[]>, x: SizeKey, isLog: boolean, hidden: Set<string>,
 *   marked: Marked[], lossName: string, union?: Candidate[]}} Overlay
 * @typedef {import("./front-scale.js").Extent} Extent
 */

const ROOM = 0.05; // of an axis, beyond its outermost points

export const SIZES = {
  size_bytes: "size",
  bits_per_weight: "bits per weight",
  nominal_bits_per_weight: "nominal bits per weight",
};

/** @type {(number: number) => string} */
export const colourOf = (number) => {
  const { series } = colours();
  return series[number % series.length];
};

/** @param {Overlay} overlay */
export function overlayOption(overlay) {
  const shown = overlay.lines.filter((line) => !overlay.hidden.has(line.id));
  const series = [
    ...shown.map((line) => plainSeries(line, overlay)),
    ...(overlay.union ? [unionSeries(overlay.union, overlay)] : []),
    ...shown.map((line) => frontSeries(line, overlay)),
    markedSeries(overlay),
  ];
  const places = series.flatMap((each) => each.data.map((/** @type {any} */ spot) => spot.value ?? spot));
  return {
    grid: GRID,
    tooltip: { trigger: "item", formatter: tellPoint },
    xAxis: axis(SIZES[overlay.x], overlay.x, false, extentOf(places, 0), 30, 6),
    yAxis: axis(overlay.lossName, "loss", overlay.isLog, extentOf(places, 1), 52, 7),
    series,
  };
}

const GRID = { left: 70, right: 20, top: 20, bottom: 48, containLabel: false, outerBoundsMode: "none" };

/** @type {(places: number[][], index: 0 | 1) => Extent | null} */
function extentOf(places, index) {
  let [low, high] = [Infinity, -Infinity];
  for (const place of places) {
    low = Math.min(low, place[index]);
    high = Math.max(high, place[index]);
  }
  return low <= high ? [low, high] : null;
}

/** @type {(name: string, key: string, isLog: boolean, extent: Extent | null, gap: number, count: number) => object} */
function axis(name, key, isLog, extent, gap, count) {
  const [min, max] = roomy(extent, ROOM);
  const { positions, label } = scaleOf({ key }, isLog).ticks([min, max], count);
  return {
    type: "value", name, nameLocation: "middle", nameGap: gap, min, max,
    axisTick: { customValues: positions },
    axisLabel: { customValues: positions, formatter: label, hideOverlap: true, showMinLabel: null, showMaxLabel: null },
    splitLine: { show: key === "loss", customValues: positions },
    axisLine: { show: true, onZero: false },
  };
}

/** @param {Line} line @param {Overlay} overlay */
function frontSeries(line, overlay) {
  const colour = colourOf(line.number);
  return {
    id: `front-${line.id}`, name: line.title, type: "line", step: "end", symbol: line.symbol, showAllSymbol: true,
    cursor: "pointer", z: 4, lineStyle: { color: colour, width: 1.6 }, itemStyle: { color: colour },
    data: points(unbeaten(line.front.items), overlay).map(({ value, candidate }) => ({
      value, candidate, jobId: line.id, title: line.title, symbolSize: candidate.kind === "answer" ? 13 : 8,
    })),
  };
}

/** What a line can join: a front that weighs more than size and loss has points above it. @param {Candidate[]} front */
function unbeaten(front) {
  const steps = staircase(front);
  return front.filter(({ size_bytes: size, loss }) => Number(loss) <= Number(lossWithin(steps, size)));
}

/** @param {Line} line @param {Overlay} overlay */
function plainSeries(line, overlay) {
  const colour = colourOf(line.number);
  return {
    id: `plain-${line.id}`, name: `${line.title}: uniform`, type: "line", step: "end", cursor: "pointer", z: 2,
    symbol: "emptyCircle", symbolSize: 6, itemStyle: { color: colour },
    lineStyle: { color: colour, width: 1.2, type: "dashed", opacity: 0.7 },
    data: points(staircase(overlay.plains[line.id] ?? []), overlay).map(({ value, candidate }) => ({
      value, candidate, jobId: line.id, title: line.title,
    })),
  };
}

/** @param {Candidate[]} union @param {Overlay} overlay */
function unionSeries(union, overlay) {
  return {
    id: "union", name: "the front of all", type: "line", step: "end", symbol: "none", silent: true, z: 1,
    lineStyle: { color: colours().muted, width: 7, opacity: 0.28 },
    data: points(union, overlay).map(({ value }) => value),
  };
}

/** @param {Overlay} overlay */
function markedSeries(overlay) {
  const { text, surface } = colours();
  const label = { show: true, position: "top", color: text, fontWeight: 600, formatter: "{b}" };
  return {
    id: "marked", type: "scatter", symbol: "circle", symbolSize: 16, z: 6, silent: true, label,
    labelLayout: { moveOverlap: "shiftX" },
    itemStyle: { color: "transparent", borderColor: text, borderWidth: 1.8, shadowColor: surface },
    data: overlay.marked.flatMap(({ letter, candidate }) => points([candidate], overlay)
      .map(({ value }) => ({ value, name: letter }))),
  };
}

/**
 * Where candidates stand; those without a finite loss, or none above 0 on a log scale, stand nowhere.
 * @param {Candidate[]} candidates @param {Overlay} overlay
 */
function points(candidates, { x, isLog }) {
  const { place } = scaleOf({ key: "loss" }, isLog);
  return candidates.filter((each) => isDrawn(each, isLog))
    .map((candidate) => ({ value: [candidate[x], place(Number(candidate.loss))], candidate }));
}

/** @type {(candidate: Candidate, isLog: boolean) => boolean} */
export const isDrawn = ({ loss }, isLog) => loss !== null && Number.isFinite(loss) && (!isLog || loss > 0);

/** @param {{data: {candidate?: Candidate, title?: string}}} given */
function tellPoint({ data: { candidate, title } }) {
  if (!candidate) return "";
  return box(title ?? "", [
    candidate.label,
    `loss ${formatLoss(candidate.loss, candidate.loss_se)}`,
    `${formatBytes(candidate.size_bytes)}, ${candidate.bits_per_weight.toFixed(3)} bits per weight`,
    `candidate ${candidate.seq}`,
  ]);
}

/** @type {(title: string, lines: string[]) => HTMLElement} */
function box(title, lines) {
  const all = document.createElement("div");
  all.className = "chart-tip";
  const strong = document.createElement("strong");
  strong.textContent = title;
  all.append(strong, ...lines.map((line) => Object.assign(document.createElement("div"), { textContent: line })));
  return all;
}

/**
 * Every job's loss over the reference's, at each size where both offer something.
 * @param {{line: Line, steps: import("../compare/ratios.js").Step[]}[]} rows
 */
export function ratioOption(rows) {
  const series = rows.map(ratioSeries);
  const places = series.flatMap((each) => each.data.map((spot) => spot.value));
  return {
    grid: GRID,
    tooltip: { trigger: "item", formatter: tellRatio },
    xAxis: axis("size", "size_bytes", false, extentOf(places, 0), 30, 4),
    yAxis: axis("loss ÷ reference", "loss", true, extentOf([...places, [0, 0]], 1), 52, 6),
    series: [unitySeries(), ...series],
  };
}

/** @param {{line: Line, steps: import("../compare/ratios.js").Step[]}} row */
function ratioSeries({ line, steps }) {
  const colour = colourOf(line.number);
  return {
    id: `ratio-${line.id}`, name: line.title, type: "line", step: "end", symbol: line.symbol, symbolSize: 6,
    showAllSymbol: true, lineStyle: { color: colour, width: 1.6 }, itemStyle: { color: colour },
    data: steps.map(({ size_bytes: size, ratio }) => ({ value: [size, Math.log10(ratio)], ratio, title: line.title })),
  };
}

function unitySeries() {
  return {
    id: "unity", type: "line", data: [], silent: true,
    markLine: {
      silent: true, symbol: "none", label: { show: false }, data: [{ yAxis: 0 }],
      lineStyle: { color: colours().text, type: "dashed", width: 1.4 },
    },
  };
}

/** @param {{data: {value: number[], ratio: number, title: string}}} given */
function tellRatio({ data: { value: [size], ratio, title } }) {
  return box(title, [`${ratio.toFixed(3)} times the reference's loss`, `within ${formatBytes(size)}`]);
}
