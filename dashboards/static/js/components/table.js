// @ts-check
/**
 * A table that stays fluid with thousands of rows: only those in view are drawn; headers sort, arrow keys move, Enter
 * selects.
 */

import { html, useEffect, useId, useMemo, useRef, useState } from "../preact.js";
import { Term } from "../terms.js";
import { Icon } from "./icon.js";

const ROW_HEIGHT = 36;
const VIRTUAL_FROM = 200;
const SPARE = 12; // rows drawn beyond each edge

/**
 * @typedef {{key: string, title: any, term?: string, align?: "left" | "right", render?: (row: any) => any, sort?:
 *   boolean, width?: string}} Column
 */
/** @typedef {{key: string, isDescending: boolean}} Sort */
/**
 * @typedef {{columns: Column[], rows: any[], sort?: Sort | null, onSort?: (sort: Sort) => void, selectedKey?: any,
 *   onSelect?: (row: any) => void, caption: string, rowKey: (row: any) => any, maxHeight?: number, rowClass?: (row:
 *   any) => string, empty?: any}} TableProps
 */

/** @param {TableProps} props */
export function Table({
  columns,
  rows,
  sort,
  onSort,
  selectedKey,
  onSelect,
  caption,
  rowKey,
  maxHeight = 480,
  rowClass,
  empty,
}) {
  const id = useId();
  const scroller = useRef(/** @type {HTMLElement | null} */ (null));
  const [active, setActive] = useState(-1);
  const isVirtual = rows.length > VIRTUAL_FROM;
  const [first, last] = useWindow(scroller, rows.length, isVirtual);
  const selectedAt = useMemo(
    () =>
      selectedKey === undefined || selectedKey === null ? -1 : rows.findIndex((row) => rowKey(row) === selectedKey),
    [rows, selectedKey],
  );
  useEffect(() => {
    if (selectedAt >= 0) reveal(scroller.current, selectedAt);
  }, [selectedKey]);

  const move = (/** @type {number} */ to) => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    setActive(next);
    reveal(scroller.current, next);
    scroller.current?.scrollIntoView({ block: "nearest" }); // else the row could be below the edge of the screen
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (!onSelect || event.target !== scroller.current) return;
    const from = active >= 0 ? active : selectedAt;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT) - 2);
    const to = /** @type {Record<string, number>} */ ({
      ArrowDown: from + 1,
      ArrowUp: from - 1,
      PageDown: from + page,
      PageUp: from - page,
      Home: 0,
      End: rows.length - 1,
    })[event.key];
    if (to !== undefined) move(to);
    else if ((event.key === "Enter" || event.key === " ") && rows[from] !== undefined) onSelect(rows[from]);
    else return;
    event.preventDefault();
  };
  const body = [];
  for (let at = first; at < last; at += 1) {
    const row = rows[at];
    const classes = `${at === active ? "active" : ""} ${onSelect ? "selectable" : ""} ${rowClass?.(row) ?? ""}`;
    body.push(html`<tr key=${rowKey(row)} id=${`${id}-${at}`} aria-rowindex=${at + 2} class=${classes}
        aria-selected=${onSelect ? (at === selectedAt ? "true" : "false") : undefined}
        onClick=${onSelect && (() => (setActive(at), onSelect(row)))}>
      ${columns.map((column) => html`<td key=${column.key} class=${column.align === "right" ? "right" : ""}>
        ${column.render ? column.render(row) : row[column.key]}</td>`)}
    </tr>`);
  }
  return html`<div class="table-scroller" ref=${scroller} tabindex="0" role=${onSelect ? undefined : "group"}
      aria-label=${onSelect ? undefined : caption}
      style=${{ maxHeight: `${maxHeight}px` }} onKeyDown=${onKeyDown} onBlur=${() => setActive(-1)}>
    <table class=${`table ${isVirtual ? "virtual" : ""}`} role=${onSelect ? "grid" : undefined}
        aria-rowcount=${rows.length + 1}>
      <caption class="unseen">${caption}</caption>
      <thead><tr aria-rowindex="1">${columns.map((column) => html`<${Header} key=${column.key} column=${column}
          sort=${sort} onSort=${onSort} />`)}</tr></thead>
      <tbody>
        ${first > 0 && html`<tr class="spacer" aria-hidden="true">
          <td colspan=${columns.length} style=${{ height: `${first * ROW_HEIGHT}px` }}></td></tr>`}
        ${body}
        ${last < rows.length && html`<tr class="spacer" aria-hidden="true">
          <td colspan=${columns.length} style=${{ height: `${(rows.length - last) * ROW_HEIGHT}px` }}></td></tr>`}
        ${rows.length === 0 && html`<tr><td class="table-empty" colspan=${columns.length}>
          ${empty ?? "Nothing here yet."}</td></tr>`}
      </tbody>
    </table>
  </div>`;
}

/** @param {{column: Column, sort?: Sort | null, onSort?: (sort: Sort) => void}} props */
function Header({ column, sort, onSort }) {
  const isSorted = sort?.key === column.key;
  const words = column.term ? html`<${Term} name=${column.term}>${column.title}</${Term}>` : column.title;
  const direction = isSorted ? (sort.isDescending ? "descending" : "ascending") : undefined;
  const change = () => onSort?.({ key: column.key, isDescending: isSorted ? !sort.isDescending : false });
  const arrow = html`<${Icon} name=${isSorted && sort.isDescending ? "down" : "up"} />`;
  return html`<th scope="col" class=${column.align === "right" ? "right" : ""} aria-sort=${direction}
      style=${column.width ? { width: column.width } : undefined}>
    ${words}${
      column.sort &&
      onSort &&
      html`<button type="button" class=${`sort ${isSorted ? "sorted" : ""}`} onClick=${change}
      aria-label=${`Sort by ${typeof column.title === "string" ? column.title : column.key}`}>${arrow}</button>`
    }
  </th>`;
}

/**
 * Which rows to draw.
 * @param {{current: HTMLElement | null}} scroller
 * @param {number} count
 * @param {boolean} isVirtual
 * @returns {[number, number]}
 */
function useWindow(scroller, count, isVirtual) {
  const [seen, setSeen] = useState({ top: 0, height: 600 });
  useEffect(() => {
    const element = scroller.current;
    if (element === null || !isVirtual) return undefined;
    let frame = 0;
    const look = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() =>
        setSeen({
          top: Math.floor(element.scrollTop / (4 * ROW_HEIGHT)) * 4 * ROW_HEIGHT,
          height: element.clientHeight,
        }),
      );
    };
    look();
    element.addEventListener("scroll", look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      cancelAnimationFrame(frame);
      element.removeEventListener("scroll", look);
      observer.disconnect();
    };
  }, [isVirtual]);
  if (!isVirtual) return [0, count];
  const first = Math.max(0, Math.min(count, Math.floor(seen.top / ROW_HEIGHT)) - SPARE);
  return [first, Math.min(count, first + Math.ceil(seen.height / ROW_HEIGHT) + 2 * SPARE + 4)];
}

/**
 * Scroll the table, and nothing else, so that a row is in view.
 * @param {HTMLElement | null} scroller
 * @param {number} at
 */
function reveal(scroller, at) {
  if (scroller === null) return;
  const head = scroller.querySelector("thead")?.clientHeight ?? ROW_HEIGHT;
  const top = at * ROW_HEIGHT;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + ROW_HEIGHT + head > scroller.scrollTop + scroller.clientHeight)
    scroller.scrollTop = top + ROW_HEIGHT + head - scroller.clientHeight;
}
