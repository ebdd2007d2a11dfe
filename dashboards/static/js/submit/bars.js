// @ts-check
/** Two small pictures of the dry run: the sizes that the space allows, and a limit on the range that is feasible. */

import { formatBytes } from "../format.js";
import { html } from "../preact.js";
import { modeOf, scaleOf } from "./budget.js";
import { wordsOf } from "./budget-editor.js";

/** @typedef {import("./check.js").Preview} Preview */

const PER_PARAMETER = "bits_per_weight";

/** @param {{sizes: Preview, budget: Record<string, unknown>}} props */
export function SizeBar({ sizes, budget }) {
  const { dense_size_bytes: dense, smallest, largest } = sizes;
  const end = Math.max(dense, largest.size_bytes);
  const asked = askedBytes(sizes, budget);
  const ends = `Sizes from ${formatBytes(smallest.size_bytes)} to ${formatBytes(largest.size_bytes)}`;
  const words = `${ends}; the dense model takes ${formatBytes(dense)}`;
  const askedWords = asked.length === 1 ? formatBytes(asked[0]) : `${asked.length} sizes`;
  const isWrong = (/** @type {number} */ value) => value < smallest.size_bytes;
  return html`<figure class="bar">
    <figcaption>
      <span>Size of the checkpoint</span>
      ${asked.length > 0 && html`<strong>asked: ${askedWords}</strong>`}
    </figcaption>
    <${Track} label=${words} end=${end} low=${smallest.size_bytes} high=${largest.size_bytes} asked=${asked}
      isWrong=${isWrong} />
    <p class="bar-ends" aria-hidden="true">
      <span>smallest ${formatBytes(smallest.size_bytes)}</span>
      ${largest.size_bytes < dense && html`<span>largest ${formatBytes(largest.size_bytes)}</span>`}
      <span>dense ${formatBytes(dense)}</span>
    </p>
  </figure>`;
}

/** @param {{name: string, value: unknown, range: import("./budget.js").Range}} props */
export function LimitBar({ name, value, range }) {
  const scale = scaleOf(name, value, range);
  if (!scale) return null;
  const label = wordsOf(name).label;
  const asked = modeOf(value) === "one" ? String(value) : `${scale.asked.length} values`;
  const words = `${label}: feasible from ${range.smallest} to ${range.largest}, asked: ${asked}`;
  const isWrong = (/** @type {number} */ value) => (scale.isAtLeast ? value > scale.high : value < scale.low);
  return html`<figure class="bar">
    <figcaption>
      <span>${label}</span>
      <strong class=${scale.isOutside ? "is-wrong" : ""}>
        ${scale.isOutside ? "not feasible" : "asked"}: ${asked}
      </strong>
    </figcaption>
    <${Track} label=${words} end=${scale.end} low=${scale.low} high=${scale.high} asked=${scale.asked}
      isWrong=${isWrong} />
    <p class="bar-ends" aria-hidden="true">
      <span>smallest ${range.smallest}</span><span>largest ${range.largest}</span>
    </p>
  </figure>`;
}

/**
 * @param {{label: string, end: number, low: number, high: number, asked: number[],
 *   isWrong: (value: number) => boolean}} props
 */
function Track({ label, end, low, high, asked, isWrong }) {
  const share = (/** @type {number} */ value) => `${(100 * Math.min(1, Math.max(0, value / end))).toFixed(2)}%`;
  const width = `${(100 * Math.max(0, (high - low) / end)).toFixed(2)}%`;
  return html`<div class="track" role="img" aria-label=${label}>
    <span class="band" style=${{ left: share(low), width }}></span>
    ${asked.map((value, number) => html`<span key=${number} class=${`ask ${isWrong(value) ? "is-wrong" : ""}`}
      style=${{ left: share(value) }}></span>`)}
  </div>`;
}

/**
 * The sizes that a budget asks for, where they follow from it exactly.
 * @param {Preview} sizes @param {Record<string, unknown>} budget @returns {number[]}
 */
function askedBytes(sizes, budget) {
  const bytesPerBit = sizes.smallest.size_bytes / sizes.smallest.bits_per_weight;
  const [name, factor] = "size" in budget ? ["size", 1] : [PER_PARAMETER, bytesPerBit];
  const range = sizes.feasible[name] ?? { smallest: "0", largest: "0" };
  const scale = name in budget ? scaleOf(name, budget[name], range) : null;
  return (scale?.asked ?? []).map((value) => value * factor);
}
