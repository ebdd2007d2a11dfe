// @ts-check
/** The top of every page: where one can go, whether the service is heard, and two switches that every page obeys. */

import { session } from "../api.js";
import { html, useEffect, useState } from "../preact.js";
import { setPreferences, usePreferences } from "../preferences.js";
import { href } from "../router.js";
import { ButtonLink } from "./button.js";
import { Icon } from "./icon.js";
import { Tooltip } from "./tooltip.js";

const PLACES = [
  { path: "/jobs", label: "Jobs" },
  { path: "/models", label: "Models" },
  { path: "/workers", label: "Workers" },
  { path: "/compare", label: "Compare" },
];
const THEMES = /** @type {const} */ (["system", "light", "dark"]);
const THEME_ICONS = { system: "system", light: "sun", dark: "moon" };

/** @param {{route: import("../router.js").Route}} props */
export function Header({ route }) {
  const here = `/${route.parts[0] ?? "jobs"}`;
  return html`<header class="site-header">
    <div class="site-header-inner">
      <a class="brand" href=${href("/jobs")} aria-label="Layerpress, to the jobs">
        <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
        <rect width="32" height="32" rx="7" class="brand-tile" />
          <path class="brand-mark" d="M7 9h18M10 15h12M12.5 20h7M14.5 24.5h3" /></svg>
        <span>Layerpress</span>
      </a>
      <nav class="site-nav" aria-label="Pages">
        ${PLACES.map((place) => html`<a key=${place.path} href=${href(place.path)}
        aria-current=${place.path === here ? "page" : undefined}>${place.label}</a>`)}
      </nav>
      <div class="site-tools">
        <${Connection} />
        <${PauseSwitch} />
        <${ThemeButton} />
        <${ButtonLink} to="/submit" kind="primary" icon="plus"
            aria-current=${here === "/submit" ? "page" : undefined}>New job</${ButtonLink}>
      </div>
    </div>
  </header>`;
}

function Connection() {
  const [isReached, setReached] = useState(true);
  useEffect(() => {
    const follow = (/** @type {any} */ event) => setReached(event.detail.isReached);
    session.addEventListener("reach", follow);
    return () => session.removeEventListener("reach", follow);
  }, []);
  return html`<span class=${`connection ${isReached ? "" : "away"}`} role="status">
    ${!isReached && html`<span class="connection-dot" aria-hidden="true"></span>
      <span>Service away, trying again</span>`}
  </span>`;
}

function PauseSwitch() {
  const { isPaused } = usePreferences();
  const words = isPaused
    ? "Live updates are paused. What you see stays as it is."
    : "Pages follow the service live. Pause to keep what you see as it is.";
  return html`<${Tooltip} text=${words}>
    <button type="button" class=${`live-switch ${isPaused ? "paused" : ""}`} role="switch"
        aria-checked=${isPaused ? "false" : "true"}
        aria-label="Live updates" onClick=${() => setPreferences({ isPaused: !isPaused })}>
      ${isPaused ? html`<${Icon} name="pause" />` : html`<span class="live-dot" aria-hidden="true"></span>`}<span>
        ${isPaused ? "Paused" : "Live"}</span>
    </button>
  </${Tooltip}>`;
}

function ThemeButton() {
  const { theme } = usePreferences();
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  return html`<${Tooltip} text=${`Colours: ${theme}. Press for ${next}.`}>
    <button type="button" class="button quiet bare" aria-label=${`Colours: ${theme}`}
        onClick=${() => setPreferences({ theme: next })}>
      <${Icon} name=${THEME_ICONS[theme]} />
    </button>
  </${Tooltip}>`;
}
