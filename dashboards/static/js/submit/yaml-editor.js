// @ts-check
/**
 * The job as YAML: a plain text area with line numbers, marks at lines with errors, and a Tab key that lets people go.
 */

import { html, useId, useRef } from "../preact.js";

/** @typedef {import("./yaml-tree.js").YamlProblem} YamlProblem */

const INDENT = "  ";

/** The text area on the page, for links that lead to a line. */
const AREA = "job-yaml";

/**
 * @param {{text: string, onText: (text: string) => void, problem: YamlProblem | null,
 *   faults: {line: number | null, message: string}[]}} props
 */
export function YamlEditor({ text, onText, problem, faults }) {
  const hint = useId();
  const gutter = useRef(/** @type {HTMLElement | null} */ (null));
  const hasTyped = useRef(false); // whoever only passes by with Tab passes by
  const marks = marksOf(problem, faults);
  const onKeyDown = (/** @type {any} */ event) => {
    if (event.key === "Escape") hasTyped.current = false;
    else if (event.key === "Tab") hasTyped.current && indent(event);
    else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) breakLine(event);
  };
  const onInput = (/** @type {any} */ event) => {
    hasTyped.current = true;
    onText(event.currentTarget.value);
  };
  const onScroll = (/** @type {any} */ event) => gutter.current?.scrollTo({ top: event.currentTarget.scrollTop });
  const lines = text.split("\n");
  return html`<div class="yaml">
    <div class="yaml-box">
      <div class="yaml-gutter" aria-hidden="true" ref=${gutter}>${lines.map((_, number) => html`<span key=${number}
        class=${marks.has(number + 1) ? "is-wrong" : ""} title=${marks.get(number + 1)}>${number + 1}</span>`)}</div>
      <textarea id=${AREA} class="yaml-text" value=${text} wrap="off" spellcheck=${false} autocapitalize="off"
        autocomplete="off"
        aria-label="The job as YAML" aria-describedby=${hint} aria-invalid=${problem ? "true" : undefined}
        onInput=${onInput} onKeyDown=${onKeyDown} onBlur=${() => { hasTyped.current = false; }} onScroll=${onScroll}>
          </textarea>
    </div>
    <p class="hint" id=${hint}>Once you type, Tab indents; Escape, then Tab, leaves.</p>
  </div>`;
}

/** Put the cursor on a line. @param {number} line counted from 1 */
export function goToLine(line) {
  const area = /** @type {HTMLTextAreaElement | null} */ (document.getElementById(AREA));
  if (!area) return;
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  const height = area.scrollHeight / Math.max(lines.length, 1);
  area.scrollTop = Math.max(0, height * (line - 1) - area.clientHeight / 2);
  area.scrollIntoView({ block: "nearest" });
}

/**
 * @param {YamlProblem | null} problem @param {{line: number | null, message: string}[]} faults
 * @returns {Map<number, string>}
 */
function marksOf(problem, faults) {
  if (problem) return new Map([[problem.line, problem.message]]);
  return new Map(faults.flatMap(({ line, message }) => (line === null ? [] : [[line, message]])));
}

/** Indents the line, or the lines chosen; with Shift, takes the indent back. @param {any} event */
function indent(event) {
  event.preventDefault();
  const area = event.currentTarget;
  const { selectionStart, selectionEnd, value } = area;
  if (!event.shiftKey && selectionStart === selectionEnd) return insert(area, INDENT);
  const from = value.lastIndexOf("\n", selectionStart - 1) + 1;
  const lines = value.slice(from, selectionEnd).split("\n");
  const moved = lines.map((/** @type {string} */ line) =>
    (event.shiftKey ? line.replace(/^ {1,2}/, "") : INDENT + line)).join("\n");
  area.setSelectionRange(from, selectionEnd);
  insert(area, moved);
  area.setSelectionRange(from, from + moved.length);
}

/** A new line begins where the last one did. @param {any} event */
function breakLine(event) {
  const area = event.currentTarget;
  const before = area.value.slice(0, area.selectionStart);
  const pad = before.slice(before.lastIndexOf("\n") + 1).match(/^ */)[0];
  if (!pad || event.isComposing) return;
  event.preventDefault();
  insert(area, `\n${pad}`);
}

/** As if typed, so that the browser can undo it. @param {HTMLTextAreaElement} area @param {string} text */
function insert(area, text) {
  if (document.execCommand("insertText", false, text)) return;
  area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
}
