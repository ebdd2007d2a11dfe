// @ts-check
/** One field of the job, whatever it holds: a plain control, a group, rows, or something named with its settings. */

import { Button, Field } from "../components/index.js";
import { html } from "../preact.js";
import { FormContext, useForm } from "./context.js";
import { ChoiceControl, ListControl, TextControl } from "./controls.js";
import { faultsAt, faultsWithin } from "./locate.js";
import { chooseNamed, nameOf, readNamed, withSetting } from "./named.js";
import { placeId } from "./places.js";
import { settingField } from "./settings.js";
import { getIn, putIn } from "./values.js";
import { plain, shown } from "./words.js";

/**
 * @typedef {import("./schema.js").Field} FieldOf
 * @typedef {import("./yaml-tree.js").Path} Path
 * @typedef {import("./settings.js").Entry} Entry
 */

/** @type {Record<string, any>} */
const CONTROLS = { choice: ChoiceControl, truth: ChoiceControl, list: ListControl };

/** @param {{field: FieldOf, label?: any, suggestions?: unknown[]}} props */
export function FieldView({ field, label, suggestions }) {
  const form = useForm();
  if (field.kind === "object") return html`<${GroupView} field=${field} />`;
  if (field.kind === "rows") return html`<${RowsView} field=${field} />`;
  if (field.kind === "named") return html`<${NamedView} path=${field.path} label=${field.label}
    fallback=${field.fallback} entries=${/** @type {any} */ (form.catalogue)[field.of ?? ""] ?? []} />`;
  const Control = CONTROLS[field.kind] ?? TextControl;
  const value = getIn(form.value, field.path);
  return html`<div class=${`at is-${field.kind} key-${field.key}`} id=${placeId(field.path)}>
    <${Field} label=${label ?? field.label} hint=${field.hint} error=${messages(faultsWithin(form.faults, field.path))}>
      ${(/** @type {any} */ attributes) => html`<${Control} field=${field} value=${value} attributes=${attributes}
        suggestions=${suggestions}
        onChange=${(/** @type {unknown} */ changed) => form.change(field.path, changed)} />`}
    </${Field}>
  </div>`;
}

/** @param {import("./locate.js").Fault[]} faults @returns {string | undefined} */
export function messages(faults) {
  return faults.length ? faults.map((fault) => fault.message).join("; ") : undefined;
}

/** Errors of something as a whole, whose fields show their own. @param {{path: Path, own?: string[]}} props */
export function WholeFaults({ path, own = [] }) {
  const { faults } = useForm();
  const found = messages(faultsAt(faults, path, new Set(own)));
  return found ? html`<p class="error whole-error">${found}</p>` : null;
}

/** @param {{field: FieldOf, first?: string[]}} props `first`: the keys in view; the others unfold */
export function GroupView({ field, first = [] }) {
  const shownFirst = first.length ? field.fields.filter((each) => first.includes(each.key)) : field.fields;
  const rest = field.fields.filter((each) => !shownFirst.includes(each));
  return html`<fieldset class="at group" id=${placeId(field.path)}>
    <legend>${field.label}</legend>
    ${field.hint && html`<p class="hint">${field.hint}</p>`}
    <${WholeFaults} path=${field.path} own=${field.fields.map((each) => each.key)} />
    <div class="fields">${shownFirst.map((each) => html`<${FieldView} key=${each.key} field=${each} />`)}</div>
    ${rest.length > 0 && html`<${MoreFields} fields=${rest} />`}
  </fieldset>`;
}

/** @param {{fields: FieldOf[], title?: string}} props */
export function MoreFields({ fields, title = "More settings" }) {
  const { value, faults } = useForm();
  const isSet = (/** @type {FieldOf} */ each) => getIn(value, each.path) !== undefined;
  const isWrong = fields.some((each) => faultsWithin(faults, each.path).length);
  const numSet = fields.filter(isSet).length;
  return html`<details class="more-fields" open=${isWrong || undefined}>
    <summary>${title} <span class="muted">${numSet ? `${numSet} of ${fields.length} set`
      : `all ${fields.length} at their defaults`}</span></summary>
    <div class="fields">${fields.map((each) => html`<${FieldView} key=${each.key} field=${each} />`)}</div>
  </details>`;
}

/** A list of mappings with the same keys, such as stages. @param {{field: FieldOf}} props */
function RowsView({ field }) {
  const form = useForm();
  const value = getIn(form.value, field.path);
  const rows = Array.isArray(value) ? value : [];
  const fallback = /** @type {any[]} */ (field.fallback ?? []);
  const change = (/** @type {any[]} */ next) => form.change(field.path, next.length ? next : undefined);
  const add = () => change(rows.length ? [...rows, { ...rows[rows.length - 1] }] : fallback.map((row) => ({ ...row })));
  return html`<fieldset class="at group rows" id=${placeId(field.path)}>
    <legend>${field.label}</legend>
    <${WholeFaults} path=${field.path} />
    ${!rows.length && html`<p class="hint">By default <code>${shown(fallback, "any")}</code></p>`}
    ${rows.map((_, number) => html`<div class="row-line" key=${number}>
      ${field.fields.map((each) => html`<${Cell} key=${each.key}
        field=${{ ...each, path: [...field.path, number, each.key] }} number=${number} />`)}
      <${Button} kind="quiet" small icon="delete" aria-label=${`Take out line ${number + 1} of ${field.label}`}
        onClick=${() => change(rows.filter((_each, at) => at !== number))} />
    </div>`)}
    <${Button} kind="quiet" small icon="plus" onClick=${add}>${rows.length ? "Add a line" : "Change them"}</${Button}>
  </fieldset>`;
}

/** @param {{field: FieldOf, number: number}} props */
function Cell({ field, number }) {
  const form = useForm();
  return html`<label class="cell" id=${placeId(field.path)}><span class="muted">${field.label}</span>
    <${TextControl} field=${field} value=${getIn(form.value, field.path)}
      attributes=${{ "aria-label": `${field.label} of line ${number + 1}` }}
      onChange=${(/** @type {unknown} */ changed) => form.change(field.path, changed)} /></label>`;
}

/** Something named in the catalogue, with what the catalogue says of it and its settings.
 *  @param {{path: Path, label: any, entries: Entry[], presets?: Entry[], fallback?: unknown, hint?: string}} props */
export function NamedView({ path, label, entries, presets = [], fallback, hint }) {
  const form = useForm();
  const value = getIn(form.value, path) ?? undefined;
  const named = readNamed(value ?? fallback, entries, presets);
  const chosen = value === undefined ? "" : nameOf(value);
  const pick = (/** @type {string} */ name) =>
    form.change(path, name === "" ? undefined : chooseNamed(value, name, entries, presets));
  const change = (/** @type {Path} */ changed, /** @type {unknown} */ given) => {
    const [key, ...rest] = changed.slice(path.length);
    form.change(path, withSetting(value, String(key), putIn(getIn(value, [key]), rest, given), named, presets));
  };
  const isPlain = typeof value === "object";
  const fields = named.settings.map((setting) => settingField(setting, [...path, setting.name]));
  const fallbackName = nameOf(fallback);
  return html`<div class="at named" id=${placeId(path)}>
    <${Field} label=${label} hint=${hint} error=${messages(faultsAt(form.faults, path,
      new Set(fields.map((each) => each.key))))}>
      ${(/** @type {any} */ attributes) => html`<select class="select" value=${chosen}
        onChange=${(/** @type {any} */ event) => pick(event.currentTarget.value)} ...${attributes}>
        <option value="" selected=${chosen === ""}>
          ${fallbackName ? `${fallbackName} (default)` : "left to the strategy"}</option>
        ${group("", entries, chosen)}${presets.length > 0 && group("Published methods", presets, chosen)}
        ${chosen && !named.isKnown && html`<option value=${chosen} selected>${chosen}</option>`}
      </select>`}
    </${Field}>
    ${named.summary && html`<p class="summary">${plain(named.summary)}</p>`}
    ${fields.length > 0 && html`<${FormContext.Provider} value=${isPlain ? form : { ...form, change }}>
      <${MoreFields} fields=${fields} title="Settings" />
    </${FormContext.Provider}>`}
  </div>`;
}

/** @param {string} title @param {Entry[]} entries @param {string} chosen */
function group(title, entries, chosen) {
  const options = entries.map((each) => html`<option key=${each.name} value=${each.name}
    selected=${each.name === chosen}>${each.name}</option>`);
  return title ? html`<optgroup label=${title}>${options}</optgroup>` : options;
}
