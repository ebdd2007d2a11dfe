// The table of points: sorted by any column, a row chosen by pointer or by key.

const COLUMNS = [
  {
    name: "configuration", of: (point) => point.label, isText: true,
    dress: (cell, point) => cell.classList.toggle("answer", point.is_answer),
  },
  { name: "role", of: role, isText: true },
  { name: "size", of: (point) => point.size_bytes, show: size },
  { name: "bits per weight", of: (point) => point.bits, show: (point) => point.bits.toFixed(3) },
  { name: "nominal bits", of: (point) => point.nominal_bits, show: (point) => point.nominal_bits.toFixed(3) },
  { name: data.objective_name, of: (point) => point.objective ?? Infinity, show: objective },
  { name: "id", of: (point) => point.id, isText: true },
];

function fillTable() {
  sortable({
    table: find("points"),
    columns: COLUMNS,
    rows: listed,
    sort: { column: 2, isDown: false },
    dressRow: (row, point) => { row.dataset.number = point.number; },
    onFilled: markRows,
  });
}

function markRows() {
  markCurrent(find("points"), (row) => Number(row.dataset.number) === state.chosen);
}

function moveRow(event) {
  const to = rowByKey(event);
  if (!to) return;
  choose(Number(to.dataset.number));
  to.focus();
}
