// @ts-check
/**
 * A control with its label, a hint, and the error that concerns it; and the plain controls: Select, TextInput,
 * Checkbox, Switch.
 */

import { html, useId } from "../preact.js";

/** `children` is the control, or a function of the attributes it needs ({id, "aria-describedby", "aria-invalid"}).
 *  @param {{label: any, hint?: any, error?: any, children?: any, inline?: boolean, class?: string}} props */
export function Field({ label, hint, error, children, inline, class: extra = "" }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const attributes = { id, "aria-describedby": described, "aria-invalid": error ? "true" : undefined };
  const isFunction = typeof children === "function";
  return html`<div class=${`field ${inline ? "inline" : ""} ${error ? "wrong" : ""} ${extra}`}>
    ${isFunction ? html`<label for=${id}>${label}</label>${children(attributes)}` : html`<label><span>${label}</span>
      ${children}</label>`}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
  </div>`;
}

/**
 * @param {{options: {value: string, label?: any, title?: string, disabled?: boolean}[], value: string, onChange: (value: string) =>
 *   void, label?: string, [attribute: string]: any}} props
 */
export function Select({ options, value, onChange, label, class: extra = "", ...rest }) {
  const onInput = (/** @type {any} */ event) => onChange(event.currentTarget.value);
  return html`<select class=${`select ${extra}`} aria-label=${label} value=${value} onChange=${onInput} ...${rest}>
    ${options.map(
      (
        option,
      ) => html`<option key=${option.value} value=${option.value} selected=${option.value === value}
      disabled=${option.disabled} title=${option.title}>
      ${option.label ?? option.value}</option>`,
    )}
  </select>`;
}

/**
 * @param {{value: string, onInput: (value: string) => void, label?: string, type?: string, [attribute: string]: any}}
 *   props
 */
export function TextInput({ value, onInput, label, type = "text", class: extra = "", ...rest }) {
  const change = (/** @type {any} */ event) => onInput(event.currentTarget.value);
  return html`<input class=${`input ${extra}`} type=${type} aria-label=${label} value=${value} onInput=${change}
      ...${rest} />`;
}

/**
 * @param {{checked: boolean, onChange: (checked: boolean) => void, label?: string, children?: any, [attribute: string]:
 *   any}} props
 */
export function Checkbox({ checked, onChange, label, children, ...rest }) {
  const change = (/** @type {any} */ event) => onChange(event.currentTarget.checked);
  return html`<label class="checkbox">
    <input type="checkbox" checked=${checked} aria-label=${children ? undefined : label} onChange=${change}
        ...${rest} />
    ${children && html`<span>${children}</span>`}
  </label>`;
}

/**
 * On or off, at once.
 * @param {{checked: boolean, onChange: (checked: boolean) => void, children?: any, [attribute: string]: any}} props
 */
export function Switch({ checked, onChange, children, ...rest }) {
  return html`<button type="button" class="switch" role="switch" aria-checked=${checked ? "true" : "false"}
      onClick=${() => onChange(!checked)} ...${rest}>
    <span class="switch-track" aria-hidden="true"></span><span>${children}</span>
  </button>`;
}
