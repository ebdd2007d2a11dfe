// @ts-check
/** Copies a text, and says so for a moment. */

import { html, useState } from "../preact.js";
import { Button } from "./button.js";
import { toast } from "./toast.js";

/** @param {{text: string | (() => string), label?: string, children?: any}} props */
export function CopyButton({ text, label = "Copy", children }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    } catch {
      toast("This browser does not let the page copy; select the text and copy it by hand", "warning");
    }
  };
  return html`<${Button} kind="quiet" small icon=${isCopied ? "check" : "copy"}
      aria-label=${children ? undefined : label} title=${label} onClick=${copy}>
    ${children && (isCopied ? "Copied" : children)}
  </${Button}>`;
}
