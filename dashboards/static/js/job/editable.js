// @ts-check
/** A text that becomes a field when its owner wants to change it: Enter saves, Escape leaves it as it was. */

import { Button, ProblemBox } from "../components/index.js";
import { html, useEffect, useRef, useState } from "../preact.js";

/**
 * @param {{
 *   value: string, label: string, empty: string, isLong?: boolean, maxLength: number, children?: any,
 *   onSave: (value: string) => Promise<unknown>,
 * }} props  children: how the text is shown; empty: what stands where there is none
 */
export function Editable({ value, label, empty, isLong = false, maxLength, children, onSave }) {
  const [draft, setDraft] = useState(/** @type {string | null} */ (null));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const isOpen = draft !== null;
  useEffect(() => field.current?.select(), [isOpen]);

  const close = () => {
    setDraft(null);
    setProblem(null);
  };
  const save = async () => {
    if (draft === null || draft.trim() === value) return close();
    setBusy(true);
    try {
      await onSave(draft.trim());
      close();
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  const pressed = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && (!isLong || event.ctrlKey || event.metaKey)) void save();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  if (!isOpen) {
    return html`<span class="editable">${value === "" ? html`<span class="muted">${empty}</span>` : (children ?? value)}
      <${Button} kind="quiet" small icon="edit" aria-label=${`Edit ${label}`} title=${`Edit ${label}`}
        onClick=${() => setDraft(value)} /></span>`;
  }
  const attributes = {
    ref: field, value: draft, maxLength, "aria-label": label, onKeyDown: pressed,
    onInput: (/** @type {any} */ event) => setDraft(event.currentTarget.value),
  };
  return html`<span class=${`editable is-open${isLong ? " is-long" : ""}`}>
    ${isLong
      ? html`<textarea class="input" rows="3" ...${attributes}></textarea>`
      : html`<input class="input" type="text" ...${attributes} />`}
    <span class="editable-actions">
      <${Button} kind="primary" small busy=${busy} onClick=${save}>Save</${Button}>
      <${Button} small onClick=${close}>Cancel</${Button}>
    </span>
    ${problem && html`<${ProblemBox} problem=${problem} />`}
  </span>`;
}
