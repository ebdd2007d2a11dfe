// @ts-check
/** The lines of `space.options`: what may be done to a layer. Each is added, changed, doubled and taken out here. */

import { Button } from "../components/index.js";
import { html } from "../preact.js";
import { useForm } from "./context.js";
import { FieldView, WholeFaults } from "./field-view.js";
import { placeId } from "./places.js";
import { labelOf } from "./schema.js";
import { settingField } from "./settings.js";
import { getIn } from "./values.js";
import { plain } from "./words.js";
import { isMapping } from "./yaml-tree.js";

/**
 * @typedef {import("./settings.js").Entry} Entry
 * @typedef {import("./schema.js").Field} Field
 */

const PATH = ["space", "options"];
const ALWAYS = "keep"; // open to every layer without being listed
const LESS_OFTEN = new Set(["layers", "indivisible", "symmetric"]);
// What is usual; anything else may be typed.
/** @type {Record<string, unknown[]>} */
const SUGGESTIONS = { solver: ["gptq", "rtn"], group_size: ["32", "64", "128", "channel"],
  parts: ["attention, mlp", "attention", "mlp", "block"] };
/** @type {Record<string, string>} */
const HINTS = {
  layers: "globs of layer names, such as *.down_proj", group_size: "weights that share a scale",
    parts: "attention, mlp or block",
  symmetric: "without zero points", solver: "what picks the codes", indivisible: "where no whole groups fit",
};
/** @type {Record<string, unknown>} */
const FIRST = { bits: [2, 3, 4, 5, 6, 8] };

export function OptionsEditor() {
  const form = useForm();
  const value = getIn(form.value, PATH);
  const lines = Array.isArray(value) ? value : [];
  const kinds = form.catalogue.options.filter((entry) => entry.name !== ALWAYS);
  const add = (/** @type {unknown} */ line) => (Array.isArray(value)
    ? form.change([...PATH, lines.length], line) : form.change(PATH, [line]));
  return html`<fieldset class="at options" id=${placeId(PATH)}>
    <legend>What may be done to a layer</legend>
    <p class="hint">To leave a layer as it is (<code>keep</code>) is always open to it.</p>
    <${WholeFaults} path=${PATH} own=${lines.map((_, number) => String(number))} />
    <ol class="option-lines">
      ${lines.map((line, number) => html`<${OptionLine} key=${number} line=${line} number=${number} kinds=${kinds}
        onDouble=${() => add(line)} />`)}
    </ol>
    <div class="option-add">
      ${kinds.map((entry) => html`<${Button} key=${entry.name} small icon="plus" title=${entry.summary}
        onClick=${() => add(lineOf(entry))}>${labelOf(entry.name)}</${Button}>`)}
    </div>
  </fieldset>`;
}

/** @param {{line: any, number: number, kinds: Entry[], onDouble: () => void}} props */
function OptionLine({ line, number, kinds, onDouble }) {
  const form = useForm();
  const path = [...PATH, number];
  const kind = isMapping(line) ? String(line.kind ?? "") : "";
  const entry = kinds.find((each) => each.name === kind);
  const fields = fieldsOf(entry, line, path);
  const often = fields.filter((field) => !LESS_OFTEN.has(field.key));
  const rest = fields.filter((field) => LESS_OFTEN.has(field.key));
  const pick = (/** @type {any} */ event) =>
    form.change(path, changedKind(line, kinds.find((each) => each.name === event.currentTarget.value)));
  return html`<li class="at option-line" id=${placeId(path)}>
    <div class="option-head">
      <select class="select" aria-label=${`Kind of option ${number + 1}`} id=${placeId([...path, "kind"])}
        value=${kind} onChange=${pick}>
        ${!entry && html`<option value=${kind} selected>${kind || "choose …"}</option>`}
        ${kinds.map((each) => html`<option key=${each.name} value=${each.name} selected=${each.name === kind}>
          ${labelOf(each.name)}</option>`)}
      </select>
      <span class="summary">${plain(entry?.summary)}</span>
      <span class="option-verbs">
        <${Button} kind="quiet" small icon="clone" aria-label=${`Double option ${number + 1}`} title="Double"
          onClick=${onDouble} />
        <${Button} kind="quiet" small icon="delete" aria-label=${`Take out option ${number + 1}`} title="Take out"
          onClick=${() => form.change(path, undefined)} />
      </span>
    </div>
    <${WholeFaults} path=${path} own=${fields.map((field) => field.key)} />
    <div class="fields">${[...often, ...rest].map((field) => html`<${FieldView} key=${field.key} field=${field}
      suggestions=${SUGGESTIONS[field.key]} />`)}</div>
  </li>`;
}

/**
 * The settings of the kind, and whatever else stands in the line.
 * @param {Entry | undefined} entry @param {any} line @param {import("./yaml-tree.js").Path} path @returns {Field[]}
 */
function fieldsOf(entry, line, path) {
  const settings = entry?.settings ?? [];
  const known = new Set(["kind", ...settings.map((setting) => setting.name)]);
  const others = isMapping(line) ? Object.keys(line).filter((key) => !known.has(key)) : [];
  return [
    ...settings.map((setting) => ({ ...settingField(setting, [...path, setting.name]),
      hint: HINTS[setting.name] ?? "" })),
    ...others.map((key) => settingField({ name: key, type: "any", default: undefined, is_required: false },
      [...path, key])),
  ];
}

/** A new line: what its kind needs. @param {Entry} entry @returns {Record<string, unknown>} */
function lineOf(entry) {
  const needed = entry.settings.filter((setting) => setting.is_required);
  const values = needed.map((setting) => [setting.name, FIRST[setting.name] ?? settingField(setting, []).choices]);
  return { kind: entry.name, ...Object.fromEntries(values) };
}

/** The line as another kind: what both know is kept. @param {any} line @param {Entry | undefined} entry */
function changedKind(line, entry) {
  if (!entry) return line;
  const known = new Set(entry.settings.map((setting) => setting.name));
  const kept = isMapping(line) ? Object.entries(line).filter(([key]) => known.has(key)) : [];
  return { ...lineOf(entry), ...Object.fromEntries(kept) };
}
