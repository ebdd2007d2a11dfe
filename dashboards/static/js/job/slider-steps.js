// @ts-check
/** The steps of a slider over sizes or losses. */

export const STEPS = 400; // of a slider: fine enough for a hand, and a page key moves it by a tenth

/**
 * How a slider's steps and its values meet: sizes evenly, losses by their logarithm, of which 0 has none.
 * @param {number} low @param {number} high @param {"size" | "loss"} kind @param {number} least the least positive one
 */
export function stepsOf(low, high, kind, least) {
  const isLog = kind === "loss" && least > 0;
  const [from, to] = isLog ? [Math.log(least), Math.log(high)] : [low, high];
  const span = to - from || 1;
  return {
    step: (/** @type {number} */ value) => {
      if (value <= low) return 0;
      return Math.round((((isLog ? Math.log(Math.max(value, least)) : value) - from) / span) * STEPS);
    },
    value: (/** @type {number} */ step) => {
      if (step <= 0 || step >= STEPS) return step <= 0 ? low : high; // exactly: the ends are candidates
      const at = from + ((to - from) * step) / STEPS;
      return kind === "size" ? Math.round(at) : Number((isLog ? Math.exp(at) : at).toPrecision(4));
    },
  };
}
