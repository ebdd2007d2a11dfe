// @ts-check
/** A sign that something is on its way; it waits a moment, so that what comes at once does not flicker. */

import { html, useEffect, useState } from "../preact.js";

const PATIENCE_MS = 120;

/** @param {{children?: any, rows?: number}} props */
export function Loading({ children = "Loading", rows = 0 }) {
  const [isShown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  return html`<div class="loading" role="status" aria-busy="true">
    ${isShown && html`<p><span class="spinner" aria-hidden="true"></span> ${children} …</p>`}
    ${isShown && Array.from({ length: rows }, () => html`<div class="loading-row" aria-hidden="true"></div>`)}
  </div>`;
}
