// @ts-check
/**
 * The address as state: routes and queries live in the hash (`#/jobs/ID?x=size_bytes`), so a view can be shared and
 * reloaded.
 */

import { html, useEffect, useMemo, useState } from "./preact.js";

const HOME = "/jobs";
const changes = new EventTarget();

/** @typedef {{path: string, parts: string[], query: Record<string, string>}} Route */
/** @typedef {Record<string, string | number | boolean | null | undefined>} QueryChanges */

let seenHash = "";
/** @type {Route} */
let seenRoute = { path: HOME, parts: ["jobs"], query: {} };

/** The route of the address as it is now; the same object as long as the address is the same. @returns {Route} */
export function currentRoute() {
  if (location.hash !== seenHash) {
    seenHash = location.hash;
    seenRoute = parse(location.hash.slice(1));
  }
  return seenRoute;
}

/** @param {string} text @returns {Route} */
function parse(text) {
  const at = text.indexOf("?");
  const path = (at < 0 ? text : text.slice(0, at)) || HOME;
  const query = Object.fromEntries(new URLSearchParams(at < 0 ? "" : text.slice(at + 1)));
  return { path, parts: path.split("/").filter(Boolean).map(decoded), query };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The href of a route; null and "" leave a key out. @param {string} path @param {QueryChanges} [query] */
export function href(path, query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(kept.map(([key, value]) => [key, String(value)])).toString();
  return `#${path}${text ? `?${text}` : ""}`;
}

/** Go to a route. @param {string} path @param {QueryChanges} [query] @param {{replace?: boolean}} [options] */
export function navigate(path, query = {}, { replace = false } = {}) {
  const target = href(path, query);
  if (target === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", target);
  changes.dispatchEvent(new Event("change"));
}

for (const kind of ["hashchange", "popstate"]) {
  addEventListener(kind, () => changes.dispatchEvent(new Event("change")));
}

/** The route, followed: the component draws again when the address changes. @returns {Route} */
export function useRoute() {
  const [route, setRoute] = useState(currentRoute);
  useEffect(() => {
    const follow = () => setRoute(currentRoute());
    follow();
    changes.addEventListener("change", follow);
    return () => changes.removeEventListener("change", follow);
  }, []);
  return route;
}

/**
 * Change keys of the query and keep the others; null removes.
 * @param {QueryChanges} given
 * @param {{replace?: boolean}} [options]
 */
export function changeQuery(given, { replace = true } = {}) {
  const { path, query } = currentRoute();
  navigate(path, { ...query, ...given }, { replace });
}

/** The query and how to change it. @returns {[Record<string, string>, typeof changeQuery]} */
export function useQuery() {
  const { query } = useRoute();
  return useMemo(() => [query, changeQuery], [query]);
}

/**
 * A real link to a route.
 * @param {{to: string, query?: QueryChanges, children?: any, [attribute: string]: any}} props
 */
export function Link({ to, query, children, ...rest }) {
  return html`<a href=${href(to, query)} ...${rest}>${children}</a>`;
}
