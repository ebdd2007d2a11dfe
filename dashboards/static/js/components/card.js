// @ts-check
/** A section of a page under a heading, with its actions beside it. */

import { html, useId } from "../preact.js";

/** @param {{title?: any, actions?: any, children?: any, class?: string, level?: 2 | 3}} props */
export function Card({ title, actions, children, class: extra = "", level = 2 }) {
  const id = useId();
  return html`<section class=${`card ${extra}`} aria-labelledby=${title ? id : undefined}>
    ${
      (title || actions) &&
      html`<header class="card-header">
      ${title && (level === 2 ? html`<h2 id=${id}>${title}</h2>` : html`<h3 id=${id}>${title}</h3>`)}
      ${actions && html`<div class="card-actions">${actions}</div>`}
    </header>`
    }
    ${children}
  </section>`;
}
