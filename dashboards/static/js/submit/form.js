// @ts-check
/** The whole form: the job's schema in five groups, with what the catalogue knows of each. */

import { Field } from "../components/index.js";
import { formatBytes } from "../format.js";
import { Term } from "../terms.js";
import { html, useMemo } from "../preact.js";
import { BudgetEditor } from "./budget-editor.js";
import { useForm } from "./context.js";
import { TextControl } from "./controls.js";
import { FieldView, GroupView, messages, MoreFields, NamedView, WholeFaults } from "./field-view.js";
import { faultsWithin } from "./locate.js";
import { OptionsEditor } from "./options-editor.js";
import { placeId } from "./places.js";
import { groupsOf } from "./schema.js";
import { getIn } from "./values.js";

/** @typedef {import("./schema.js").Field} FieldOf */

const SPACE_OWN = ["target", "options", "ties"]; // of a space's fields, those with a place or words of their own
const TEXT_FIRST = ["source", "tokens", "sequence_length"];
const MOST_MODELS = 6; // more of them are found by typing
/** @type {Record<string, string>} */
const TERM_OF = { space: "space", budget: "budget", strategy: "strategy" };
/** @type {Record<string, string>} */
const HINTS = {
  include: "globs of layers outside the blocks, such as lm_head", exclude: "globs of layers to leave out",
  pin: "globs with one option each, as {\"model.layers.0.*\": gptq-int8-g128-asym}", ties: "",
    seed: "of the strategy's random choices",
  tasks: "multiple-choice tasks to measure, as [{source: arc_easy, limit: 200}]; a sampler may minimise task:arc_easy",
  constraints: "rules beside the budget, as [{at_most: 3, option: \"*-int2-*\"}]",
};

/** @type {Record<string, (props: {field: FieldOf}) => any>} */
const OWN = {
  model: ModelField, calibration: TextField, validation: TextField, space: SpaceFields,
  budget: () => html`<${BudgetEditor} />`, strategy: StrategyField,
};

export function Form() {
  const { schema } = useForm();
  const groups = useMemo(() => groupsOf(schema), [schema]);
  return html`${groups.map(({ name, title, fields }) => html`<section class=${`form-group is-${name}`} key=${name}
    aria-labelledby=${`group-${name}`}>
    <h2 id=${`group-${name}`}>${TERM_OF[name] ? html`<${Term} name=${TERM_OF[name]}>${title}</${Term}>` : title}</h2>
    ${name === "more" ? html`<${More} fields=${fields} />` : html`<div class="fields">
      ${fields.map((field) => html`<${One} key=${field.key} field=${field} />`)}
    </div>`}
  </section>`)}`;
}

/** @param {{field: FieldOf}} props */
function One({ field }) {
  const Own = OWN[field.key];
  return Own ? html`<${Own} field=${field} />`
    : html`<${FieldView} field=${{ ...field, hint: field.hint || HINTS[field.key] || "" }} />`;
}

/** @param {{fields: FieldOf[]}} props */
function More({ fields }) {
  const plain = fields.filter((field) => field.kind !== "object");
  const grouped = fields.filter((field) => field.kind === "object");
  return html`<div class="fields">${plain.map((field) => html`<${One} key=${field.key} field=${field} />`)}</div>
    <${MoreFields} fields=${grouped} title="Resources, bank and evaluation" />`;
}

/** @param {{field: FieldOf}} props */
function ModelField({ field }) {
  const form = useForm();
  const value = getIn(form.value, field.path);
  const found = form.models.filter((model) => model.is_found).slice(0, MOST_MODELS);
  const change = (/** @type {unknown} */ changed) => form.change(field.path, changed);
  return html`<div class="at model" id=${placeId(field.path)}>
    <${Field} label=${field.label} hint=${field.hint} error=${messages(faultsWithin(form.faults, field.path))}>
      ${(/** @type {any} */ attributes) => html`<${TextControl} field=${field} value=${value} onChange=${change}
        attributes=${attributes}
        suggestions=${form.models.map((model) => model.path)} />`}
    </${Field}>
    ${found.length > 0 && html`<div class="models" role="group" aria-label="Models in the service's folders">
      ${found.map((model) => html`<button type="button" class="model-choice" key=${model.path} title=${model.path}
          aria-pressed=${model.path === value ? "true" : "false"} onClick=${() => change(model.path)}>
        <strong>${model.name}</strong> <span class="muted">${formatBytes(model.size_bytes)}</span>
      </button>`)}
    </div>`}
  </div>`;
}

/** @param {{field: FieldOf}} props */
function TextField({ field }) {
  const role = field.key === "calibration" ? "what the search measures on"
    : "what it never sees: answers are checked on it";
  return html`<${GroupView} field=${{ ...field, label: `${field.label} text`, hint: role }} first=${TEXT_FIRST} />`;
}

/** @param {{field: FieldOf}} props */
function SpaceFields({ field }) {
  const { catalogue, value } = useForm();
  const own = (/** @type {string} */ key) => field.fields.find((each) => each.key === key);
  const others = field.fields.filter((each) => !SPACE_OWN.includes(each.key));
  const target = own("target"), ties = own("ties");
  const chosen = target && (getIn(value, target.path) ?? target.fallback);
  const tied = ties && { ...ties, kind: /** @type {const} */ ("choice"),
    choices: catalogue.ties.map((entry) => entry.name), hint: tieWords(catalogue.ties) };
  return html`<div class="wide-field at" id=${placeId(field.path)}>
    <${WholeFaults} path=${field.path} own=${field.fields.map((each) => each.key)} />
    ${target && html`<${FieldView} field=${{ ...target,
      hint: catalogue.targets.find((entry) => entry.name === chosen)?.summary ?? target.hint }} />`}
    <${OptionsEditor} />
    <div class="fields">
      ${tied && html`<${FieldView} field=${tied} />`}
      ${others.map((each) => html`<${FieldView} key=${each.key}
        field=${{ ...each, hint: each.hint || HINTS[each.key] || "" }} />`)}
    </div>
  </div>`;
}

/** @param {import("./settings.js").Entry[]} ties */
function tieWords(ties) {
  const told = ties.filter((entry) => entry.summary).map((entry) =>
    `${entry.name}: ${entry.summary} get one option each`);
  return told.join("; ") || "layers that get one option together";
}

/** @param {{field: FieldOf}} props */
function StrategyField({ field }) {
  const { catalogue } = useForm();
  return html`<div class="wide-field"><${NamedView} path=${field.path} label="What proposes candidates"
    entries=${catalogue.strategies}
    presets=${catalogue.presets} fallback=${field.fallback} /></div>`;
}
