// The table: one row a layer, one column an option, in the colours of the grids.

const ROWS_AT_FIRST = 300;

function dressCost(option) {
  return (cell, layer) => {
    const cost = data.costs[layer][option];
    if (typeof cost !== "number") return;
    const at = position(cost, option);
    cell.classList.add("heat");
    cell.classList.toggle("noise", isNoise(layer, option));
    cell.style.background = heat(at);
    cell.style.color = heatInk(at);
    cell.title = `${number(data.bits[layer][option] / 8, 9)} bytes stored`;
  };
}

// Highest first at the first click: closed above all numbers, not open below them.
function rank(layer, option) {
  const cost = data.costs[layer][option];
  return cost === null ? -Infinity : cost === CLOSED ? Infinity : cost;
}

function startTable() {
  const columns = [
    { name: "layer", of: (layer) => data.layers[layer].name, isText: true },
    { name: "weights", of: (layer) => data.layers[layer].num_weights, show: (layer) => number(data.layers[layer].num_weights, 9), startsDown: true },
    ...data.drawn.map((option) => ({
      name: data.options[option], of: (layer) => rank(layer, option), show: (layer) => costText(layer, option),
      dress: dressCost(option), startsDown: true,
    })),
  ];
  const made = sortable({
    table: find("costs"),
    columns,
    rows: data.layers.map((_, layer) => layer),
    sort: { column: 2, isDown: true },
    limit: ROWS_AT_FIRST,
    dressRow: (row, layer) => { row.dataset.layer = layer; },
    onFilled: markRows,
  });
  find("table-note").textContent =
    `${data.unit}${data.errors ? ", ± one standard error; italic within noise of zero" : ""}. Sort by an option to rank the layers.`;
  find("all").hidden = data.layers.length <= ROWS_AT_FIRST;
  find("all").textContent = `Show all ${number(data.layers.length, 9)} layers`;
  find("all").onclick = () => { find("all").hidden = true; made.fillAll(); };
  find("costs").tBodies[0].onclick = (event) => choose(Number(event.target.closest("tr").dataset.layer));
  find("costs").tBodies[0].onkeydown = moveRow;
  return made;
}

function markRows() {
  markCurrent(find("costs"), (row) => Number(row.dataset.layer) === state.chosen);
}

function moveRow(event) {
  const to = rowByKey(event);
  if (!to) return;
  choose(Number(to.dataset.layer));
  to.focus();
}
