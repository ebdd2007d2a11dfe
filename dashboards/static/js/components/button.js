// @ts-check
/** Buttons and links that look like them: one primary thing to do, quiet others, and danger where something is lost. */

import { href } from "../router.js";
import { html } from "../preact.js";
import { Icon } from "./icon.js";

/**
 * @typedef {{kind?: "primary" | "plain" | "quiet" | "danger", busy?: boolean, icon?: string, small?: boolean, class?:
 *   string, disabled?: boolean, children?: any, [attribute: string]: any}} ButtonProps
 */

/** @param {ButtonProps} props */
export function Button({ kind = "plain", busy = false, icon, small, class: extra = "", disabled, children, ...rest }) {
  const isBare = children === undefined || children === null;
  const classes = `button ${kind} ${small ? "small" : ""} ${isBare ? "bare" : ""} ${extra}`;
  return html`<button type="button" class=${classes} disabled=${disabled || busy} aria-busy=${busy ? "true" : undefined}
      ...${rest}>
    ${busy ? html`<span class="spinner" aria-hidden="true"></span>` : icon && html`<${Icon} name=${icon} />`}
    ${!isBare && html`<span>${children}</span>`}
  </button>`;
}

/** @param {ButtonProps & {to: string, query?: import("../router.js").QueryChanges}} props */
export function ButtonLink({ to, query, kind = "plain", icon, small, class: extra = "", children, ...rest }) {
  return html`<a class=${`button ${kind} ${small ? "small" : ""} ${extra}`} href=${href(to, query)} ...${rest}>
    ${icon && html`<${Icon} name=${icon} />`}<span>${children}</span>
  </a>`;
}
