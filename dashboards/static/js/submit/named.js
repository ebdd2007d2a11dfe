// @ts-check
/** A strategy, score or solver as a job names it: a bare name, a preset, or a mapping with settings. */

import { isMapping } from "./yaml-tree.js";

/**
 * @typedef {import("./settings.js").Entry} Entry
 * @typedef {import("./settings.js").Setting} Setting
 * @typedef {{name: string, summary: string, settings: Setting[], isKnown: boolean, isPreset: boolean}} Named
 */

/**
 * What a value names, with the settings it may have; a preset's own values stand as their defaults.
 * @param {unknown} value @param {Entry[]} entries @param {Entry[]} presets @returns {Named}
 */
export function readNamed(value, entries, presets = []) {
  const name = nameOf(value);
  const preset = presets.find((each) => each.name === name);
  if (preset) return { ...preset, settings: presetSettings(preset, entries), isKnown: true, isPreset: true };
  const entry = entries.find((each) => each.name === name);
  if (entry) return { ...entry, isKnown: true, isPreset: false };
  return { name, summary: "", settings: [], isKnown: false, isPreset: false };
}

/** @param {unknown} value @returns {string} "" where nothing is named */
export function nameOf(value) {
  if (typeof value === "string") return value;
  if (!isMapping(value)) return "";
  return String(value.preset ?? value.name ?? "");
}

/**
 * The value after another name was chosen; settings that both have are kept.
 * @param {unknown} value @param {string} name @param {Entry[]} entries @param {Entry[]} presets @returns {unknown}
 */
export function chooseNamed(value, name, entries, presets = []) {
  const chosen = readNamed(name, entries, presets);
  const known = new Set(chosen.settings.map((setting) => setting.name));
  const kept = isMapping(value) ? Object.entries(value).filter(([key]) => known.has(key)) : [];
  if (!kept.length || chosen.isPreset) return name;
  return { name, ...Object.fromEntries(kept) };
}

/**
 * The value with one setting changed; undefined takes it out, and a mapping without settings is its name again.
 * @param {unknown} value @param {string} key @param {unknown} changed @param {Named} named @param {Entry[]} presets
 */
export function withSetting(value, key, changed, named, presets = []) {
  /** @type {Record<string, unknown>} */
  const mapping = isMapping(value) ? { ...value } : asMapping(named, presets);
  if (changed === undefined) delete mapping[key];
  else mapping[key] = changed;
  return mapping;
}

/** @param {Named} named @param {Entry[]} presets @returns {Record<string, unknown>} */
function asMapping(named, presets) {
  const preset = named.isPreset && presets.find((each) => each.name === named.name);
  return preset ? { name: baseOf(preset), preset: named.name } : { name: named.name };
}

/** `allocate with {...}`: the strategy that a preset is of. @param {Entry} preset */
function baseOf(preset) {
  return preset.summary.split(" with ")[0];
}

/** @param {Entry} preset @param {Entry[]} entries @returns {Setting[]} */
function presetSettings(preset, entries) {
  const base = entries.find((each) => each.name === baseOf(preset));
  const own = presetValues(preset);
  return (base?.settings ?? []).map((each) => (each.name in own ? { ...each, default: own[each.name] } : each));
}

/** @param {Entry} preset @returns {Record<string, unknown>} */
function presetValues(preset) {
  try {
    const values = JSON.parse(preset.summary.slice(preset.summary.indexOf("{")));
    return isMapping(values) ? values : {};
  } catch {
    return {}; // a summary in other words: the strategy's own defaults are shown
  }
}
