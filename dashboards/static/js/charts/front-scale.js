// @ts-check
/**
 * Positions on an axis: a log axis is drawn as the decimal logarithm on an even one, so zoom and brush are even on
 * it.
 */

/** @typedef {[number, number]} Extent */
/**
 * @typedef {object} Scale
 * @property {boolean} isLog
 * @property {(value: number) => number} place NaN or -Infinity where a value has no place
 * @property {(position: number) => number} value
 * @property {(seen: Extent, count: number) => {positions: number[], label: (position: number) => string}} ticks
 */

/** The units of ticks, by the axis's key; other axes have plain numbers. @type {Record<string, [number, string][]>} */
const UNITS = {
  size_bytes: [[1e12, " TB"], [1e9, " GB"], [1e6, " MB"], [1e3, " kB"], [1, " B"]],
  flops: [[1e15, " P"], [1e12, " T"], [1e9, " G"], [1e6, " M"], [1e3, " k"], [1, ""]],
  parameters: [[1e12, " T"], [1e9, " B"], [1e6, " M"], [1e3, " k"], [1, ""]],
};
const MOST_TICKS = 60;

/** @param {number} span @param {number} count the step of 1, 2 or 5 that gives about so many ticks */
function niceStep(span, count) {
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = rough / power;
  return (factor > 5 ? 10 : factor > 2 ? 5 : factor > 1 ? 2 : 1) * power;
}

/** @param {Extent} seen @param {number} count @returns {{values: number[], step: number}} */
function evenTicks([low, high], count) {
  const step = niceStep(high - low || Math.abs(high) || 1, count);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.min(Math.floor(high / step + 1e-9), first + MOST_TICKS);
  const values = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => (first + index) * step);
  return { values, step };
}

/** @param {Extent} seen @param {number} count @returns {{values: number[], step: number}} */
function logTicks([low, high], count) {
  const decades = Math.log10(high / low);
  if (decades < 0.9) return evenTicks([low, high], count);
  const factors = decades < count / 3 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / count));
  const values = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1) {
    if (power % every === 0) values.push(...factors.map((factor) => Number(`${factor}e${power}`)));
  }
  return { values: values.filter((value) => value >= low && value <= high), step: 0 };
}

/** @type {Map<number, Intl.NumberFormat>} making one is slow */
const writers = new Map();

/** @param {number} digits */
function writerOf(digits) {
  const known = writers.get(digits) ?? new Intl.NumberFormat("en", { maximumFractionDigits: digits });
  writers.set(digits, known);
  return known;
}

/** @param {number} value @param {number} step 0: as many digits as the value has */
function written(value, step) {
  if (value !== 0 && Math.abs(value) < 1e-5) return value.toExponential(0);
  const digits = step > 0 ? Math.min(12, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))) : 12;
  return writerOf(digits).format(value);
}

/** @param {string} key @param {number[]} values @param {number} step @returns {(value: number) => string} */
function writer(key, values, step) {
  const units = UNITS[key];
  if (!units) return (value) => written(value, step);
  const largest = Math.max(1, ...values.map(Math.abs));
  const [unit, name] = units.find(([each]) => each <= largest) ?? units[units.length - 1];
  return (value) => written(value / unit, step / unit) + name;
}

/**
 * The scale of an axis.
 * @param {{key: string}} axis @param {boolean} isLog
 * @returns {Scale}
 */
export function scaleOf(axis, isLog) {
  const place = isLog ? Math.log10 : (/** @type {number} */ value) => value;
  const value = isLog
    ? (/** @type {number} */ position) => 10 ** position
    : (/** @type {number} */ position) => position;
  return {
    isLog,
    place,
    value,
    ticks: (seen, count) => {
      const shown = /** @type {Extent} */ (seen.map(value));
      const { values, step } = isLog ? logTicks(shown, count) : evenTicks(shown, count);
      const write = writer(axis.key, values, step);
      return { positions: values.map(place), label: (position) => write(value(position)) };
    },
  };
}

/** An extent with room around it. @param {Extent | null} extent @param {number} share @returns {Extent} */
export function roomy(extent, share) {
  const [low, high] = extent ?? [0, 1];
  const room = (high - low || Math.abs(high) * 0.2 || 1) * share;
  return [low - room, high + room];
}

/**
 * A range of values in percents of an extent, as a zoom wants it.
 * @param {Extent | null} range
 * @param {Extent} extent
 */
export function percentsOf(range, [low, high]) {
  if (range === null) return [0, 100];
  const percents = range.map((position) => ((position - low) / (high - low)) * 100);
  return percents.map((percent) => Math.min(100, Math.max(0, percent)));
}
