// One grid for each option: a cell for each layer, a bar below for a layer outside the blocks.

const { rows, num_block_rows: numModules, columns, cells: places } = data.grid;
const modules = rows.slice(0, numModules);
const outside = rows.slice(numModules);
const [rightLabels, downLabels] = data.is_across ? [columns.map(String), modules] : [modules, columns.map(String)];
const numRight = Math.max(1, rightLabels.length);

const ROW = Math.min(20, Math.max(5, 400 / Math.max(1, downLabels.length))); // pixels
const BAR = Math.max(ROW, 12) / ROW; // in rows
const OUTSIDE_GAP = downLabels.length && outside.length ? 7 / ROW : 0;
const HEIGHT = downLabels.length + OUTSIDE_GAP + outside.length * BAR;
const short = (label, length = 14) => (label.length <= length ? label : `…${label.slice(1 - length)}`);
const textWidth = (labels) => 8 + 6.4 * Math.max(0, ...labels.map((label) => short(label).length));
const LEFT = Math.max(34, textWidth([...downLabels, ...outside]));
const ABOVE = data.is_across ? 22 : textWidth(rightLabels) + 4;

// Left, right, top and bottom of a layer's cell, in columns and rows.
function edges(layer) {
  const [row, column] = places[layer];
  if (row >= numModules) {
    const top = downLabels.length + OUTSIDE_GAP + (row - numModules) * BAR;
    return [0, numRight, top, top + BAR];
  }
  const [right, down] = data.is_across ? [column, row] : [row, column];
  return [right, right + 1, down, down + 1];
}

function boxOf(api) {
  const [x1, y1] = api.coord([api.value(0), api.value(2)]);
  const [x2, y2] = api.coord([api.value(1), api.value(3)]);
  const line = Math.min(x2 - x1, y2 - y1) >= 9 ? 1 : 0.3;
  return { x: x1 + line / 2, y: y1 + line / 2, width: x2 - x1 - line, height: y2 - y1 - line };
}

function markOf(option, layer, box, at) {
  const cost = data.costs[layer][option];
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const reach = Math.min(box.width, box.height) * 0.32;
  const line = (down, colour) => ({
    type: "line", silent: true, style: { stroke: colour, lineWidth: 1.2 },
    shape: { x1: x - reach, y1: y - down * reach, x2: x + reach, y2: y + down * reach },
  });
  if (cost === null) return [line(-1, color("muted"))];
  if (cost === CLOSED) return [line(1, color("answer")), line(-1, color("answer"))];
  if (!isNoise(layer, option)) return [];
  return [{ type: "circle", silent: true, shape: { cx: x, cy: y, r: 1.3 }, style: { fill: heatInk(at) } }];
}

function cellOf(option) {
  return ({ dataIndex: layer }, api) => {
    const cost = data.costs[layer][option];
    const box = boxOf(api);
    const at = typeof cost === "number" ? position(cost, option) : 0;
    const fill = cost === null ? color("missing") : cost === CLOSED ? color("card") : heat(at);
    return {
      type: "group",
      children: [{ type: "rect", shape: { ...box, r: 1 }, style: { fill } }, ...markOf(option, layer, box, at)],
    };
  };
}

function ring(_, api) {
  const box = boxOf(api);
  const shape = { x: box.x - 1, y: box.y - 1, width: box.width + 2, height: box.height + 2, r: 2 };
  const outline = (stroke, lineWidth) => ({ type: "rect", shape, style: { fill: "none", stroke, lineWidth } });
  return { type: "group", silent: true, children: [outline(color("card"), 4), outline(color("front"), 2)] };
}

// The least of 1, 2, 5, 10, ... such that labels that many apart do not touch.
function labelStep(spacing, smallest) {
  const steps = [1, 10, 100, 1000].flatMap((power) => [power, 2 * power, 5 * power]);
  return steps.find((step) => step * spacing >= smallest) ?? Infinity;
}

function labelled(names) {
  return {
    customValues: [...names.keys()], formatter: (value) => names.get(value) ?? "", interval: 0,
    color: color("muted"), fontSize: 11,
  };
}

function rightNames(width) {
  const step = labelStep((width - LEFT) / numRight, data.is_across ? 24 : 10.5);
  return new Map(rightLabels.map((label, number) => [number + 0.5, short(label)]).filter((_, number) => number % step === 0));
}

function downNames() {
  const every = (labels, step, centre) =>
    labels.map((label, number) => [centre(number), short(label)]).filter((_, number) => number % step === 0);
  const below = downLabels.length + OUTSIDE_GAP;
  return new Map([
    ...every(downLabels, labelStep(ROW, 13), (number) => number + 0.5),
    ...every(outside, labelStep(BAR * ROW, 12), (number) => below + (number + 0.5) * BAR),
  ]);
}

function axisOf(extra) {
  const hidden = { show: false };
  return { type: "value", axisLine: hidden, axisTick: hidden, splitLine: hidden, min: 0, ...extra };
}

function gridOption(option, width) {
  const custom = (id, renderItem, list, z) => ({
    id, type: "custom", renderItem, data: list, z, animation: false, clip: false, encode: { x: [0, 1], y: [2, 3] },
  });
  return {
    backgroundColor: "transparent", animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { left: LEFT, right: 4, top: ABOVE, height: HEIGHT * ROW },
    tooltip: {
      ...tooltipLook(),
      formatter: ({ dataIndex: layer }) => tooltipBox(data.layers[layer].name, [data.options[option], told(layer, option)]),
    },
    xAxis: axisOf({
      max: numRight, position: "top",
      axisLabel: { ...labelled(rightNames(width)), fontSize: data.is_across ? 11 : 10, rotate: data.is_across ? 0 : 90, margin: 4 },
    }),
    yAxis: axisOf({ max: HEIGHT, inverse: true, axisLabel: { ...labelled(downNames()), margin: 6 } }),
    series: [
      custom("cells", cellOf(option), data.layers.map((_, layer) => edges(layer)), 2),
      { ...custom("ring", ring, [edges(state.chosen)], 5), silent: true, tooltip: { show: false } },
    ],
  };
}

function placeName(layer) {
  const [row, column] = places[layer];
  return row < numModules ? `${columns[column]} ${rows[row]}` : rows[row];
}

function costliest(option) {
  const finite = data.layers.map((_, layer) => layer).filter((layer) => typeof data.costs[layer][option] === "number");
  if (finite.length === 0) return "no finite cost";
  const most = finite.reduce((a, b) => (data.costs[b][option] > data.costs[a][option] ? b : a));
  return `most ${number(data.costs[most][option], 3)}: ${placeName(most)}`;
}

function figureOf(option) {
  const figure = element("figure", "", { tabIndex: 0 });
  figure.setAttribute("role", "group");
  figure.setAttribute("aria-label", `${data.options[option]}: costs of the layers; arrow keys choose a layer`);
  const caption = element("figcaption", data.options[option]);
  caption.append(element("span", costliest(option)));
  const box = element("div", "", { className: "grid" });
  box.style.height = `${ABOVE + HEIGHT * ROW + 6}px`;
  figure.append(caption, box);
  figure.onkeydown = moveCell;
  return { option, figure, box };
}

const grids = data.drawn.map(figureOf);

function drawGrids() {
  for (const { chart, option } of grids) chart.setOption(gridOption(option, chart.getWidth()), { replaceMerge: ["series"] });
}

function ringChosen() {
  for (const { chart } of grids) chart.setOption({ series: [{ id: "ring", data: [edges(state.chosen)] }] });
}

function moveCell(event) {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (!(event.key in steps)) return;
  event.preventDefault();
  const to = neighbour(steps[event.key]);
  if (to !== undefined) choose(to);
}

// The nearest layer on that side, overlapping the chosen one; a bar is entered from any column above.
function neighbour([right, down]) {
  const [left1, right1, top1, bottom1] = edges(state.chosen);
  const overlaps = (a1, a2, b1, b2) => Math.min(a2, b2) - Math.max(a1, b1) > 1e-9;
  const found = data.layers.map((_, layer) => [edges(layer), layer]).filter(([[left2, right2, top2, bottom2]]) =>
    right ? overlaps(top1, bottom1, top2, bottom2) && (left2 - left1) * right > 0
      : overlaps(left1, right1, left2, right2) && (top2 - top1) * down > 0);
  const distance = ([[left2, , top2]]) => Math.abs(left2 - left1) * (right ? 1 : 0.001) + Math.abs(top2 - top1);
  return found.sort((a, b) => distance(a) - distance(b))[0]?.[1];
}

function resize({ chart, option }) {
  chart.resize();
  chart.setOption(gridOption(option, chart.getWidth()), { replaceMerge: ["series"] });
}

function startGrids() {
  const narrowest = data.is_across ? LEFT + Math.max(200, 14 * numRight) : LEFT + Math.max(80, 11 * numRight);
  find("grids").style.setProperty("--grid-width", `${narrowest}px`);
  find("grids").append(...grids.map(({ figure }) => figure));
  for (const grid of grids) {
    grid.chart = echarts.init(grid.box, null, { renderer: "canvas" });
    grid.chart.on("click", ({ seriesId, dataIndex }) => { if (seriesId === "cells") choose(dataIndex); });
    new ResizeObserver(() => resize(grid)).observe(grid.box);
  }
  drawGrids();
}
