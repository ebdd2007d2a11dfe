// A table sorted by any column, whose rows are reached by arrow keys.
//
// columns: { name, of, show, isText } each; `show` defaults to `of`, and `dress(cell, row)` may style a cell.
// sort: { column, isDown } to begin with. onFilled runs when the rows are new.

function sortable({ table, columns, rows, sort, limit = Infinity, dressRow = () => {}, onFilled = () => {} }) {
  function sorted() {
    const { of, isText } = columns[sort.column];
    const order = isText
      ? (a, b) => of(a).localeCompare(of(b), "en", { numeric: true })
      : (a, b) => of(a) - of(b) || 0;
    return [...rows].sort((a, b) => (sort.isDown ? order(b, a) : order(a, b)));
  }

  function head() {
    const made = element("tr");
    columns.forEach(({ name, isText, startsDown }, column) => {
      const cell = element("th", "", { scope: "col", className: isText ? "text" : "" });
      const isSorted = column === sort.column;
      const button = element("button", name + (isSorted ? (sort.isDown ? " ↓" : " ↑") : ""), { type: "button" });
      button.onclick = () => sortBy(column, startsDown === true);
      if (isSorted) cell.ariaSort = sort.isDown ? "descending" : "ascending";
      cell.append(button);
      made.append(cell);
    });
    return made;
  }

  function rowOf(item) {
    const made = element("tr");
    for (const { of, show = of, isText, dress = () => {} } of columns) {
      const cell = element("td", show(item), { className: isText ? "text" : "" });
      dress(cell, item);
      made.append(cell);
    }
    dressRow(made, item);
    return made;
  }

  function fill() {
    table.tHead.replaceChildren(head());
    table.tBodies[0].replaceChildren(...sorted().slice(0, limit).map(rowOf));
    onFilled();
  }

  function sortBy(column, startsDown) {
    sort = { column, isDown: sort.column === column ? !sort.isDown : startsDown };
    fill();
    table.tHead.querySelectorAll("button")[column].focus();
  }

  function fillAll() {
    limit = Infinity;
    fill();
  }

  fill();
  return { fill, fillAll };
}

// Exactly one row, the current one where there is one, is reached by the Tab key.
function markCurrent(table, isCurrent) {
  const rows = [...table.tBodies[0].rows];
  const entry = rows.find(isCurrent) ?? rows[0];
  for (const row of rows) {
    row.ariaCurrent = String(isCurrent(row));
    row.tabIndex = row === entry ? 0 : -1;
  }
}

function rowByKey(event) {
  const row = event.target.closest("tbody tr");
  const next = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling, Enter: row, " ": row };
  const to = next[event.key];
  if (to) event.preventDefault();
  return to;
}
