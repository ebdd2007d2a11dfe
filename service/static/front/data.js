// The job's data, and numbers as a reader meets them.

window.onerror = (message) => {
  const box = document.getElementById("error");
  box.textContent = `This page failed: ${message}`;
  box.hidden = false;
};

const data = JSON.parse(document.getElementById("data").textContent);
const points = data.points.map((point, number) => ({ ...point, number }));
const drawn = points.filter((point) => point.objective !== null);
const listed = points.filter((point) => point.is_front || point.is_answer || point.is_baseline);
const find = (id) => document.getElementById(id);

const AXES = {
  size: { name: `size, ${data.unit.name}`, of: (point) => point.size_bytes / data.unit.bytes },
  bits: { name: "bits per weight", of: (point) => point.bits },
  nominal: { name: "nominal bits per weight", of: (point) => point.nominal_bits },
};

const state = { chosen: data.shown, sort: { column: 2, isDown: false } };
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const number = (value, digits = 4) =>
  value === null ? "–" : value.toLocaleString("en", { maximumSignificantDigits: digits });
const size = (point) => `${AXES.size.of(point).toPrecision(4)} ${data.unit.name}`;

function objective(point) {
  if (point.objective === null || !point.se) return number(point.objective);
  const decimals = Math.min(12, Math.max(0, 1 - Math.floor(Math.log10(point.se))));
  return `${point.objective.toFixed(decimals)} ± ${point.se.toFixed(decimals)}`;
}

function role(point) {
  const roles = [];
  if (point.is_answer) roles.push("answer");
  if (point.is_baseline) roles.push("baseline");
  if (point.is_front) roles.push("on the front");
  return roles.join(", ") || "dominated";
}

function element(tag, text = "", properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  made.textContent = text;
  return made;
}
