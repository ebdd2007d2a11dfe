// @ts-check
/** The colours of the charts, read from the style sheets, and the ECharts theme made of them. */

import { useEffect, useState } from "../preact.js";
import { STATES } from "../states.js";

/**
 * @typedef {{text: string, muted: string, line: string, surface: string, accent: string, answer: string, baseline:
 *   string, candidate: string, chosen: string, series: string[], states: Record<string, string>, dropped: string,
 *   sequential: string[], bits: (bits: number | null | undefined) => string, inkOn: (colour: string) => string, isDark:
 *   boolean}} Colours
 */

const EQUALLY_FAR = 0.179; // the luminance at which black and white both have a contrast of 4.6 to 1
const FEWEST_BITS = 1.5;
const MOST_BITS = 8;

/** @type {Colours | null} */
let known = null;
const changes = new EventTarget();

function forget() {
  known = null;
  changes.dispatchEvent(new Event("change"));
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", forget);
addEventListener("layerpress-theme", forget);

/** The colours of the scheme that is shown now. @returns {Colours} */
export function colours() {
  known ??= readColours();
  return known;
}

/** The same, and drawn again when the scheme changes. @returns {Colours} */
export function useColours() {
  const [value, setValue] = useState(colours);
  useEffect(() => {
    const follow = () => setValue(colours());
    follow();
    changes.addEventListener("change", follow);
    return () => changes.removeEventListener("change", follow);
  }, []);
  return value;
}

/** @returns {Colours} */
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const read = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
  const isDark = read("scheme") === "dark";
  const scale = (/** @type {number} */ share) => tone(share, isDark);
  return {
    text: read("ink"),
    muted: read("muted"),
    line: read("hairline"),
    surface: read("surface"),
    accent: read("accent"),
    answer: read("answer"),
    baseline: read("ink"),
    candidate: read("candidate"),
    chosen: read("chosen"),
    series: [1, 2, 3, 4, 5, 6, 7].map((number) => read(`series-${number}`)),
    states: Object.fromEntries(STATES.map((state) => [state, read(`state-${state}`)])),
    dropped: read("dropped"),
    sequential: [0, 0.25, 0.5, 0.75, 1].map(scale),
    bits: (bits) =>
      bits === null || bits === undefined
        ? read("dropped")
        : scale((Math.min(bits, MOST_BITS) - FEWEST_BITS) / (MOST_BITS - FEWEST_BITS)),
    inkOn: (colour) => (luminance(colour) > EQUALLY_FAR ? "#000000" : "#ffffff"),
    isDark,
  };
}

/**
 * A blue whose lightness falls evenly (rises, on dark) from share 0 to 1: OKLCH, hue 245.
 * @param {number} share
 * @param {boolean} isDark
 */
function tone(share, isDark) {
  const t = Math.max(0, Math.min(1, share));
  const l = isDark ? 0.32 + 0.56 * t : 0.94 - 0.58 * t;
  const chroma = 0.025 + 0.085 * Math.sin(Math.PI * (0.15 + 0.7 * t));
  return fromOklch(l, chroma, (245 * Math.PI) / 180);
}

/**
 * Björn Ottosson 2020, "A perceptual color space for image processing".
 * @param {number} l
 * @param {number} chroma
 * @param {number} hue in radians
 */
function fromOklch(l, chroma, hue) {
  const a = chroma * Math.cos(hue);
  const b = chroma * Math.sin(hue);
  const long = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short,
  ];
  const hex = linear.map((value) => {
    const clipped = Math.max(0, Math.min(1, value));
    const encoded = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055;
    return Math.round(255 * encoded)
      .toString(16)
      .padStart(2, "0");
  });
  return `#${hex.join("")}`;
}

/** The relative luminance of "#rrggbb", 0 to 1, as WCAG 2 has it. @param {string} colour */
function luminance(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The ECharts theme of the scheme that is shown now. @returns {Record<string, any>} */
export function echartsTheme() {
  const c = colours();
  const axis = {
    axisLine: { lineStyle: { color: c.line } },
    axisTick: { lineStyle: { color: c.line } },
    axisLabel: { color: c.muted, fontSize: 12 },
    splitLine: { lineStyle: { color: c.line, opacity: 0.6 } },
    nameTextStyle: { color: c.muted, fontSize: 12 },
  };
  return {
    color: c.series,
    backgroundColor: "transparent",
    animation: false,
    textStyle: { color: c.text, fontFamily: getComputedStyle(document.body).fontFamily },
    legend: { textStyle: { color: c.text }, inactiveColor: c.muted },
    tooltip: {
      backgroundColor: c.surface,
      borderColor: c.line,
      borderWidth: 1,
      padding: [8, 12],
      confine: true,
      transitionDuration: 0,
      extraCssText: "box-shadow: none",
      textStyle: { color: c.text, fontSize: 13 },
    },
    valueAxis: axis,
    logAxis: axis,
    categoryAxis: axis,
    timeAxis: axis,
    parallel: { parallelAxisDefault: axis },
  };
}
