// Chart, strip and table kept in step: what is chosen in one shows in all.

function choose(chosen) {
  state.chosen = chosen;
  const point = points[chosen];
  showFacts(point);
  showStrip(point);
  markRows();
  draw();
}

function resize() {
  const wasNarrow = chart.getWidth() <= NARROW;
  chart.resize();
  if (wasNarrow !== chart.getWidth() <= NARROW) draw();
}

function start() {
  for (const [key, { name }] of Object.entries(AXES)) find("axis").append(element("option", name, { value: key }));
  const objectives = drawn.map((point) => point.objective);
  const low = Math.min(...objectives);
  find("log").disabled = low <= 0;
  find("log").checked = low > 0 && Math.max(...objectives) > 10 * low;
  const broken = points.length - drawn.length;
  find("hint").textContent =
    `Bars are one standard error. Budget: ${data.budget.label}. Click a point to see its layers.` +
    (broken ? ` ${broken} without a finite objective are not drawn.` : "");
  fillTable();
  choose(state.chosen);
  find("controls").onchange = draw;
  find("points").tBodies[0].onclick = (event) => choose(Number(event.target.closest("tr").dataset.number));
  find("points").tBodies[0].onkeydown = moveRow;
  find("strip").onmouseover = noteCell;
  find("strip").addEventListener("focusin", noteCell);
  find("strip").onkeydown = moveCell;
  chart.on("click", ({ data: spot }) => choose(spot.number));
  new ResizeObserver(resize).observe(find("chart"));
  onThemeChange(draw);
}

start();
