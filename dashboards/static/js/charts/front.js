// @ts-check
/**
 * The front as a chart: points, front line, errors, baselines, budget; zoomed by wheel and drag, brushed by a
 * rectangle.
 */

import { html, useEffect, useMemo, useRef, useState } from "../preact.js";
import { Chart } from "./chart.js";
import { percentsOf } from "./front-scale.js";
import { GROUPS, frontSeries, markSeries } from "./front-series.js";
import { useColours } from "./theme.js";

/** @typedef {import("../job/axes.js").Candidate} Candidate */
/** @typedef {import("../job/front-view.js").FrontView} FrontView */
/** @typedef {import("../job/front-zoom.js").ZoomState} ZoomState */
/** @typedef {[number, number]} Range */
/** @typedef {{x: Range | null, y: Range | null}} Brushed in values of the axes drawn */
/** @typedef {{chosen: Candidate | null, picks: {name: string, candidate: Candidate | null}[]}} Marks */

const NARROW = 560; // pixels: below, names of baselines would cover the points
const DIRECTIONS = /** @type {("x" | "y")[]} */ (["x", "y"]);
const isCoarse = matchMedia("(pointer: coarse)").matches;

/**
 * The positions in view.
 * @param {FrontView} view
 * @param {ZoomState} zoom
 * @param {"x" | "y"} direction
 * @returns {Range}
 */
function seen(view, zoom, direction) {
  const range = zoom.of(direction);
  return range ? /** @type {Range} */ (range.map(view[direction].place)) : view.extent[direction];
}

/** @param {FrontView} view @param {ZoomState} zoom @param {"x" | "y"} direction @param {number} count */
function ticks(view, zoom, direction, count) {
  const { positions, label } = view[direction].ticks(seen(view, zoom, direction), count);
  return {
    axisTick: { customValues: positions },
    axisLabel: { customValues: positions, formatter: label, hideOverlap: true, showMinLabel: null, showMaxLabel: null },
    splitLine: { show: direction === "y", customValues: positions },
  };
}

/** @param {FrontView} view @param {ZoomState} zoom @param {number} width @param {any} colours */
function axes(view, zoom, width, colours) {
  const common = { type: "value", nameLocation: "middle", nameTextStyle: { color: colours.muted, fontSize: 12 } };
  const axis = (/** @type {"x" | "y"} */ direction, /** @type {number} */ count, /** @type {number} */ nameGap) => ({
    ...common,
    id: direction,
    name: view.axes[direction].name,
    nameGap,
    ...ticks(view, zoom, direction, count),
    min: view.extent[direction][0],
    max: view.extent[direction][1],
    axisLine: { show: true, onZero: false, lineStyle: { color: colours.line } },
  });
  return { xAxis: axis("x", Math.max(3, width / 110), 30), yAxis: axis("y", 7, 52) };
}

/**
 * @param {FrontView} view
 * @param {ZoomState} zoom
 * @param {boolean} isMoving whether a drag moves, rather than brushes
 */
function zooms(view, zoom, isMoving) {
  return DIRECTIONS.map((direction) => {
    const range = zoom.of(direction);
    const place = range && /** @type {Range} */ (range.map(view[direction].place));
    const [start, end] = percentsOf(place, view.extent[direction]);
    return {
      id: `zoom-${direction}`,
      type: "inside",
      [`${direction}AxisIndex`]: 0,
      filterMode: "none",
      start,
      end,
      throttle: 40,
      moveOnMouseMove: isMoving,
      zoomOnMouseWheel: true,
      preventDefaultMouseMove: !isCoarse,
    };
  });
}

/**
 * @param {{
 *   view: FrontView, zoom: ZoomState, marks: Marks, isMoving: boolean, width: number, colours: any,
 *   tooltip: (candidate: Candidate) => HTMLElement,
 * }} given
 */
function optionOf({ view, zoom, marks, isMoving, width, colours, tooltip }) {
  const isNarrow = width < NARROW;
  return {
    grid: {
      left: isNarrow ? 62 : 74,
      right: isNarrow ? 12 : 24,
      top: 28,
      bottom: 48,
      containLabel: false,
      outerBoundsMode: "none",
    },
    ...axes(view, zoom, width, colours),
    dataZoom: zooms(view, zoom, isMoving),
    toolbox: { show: false },
    brush: {
      toolbox: [],
      xAxisIndex: 0,
      yAxisIndex: 0,
      transformable: true,
      throttleType: "debounce",
      throttleDelay: 120,
      seriesIndex: [],
      inBrush: {},
      outOfBrush: {},
      brushStyle: { borderWidth: 1, color: colours.accent, opacity: 0.1, borderColor: colours.accent },
    },
    tooltip: {
      trigger: "item",
      formatter: (/** @type {any} */ spot) => {
        const candidate = candidateAt(view, spot);
        return candidate ? tooltip(candidate) : "";
      },
    },
    series: [...frontSeries(view, colours, isNarrow), ...markSeries(view, marks, colours)],
  };
}

/** @param {FrontView} view @param {{seriesId?: string, dataIndex?: number}} spot @returns {Candidate | null} */
function candidateAt(view, { seriesId, dataIndex }) {
  const group = GROUPS.find((each) => each === seriesId);
  return group && dataIndex !== undefined ? (view.groups[group][dataIndex] ?? null) : null;
}

/** The rectangle of a brush, as ECharts names it. @param {FrontView} view @param {Brushed} brushed */
function areasOf(view, brushed) {
  if (brushed.x === null && brushed.y === null) return [];
  const coordRange = DIRECTIONS.map((direction) => {
    const [low, high] = view.extent[direction];
    const range = brushed[direction]?.map(view[direction].place) ?? [low, high];
    return [Number.isFinite(range[0]) ? range[0] : low, Number.isFinite(range[1]) ? range[1] : high];
  });
  return [{ brushType: "rect", xAxisIndex: 0, yAxisIndex: 0, coordRange }];
}

/** @param {FrontView} view @param {any} event @returns {Brushed} */
function brushedBy(view, event) {
  const range = event.areas[0]?.coordRange;
  if (!range) return { x: null, y: null };
  return /** @type {Brushed} */ (
    Object.fromEntries(DIRECTIONS.map((direction, index) => [direction, range[index].map(view[direction].value)]))
  );
}

/**
 * @param {FrontView} view
 * @param {any} event
 * @returns {{x?: Range | null, y?: Range | null}} the ranges that a zoom left
 */
function zoomedBy(view, event) {
  const changed = (event.batch ?? [event]).flatMap((/** @type {any} */ each) => {
    const direction = DIRECTIONS.find((one) => each.dataZoomId === `zoom-${one}`);
    if (direction === undefined) return [];
    if (each.start <= 0 && each.end >= 100) return [[direction, null]];
    const [low, high] = view.extent[direction];
    return [
      [direction, [each.start, each.end].map((percent) => view[direction].value(low + ((high - low) * percent) / 100))],
    ];
  });
  return Object.fromEntries(changed);
}

/**
 * @param {{
 *   view: FrontView, zoom: ZoomState, marks: Marks, brushed: Brushed, tool: "move" | "brush", label: string,
 *   summary: string, tooltip: (candidate: Candidate) => HTMLElement, onPick: (candidate: Candidate) => void,
 *   onBrush: (brushed: Brushed) => void,
 * }} props
 */
export function FrontChart({ view, zoom, marks, brushed, tool, label, summary, tooltip, onPick, onBrush }) {
  const colours = useColours();
  const handle = useRef(/** @type {{chart: any} | null} */ (null));
  const [width, setWidth] = useState(0);
  const drawn = useRef({ marks, areas: "[]" });
  const option = useMemo(
    () =>
      optionOf({
        view,
        zoom,
        marks: (drawn.current.marks = marks),
        isMoving: tool === "move",
        width: width || 800,
        colours,
        tooltip,
      }),
    [view, zoom.written, tool, width, colours, tooltip],
  );
  const act = (/** @type {any} */ action) => handle.current?.chart?.dispatchAction(action);
  useEffect(() => {
    if (width === 0 || drawn.current.marks === marks) return;
    drawn.current.marks = marks;
    handle.current?.chart?.setOption({ series: markSeries(view, marks, colours) });
  }, [marks]);
  useEffect(() => {
    act({
      type: "takeGlobalCursor",
      key: "brush",
      brushOption: { brushType: tool === "brush" ? "rect" : false, brushMode: "single" },
    });
  }, [tool, width > 0]);
  useEffect(() => {
    const areas = areasOf(view, brushed);
    const written = JSON.stringify(areas);
    if (width === 0 || written === drawn.current.areas) return; // each action draws the whole chart
    drawn.current.areas = written;
    act({ type: "brush", areas });
  }, [view, brushed, width > 0]);
  const onEvents = {
    click: (/** @type {any} */ spot) => {
      const candidate = candidateAt(view, spot);
      if (candidate) onPick(candidate);
    },
    rendered: (/** @type {any} */ _, /** @type {any} */ chart) =>
      chart.getWidth() !== width && setWidth(chart.getWidth()),
    datazoom: (/** @type {any} */ event) => zoom.set(zoomedBy(view, event)),
    brushEnd: (/** @type {any} */ event) => onBrush(brushedBy(view, event)),
  };
  return html`<${Chart} ref=${handle} option=${option} onEvents=${onEvents} height="var(--front-height)"
    label=${label} summary=${summary} />`;
}
