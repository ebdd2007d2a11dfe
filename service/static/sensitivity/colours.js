// From a cost to its colour: more cost is further from the page, so the dark theme turns the scale round.

const CLOSED = "closed";
const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
const stops = () => (isDark() ? [...data.stops].reverse() : data.stops);
const state = { chosen: data.chosen, isOwn: false };

function scaleOf(option) {
  return state.isOwn ? data.own_scales[data.drawn.indexOf(option)] : data.scale;
}

function position(cost, option) {
  const range = scaleOf(option);
  if (!range || cost <= range.low) return 0;
  return Math.min(1, Math.log(cost / range.low) / Math.log(range.high / range.low));
}

function channels(code) {
  return [1, 3, 5].map((start) => parseInt(code.slice(start, start + 2), 16));
}

function heat(at) {
  const colours = stops();
  const place = at * (colours.length - 1);
  const left = Math.min(Math.floor(place), colours.length - 2);
  const [from, to] = [channels(colours[left]), channels(colours[left + 1])];
  return `rgb(${from.map((value, i) => Math.round(value + (place - left) * (to[i] - value))).join(",")})`;
}

// The text that stands out on heat(at).
function heatInk(at) {
  return (at >= 0.5) === isDark() ? "#1b2530" : "#ffffff";
}

function errorOf(layer, option) {
  return data.errors === null ? null : data.errors[layer][option];
}

function isNoise(layer, option) {
  const [cost, error] = [data.costs[layer][option], errorOf(layer, option)];
  return typeof cost === "number" && error > 0 && Math.abs(cost) <= data.noise_errors * error;
}

function costText(layer, option) {
  const cost = data.costs[layer][option];
  if (cost === null) return "–";
  return cost === CLOSED ? CLOSED : withError(cost, errorOf(layer, option));
}

function told(layer, option) {
  if (data.costs[layer][option] === null) return "not open to this layer";
  if (data.costs[layer][option] === CLOSED) return "closed by the score";
  return costText(layer, option) + (isNoise(layer, option) ? ", within noise of zero" : "");
}

function sample(fill, mark) {
  const box = element("span");
  const marks = {
    slash: '<path d="M8 12 16 4" stroke="var(--muted)" stroke-width="1.4"/>',
    cross: '<path d="M8 12 16 4M8 4 16 12" stroke="var(--answer)" stroke-width="1.6"/>',
    dot: '<circle cx="12" cy="8" r="1.8" fill="currentColor"/>',
  };
  box.innerHTML = `<svg width="24" height="16" aria-hidden="true" style="background:${fill};color:${heatInk(0)}">${marks[mark] ?? ""}</svg>`;
  return box.firstChild;
}

function showColours() {
  const range = state.isOwn ? null : data.scale;
  find("ramp").style.background = `linear-gradient(to right, ${stops().join(", ")})`;
  const none = data.scale ? "" : "; no cost is above zero";
  find("unit").textContent = `${data.unit} (log scale${state.isOwn ? ", each grid from its lowest to its highest cost" : ""})${none}`;
  find("ticks").replaceChildren(...(range?.ticks ?? []).map(({ label, at }) => {
    const tick = element("span", label);
    tick.style.left = `clamp(1em, ${100 * at}%, calc(100% - 1em))`;
    return tick;
  }));
  showLegend();
}

function showLegend() {
  const cells = data.layers.flatMap((_, layer) => data.drawn.map((option) => [layer, option]));
  const some = (holds) => cells.some(([layer, option]) => holds(data.costs[layer][option], layer, option));
  const isLowest = (cost) => typeof cost === "number" && (cost <= 0 || cost < (data.scale?.low ?? 0));
  const entries = [
    [some(isLowest), heat(0), "", data.scale?.lowest ?? "zero or negative"],
    [some((_, layer, option) => isNoise(layer, option)), heat(0), "dot", `within ${data.noise_errors} standard errors of zero`],
    [some((cost) => cost === null), color("missing"), "slash", "not open to the layer"],
    [some((cost) => cost === CLOSED), color("card"), "cross", "closed by the score (infinite)"],
  ];
  find("legend").replaceChildren(...entries.filter(([occurs]) => occurs).map(([, fill, mark, meaning]) => {
    const item = element("li");
    item.append(sample(fill, mark), meaning);
    return item;
  }));
}
