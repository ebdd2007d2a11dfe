// @ts-check
/** A choice of a few, all in view: radio buttons that look like one control. */

import { html, useId } from "../preact.js";

/**
 * @template {string} V
 * @param {{options: {value: V, label: any, title?: string}[], value: V, onChange: (value: V) => void, label: string,
 *   small?: boolean}} props
 */
export function Segmented({ options, value, onChange, label, small }) {
  const name = useId();
  return html`<fieldset class=${`segmented ${small ? "small" : ""}`}>
    <legend class="unseen">${label}</legend>
    ${options.map(
      (option) => html`<label key=${option.value} title=${option.title}>
      <input type="radio" name=${name} value=${option.value} checked=${option.value === value}
          onChange=${() => onChange(option.value)} />
      <span>${option.label}</span>
    </label>`,
    )}
  </fieldset>`;
}
