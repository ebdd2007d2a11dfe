// @ts-check
/** The plain controls of the form: text, numbers, choices and lists; each writes what was typed, as it was typed. */

import { html, useId, useState } from "../preact.js";
import { isSame } from "./values.js";
import { meant, shown } from "./words.js";

/**
 * @typedef {import("./schema.js").Field} Field
 * @typedef {{field: Field, value: any, onChange: (value: unknown) => void, attributes?: Record<string, any>,
 *   suggestions?: unknown[]}} ControlProps
 */

const CHOICES_SHOWN = 12; // more of them stand in a list of words

/**
 * What was typed stays on show as long as it means the value: `3.` is not turned into `3` under the cursor.
 * @param {any} value @param {Field} field @param {(value: unknown) => void} onChange
 * @returns {[string, (text: string) => void]}
 */
export function useTyped(value, field, onChange) {
  const [typed, setTyped] = useState(/** @type {string | null} */ (null));
  const isCurrent = typed !== null && isSame(meant(typed, field.kind, field.of), value ?? undefined);
  const change = (/** @type {string} */ text) => {
    setTyped(text);
    onChange(meant(text, field.kind, field.of));
  };
  return [isCurrent ? /** @type {string} */ (typed) : shown(value, field.kind), change];
}

/** @param {ControlProps} props */
export function TextControl({ field, value, onChange, attributes, suggestions = [] }) {
  const [text, change] = useTyped(value, field, onChange);
  const id = useId();
  const isNumber = field.kind === "integer" || field.kind === "number";
  const isLong = field.kind === "any" && text.length > 60;
  const onInput = (/** @type {any} */ event) => change(event.currentTarget.value.replace(/\n/g, " "));
  const shared = { ...attributes, value: text, placeholder: placeholderOf(field), onInput, spellcheck: false };
  if (isLong) return html`<textarea class="input code" rows=${Math.min(6, Math.ceil(text.length / 50))} ...${shared}>
    </textarea>`;
  return html`
    <input class=${`input ${field.kind === "any" ? "code" : ""}`} type="text"
      inputmode=${isNumber ? "decimal" : undefined}
      autocomplete="off" list=${suggestions.length ? id : undefined} ...${shared} />
    ${suggestions.length > 0 && html`<datalist id=${id}>
      ${suggestions.map((each) => html`<option value=${String(each)} />`)}</datalist>`}`;
}

/** @param {ControlProps} props */
export function ChoiceControl({ field, value, onChange, attributes }) {
  const choices = field.kind === "truth" ? [true, false] : field.choices;
  const isOdd = value !== undefined && value !== null && !choices.includes(value);
  const onPick = (/** @type {any} */ event) => {
    const picked = event.currentTarget.value;
    onChange(picked === "" ? undefined : (choices.find((each) => String(each) === picked) ?? picked));
  };
  const selected = value === undefined || value === null ? "" : shown(value, "choice");
  return html`<select class="select" value=${selected} onChange=${onPick} ...${attributes}>
    <option value="" selected=${selected === ""}>${defaultWords(field)}</option>
    ${choices.map((each) => html`<option value=${String(each)} selected=${selected === String(each)}>
      ${word(each)}</option>`)}
    ${isOdd && html`<option value=${selected} selected>${selected} (not known)</option>`}
  </select>`;
}

/** @param {ControlProps} props */
export function ListControl({ field, value, onChange, attributes, suggestions }) {
  const isOpen = !field.choices.length || field.choices.length > CHOICES_SHOWN || hasOdd(field, value);
  if (isOpen) return html`<${TextControl} field=${field} value=${value} onChange=${onChange} attributes=${attributes}
    suggestions=${suggestions} />`;
  const chosen = asList(value ?? field.fallback ?? []);
  const toggle = (/** @type {unknown} */ each) => {
    const next = field.choices.filter((one) => chosen.includes(one) !== (one === each));
    onChange(next.length ? next : undefined);
  };
  return html`<div class=${`ticks ${value === undefined ? "is-default" : ""}`} role="group" aria-label=${field.label}
    aria-describedby=${attributes?.["aria-describedby"]}>
    ${field.choices.map((each, number) => html`<label class="tick" key=${String(each)}>
      <input type="checkbox" id=${number === 0 ? attributes?.id : undefined} checked=${chosen.includes(each)}
        onChange=${() => toggle(each)} />
      <span>${word(each)}</span>
    </label>`)}
  </div>`;
}

/** What holds when nothing is typed; an empty list or mapping says nothing. @param {Field} field */
function placeholderOf({ fallback, kind }) {
  const isEmpty = typeof fallback === "object" && fallback !== null && !Object.keys(fallback).length;
  return isEmpty ? "" : shown(fallback, kind);
}

/** @param {Field} field @param {any} value */
function hasOdd(field, value) {
  return asList(value ?? []).some((each) => !field.choices.includes(each));
}

/** One value is a list of one. @param {any} value @returns {unknown[]} */
function asList(value) {
  return Array.isArray(value) ? value : [value];
}

/** @param {unknown} value */
function word(value) {
  return value === true ? "yes" : value === false ? "no" : String(value);
}

/** @param {Field} field */
function defaultWords({ fallback, isRequired }) {
  if (isRequired) return "choose …";
  if (fallback === undefined || fallback === null) return "left out";
  return `${typeof fallback === "boolean" ? word(fallback) : shown(fallback, "choice")} (default)`;
}
