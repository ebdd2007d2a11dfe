// @ts-check
/** Dialogs: the browser's own, so that focus stays inside and Escape closes. */

import { html, useEffect, useId, useRef, useState } from "../preact.js";
import { Button } from "./button.js";
import { ProblemBox } from "./problem-box.js";

/** @param {{title: string, onClose: () => void, children?: any, actions?: any, wide?: boolean}} props */
export function Dialog({ title, onClose, children, actions, wide }) {
  const id = useId();
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    element.current?.showModal();
    return () => before?.isConnected && before.focus();
  }, []);
  const onCancel = (/** @type {Event} */ event) => {
    event.preventDefault();
    onClose();
  };
  const onPointerDown = (/** @type {PointerEvent} */ event) => event.target === element.current && onClose();
  return html`<dialog class=${`dialog ${wide ? "wide" : ""}`} ref=${element} aria-labelledby=${id} onCancel=${onCancel}
      onPointerDown=${onPointerDown}>
    <div class="dialog-inner">
      <header class="dialog-header">
        <h2 id=${id}>${title}</h2>
        <${Button} kind="quiet" icon="close" aria-label="Close" onClick=${onClose} />
      </header>
      <div class="dialog-body">${children}</div>
      ${actions && html`<footer class="dialog-actions">${actions}</footer>`}
    </div>
  </dialog>`;
}

/**
 * Asks before something is lost. `onConfirm` may take its time; what it throws is shown, and the dialog stays.
 * @param {{title: string, children?: any, confirm: string, kind?: "primary" | "danger", onConfirm: () => any, onClose:
 *   () => void}} props
 */
export function Confirm({ title, children, confirm, kind = "danger", onConfirm, onClose }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const act = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  const actions = html`<${Button} onClick=${onClose}>Keep it as it is</${Button}>
    <${Button} kind=${kind} busy=${busy} onClick=${act}>${confirm}</${Button}>`;
  return html`<${Dialog} title=${title} onClose=${onClose} actions=${actions}>
    ${children}
    ${problem && html`<${ProblemBox} problem=${problem} />`}
  </${Dialog}>`;
}
