// @ts-check
/**
 * ECharts as a component: loaded once and only where a chart is, sized by its box, updated in place so that zoom and
 * brush survive.
 */

import { html, useEffect, useId, useRef, useState } from "../preact.js";
import { ProblemBox } from "../components/problem-box.js";
import { echartsTheme, useColours } from "./theme.js";

const SCRIPT = new URL("../../vendor/echarts-6.1.0/echarts.charts.min.js", import.meta.url).href;

/** @typedef {import("echarts").ECharts} ECharts */
/** @typedef {typeof import("echarts")} Echarts */

/** @type {Promise<Echarts> | null} */
let loading = null;

/** ECharts itself; fetched at the first call. @returns {Promise<Echarts>} */
export function loadEcharts() {
  loading ??= new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: SCRIPT });
    script.onload = () => resolve(/** @type {any} */ (window).echarts);
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(Object.assign(new Error("the chart library could not be loaded; reload the page"), { status: undefined }));
    };
    document.head.append(script);
  });
  return loading;
}

/**
 * @typedef {{option: any, onEvents?: Record<string, (event: any, chart: ECharts) => void>, height?: number | string,
 *   label: string, summary?: string, group?: string, replaceMerge?: string | string[], ref?: {current: {chart: ECharts
 *   | null} | null}, class?: string}} ChartProps
 */

/** `option` is merged into what is shown; name in `replaceMerge` the parts whose items may go ("series").
 *  `ref.current.chart` is the ECharts instance. @param {ChartProps} props */
export function Chart({
  option,
  onEvents = {},
  height = 360,
  label,
  summary,
  group,
  replaceMerge,
  ref,
  class: extra = "",
}) {
  const id = useId();
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [chart, setChart] = useState(/** @type {ECharts | null} */ (null));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const scheme = useColours();
  const handlers = useRef(onEvents);
  handlers.current = onEvents;

  useEffect(() => {
    let made = /** @type {ECharts | null} */ (null);
    let isGone = false;
    let observer = /** @type {ResizeObserver | null} */ (null);
    loadEcharts().then((echarts) => {
      const element = box.current;
      if (isGone || element === null) return;
      observer = new ResizeObserver(() => {
        if (element.clientWidth === 0 || element.clientHeight === 0) return;
        if (made !== null) return made.resize();
        made = echarts.init(element, echartsTheme(), { renderer: "canvas" });
        setChart(made);
      });
      observer.observe(element);
    }, setProblem);
    return () => {
      isGone = true;
      observer?.disconnect();
      made?.dispose();
    };
  }, []);
  useEffect(() => {
    if (ref) ref.current = { chart };
  }, [chart]);
  useEffect(() => {
    if (chart === null || group === undefined) return;
    chart.group = group;
    /** @type {any} */ (window).echarts.connect(group);
  }, [chart, group]);
  const names = Object.keys(onEvents).sort().join(" ");
  useEffect(() => {
    if (chart === null || names === "") return undefined;
    const added = names.split(" ").map((name) => {
      const handler = (/** @type {any} */ event) => handlers.current[name]?.(event, chart);
      chart.on(name, handler);
      return () => !chart.isDisposed() && chart.off(name, handler);
    });
    return () => added.forEach((remove) => remove());
  }, [chart, names]);
  const themed = useRef(scheme);
  useEffect(() => {
    if (chart === null) return;
    if (themed.current !== scheme) /** @type {any} */ (chart).setTheme(echartsTheme());
    themed.current = scheme;
    chart.setOption(option, { replaceMerge, lazyUpdate: false });
  }, [chart, option, scheme]);

  if (problem) return html`<${ProblemBox} problem=${problem} />`;
  return html`<div class=${`chart ${extra}`}>
    <div class="chart-box" ref=${box} role="img" aria-label=${label} aria-describedby=${summary ? id : undefined}
      style=${{ height: typeof height === "number" ? `${height}px` : height }}></div>
    ${summary && html`<p class="unseen" id=${id}>${summary}</p>`}
  </div>`;
}
