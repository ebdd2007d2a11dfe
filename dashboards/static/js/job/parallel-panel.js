// @ts-check
/** Parallel coordinates under the front: the same candidates and the same selection, over every figure at once. */

import { ParallelChart, columnsOf } from "../charts/parallel.js";
import { Figure } from "../components/figure.js";
import { formatCount } from "../format.js";
import { html, useEffect, useMemo, useRef, useState } from "../preact.js";
import { tellingAxes } from "./axes.js";
import { isMeasured } from "./front-math.js";

/** @typedef {import("./axes.js").Axis} Axis */
/** @typedef {import("./axes.js").Candidate} Candidate */

const MOST_LINES = 800; // of dominated candidates: more would be one grey band

/**
 * Every so manieth, so that early and late ones show alike.
 * @template T
 * @param {T[]} list
 * @param {number} count
 * @returns {T[]}
 */
function evenly(list, count) {
  if (list.length <= count) return list;
  return Array.from({ length: count }, (_, index) => list[Math.floor((index * list.length) / count)]);
}

/** @param {Candidate[]} candidates @param {Candidate[]} line the front @param {number | null} selected */
function groupsOf(candidates, line, selected) {
  const onFront = new Set(line);
  const measured = candidates.filter(isMeasured);
  const others = measured.filter((each) => each.kind === "candidate" && !onFront.has(each));
  return {
    others: evenly(others, MOST_LINES),
    front: line.filter((each) => each.kind !== "plain"),
    plain: measured.filter((each) => each.kind === "plain"),
    chosen: measured.filter((each) => each.seq === selected),
  };
}

/**
 * A value that stays as it was while nobody sees the element: lines out of sight are not drawn again.
 * @template T
 * @param {T} value
 * @returns {[{current: HTMLElement | null}, T]}
 */
function useInSight(value) {
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  const kept = useRef(value);
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    if (element.current === null) return undefined;
    const observer = new IntersectionObserver((entries) => setSeen(entries.some((each) => each.isIntersecting)));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  if (isSeen) kept.current = value;
  return [element, kept.current];
}

/**
 * @param {{
 *   candidates: Candidate[], axes: Axis[], line: Candidate[], isLog: boolean,
 *   selection: import("./selection.js").Selection, selected: number | null, onSelect: (seq: number) => void,
 *   tooltip: (candidate: Candidate) => HTMLElement,
 * }} props
 */
export function ParallelPanel({ candidates: all, axes, line: front, isLog, selection, selected, onSelect, tooltip }) {
  const [box, { candidates, line }] = useInSight({ candidates: all, line: front });
  const columns = useMemo(
    () => columnsOf(tellingAxes(axes, candidates), candidates, isLog),
    [axes, candidates, isLog],
  );
  const groups = useMemo(() => groupsOf(candidates, line, selected), [candidates, line, selected]);
  const drawn = groups.others.length + groups.front.length + groups.plain.length;
  const total = useMemo(
    () => candidates.filter((each) => isMeasured(each) && each.kind !== "answer").length,
    [candidates],
  );
  const caption = `Drag along an axis to keep a range of it; click the axis to let it go. ${
    drawn < total
      ? `${formatCount(drawn)} of ${formatCount(total)} lines are drawn: front, uniform choices, a sample of others.`
      : ""
  }`;
  return html`<div ref=${box}><${Figure} title="Parallel coordinates" caption=${caption} class="parallel-panel">
    <${ParallelChart} columns=${columns} groups=${groups} ranges=${selection.ranges} onRange=${selection.setRanges}
      tooltip=${tooltip}
      onPick=${(/** @type {Candidate} */ each) => onSelect(each.seq)} label="Candidates in parallel coordinates"
      summary="The table below lists the same candidates." />
  <//></div>`;
}
