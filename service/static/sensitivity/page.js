// Grids, chosen layer and table kept in step: what is chosen in one shows in all.

function choose(layer) {
  state.chosen = layer;
  showChosen();
  ringChosen();
  markRows();
}

function start() {
  startGrids();
  const table = startTable();
  const recolour = () => {
    state.isOwn = find("own").checked;
    showColours();
    drawGrids();
    table.fill();
  };
  showColours();
  showChosen();
  find("controls").hidden = data.drawn.length < 2 || data.scale === null;
  find("controls").onchange = recolour;
  onThemeChange(recolour);
}

start();
