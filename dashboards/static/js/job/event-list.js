// @ts-check
/** Events as rows of one line, of which only those in sight are in the page; one can be opened to read it whole. */

import { formatTime } from "../format.js";
import { html, useEffect, useRef, useState } from "../preact.js";
import { eventDetail, eventText, isGrave } from "./event-text.js";

/** @typedef {import("../model.d.ts").EventView} EventView */

const ROW = 28; // pixels, as the style sheet has it
const HEIGHT = 448;
const SPARE = 8; // rows drawn beyond what is seen
const TIME = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const clock = new Intl.DateTimeFormat(undefined, TIME);

/** `onFollow(false)`: the reader scrolled away from the latest.
 *  @param {{events: EventView[], isFollowing: boolean, onFollow: (is: boolean) => void}} props */
export function EventList({ events, isFollowing, onFollow }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [top, setTop] = useState(0);
  const [opened, setOpened] = useState(/** @type {number | null} */ (null));
  const [active, setActive] = useState(/** @type {number | null} */ (null));
  const height = Math.min(HEIGHT, events.length * ROW);
  useEffect(() => {
    if (isFollowing && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [events, isFollowing]);
  const first = Math.max(0, Math.floor(top / ROW) - SPARE);
  const rows = events.slice(first, Math.ceil((top + height) / ROW) + SPARE);
  const index = active === null ? -1 : events.findIndex((event) => event.seq === active);
  const detail = opened === null ? undefined : events.find((event) => event.seq === opened);
  const toggle = (/** @type {number | null} */ seq) => setOpened(opened === seq ? null : seq);

  const scrolled = () => {
    if (!box.current) return;
    setTop(box.current.scrollTop);
    const isAtEnd = box.current.scrollHeight - box.current.scrollTop - box.current.clientHeight < ROW;
    if (isFollowing && !isAtEnd) onFollow(false);
  };
  const pressed = (/** @type {KeyboardEvent} */ event) => {
    const next = moved(event.key, index < 0 ? events.length : index, events.length, Math.floor(height / ROW));
    if (next !== null) {
      setActive(events[next].seq);
      reveal(box.current, next, height);
    } else if (event.key === "Enter" && index >= 0) toggle(active);
    else if (event.key === "Escape") setOpened(null);
    else return;
    event.preventDefault();
  };
  const isActiveDrawn = index >= first && index < first + rows.length;
  return html`
    <div class="event-list" ref=${box} style=${{ height: `${height}px` }} tabindex="0" role="listbox"
      aria-label="Events; arrow keys move, Enter opens"
      aria-activedescendant=${isActiveDrawn ? `event-${active}` : undefined} onScroll=${scrolled} onKeyDown=${pressed}>
      <div style=${{ height: `${events.length * ROW}px` }} role="presentation">
        ${rows.map((event, offset) => html`<${EventRow} key=${event.seq} event=${event} top=${(first + offset) * ROW}
          isActive=${event.seq === active} isOpen=${event.seq === opened}
          onOpen=${() => (setActive(event.seq), toggle(event.seq))} />`)}
      </div>
    </div>
    ${detail && html`<pre class="event-detail" tabindex="0" role="group" aria-label=${`event ${detail.seq}`}
      >${eventDetail(detail)}</pre>`}`;
}

/** @param {{event: EventView, top: number, isActive: boolean, isOpen: boolean, onOpen: () => void}} props */
function EventRow({ event, top, isActive, isOpen, onOpen }) {
  const name = `event-row${isGrave(event) ? " is-grave" : ""}${isActive ? " is-active" : ""}`;
  const [text, at] = [eventText(event), event.created_at];
  return html`<div id=${`event-${event.seq}`} class=${name} role="option" aria-selected=${isOpen ? "true" : "false"}
    style=${{ transform: `translateY(${top}px)` }} onClick=${onOpen}>
    <time datetime=${at} title=${formatTime(at)}>${clock.format(new Date(at))}</time>
    <span class=${`event-kind is-${event.kind}`}>${kindText(event)}</span>
    <span class="event-text" title=${text}>${text}</span>
  </div>`;
}

/** @param {EventView} event */
function kindText({ kind, payload }) {
  return kind === "log" ? String(payload.level ?? "log").toLowerCase() : kind;
}

/** @param {string} key @param {number} from @param {number} count @param {number} page @returns {number | null} */
function moved(key, from, count, page) {
  /** @type {Record<string, number>} */
  const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -count, End: count };
  return key in steps ? Math.min(count - 1, Math.max(0, from + steps[key])) : null;
}

/** @param {HTMLElement | null} box @param {number} index @param {number} height */
function reveal(box, index, height) {
  if (!box) return;
  if (index * ROW < box.scrollTop) box.scrollTop = index * ROW;
  if ((index + 1) * ROW > box.scrollTop + height) box.scrollTop = (index + 1) * ROW - height;
}
