// @ts-check
/** Tabs as ARIA has them: arrow keys move, the panel that is shown is `<div role="tabpanel" id="panel-VALUE">`. */

import { html, useRef } from "../preact.js";

/**
 * @param {{tabs: {value: string, label: any, count?: any}[], value: string, onChange: (value: string) => void, label?:
 *   string}} props
 */
export function Tabs({ tabs, value, onChange, label = "Sections" }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const at = tabs.findIndex((tab) => tab.value === value);
    const to = /** @type {Record<string, number>} */ ({
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      Home: 0,
      End: tabs.length - 1,
    })[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    onChange(tabs[next].value);
    /** @type {HTMLElement | undefined} */ (list.current?.querySelectorAll("[role=tab]")[next])?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} ref=${list} onKeyDown=${onKeyDown}>
    ${tabs.map(
      (tab) => html`<button type="button" role="tab" key=${tab.value} id=${`tab-${tab.value}`} class="tab"
        aria-selected=${tab.value === value ? "true" : "false"}
        aria-controls=${tab.value === value ? `panel-${tab.value}` : undefined}
        tabindex=${tab.value === value ? 0 : -1} onClick=${() => onChange(tab.value)}>
      ${tab.label}${tab.count !== undefined && html`<span class="tab-count">${tab.count}</span>`}
    </button>`,
    )}
  </div>`;
}

/** What a tab shows. @param {{value: string, children?: any}} props */
export function TabPanel({ value, children }) {
  return html`<div role="tabpanel" id=${`panel-${value}`} aria-labelledby=${`tab-${value}`} tabindex="-1">
    ${children}</div>`;
}
