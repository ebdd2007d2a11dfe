// @ts-check
/** The budget: one limit or several that hold together, each with one value, some values, or a spread of them. */

import { Button, Field, Segmented } from "../components/index.js";
import { html } from "../preact.js";
import { inMode, LIMITS, modeOf, moved } from "./budget.js";
import { useForm } from "./context.js";
import { TextControl } from "./controls.js";
import { messages, WholeFaults } from "./field-view.js";
import { faultsWithin } from "./locate.js";
import { placeId } from "./places.js";
import { labelOf } from "./schema.js";
import { getIn } from "./values.js";
import { isMapping } from "./yaml-tree.js";

/** @typedef {import("./budget.js").Mode} Mode @typedef {import("./yaml-tree.js").Path} Path */

const PATH = ["budget"];
const USUAL = "nominal_bits_per_weight";
/** @type {{value: Mode, label: string, title: string}[]} */
const MODES = [
  { value: "one", label: "One value", title: "One answer" },
  { value: "several", label: "Several", title: "A front: an answer at each value" },
  { value: "spread", label: "Spread", title: "A front: answers at evenly spread values" },
];

export function BudgetEditor() {
  const form = useForm();
  const budget = getIn(form.value, PATH);
  const limits = isMapping(budget) ? Object.entries(budget) : [];
  const names = form.catalogue.budgets.map((entry) => entry.name);
  const unused = names.filter((name) => !limits.some(([used]) => used === name));
  const isFront = limits.some(([, value]) => modeOf(value) !== "one");
  const rename = (/** @type {string} */ from, /** @type {string} */ to) => {
    const { [from]: before, [to]: after } = form.ranges;
    const next = limits.map(([name, value]) => (
      name === from ? [to, moved(to, inMode(value, "one"), before, after)] : [name, value]));
    form.change(PATH, Object.fromEntries(next));
  };
  return html`<fieldset class="at budget" id=${placeId(PATH)}>
    <legend>Hard limits</legend>
    <p class="hint">No answer exceeds them by one byte. ${isFront ? "Several values make one job for a whole front."
      : "Give one limit several values for a whole front."}</p>
    <${WholeFaults} path=${PATH} own=${limits.map(([name]) => name)} />
    ${limits.map(([name, value]) => html`<${Limit} key=${name} name=${name} value=${value} names=${[name, ...unused]}
      rename=${rename} />`)}
    ${unused.length > 0 && html`<${Button} small icon="plus"
      onClick=${() => form.change([...PATH, nextOf(unused)], firstValue(nextOf(unused), form.ranges))}>
      ${limits.length ? "Another limit" : "A limit"}</${Button}>`}
  </fieldset>`;
}

/** @param {{name: string, value: any, names: string[], rename: (from: string, to: string) => void}} props */
function Limit({ name, value, names, rename }) {
  const form = useForm();
  const path = [...PATH, name];
  const mode = modeOf(value);
  const range = form.ranges[name];
  const pick = (/** @type {any} */ event) => rename(name, event.currentTarget.value);
  const error = messages(faultsWithin(form.faults, path));
  return html`<div class="limit">
    <div class="limit-head">
      <select class="select" aria-label="What is limited" value=${name} onChange=${pick}>
        ${names.map((each) => html`<option key=${each} value=${each} selected=${each === name}>
          ${wordsOf(each).label}</option>`)}
      </select>
      <${Segmented} small label=${`How many values of ${wordsOf(name).label}`} options=${MODES} value=${mode}
        onChange=${(/** @type {Mode} */ next) => form.change(path, inMode(value, next, range))} />
      <${Button} kind="quiet" small icon="delete" aria-label=${`Take out the limit ${wordsOf(name).label}`}
        onClick=${() => form.change(path, undefined)} />
    </div>
    <div class="limit-values" id=${placeId(path)}>
      ${mode === "spread" ? html`<${Spread} path=${path} range=${range} />`
        : html`<${Field} label=${mode === "one" ? boundWords(name) : "Values, with commas"} error=${error}
          hint=${rangeWords(name, range)}>
        ${(/** @type {any} */ attributes) => html`<${TextControl} attributes=${attributes} value=${value}
          field=${valueField(path, mode)}
          onChange=${(/** @type {unknown} */ changed) => form.change(path, changed ?? (mode === "one" ? "" : []))} />`}
      </${Field}>`}
      ${mode === "spread" && error && html`<p class="error">${error}</p>`}
    </div>
  </div>`;
}

/** @param {{path: Path, range: import("./budget.js").Range | undefined}} props */
function Spread({ path, range }) {
  const form = useForm();
  const ends = { points: "", from: range?.smallest ?? "smallest", to: range?.largest ?? "largest" };
  return html`<div class="fields spread">
    ${Object.entries(ends).map(([key, fallback]) => html`<${Field} key=${key} label=${labelOf(key)}>
      ${(/** @type {any} */ attributes) => html`<${TextControl} attributes=${attributes}
        value=${getIn(form.value, [...path, key])}
        field=${{ ...valueField([...path, key], "one"), fallback }}
        onChange=${(/** @type {unknown} */ changed) => form.change([...path, key], changed)} />`}
    </${Field}>`)}
  </div>`;
}

/** @param {Path} path @param {Mode} mode @returns {import("./schema.js").Field} */
function valueField(path, mode) {
  const name = String(path[1]);
  return {
    path, key: name, label: name, hint: "", kind: mode === "several" ? "list" : "number", isRequired: true,
    fallback: path.length > 2 ? undefined : wordsOf(name).example, choices: [], fields: [],
    minimum: null, maximum: null, of: "number",
  };
}

/** @param {string} name */
export function wordsOf(name) {
  return LIMITS[name] ?? { label: labelOf(name), hint: "", example: "" };
}

/** @param {string} name */
function boundWords(name) {
  return name.startsWith("dropped_") ? "At least" : "At most";
}

/** @param {string} name @param {import("./budget.js").Range | undefined} range */
function rangeWords(name, range) {
  const { hint } = wordsOf(name);
  return range ? `${hint}; feasible: ${range.smallest} to ${range.largest}` : hint;
}

/** @param {string[]} unused */
function nextOf(unused) {
  return unused.includes(USUAL) ? USUAL : unused[0];
}

/** @param {string} name @param {Record<string, import("./budget.js").Range>} ranges */
function firstValue(name, ranges) {
  return name === USUAL ? 3 : moved(name, undefined, undefined, ranges[name]);
}
