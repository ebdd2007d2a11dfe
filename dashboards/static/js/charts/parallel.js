// @ts-check
/**
 * Parallel coordinates: a line for each candidate, an axis for each figure; a drag along an axis keeps a range of
 * it.
 */

import { html, useEffect, useMemo, useRef, useState } from "../preact.js";
import { Chart } from "./chart.js";
import { roomy, scaleOf } from "./front-scale.js";
import { useColours } from "./theme.js";

/** @typedef {import("../job/axes.js").Axis} Axis */
/** @typedef {import("../job/axes.js").Candidate} Candidate */
/** @typedef {import("./front-scale.js").Scale} Scale */
/** @typedef {[number, number]} Range */
/** @typedef {Axis & {scale: Scale, extent: Range}} Column */
/** @typedef {"others" | "front" | "plain" | "chosen"} Group */

const NARROW = 560;
const GROUPS = /** @type {Group[]} */ (["others", "front", "plain", "chosen"]);
const WRITE_MS = 150;
const CLICK_MS = 100;

/**
 * Axes with their scales and the extents of what is loaded.
 * @param {Axis[]} axes @param {Candidate[]} candidates @param {boolean} isLog
 * @returns {Column[]}
 */
export function columnsOf(axes, candidates, isLog) {
  return axes.map((axis) => {
    const scale = scaleOf(axis, isLog && axis.isLoss);
    let [low, high] = [Infinity, -Infinity];
    for (const each of candidates) {
      const place = scale.place(axis.of(each));
      if (Number.isFinite(place)) [low, high] = [Math.min(low, place), Math.max(high, place)];
    }
    return { ...axis, scale, extent: roomy(low <= high ? [low, high] : null, 0.03) };
  });
}

/** @param {Column} column @param {number} dim @param {any} colours */
function axisOption(column, dim, colours) {
  const { positions, label } = column.scale.ticks(column.extent, 6);
  return {
    id: column.key,
    dim,
    z: 10,
    name: column.short,
    type: "value",
    min: column.extent[0],
    max: column.extent[1],
    nameGap: 14,
    nameTextStyle: { color: colours.text, fontSize: 12 },
    axisTick: { customValues: positions },
    axisLabel: {
      customValues: positions,
      formatter: label,
      hideOverlap: true,
      color: colours.text,
      textBorderColor: colours.surface,
      textBorderWidth: 3,
    },
    areaSelectStyle: { width: 18, borderWidth: 1, borderColor: colours.accent, color: colours.accent, opacity: 0.2 },
  };
}

/** @param {Column[]} columns @param {Record<Group, Candidate[]>} groups @param {any} colours */
function lines(columns, groups, colours) {
  const looks = {
    others: { color: colours.candidate, width: 1, opacity: 0.3 },
    front: { color: colours.accent, width: 1.5, opacity: 0.85 },
    plain: { color: colours.text, width: 1.2, type: [4, 3], opacity: 0.8 },
    chosen: { color: colours.answer, width: 3, opacity: 1 },
  };
  return GROUPS.map((id, index) => ({
    id,
    name: id,
    type: "parallel",
    z: 2 + index,
    animation: false,
    progressive: 400,
    smooth: false,
    lineStyle: looks[id],
    inactiveOpacity: id === "others" ? 0.02 : 0.08,
    activeOpacity: looks[id].opacity,
    data: groups[id].map((each) => columns.map((column) => column.scale.place(column.of(each)))),
  }));
}

/**
 * @param {Column[]} columns
 * @param {Record<Group, Candidate[]>} groups
 * @param {number} width
 * @param {any} colours
 * @param {(candidate: Candidate) => HTMLElement} tooltip
 */
function optionOf(columns, groups, width, colours, tooltip) {
  const isNarrow = width < NARROW;
  return {
    parallel: { left: isNarrow ? 44 : 64, right: isNarrow ? 36 : 72, top: 40, bottom: 20, layout: "horizontal" },
    parallelAxis: columns.map((column, dim) => axisOption(column, dim, colours)),
    tooltip: {
      trigger: "item",
      formatter: (/** @type {any} */ spot) => {
        const candidate = groups[/** @type {Group} */ (spot.seriesId)]?.[spot.dataIndex];
        return candidate ? tooltip(candidate) : "";
      },
    },
    series: lines(columns, groups, colours),
  };
}

/**
 * @param {{
 *   columns: Column[], groups: Record<Group, Candidate[]>, ranges: Map<string, Range>, label: string, summary: string,
 *   onRange: (changes: Record<string, Range | null>) => void, onPick: (candidate: Candidate) => void,
 *   tooltip: (candidate: Candidate) => HTMLElement,
 * }} props
 */
export function ParallelChart({ columns, groups, ranges, label, summary, onRange, onPick, tooltip }) {
  const colours = useColours();
  const handle = useRef(/** @type {{chart: any} | null} */ (null));
  const [width, setWidth] = useState(0);
  const shown = useRef(/** @type {Map<string, string>} */ (new Map())); // the ranges that the axes show
  const waiting = useRef({
    changes: /** @type {Record<string, Range | null>} */ ({}),
    timer: /** @type {any} */ (undefined),
    selectedAt: -Infinity,
  });
  const option = useMemo(
    () => optionOf(columns, groups, width || 800, colours, tooltip),
    [columns, groups, width, colours, tooltip],
  );
  useEffect(() => () => clearTimeout(waiting.current.timer), []);
  useEffect(() => {
    if (width === 0 || Object.keys(waiting.current.changes).length > 0) return; // a hand is at the axes
    for (const column of columns) {
      const range = ranges.get(column.range);
      const written = `${range ?? ""} ${column.scale.isLog}`;
      if ((shown.current.get(column.key) ?? ` ${column.scale.isLog}`) === written) continue; // each draws all
      shown.current.set(column.key, written);
      const places = range
        ?.map(column.scale.place)
        .map((place, end) => (Number.isFinite(place) ? place : column.extent[end]));
      const action = { type: "axisAreaSelect", parallelAxisId: column.key, intervals: places ? [places] : [] };
      handle.current?.chart?.dispatchAction(action, { silent: true });
    }
  }, [columns, ranges, width > 0]);
  const select = (/** @type {any} */ event) => {
    const column = columns.find((each) => each.key === event.parallelAxisId);
    if (column === undefined) return;
    const interval = event.intervals[0];
    const { changes, timer } = waiting.current;
    changes[column.range] = interval ? interval.map(column.scale.value) : null;
    shown.current.delete(column.key);
    waiting.current.selectedAt = performance.now();
    clearTimeout(timer);
    waiting.current.timer = setTimeout(() => {
      const all = waiting.current.changes;
      waiting.current.changes = {};
      onRange(all);
    }, WRITE_MS);
  };
  const onEvents = {
    axisareaselected: select,
    rendered: (/** @type {any} */ _, /** @type {any} */ chart) =>
      chart.getWidth() !== width && setWidth(chart.getWidth()),
    click: (/** @type {any} */ spot) => {
      const candidate = groups[/** @type {Group} */ (spot.seriesId)]?.[spot.dataIndex];
      // a click on an axis lets its range go, and means no line under it
      const isForAxis = performance.now() - waiting.current.selectedAt < CLICK_MS;
      if (candidate && !isForAxis) onPick(candidate);
    },
  };
  return html`<${Chart} ref=${handle} option=${option} onEvents=${onEvents} height=${300}
    label=${label} summary=${summary} />`;
}
