// @ts-check
/** How far the front is zoomed, in values: held at once for the chart, written to the address a moment later. */

import { useEffect, useMemo, useRef } from "../preact.js";
import { changeQuery, currentRoute, useQuery } from "../router.js";
import { readRange, writeRange } from "./selection.js";

/** @typedef {[number, number] | null} Zoom null: the whole axis */
/**
 * @typedef {object} ZoomState
 * @property {string} written changes whenever the address's zoom does
 * @property {(direction: "x" | "y") => Zoom} of the range to show now
 * @property {(changes: {x?: Zoom, y?: Zoom}, isNow?: boolean) => void} set
 */

const WRITE_MS = 250;
const KEYS = { x: "zx", y: "zy" };

/** @returns {ZoomState} */
export function useZoom() {
  const [query] = useQuery();
  const held = useRef(/** @type {{x?: Zoom, y?: Zoom}} */ ({}));
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  useEffect(() => () => clearTimeout(timer.current), []);
  const written = `${query.zx ?? ""}&${query.zy ?? ""}`;
  return useMemo(() => {
    const write = () => {
      const changes = Object.entries(held.current).map(([direction, range]) => [
        KEYS[/** @type {"x" | "y"} */ (direction)],
        range ? writeRange(range) : null,
      ]);
      held.current = {};
      changeQuery(Object.fromEntries(changes));
    };
    return {
      written,
      of: (direction) =>
        direction in held.current
          ? (held.current[direction] ?? null)
          : readRange(currentRoute().query[KEYS[direction]]),
      set: (changes, isNow = false) => {
        held.current = { ...held.current, ...changes };
        clearTimeout(timer.current);
        if (isNow) write();
        else timer.current = setTimeout(write, WRITE_MS);
      },
    };
  }, [written]);
}
