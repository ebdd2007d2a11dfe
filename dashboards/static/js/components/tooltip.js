// @ts-check
/** A sentence beside what it explains, on hover and on focus; screen readers hear it as its description. */

import { html, useEffect, useId, useRef } from "../preact.js";

const GAP = 8;
const DELAY_MS = 120;

/** @param {{text: string, children?: any}} props */
export function Tooltip({ text, children }) {
  const id = useId();
  const anchor = useRef(/** @type {HTMLElement | null} */ (null));
  const bubble = useRef(/** @type {HTMLElement | null} */ (null));
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  useEffect(() => {
    const target = anchor.current?.querySelector("[tabindex], button, a[href], input, select") ?? anchor.current;
    target?.setAttribute("aria-describedby", id);
    return () => clearTimeout(timer.current);
  }, [id]);
  const show = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => place(anchor.current, bubble.current), DELAY_MS);
  };
  const hide = () => {
    clearTimeout(timer.current);
    if (bubble.current?.matches(":popover-open")) bubble.current.hidePopover();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && hide();
  return html`<span class="tooltip-anchor" ref=${anchor} onMouseEnter=${show} onMouseLeave=${hide} onFocusIn=${show}
      onFocusOut=${hide} onKeyDown=${onKeyDown}>
    ${children}
    <span class="tooltip" id=${id} ref=${bubble} role="tooltip" popover="manual">${text}</span>
  </span>`;
}

/**
 * Above the anchor where there is room, else below; never off the screen.
 * @param {HTMLElement | null} anchor
 * @param {HTMLElement | null} bubble
 */
function place(anchor, bubble) {
  if (anchor === null || bubble === null || !anchor.isConnected) return;
  bubble.showPopover();
  const at = anchor.getBoundingClientRect();
  const size = bubble.getBoundingClientRect();
  const left = Math.min(Math.max(GAP, at.left + at.width / 2 - size.width / 2), innerWidth - size.width - GAP);
  const top = at.top - size.height - GAP;
  bubble.style.left = `${Math.max(GAP, left)}px`;
  bubble.style.top = `${top >= GAP ? top : at.bottom + GAP}px`;
}
