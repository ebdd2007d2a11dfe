// @ts-check
/** Which jobs are shown: words, state, model and owner, all kept in the address. */

import { Button } from "../components/button.js";
import { Select } from "../components/field.js";
import { Icon } from "../components/icon.js";
import { html, useEffect, useRef, useState } from "../preact.js";
import { STATES } from "../states.js";
import { FILTERS, ORDERS, orderOf, orderText } from "./query.js";
import { shortModel } from "./words.js";

const TYPING_MS = 250;

/** @typedef {import("../router.js").QueryChanges} QueryChanges */

/**
 * @param {{query: Record<string, string>, setQuery: (changes: QueryChanges) => void, models: string[], owners:
 *   string[]}} props
 */
export function Filters({ query, setQuery, models, owners }) {
  const isFiltered = FILTERS.some((name) => query[name]);
  const order = orderOf(query.sort);
  const states = [
    { value: "", label: "Any state" },
    { value: "active", label: "Under way" },
    ...STATES.map((value) => ({ value })),
  ];
  const any = (
    /** @type {string} */ label,
    /** @type {string[]} */ values,
    show = (/** @type {string} */ value) => value,
  ) => [{ value: "", label }, ...values.map((value) => ({ value, label: show(value) }))];
  const byKey = (/** @type {string} */ key) =>
    setQuery({ sort: orderText({ key, isDescending: ORDERS[key].isDescending }) });
  return html`<form class="filters" role="search" aria-label="Jobs"
      onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <${Search} value=${query.search ?? ""} onInput=${(/** @type {string} */ search) => setQuery({ search })} />
    <${Select} label="State" value=${query.state ?? ""} options=${states}
        onChange=${(/** @type {string} */ state) => setQuery({ state })} />
    ${
      (models.length > 1 || query.model) &&
      html`<${Select} label="Model" value=${query.model ?? ""} options=${any("Any model", models, shortModel)}
      onChange=${(/** @type {string} */ model) => setQuery({ model })} />`
    }
    ${
      (owners.length > 1 || query.owner) &&
      html`<${Select} label="Owner" value=${query.owner ?? ""} options=${any("Any owner", owners)}
      onChange=${(/** @type {string} */ owner) => setQuery({ owner })} />`
    }
    <${Select} label="Order" class="filter-order" value=${order.key}
        options=${Object.entries(ORDERS).map(([value, { title }]) => ({ value, label: title }))} onChange=${byKey} />
    ${isFiltered && html`<${Button} kind="quiet" icon="close"
    onClick=${() => setQuery(Object.fromEntries(FILTERS.map((name) => [name, null])))}>Clear</${Button}>`}
  </form>`;
}

/** Searches once the typing rests. @param {{value: string, onInput: (value: string) => void}} props */
function Search({ value, onInput }) {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  useEffect(() => {
    if (value !== sent.current) setText(value); // from the address: back, or cleared
    sent.current = value;
  }, [value]);
  useEffect(() => {
    if (text === sent.current) return undefined;
    const timer = setTimeout(() => ((sent.current = text), onInput(text)), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<div class="search">
    <${Icon} name="search" />
    <input class="input" type="search" aria-label="Search in names, notes, models and ids" placeholder="Search"
        value=${text}
      onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
  </div>`;
}
