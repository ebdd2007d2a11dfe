// @ts-check
/** A button that opens a few actions; it stands above everything, so that no scroll box cuts it off. */

import { html, useId, useRef, useState } from "../preact.js";
import { Icon } from "./icon.js";

const GAP = 4;

/**
 * @typedef {{label: any, icon?: string, onClick?: () => void, href?: string, disabled?: boolean, danger?: boolean,
 *   title?: string} | null | false} MenuItem
 */

/** @param {{label: string, items: MenuItem[], icon?: string, children?: any, kind?: string}} props */
export function Menu({ label, items, icon = "more", children, kind = "quiet" }) {
  const id = useId();
  const button = useRef(/** @type {HTMLElement | null} */ (null));
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const [isOpen, setOpen] = useState(false);
  const entries = () =>
    /** @type {HTMLElement[]} */ ([
      ...(list.current?.querySelectorAll("[role=menuitem]:not([aria-disabled=true])") ?? []),
    ]);
  const onToggle = (/** @type {any} */ event) => {
    const opened = event.newState === "open";
    setOpen(opened);
    if (!opened) return;
    place(button.current, list.current);
    entries()[0]?.focus();
  };
  const close = () => {
    list.current?.hidePopover();
    button.current?.focus();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const all = entries();
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = /** @type {Record<string, number>} */ ({ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 })[
      event.key
    ];
    if (event.key === "Tab") return close();
    if (to === undefined) return;
    event.preventDefault();
    all[(to + all.length) % all.length]?.focus();
  };
  const act = (/** @type {any} */ item) => () => {
    if (item.disabled) return;
    close();
    item.onClick?.();
  };
  return html`<span class="menu">
    <button type="button" ref=${button} class=${`button ${kind} ${children ? "" : "bare"}`}
        aria-label=${children ? undefined : label} aria-haspopup="menu"
        aria-expanded=${isOpen ? "true" : "false"} popovertarget=${id}>
      ${children && html`<span>${children}</span>`}<${Icon} name=${icon} />
    </button>
    <div id=${id} ref=${list} popover="auto" class="menu-list" role="menu" aria-label=${label} onToggle=${onToggle}
        onKeyDown=${onKeyDown}>
      ${items.map((item) => item && entry(item, act(item)))}
    </div>
  </span>`;
}

/** @param {Exclude<MenuItem, null | false>} item @param {() => void} onClick */
function entry(item, onClick) {
  const words = html`${item.icon && html`<${Icon} name=${item.icon} />`}<span>${item.label}</span>`;
  const classes = `menu-item ${item.danger ? "danger" : ""}`;
  if (item.href)
    return html`<a class=${classes} role="menuitem" tabindex="-1" href=${item.href} onClick=${onClick}>${words}</a>`;
  return html`<button type="button" class=${classes} role="menuitem" tabindex="-1" title=${item.title}
      aria-disabled=${item.disabled ? "true" : undefined} onClick=${onClick}>${words}</button>`;
}

/**
 * Under the button, its right edge in line, and never off the screen.
 * @param {HTMLElement | null} button
 * @param {HTMLElement | null} list
 */
function place(button, list) {
  if (button === null || list === null) return;
  const at = button.getBoundingClientRect();
  const size = list.getBoundingClientRect();
  const below = at.bottom + GAP;
  list.style.left = `${Math.max(GAP, Math.min(at.right - size.width, innerWidth - size.width - GAP))}px`;
  list.style.top = `${below + size.height <= innerHeight ? below : Math.max(GAP, at.top - size.height - GAP)}px`;
}
