// The chosen point: its numbers, and its layers as a strip of cells.

function facts(point) {
  return [
    ["size", size(point)],
    ["bits per weight", point.bits.toFixed(3)],
    ["nominal bits", point.nominal_bits.toFixed(3)],
    [data.objective_name, objective(point)],
  ];
}

function showFacts(point) {
  find("chosen").textContent = point.label;
  find("role").textContent = role(point);
  fillFacts(find("facts"), [...facts(point), ["configuration", point.id]]);
}

function cellText(layer, slug) {
  return `${data.layers[layer].name}: ${slug} (${number(data.layers[layer].num_weights, 9)} weights)`;
}

function cell(point, layer) {
  const slug = data.slugs[point.options[layer]];
  const tone = data.tones[data.tone_of_slug[point.options[layer]]];
  const made = element("td", tone.mark, { title: cellText(layer, slug), tabIndex: layer === 0 ? 0 : -1 });
  made.classList.toggle("drop", tone.name === "drop");
  made.dataset.layer = layer;
  made.style.background = tone.fill;
  made.style.color = tone.ink;
  return made;
}

const isDense = data.grid.columns.length > 40;

function rowInside(label, cells) {
  const row = element("tr");
  row.append(element("th", label, { scope: "row" }));
  data.grid.columns.forEach((_, column) => row.append(cells[column] ?? element("td")));
  return row;
}

function rowOutside(label, [only]) {
  const row = element("tr");
  only.colSpan = isDense ? 3 : 1;
  row.append(element("th", label, { scope: "row" }), only);
  return row;
}

function columnHeads() {
  const columns = data.grid.columns;
  const step = isDense ? 5 : 1;
  const row = element("tr");
  row.append(element("th", columns.length ? "block" : "", { className: "labelled" }));
  columns.forEach((block, i) => {
    const head = element("th", i % step === 0 ? block : "", { scope: "col" });
    head.classList.toggle("labelled", i % step === 0);
    head.style.width = `${90 / columns.length}%`;
    row.append(head);
  });
  const head = element("thead");
  head.append(row);
  return head;
}

function showStrip(point) {
  const strip = find("strip");
  strip.replaceChildren();
  find("legend").replaceChildren();
  find("cell").textContent = "";
  find("strip-frame").hidden = point.options === null;
  find("strip-note").textContent = point.options === null
    ? `The choices of ${point.label} were not kept.`
    : `${point.label} · ${point.id}`;
  if (point.options === null) return;
  const cells = data.grid.rows.map(() => []);
  data.grid.cells.forEach(([row, column], layer) => { cells[row][column] = cell(point, layer); });
  const inside = element("tbody");
  const outside = element("tbody", "", { className: "outside" });
  data.grid.rows.forEach((label, row) => {
    if (row < data.grid.num_block_rows) inside.append(rowInside(label, cells[row]));
    else outside.append(rowOutside(label, cells[row]));
  });
  strip.classList.toggle("dense", isDense);
  find("cell").textContent = "Point at a cell, or move with the arrow keys, to read its option.";
  strip.append(columnHeads(), ...[inside, outside].filter((body) => body.rows.length));
  showLegend(point);
}

function showLegend(point) {
  data.tones.forEach((tone, number) => {
    const count = point.options.filter((slug) => data.tone_of_slug[slug] === number).length;
    if (count === 0) return;
    const swatch = element("span", tone.mark);
    swatch.style.background = tone.fill;
    swatch.style.color = tone.ink;
    const item = element("li");
    item.append(swatch, `${tone.name} · ${count}`);
    find("legend").append(item);
  });
}

function noteCell(event) {
  const target = event.target.closest("td[data-layer]");
  if (target) find("cell").textContent = target.title;
}

function moveCell(event) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const from = event.target.closest("td[data-layer]");
  if (!from || !(event.key in steps)) return;
  event.preventDefault();
  const [down, right] = steps[event.key];
  const [row, column] = data.grid.cells[from.dataset.layer];
  const layer = data.grid.cells.findIndex((spot) => spot[0] === row + down && spot[1] === column + right);
  if (layer < 0) return;
  const to = find("strip").querySelector(`td[data-layer="${layer}"]`);
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}
