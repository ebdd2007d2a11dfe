// @ts-check
/** The selection that front, table and parallel coordinates share: ranges on axes, kept in the address. */

import { useMemo } from "../preact.js";
import { useQuery } from "../router.js";

/** @typedef {import("./axes.js").Axis} Axis */
/** @typedef {import("./axes.js").Candidate} Candidate */
/** @typedef {[number, number]} Range */

/**
 * @typedef {object} Selection
 * @property {Map<string, Range>} ranges by the axis's word in the address
 * @property {boolean} isActive
 * @property {(candidate: Candidate) => boolean} holds whether a candidate lies within every range
 * @property {(changes: Record<string, Range | null>) => void} setRanges null takes a range away
 * @property {() => void} clear
 */

/** @param {string | undefined} text @returns {Range | null} */
export function readRange(text) {
  const parts = (text ?? "").split(":");
  const [low, high] = parts.map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (parts.length !== 2 || low === undefined || high === undefined) return null;
  if (!Number.isFinite(low) || !Number.isFinite(high)) return null;
  return low <= high ? [low, high] : [high, low];
}

/** @param {Range} range */
export function writeRange([low, high]) {
  return `${Number(low.toPrecision(7))}:${Number(high.toPrecision(7))}`;
}

/**
 * The selection as the address has it; a write replaces the address, so Back leaves the page.
 * @param {Axis[]} axes
 * @returns {Selection}
 */
export function useSelection(axes) {
  const [query, setQuery] = useQuery();
  const written = axes.map((axis) => query[axis.range] ?? "").join("&");
  return useMemo(() => {
    /** @type {Map<string, Range>} */
    const ranges = new Map();
    for (const axis of axes) {
      const range = readRange(query[axis.range]);
      if (range) ranges.set(axis.range, range);
    }
    const tests = axes.flatMap((axis) => {
      const range = ranges.get(axis.range);
      return range ? [{ of: axis.of, low: range[0], high: range[1] }] : [];
    });
    /** @param {Record<string, Range | null>} changes */
    const setRanges = (changes) => {
      const words = Object.entries(changes).map(([key, range]) => [key, range && writeRange(range)]);
      setQuery(Object.fromEntries(words));
    };
    return {
      ranges,
      isActive: ranges.size > 0,
      holds: (candidate) => tests.every(({ of, low, high }) => of(candidate) >= low && of(candidate) <= high),
      setRanges,
      clear: () => setRanges(Object.fromEntries(axes.map((axis) => [axis.range, null]))),
    };
  }, [axes, written]);
}
