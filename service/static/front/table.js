// The table of points: sorted by any column, a row chosen by pointer or by key.

const COLUMNS = [
  { name: "configuration", of: (point) => point.label, isText: true },
  { name: "role", of: role, isText: true },
  { name: "size", of: (point) => point.size_bytes, show: size },
  { name: "bits per weight", of: (point) => point.bits, show: (point) => point.bits.toFixed(3) },
  { name: "nominal bits", of: (point) => point.nominal_bits, show: (point) => point.nominal_bits.toFixed(3) },
  { name: data.objective_name, of: (point) => point.objective ?? Infinity, show: objective },
  { name: "id", of: (point) => point.id, isText: true },
];

function sorted() {
  const { column, isDown } = state.sort;
  const { of, isText } = COLUMNS[column];
  const order = isText ? (a, b) => of(a).localeCompare(of(b)) : (a, b) => of(a) - of(b) || 0;
  return [...listed].sort((a, b) => (isDown ? order(b, a) : order(a, b)));
}

function tableHead() {
  const row = element("tr");
  COLUMNS.forEach(({ name, isText }, column) => {
    const head = element("th", "", { scope: "col", className: isText ? "text" : "" });
    const isSorted = column === state.sort.column;
    const arrow = state.sort.isDown ? " ↓" : " ↑";
    const button = element("button", name + (isSorted ? arrow : ""), { type: "button" });
    button.onclick = () => sortBy(column);
    if (isSorted) head.ariaSort = state.sort.isDown ? "descending" : "ascending";
    head.append(button);
    row.append(head);
  });
  return row;
}

function tableRow(point) {
  const row = element("tr");
  row.dataset.number = point.number;
  for (const { of, show = of, isText } of COLUMNS) {
    const isName = of(point) === point.label;
    const classes = [isText ? "text" : "", isName && point.is_answer ? "answer" : ""].join(" ").trim();
    row.append(element("td", show(point), { className: classes }));
  }
  return row;
}

function fillTable() {
  find("points").tHead.replaceChildren(tableHead());
  find("points").tBodies[0].replaceChildren(...sorted().map(tableRow));
  markRows();
}

function sortBy(column) {
  const isDown = state.sort.column === column && !state.sort.isDown;
  state.sort = { column, isDown };
  fillTable();
  find("points").tHead.querySelectorAll("button")[column].focus();
}

function markRows() {
  const rows = [...find("points").tBodies[0].rows];
  const isChosen = (row) => Number(row.dataset.number) === state.chosen;
  const entry = rows.find(isChosen) ?? rows[0];
  for (const row of rows) {
    row.ariaCurrent = String(isChosen(row));
    row.tabIndex = row === entry ? 0 : -1;
  }
}

function moveRow(event) {
  const row = event.target.closest("tr");
  const to = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling, Enter: row, " ": row }[event.key];
  if (!to) return;
  event.preventDefault();
  choose(Number(to.dataset.number));
  to.focus();
}
