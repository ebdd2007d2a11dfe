// The page's data, and numbers as a reader meets them.

window.onerror = (message) => {
  const box = document.getElementById("error");
  box.textContent = `This page failed: ${message}`;
  box.hidden = false;
};

const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const number = (value, digits = 4) =>
  value === null ? "–" : value.toLocaleString("en", { maximumSignificantDigits: digits });

// To two digits of the error, or four digits where the error is unknown.
function withError(value, error) {
  if (value === null || !error) return number(value);
  const decimals = Math.min(12, Math.max(0, 1 - Math.floor(Math.log10(error))));
  return `${value.toFixed(decimals)} ± ${error.toFixed(decimals)}`;
}

function element(tag, text = "", properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  made.textContent = text;
  return made;
}

function fillFacts(list, facts) {
  list.replaceChildren();
  for (const [name, value] of facts) {
    const fact = element("div");
    fact.append(element("dt", name), element("dd", value));
    list.append(fact);
  }
}

function onThemeChange(react) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", react);
}
