// @ts-check
/** What stands where nothing is yet: why, and what to do next. */

import { html } from "../preact.js";

/** @param {{title: string, children?: any, action?: any}} props */
export function EmptyState({ title, children, action }) {
  return html`<section class="empty-state">
    <h2>${title}</h2>
    ${children && html`<div class="empty-words">${children}</div>`}
    ${action && html`<div class="empty-actions">${action}</div>`}
  </section>`;
}
