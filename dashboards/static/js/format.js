// @ts-check
/** Figures as people read them: decimal units, no more digits than are known, a dash where there is nothing. */

const NOTHING = "–";
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;
const UNITS = ["bytes", "kB", "MB", "GB", "TB", "PB"];

const counts = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const days = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** @typedef {number | null | undefined} MaybeNumber */

/** @param {MaybeNumber} value @returns {value is number} */
function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** 6525000 -> "6.53 MB"; 812 -> "812 bytes". @param {MaybeNumber} bytes */
export function formatBytes(bytes) {
  if (!isNumber(bytes)) return NOTHING;
  return scaled(bytes, UNITS);
}

/** 6525000 -> "6,525,000 bytes". @param {MaybeNumber} bytes */
export function exactBytes(bytes) {
  return isNumber(bytes) ? `${counts.format(bytes)} bytes` : NOTHING;
}

/** 18874368 -> "18.9 MFLOPs". @param {MaybeNumber} flops */
export function formatFlops(flops) {
  return isNumber(flops) ? `${scaled(flops, ["", "k", "M", "G", "T", "P"])}FLOPs` : NOTHING;
}

/** 18874368 -> "18,874,368 FLOPs per token". @param {MaybeNumber} flops */
export function exactFlops(flops) {
  return isNumber(flops) ? `${counts.format(flops)} FLOPs per token` : NOTHING;
}

/** 10485760 -> "10.5 M", 6.5e9 -> "6.50 B", as budgets are written. @param {MaybeNumber} count */
export function formatParameters(count) {
  return isNumber(count) ? scaled(count, ["", "k", "M", "B", "T"]).trim() : NOTHING;
}

/** Bits per weight: 2.9996 -> "3.00". @param {MaybeNumber} bits */
export function formatBits(bits) {
  return isNumber(bits) ? bits.toFixed(2) : NOTHING;
}

/** A loss, with two digits of its standard error where one is known: (0.01324, 0.0021) -> "0.0132".
 *  @param {MaybeNumber} loss @param {MaybeNumber} [standardError] */
export function formatLoss(loss, standardError) {
  if (loss === Infinity) return "∞";
  if (!isNumber(loss)) return NOTHING;
  if (loss === 0) return "0";
  const allowed = isNumber(standardError) && standardError > 0 ? 1 - Math.floor(Math.log10(standardError)) : Infinity;
  const wanted = 2 - Math.floor(Math.log10(Math.abs(loss))); // three digits
  const decimals = Math.max(0, Math.min(allowed, wanted));
  if (decimals > 6) return loss.toExponential(2);
  return loss.toFixed(decimals);
}

/** 192 -> "3 min 12 s". @param {MaybeNumber} seconds */
export function formatDuration(seconds) {
  if (!isNumber(seconds) || seconds < 0) return NOTHING;
  if (seconds < 1) return "under 1 s";
  const whole = Math.round(seconds);
  if (whole < MINUTE_S) return `${whole} s`;
  if (whole < HOUR_S) return two(whole, MINUTE_S, "min", 1, "s");
  return whole < DAY_S ? two(whole, HOUR_S, "h", MINUTE_S, "min") : two(whole, DAY_S, "d", HOUR_S, "h");
}

/**
 * @param {number} seconds
 * @param {number} large
 * @param {string} largeName
 * @param {number} small
 * @param {string} smallName
 */
function two(seconds, large, largeName, small, smallName) {
  const rest = Math.floor((seconds % large) / small);
  const text = `${Math.floor(seconds / large)} ${largeName}`;
  return rest > 0 ? `${text} ${rest} ${smallName}` : text;
}

/** How long ago: "just now", "3 min ago", "2 d ago", then the day. @param {string | Date | null | undefined} date */
export function formatAgo(date) {
  if (!date) return NOTHING;
  const seconds = (Date.now() - new Date(date).getTime()) / 1000;
  if (Number.isNaN(seconds)) return NOTHING;
  if (seconds < 10) return "just now";
  if (seconds < MINUTE_S) return `${Math.round(seconds)} s ago`;
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)} min ago`;
  if (seconds < DAY_S) return `${Math.floor(seconds / HOUR_S)} h ago`;
  return seconds < 14 * DAY_S ? `${Math.floor(seconds / DAY_S)} d ago` : days.format(new Date(date));
}

/** A moment in full, in the reader's own time. @param {string | Date | null | undefined} date */
export function formatTime(date) {
  return date ? moments.format(new Date(date)) : NOTHING;
}

/** 12345 -> "12,345". @param {MaybeNumber} count */
export function formatCount(count) {
  return isNumber(count) ? counts.format(count) : NOTHING;
}

/** 0.123 -> "12 %"; never 100 % of what is not complete. @param {MaybeNumber} share */
export function formatPercent(share) {
  if (!isNumber(share)) return NOTHING;
  const percent = share < 1 ? Math.min(99, Math.round(100 * share)) : Math.round(100 * share);
  return `${percent}\u00a0%`;
}

/** 65536 -> "65.5 k tokens". @param {MaybeNumber} tokens */
export function formatTokens(tokens) {
  if (!isNumber(tokens)) return NOTHING;
  const [value, unit] =
    tokens >= 1e9
      ? [tokens / 1e9, " G"]
      : tokens >= 1e6
        ? [tokens / 1e6, " M"]
        : tokens >= 1e4
          ? [tokens / 1e3, " k"]
          : [tokens, ""];
  return `${unit === "" ? counts.format(value) : significant(value, 3)}${unit} ${tokens === 1 ? "token" : "tokens"}`;
}

/** A factor: 0.8312 -> "0.83 ×". @param {MaybeNumber} ratio */
export function formatRatio(ratio) {
  return isNumber(ratio) ? `${ratio < 100 ? ratio.toFixed(2) : formatCount(ratio)}\u00a0×` : NOTHING;
}

/** Three digits and the unit of their thousands. @param {number} value @param {string[]} units */
function scaled(value, units) {
  let unit = 0;
  let rest = value;
  while (Math.abs(rest) >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? counts.format(rest) : significant(rest, 3)}\u00a0${units[unit]}`;
}

/** @param {number} value @param {number} digits */
function significant(value, digits) {
  if (value === 0) return "0";
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(decimals, 12));
}
