// @ts-check
/** Figures with all their digits on hover: sizes, losses and moments. */

import { exactBytes, formatAgo, formatBytes, formatLoss, formatTime } from "../format.js";
import { html, useEffect, useState } from "../preact.js";

/** @param {{value: number | null | undefined}} props */
export function Bytes({ value }) {
  return html`<span class="number" title=${exactBytes(value)}>${formatBytes(value)}</span>`;
}

/** @param {{value: number | null | undefined, se?: number | null, unit?: string}} props */
export function Loss({ value, se, unit = "" }) {
  const title =
    typeof value === "number"
      ? `${value}${typeof se === "number" ? `, standard error ${se}` : ""} ${unit}`.trim()
      : "not measured";
  return html`<span class="number" title=${title}>${formatLoss(value, se)}</span>`;
}

/** A moment as how long ago, kept fresh. @param {{date: string | null | undefined}} props */
export function Ago({ date }) {
  const [, setTurn] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTurn((turn) => turn + 1), 20_000);
    return () => clearInterval(timer);
  }, []);
  return html`<time datetime=${date ?? undefined} title=${formatTime(date)}>${formatAgo(date)}</time>`;
}
