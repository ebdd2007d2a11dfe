// The table of all answers, sorted by any column; a chosen row brings its line out.

const isKnown = (value, otherwise = Infinity) => value ?? otherwise;

const COLUMNS = [
  { name: "method", of: (answer) => answer.line.name, isText: true },
  { name: "budget", of: (answer) => data.budget_order.indexOf(answer.budget), show: (answer) => answer.budget },
  { name: "size", of: (answer) => answer.size_bytes, show: size },
  { name: "nominal bits", of: (answer) => answer.nominal_bits, show: (answer) => answer.nominal_bits.toFixed(3) },
  {
    name: data.objective_name, of: (answer) => isKnown(answer.loss), show: loss,
    dress: (cell, answer) => cell.classList.toggle("broken", answer.loss === null),
  },
  { name: "÷ uniform", of: (answer) => isKnown(answer.ratio), show: (answer) => ratio(answer.ratio) },
  {
    name: "− uniform, paired", of: (answer) => isKnown(answer.difference),
    show: (answer) => withError(answer.difference, answer.difference_se),
  },
  { name: "tokens", of: (answer) => isKnown(answer.tokens, -1), show: (answer) => number(answer.tokens, 12) },
  { name: "id", of: (answer) => answer.id, isText: true },
  { name: "note", of: (answer) => answer.note, isText: true },
];

function fillTable() {
  sortable({
    table: find("answers"),
    columns: answers.some((answer) => answer.note) ? COLUMNS : COLUMNS.slice(0, -1),
    rows: answers,
    sort: { column: 1, isDown: false },
    dressRow: (row, answer) => { row.dataset.number = answer.number; },
    onFilled: markRows,
  });
}

function markRows() {
  markCurrent(find("answers"), (row) => Number(row.dataset.number) === state.chosen);
}

function choose(chosen) {
  state.chosen = chosen;
  markRows();
  redraw();
}

function chooseRow({ target }) {
  const chosen = Number(target.closest("tr").dataset.number);
  choose(chosen === state.chosen ? null : chosen);
}

function moveRow(event) {
  const to = rowByKey(event);
  if (!to) return;
  choose(Number(to.dataset.number));
  to.focus();
}
