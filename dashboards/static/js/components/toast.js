// @ts-check
/** Short messages at the edge of the page: what was done, or what was not. */

import { html, useEffect, useState } from "../preact.js";
import { Button } from "./button.js";

const SHOWN_MS = 6000;

/** @typedef {{id: number, message: string, kind: "info" | "success" | "warning" | "error"}} Message */

/** @type {Message[]} */
let messages = [];
let nextId = 1;
const changes = new EventTarget();

/**
 * Say something; errors stay until they are closed.
 * @param {any} message a text, or an error
 * @param {Message["kind"]} [kind]
 */
export function toast(message, kind = "info") {
  const id = nextId++;
  show([...messages.slice(-3), { id, message: String(message?.detail ?? message?.message ?? message), kind }]);
  if (kind !== "error") setTimeout(() => close(id), SHOWN_MS);
}

/** @param {number} id */
function close(id) {
  show(messages.filter((one) => one.id !== id));
}

/** @param {Message[]} next */
function show(next) {
  messages = next;
  changes.dispatchEvent(new Event("change"));
}

/** Where they appear: once, in the layout. */
export function Toasts() {
  const [shown, setShown] = useState(messages);
  useEffect(() => {
    const follow = () => setShown(messages);
    changes.addEventListener("change", follow);
    return () => changes.removeEventListener("change", follow);
  }, []);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.map(
      (one) => html`<div key=${one.id} class=${`toast ${one.kind}`}>
      <p>${one.message}</p><${Button} kind="quiet" small icon="close" aria-label="Close message"
          onClick=${() => close(one.id)} />
    </div>`,
    )}
  </div>`;
}
