// Both charts, the legend and the table kept in step.

function redraw() {
  drawLosses();
  drawRatios();
}

function start() {
  for (const [key, { name }] of Object.entries(AXES)) find("axis").append(element("option", name, { value: key }));
  find("foot").textContent = data.foot;
  find("ratios-frame").hidden = data.budgets.length === 0;
  find("legend").append(...lines.map(entry));
  fillTable();
  redraw();
  find("controls").onchange = redraw;
  find("all").onclick = showAll;
  find("answers").tBodies[0].onclick = chooseRow;
  find("answers").tBodies[0].onkeydown = moveRow;
  for (const chart of [losses, ratios]) {
    chart.on("click", ({ data: spot }) => { if (spot?.number !== undefined) choose(spot.number); });
  }
  new ResizeObserver(() => { losses.resize(); redraw(); }).observe(find("chart"));
  new ResizeObserver(() => { ratios.resize(); redraw(); }).observe(find("ratios"));
  document.addEventListener("keydown", ({ key }) => { if (key === "Escape") choose(null); });
  onThemeChange(redraw);
}

start();
