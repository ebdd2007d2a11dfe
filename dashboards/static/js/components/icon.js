// @ts-check
/** The icons: strokes on a 16 by 16 grid, in the colour of the text beside them. */

import { html } from "../preact.js";

/** @type {Record<string, string>} */
const PATHS = {
  plus: "M8 3v10M3 8h10",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.2v9.6l7.5-4.8z",
  stop: "M4 4h8v8H4z",
  cancel: "M4 4l8 8M12 4l-8 8",
  close: "M4 4l8 8M12 4l-8 8",
  clone: "M6 6h7v7H6zM3 10V3h7",
  delete: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 8.5h6l.5-8.5M7 7v4M9 7v4",
  more: "M3.4 8h.1M8 8h.1M12.5 8h.1",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5L14 14",
  download: "M8 2.5v7.5M4.5 7L8 10.5 11.5 7M3 13.5h10",
  upload: "M8 10.5V3M4.5 6.5L8 3l3.5 3.5M3 13.5h10",
  copy: "M6 6h7v7H6zM3 10V3h7",
  check: "M3 8.5l3.5 3.5L13 4.5",
  warning: "M8 2.5L14.5 13.5H1.5zM8 6.5v3.5M8 11.7v.1",
  info: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.5v3.5M8 5v.1",
  up: "M8 13V3.5M4 7l4-4 4 4",
  down: "M8 3v9.5M4 9l4 4 4-4",
  left: "M10 3L5 8l5 5",
  right: "M6 3l5 5-5 5",
  expand: "M3.5 6L8 10.5 12.5 6",
  sun:
    "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7" +
    "M3.4 12.6l.7-.7M11.9 4.1l.7-.7",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5z",
  system: "M2.5 3h11v7.5h-11zM6 13.5h4M8 10.5v3",
  refresh: "M13 3v3.5H9.5M13 6.5A5.5 5.5 0 1 0 13.5 9",
  link: "M6.5 9.5l3-3M7 4.5l1.5-1.5a3.1 3.1 0 0 1 4.5 4.5L11.5 9M9 11.5L7.5 13A3.1 3.1 0 0 1 3 8.5L4.5 7",
  compare: "M3 13V7M7 13V3M11 13V9M13.5 13.5h-12",
  edit: "M3 13l.5-3L10.5 3l2.5 2.5-7 7z",
  filter: "M2.5 3.5h11L9.5 8.5v4l-3 1.5V8.5z",
  external: "M9 3h4v4M13 3L7.5 8.5M11 9.5V13H3V5h3.5",
  signIn: "M9 3h4v10H9M2.5 8h7M7 5.5L9.5 8 7 10.5",
};

/** @param {{name: string, title?: string}} props */
export function Icon({ name, title }) {
  return html`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round" stroke-linejoin="round" role=${title ? "img" : undefined} aria-label=${title}
      aria-hidden=${title ? undefined : "true"}>
    <path d=${PATHS[name] ?? PATHS.info} />
  </svg>`;
}
