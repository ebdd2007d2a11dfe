// @ts-check
/** A range input that says its value; marks are the places that mean something. */

import { html, useId } from "../preact.js";

/**
 * @param {{label: any, min: number, max: number, step?: number | "any", value: number, onInput: (value: number) =>
 *   void, format?: (value: number) => string, marks?: {value: number, label?: string}[], hint?: any, disabled?:
 *   boolean}} props
 */
export function Slider({ label, min, max, step = "any", value, onInput, format = String, marks = [], hint, disabled }) {
  const id = useId();
  const change = (/** @type {any} */ event) => onInput(Number(event.currentTarget.value));
  const at = (/** @type {number} */ mark) => `${max > min ? (100 * (mark - min)) / (max - min) : 0}%`;
  const isMarked = marks.length > 0;
  return html`<div class="slider">
    <div class="slider-words"><label for=${id}>${label}</label><output for=${id} class="number">
    ${format(value)}</output></div>
    <input id=${id} type="range" min=${min} max=${max} step=${step} value=${value} disabled=${disabled || !(max > min)}
      aria-valuetext=${format(value)} list=${isMarked ? `${id}-marks` : undefined} onInput=${change} />
    ${
      isMarked &&
      html`<div class="slider-marks" aria-hidden="true">${marks.map(
        (mark) => html`<span style=${{ left: at(mark.value) }} title=${mark.label}></span>`,
      )}</div>`
    }
    ${hint && html`<p class="hint">${hint}</p>`}
  </div>`;
}
