// The legend: best method first; point at an entry to bring its line out, press it to mute the line.

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function icon(line) {
  const ink = `var(--${line.mark.color === null ? "ink" : `m${line.mark.color}`})`;
  const box = svg("svg", { width: 36, height: 16, "aria-hidden": "true" });
  box.append(
    svg("path", { d: "M0 8H36", stroke: ink, "stroke-width": line.is_baseline ? 2.4 : 1.7, "stroke-dasharray": line.is_baseline ? "6 3" : "none" }),
    svg("path", {
      d: MARK_SHAPES[line.mark.shape % MARK_SHAPES.length], transform: "translate(13 3) scale(0.1)", stroke: ink, "stroke-width": 16,
      fill: line.mark.is_filled ? ink : "var(--card)",
    }),
  );
  return box;
}

function entry(line) {
  const button = element("button", "", { type: "button" });
  const name = element("span", line.name, { className: "name" });
  const broken = line.points.filter((point) => point.loss === null).map((point) => point.budget);
  if (broken.length) name.append(element("span", `broken at ${broken.join(", ")}`, { className: "broken" }));
  const told = element("span", ratio(line.mean_ratio), { className: "number" });
  if (line.tokens !== null) told.append(element("small", `${count(line.tokens)} tokens`));
  button.append(icon(line), name, told);
  button.classList.toggle("baseline", line.is_baseline);
  button.ariaPressed = "true";
  button.onclick = () => mute(line, button);
  button.onmouseenter = () => light(line.number);
  button.onmouseleave = () => light(null);
  button.onfocus = () => { if (button.matches(":focus-visible")) light(line.number); };
  button.onblur = () => light(null);
  const item = element("li");
  item.append(button);
  return item;
}

function mute(line, button) {
  if (!state.muted.delete(line.number)) state.muted.add(line.number);
  button.ariaPressed = String(!state.muted.has(line.number));
  state.lit = null;
  redraw();
}

function light(number) {
  if (state.lit === number) return;
  state.lit = number;
  redraw();
}

function showAll() {
  state.muted.clear();
  state.chosen = null;
  for (const button of find("legend").querySelectorAll("button")) button.ariaPressed = "true";
  markRows();
  redraw();
}
