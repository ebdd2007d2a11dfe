// @ts-check
/**
 * A table of cells, modules down and blocks across, built once for a model and then only repainted: choosing
 * another candidate touches the cells that differ. Arrow keys move between cells, as in any grid.
 */

import { html, useEffect, useLayoutEffect, useRef } from "../preact.js";
import { placeKey } from "./layer-grid.js";

/**
 * @typedef {import("./layer-grid.js").LayerGrid} LayerGrid
 * @typedef {{text: string, fill: string | null, ink: string, mark: string}} Face  mark: a class, "" for none
 * @typedef {{
 *   values: (number | null)[], rows: (number | null)[], most: number, format: (value: number) => string, label: string,
 * }} Bars
 * @typedef {{current: Pick<BlockGridProps, "onPoint" | "tell">}} Latest
 * @typedef {{
 *   grid: LayerGrid, faces: Face[], chosen: number | null, onPoint: (cell: number | null) => void,
 *   tell: (cell: number) => string, label: string, bars?: Bars | null,
 * }} BlockGridProps
 */

const TEXT_WIDTH = 15; // pixels that a number in a cell needs
const PHONE = 480;
const LEAST = 3.5; // pixels of a cell: enough to see where the dark ones are

/** @param {BlockGridProps} props */
export function BlockGrid({ grid, faces, chosen, onPoint, tell, label, bars = null }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const drawn = useRef(/** @type {Drawn | null} */ (null));
  const latest = useRef({ onPoint, tell });
  latest.current = { onPoint, tell };

  useLayoutEffect(() => {
    if (!box.current) return undefined;
    const made = new Drawn(grid, label, latest);
    drawn.current = made;
    box.current.replaceChildren(made.table);
    const watch = new ResizeObserver(([entry]) => made.fit(entry.contentRect.width));
    made.fit(box.current.clientWidth);
    watch.observe(box.current);
    return () => watch.disconnect();
  }, [grid.key]);
  useLayoutEffect(() => drawn.current?.paint(faces), [grid.key, faces]);
  useLayoutEffect(() => drawn.current?.showBars(bars), [grid.key, bars]);
  useEffect(() => drawn.current?.ring(chosen), [grid.key, chosen]);
  return html`<div class="block-grid" ref=${box}></div>`;
}

/** The table, and what it takes to change it. */
class Drawn {
  /** @param {LayerGrid} grid @param {string} label
   *  @param {Latest} latest */
  constructor(grid, label, latest) {
    this.grid = grid;
    this.latest = latest;
    this.table = make("table", { role: "grid" });
    this.table.setAttribute("aria-label", label);
    /** @type {HTMLElement[]} */
    this.cells = new Array(grid.cells.length);
    /** @type {(Face | undefined)[]} */
    this.painted = [];
    /** @type {HTMLElement | null} */
    this.ringed = null;
    this.span = Math.max(1, Math.round(grid.blocks.length / 8));
    this.build();
    this.listen();
  }

  build() {
    const { grid } = this;
    const body = make("tbody");
    this.means = grid.rows.map(() => make("td", { className: "mean" }));
    grid.rows.forEach((row, number) => body.append(this.row(row, number)));
    this.bars = grid.blocks.map(() => make("td", { className: "bar" }));
    this.table.append(this.head(), body);
    if (grid.blocks.length > 0) this.table.append(this.foot());
    const first = this.cells[0];
    if (first) first.tabIndex = 0;
  }

  head() {
    const row = make("tr");
    const count = this.grid.blocks.length;
    row.append(make("th", { scope: "col", className: "name", textContent: count ? "block" : "layer" }));
    this.heads = this.grid.blocks.map((block) => make("th", { scope: "col", title: `block ${block}` }));
    this.meanHead = make("td", { className: "mean" }); // no header: without bars there is nothing under it
    row.append(...this.heads, ...(count ? [] : [make("th", { scope: "col" })]), this.meanHead);
    const head = make("thead");
    head.append(row);
    return head;
  }

  /** @param {import("./layer-grid.js").GridRow} row @param {number} number */
  row(row, number) {
    const line = make("tr", { className: row.isOutside ? "outside" : "" });
    line.append(make("th", { scope: "row", className: "name", textContent: row.label, title: row.title }));
    const count = Math.max(1, this.grid.blocks.length);
    if (row.isOutside) {
      const only = this.cell(number, null);
      only.setAttribute("colspan", String(Math.min(this.span, count)));
      line.append(only);
      if (count > this.span) line.append(make("td", { className: "none", colSpan: count - this.span }));
    } else {
      for (let column = 0; column < count; column += 1) line.append(this.cell(number, column));
    }
    line.append(this.means?.[number] ?? "");
    return line;
  }

  /** @param {number} row @param {number | null} column @returns {HTMLElement} */
  cell(row, column) {
    const index = this.grid.at.get(placeKey(row, column));
    if (index === undefined) return make("td", { className: "none" });
    const cell = make("td", { tabIndex: -1 });
    cell.dataset.cell = String(index);
    this.cells[index] = cell;
    return cell;
  }

  foot() {
    const row = make("tr", { className: "bars" });
    this.footName = make("th", { scope: "row", className: "name", textContent: "" });
    row.append(this.footName, ...(this.bars ?? []), make("td", { className: "mean" }));
    const foot = make("tfoot");
    foot.append(row);
    return foot;
  }

  listen() {
    const { table, latest } = this;
    /** @param {Event} event */
    const note = (event) => {
      const cell = cellOf(event);
      if (cell === null) return;
      if (event.type === "focusin") this.cells[cell].setAttribute("aria-label", latest.current.tell(cell));
      latest.current.onPoint(cell);
    };
    table.addEventListener("pointerover", note);
    table.addEventListener("focusin", note);
    table.addEventListener("click", note);
    table.addEventListener("keydown", (event) => this.move(event));
  }

  /** @param {KeyboardEvent} event */
  move(event) {
    const from = cellOf(event);
    if (from === null || event.altKey || event.metaKey) return;
    const to = nextCell(this.grid, from, event);
    if (to === null) return;
    event.preventDefault();
    this.cells[to].focus();
    this.cells[to].scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** @param {Face[]} faces */
  paint(faces) {
    faces.forEach((face, index) => {
      const [cell, before] = [this.cells[index], this.painted[index]];
      if (!cell || (before && same(before, face))) return;
      if (before?.text !== face.text) cell.textContent = face.text;
      if (before?.mark !== face.mark) cell.className = face.mark;
      if (before?.fill !== face.fill) cell.style.backgroundColor = face.fill ?? "";
      if (before?.ink !== face.ink) cell.style.color = face.ink;
      this.painted[index] = face;
    });
  }

  /** @param {Bars | null} given */
  showBars(given) {
    if (!this.meanHead) return;
    this.table.classList.toggle("has-bars", given !== null);
    this.meanHead.textContent = given ? "mean" : "";
    if (this.footName) this.footName.textContent = given?.label ?? "";
    (this.bars ?? []).forEach((cell, column) => {
      const value = given?.values[column] ?? null;
      const bar = make("span");
      bar.style.height = value === null || !given ? "0" : `${Math.max(2, (100 * value) / given.most)}%`;
      cell.replaceChildren(bar);
      cell.title = value === null || !given ? "" : `block ${this.grid.blocks[column]}: ${given.format(value)}`;
    });
    (this.means ?? []).forEach((cell, row) => {
      const value = given?.rows[row] ?? null;
      cell.textContent = value === null || !given ? "" : given.format(value).replace(/ .*/, "");
    });
  }

  /** Show a ring around one cell, and let Tab come back to it. @param {number | null} chosen */
  ring(chosen) {
    const cell = chosen === null ? null : (this.cells[chosen] ?? null);
    if (cell === this.ringed) return;
    this.ringed?.removeAttribute("aria-selected");
    if (cell) {
      for (const each of this.cells) if (each && each !== cell && each.tabIndex === 0) each.tabIndex = -1;
      cell.tabIndex = 0;
      cell.setAttribute("aria-selected", "true");
    }
    this.ringed = cell;
  }

  /** Cells as wide as there is room for; on a phone as wide as a number needs, and the strip scrolls.
   *  @param {number} width */
  fit(width) {
    const count = Math.max(1, this.grid.blocks.length);
    const longest = Math.max(5, ...this.grid.rows.map((row) => row.label.length));
    const names = Math.min(Math.max(72, 7.2 * longest + 12), width < PHONE ? 104 : 200);
    const means = 46;
    const least = width < PHONE ? TEXT_WIDTH + 1 : LEAST;
    const room = (width - names - means) / count;
    const cell = Math.min(Math.max(room, least), this.grid.blocks.length ? 44 : 120);
    this.table.style.width = `${Math.floor(names + means + cell * count)}px`;
    this.table.style.setProperty("--names", `${names}px`);
    this.table.classList.toggle("is-dense", cell < TEXT_WIDTH);
    this.table.classList.toggle("is-narrow", cell < 2 * TEXT_WIDTH);
    this.table.classList.toggle("is-tiny", cell < 7);
    const step = cell < 6 ? 20 : cell < 11 ? 10 : cell < 24 ? 5 : 1;
    this.heads?.forEach((head, column) => {
      head.textContent = column % step === 0 ? String(this.grid.blocks[column]) : "";
    });
  }
}

/** @param {LayerGrid} grid @param {number} from @param {KeyboardEvent} event @returns {number | null} */
function nextCell(grid, from, event) {
  const { row, column } = grid.cells[from];
  const last = grid.blocks.length - 1;
  /** @param {number} down */
  const vertically = (down) => {
    for (let next = row + down; next >= 0 && next < grid.rows.length; next += down) {
      const places = [column, null, 0].map((each) => grid.at.get(placeKey(next, each)));
      const found = places.find((each) => each !== undefined);
      if (found !== undefined) return found;
    }
    return null;
  };
  /** @param {number} start @param {number} right */
  const across = (start, right) => {
    for (let next = start; column !== null && next >= 0 && next <= last; next += right) {
      const found = grid.at.get(placeKey(row, next));
      if (found !== undefined) return found;
    }
    return null;
  };
  switch (event.key) {
    case "ArrowUp": return vertically(-1);
    case "ArrowDown": return vertically(1);
    case "ArrowLeft": return across((column ?? 0) - 1, -1);
    case "ArrowRight": return across((column ?? 0) + 1, 1);
    case "Home": return event.ctrlKey ? 0 : across(0, 1);
    case "End": return event.ctrlKey ? grid.cells.length - 1 : across(last, -1);
    default: return null;
  }
}

/** @param {Event} event @returns {number | null} */
function cellOf(event) {
  const cell = /** @type {Element} */ (event.target).closest?.("td[data-cell]");
  return cell instanceof HTMLElement ? Number(cell.dataset.cell) : null;
}

/** @param {Face} left @param {Face} right */
function same(left, right) {
  return left.text === right.text && left.fill === right.fill && left.ink === right.ink && left.mark === right.mark;
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, any>} [properties]
 * @returns {HTMLElementTagNameMap[T]}
 */
function make(tag, properties = {}) {
  return Object.assign(document.createElement(tag), properties);
}
