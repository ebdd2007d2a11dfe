// @ts-check
/** What a person chose for every page and visit: the theme, and whether live updates are paused. */

import { useEffect, useState } from "./preact.js";

const KEY = "layerpress-preferences";
const changes = new EventTarget();

/** @typedef {{theme: "system" | "light" | "dark", isPaused: boolean}} Preferences */

/** @type {Preferences} */
let preferences = { theme: "system", isPaused: false, ...stored() };

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {}; // no storage, or somebody else's: the defaults do
  }
}

/** @returns {Preferences} */
export function getPreferences() {
  return preferences;
}

/** @param {Partial<Preferences>} given */
export function setPreferences(given) {
  preferences = { ...preferences, ...given };
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // kept for this visit alone
  }
  applyTheme();
  changes.dispatchEvent(new Event("change"));
}

/** Write the chosen theme where the style sheets look for it. */
export function applyTheme() {
  const { theme } = preferences;
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  dispatchEvent(new Event("layerpress-theme"));
}

/** @returns {Preferences} */
export function usePreferences() {
  const [value, setValue] = useState(preferences);
  useEffect(() => {
    const follow = () => setValue(preferences);
    follow();
    changes.addEventListener("change", follow);
    return () => changes.removeEventListener("change", follow);
  }, []);
  return value;
}

/** Whether the person paused live updates. */
export function usePaused() {
  return usePreferences().isPaused;
}
