// @ts-check
/** Asks for a token when the service wants one; calls that wait for it then go on by themselves. */

import { askForToken, checkToken, refuseToken, session, setToken } from "../api.js";
import { html, useEffect, useState } from "../preact.js";
import { Button } from "./button.js";
import { Dialog } from "./dialog.js";
import { Field } from "./field.js";

export function TokenDialog() {
  const [reason, setReason] = useState(/** @type {string | null} */ (null));
  const [isRefused, setRefused] = useState(false);
  useEffect(() => {
    const ask = (/** @type {any} */ event) => (setReason(event.detail.message), setRefused(false));
    const done = () => setReason(null);
    const refused = () => (setReason(null), setRefused(true));
    session.addEventListener("token", ask);
    session.addEventListener("login", done);
    session.addEventListener("refused", refused);
    return () => {
      session.removeEventListener("token", ask);
      session.removeEventListener("login", done);
      session.removeEventListener("refused", refused);
    };
  }, []);
  if (reason !== null) return html`<${Form} reason=${reason} />`;
  if (!isRefused) return null;
  return html`<div class="sign-in-bar" role="status"><span>You are not signed in.</span>
    <${Button} small icon="signIn" onClick=${() => askForToken("")}>Give a token</${Button}></div>`;
}

/** @param {{reason: string}} props */
function Form({ reason }) {
  const [secret, setSecret] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    const problem = await checkToken(secret.trim());
    setBusy(false);
    if (problem === null) setToken(secret.trim());
    else setError(problem.detail);
  };
  return html`<${Dialog} title="Sign in with a token" onClose=${refuseToken}>
    <form class="stack" onSubmit=${submit}>
      <p>${reason ? `The service no longer takes this tab's token: ${reason}.` : "This service asks who you are."}</p>
      <input type="text" autocomplete="username" value="layerpress" hidden />
      <${Field} label="Token" error=${error} hint="It is kept in this tab alone, until the tab is closed.">
        ${(
          /** @type {any} */ attributes,
        ) => html`<input ...${attributes} class="input" type="password" autocomplete="current-password" autofocus
          value=${secret} onInput=${(/** @type {any} */ change) => setSecret(change.currentTarget.value)} />`}
      </${Field}>
      <details><summary>Where do I get one?</summary>
        <p>Whoever runs the service makes one with <code>layerpress token create NAME --scope submit</code>
          and gives it to you.</p></details>
      <div class="dialog-actions">
        <${Button} onClick=${refuseToken}>Not now</${Button}>
        <${Button} kind="primary" type="submit" busy=${busy} disabled=${secret.trim() === ""}>Sign in</${Button}>
      </div>
    </form>
  </${Dialog}>`;
}
