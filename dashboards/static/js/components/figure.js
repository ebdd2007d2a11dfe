// @ts-check
/** A picture with its name above it and what it shows below. */

import { html, useId } from "../preact.js";

/** @param {{title?: any, caption?: any, actions?: any, children?: any, class?: string}} props */
export function Figure({ title, caption, actions, children, class: extra = "" }) {
  const id = useId();
  return html`<figure class=${`figure ${extra}`} aria-labelledby=${title ? id : undefined}>
    ${
      (title || actions) &&
      html`<div class="figure-header">
      ${title && html`<h3 id=${id}>${title}</h3>`}
      ${actions && html`<div class="card-actions">${actions}</div>`}
    </div>`
    }
    ${children}
    ${caption && html`<figcaption>${caption}</figcaption>`}
  </figure>`;
}
