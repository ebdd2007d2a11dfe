// @ts-check
/**
 * What can be changed of the front's picture: its axes, the log scale, dominated points, what a drag does, the
 * zoom.
 */

import { Button } from "../components/button.js";
import { Checkbox, Field, Select } from "../components/field.js";
import { Segmented } from "../components/segmented.js";
import { formatCount } from "../format.js";
import { html } from "../preact.js";
import { useQuery } from "../router.js";
import { TERMS, Term } from "../terms.js";

/** @typedef {import("./axes.js").Axis} Axis */
/** @typedef {import("./front-view.js").FrontView} FrontView */
/** @typedef {import("./front-zoom.js").ZoomState} ZoomState */

const TOOLS = [
  { value: "move", label: "Move", title: "a drag moves the picture, the wheel zooms" },
  { value: "brush", label: "Brush", title: "a drag draws a rectangle that selects candidates" },
];
const KEY_ZOOM = 0.7; // of the range, at each press

/** @param {Axis} axis what hovering says */
const meaningOf = (axis) => (axis.term ? TERMS[axis.term] : undefined);

/**
 * The range nearer to or farther from its middle.
 * @param {FrontView} view
 * @param {ZoomState} zoom
 * @param {"x" | "y"} direction
 * @param {number} factor
 */
function closer(view, zoom, direction, factor) {
  const { place, value } = view[direction];
  const [least, most] = view.extent[direction];
  const [low, high] = zoom.of(direction)?.map(place) ?? [least, most];
  const [middle, half] = [(low + high) / 2, ((high - low) / 2) * factor];
  const ends = [Math.max(least, middle - half), Math.min(most, middle + half)];
  return ends[0] <= least && ends[1] >= most ? null : /** @type {[number, number]} */ (ends.map(value));
}

/**
 * @param {{
 *   axes: Axis[], view: FrontView, zoom: ZoomState, isLog: boolean, isDominatedShown: boolean, tool: "move" | "brush",
 * }} props
 */
export function FrontControls({ axes, view, zoom, isLog, isDominatedShown, tool }) {
  const [query, setQuery] = useQuery();
  const options = axes.map((axis) => ({ value: axis.key, label: axis.name, title: meaningOf(axis) }));
  const pick = (/** @type {"x" | "y"} */ direction) => (/** @type {string} */ key) =>
    setQuery({ [direction]: key, [`z${direction}`]: null });
  const zoomBy = (/** @type {number} */ factor) => {
    const ranges = { x: closer(view, zoom, "x", factor), y: closer(view, zoom, "y", factor) };
    zoom.set(ranges, true);
  };
  const isZoomed = Boolean(query.zx || query.zy);
  const hasLoss = view.axes.x.isLoss || view.axes.y.isLoss;
  return html`<div class="front-bar">
    <${Field} label="across" inline><${Select} options=${options} value=${view.axes.x.key}
      title=${meaningOf(view.axes.x)} onChange=${pick("x")} /><//>
    <${Field} label="up" inline><${Select} options=${options} value=${view.axes.y.key}
      title=${meaningOf(view.axes.y)} onChange=${pick("y")} /><//>
    <${Checkbox} checked=${isLog} disabled=${!hasLoss}
      onChange=${(/** @type {boolean} */ isOn) => setQuery({ log: isOn ? null : 0 })}>log scale<//>
    <${Checkbox} checked=${isDominatedShown}
      onChange=${(/** @type {boolean} */ isOn) => setQuery({ dominated: isOn ? 1 : null })}>
      <${Term} name="dominated">dominated<//> <span class="small muted">${formatCount(view.numDominated)}</span>
    <//>
    <span class="front-space"></span>
    <${Segmented} label="what a drag does" options=${TOOLS} value=${tool} small
      onChange=${(/** @type {string} */ value) => setQuery({ tool: value === "move" ? null : value })} />
    <span class="front-zoom">
      <${Button} kind="quiet" small aria-label="Zoom in" title="Zoom in" onClick=${() => zoomBy(KEY_ZOOM)}>+<//>
      <${Button} kind="quiet" small aria-label="Zoom out" title="Zoom out" disabled=${!isZoomed}
        onClick=${() => zoomBy(1 / KEY_ZOOM)}>−<//>
      <${Button} kind="quiet" small disabled=${!isZoomed}
        onClick=${() => zoom.set({ x: null, y: null }, true)}>Whole front<//>
    </span>
  </div>`;
}
