// @ts-check
/** What the cells of a strip mean: options with their counts and bytes; the scale of a sensitivity. */

import { inOrder } from "../charts/option.js";
import { AS_CHOSEN, ramp, rangeOf } from "../charts/sensitivity.js";
import { tonesOf } from "../charts/strip.js";
import { useColours } from "../charts/theme.js";
import { Bytes, Select } from "../components/index.js";
import { formatCount, formatLoss } from "../format.js";
import { html, useMemo } from "../preact.js";

/**
 * @typedef {import("../charts/layer-grid.js").LayerView} LayerView
 * @typedef {import("../charts/sensitivity.js").Sensitivity} Sensitivity
 */

/** @param {{layers: LayerView[]}} props */
export function StripLegend({ layers }) {
  const scheme = useColours();
  const tones = useMemo(() => tonesOf(layers), [layers, scheme]);
  return html`<ul class="strip-legend">
    ${tones.map(({ slug, face, count, size_bytes, title }) => html`<li key=${slug} title=${title}>
      <span class=${`cell ${face.mark}`} style=${{ backgroundColor: face.fill ?? "", color: face.ink }}
        aria-hidden="true">${face.text}</span>
      <span class="strip-slug">${slug}</span>
      <span class="muted">${formatCount(count)} ${count === 1 ? "layer" : "layers"},${" "}
        <${Bytes} value=${size_bytes} /></span>
    </li>`)}
  </ul>`;
}

/** Which option's losses are drawn.
 *  @param {{sensitivity: Sensitivity, option: string, onOption: (option: string) => void}} props */
export function SensitivityTools({ sensitivity, option, onOption }) {
  const slugs = useMemo(() => inOrder(sensitivity.items.flatMap((item) => Object.keys(item.losses))), [sensitivity]);
  const others = slugs.map((slug) => ({ value: slug, label: `under ${slug}` }));
  const options = [{ value: AS_CHOSEN, label: "under the option it takes" }, ...others];
  const value = slugs.includes(option) ? option : AS_CHOSEN;
  return html`<${Select} label="sensitivity under" options=${options} value=${value} onChange=${onOption} />`;
}

/** The colours with their ends in figures.
 *  @param {{values: (number | null | undefined)[], sensitivity: Sensitivity}} props */
export function SensitivityRamp({ values, sensitivity }) {
  useColours();
  const range = rangeOf(values);
  const isClosed = values.some((value) => value === null);
  const isUnknown = values.some((value) => value === undefined);
  const { unit, source } = sensitivity;
  const mark = (/** @type {string} */ name) => html`<span class=${`cell ${name}`} aria-hidden="true"></span>`;
  const steps = Array.from({ length: 24 }, (_, index) => index / 23);
  return html`<div class="strip-ramp">
    ${range && html`<span>${formatLoss(range.low)}</span>
      <span class="ramp" aria-hidden="true">
        ${steps.map((step) => html`<span style=${{ backgroundColor: ramp(step) }}></span>`)}
      </span>
      <span>${formatLoss(range.high)}</span>`}
    <span class="muted">${unit}${range ? ", log scale" : ": no layer costs anything"}; ${sourceText(source)}</span>
    ${isClosed && html`<span class="muted">${mark("is-closed")} not open to the layer</span>`}
    ${isUnknown && html`<span class="muted">${mark("is-unknown")} not measured</span>`}
  </div>`;
}

/** @param {string} source */
function sourceText(source) {
  return source === "probes" ? "measured layer by layer" : `as score ${source} predicts it`;
}
