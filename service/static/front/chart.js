// The chart: every point, the front as a step line, baselines and the answer marked.

const NARROW = 560; // pixels: below, the names of the baselines would cover the points
const STAR = "path://M50 4 61 38 97 38 68 59 79 93 50 72 21 93 32 59 3 38 39 38Z";
// In the order of front.png: both pictures mark a baseline alike.
const BASELINE_SHAPES = [
  "circle", "rect", "diamond", "triangle",
  "path://M0 0 100 0 50 87Z", "path://M87 0 87 100 0 50Z", "path://M0 0 0 100 87 50Z",
  "path://M50 0 98 35 79 91 21 91 2 35Z",
  "path://M34 0 66 0 66 34 100 34 100 66 66 66 66 100 34 100 34 66 0 66 0 34 34 34Z",
];

const chart = echarts.init(find("chart"), null, { renderer: "canvas" });

function axis() {
  return AXES[find("axis").value];
}

function place(list) {
  return list.map((point) => ({ value: [axis().of(point), point.objective], number: point.number }));
}

// The front is a front over size; over another axis the line is drawn only where it still falls.
function frontLine() {
  const sorted = drawn.filter((point) => point.is_front);
  sorted.sort((a, b) => axis().of(a) - axis().of(b) || a.objective - b.objective);
  const falls = sorted.every((point, i) => i === 0 || point.objective <= sorted[i - 1].objective);
  if (!falls || sorted.length === 0) return [];
  const right = Math.max(...drawn.map(axis().of));
  return [...place(sorted), { value: [right, sorted.at(-1).objective], symbol: "none" }];
}

function errorBar(_, api) {
  const [x, low] = api.coord([api.value(0), api.value(1)]);
  const high = api.coord([api.value(0), api.value(2)])[1];
  const style = { stroke: color("ink"), lineWidth: 1, opacity: 0.7 };
  const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style });
  return {
    type: "group",
    silent: true,
    children: [line(x, low, x, high), line(x - 3, low, x + 3, low), line(x - 3, high, x + 3, high)],
  };
}

function errors() {
  const isLog = find("log").checked;
  const marked = drawn.filter((point) => point.se && (point.is_front || point.is_baseline || point.is_answer));
  return marked.map((point) => {
    const low = point.objective - point.se;
    return [axis().of(point), isLog && low <= 0 ? point.objective : low, point.objective + point.se];
  });
}

function tooltip({ data: spot }) {
  const point = points[spot.number];
  const box = element("div");
  box.append(element("strong", point.label), element("div", `${point.id} · ${role(point)}`));
  for (const [name, value] of facts(point)) box.append(element("div", `${name}: ${value}`));
  return box;
}

function budgetLine() {
  if (data.budget.size_bytes === null || axis() !== AXES.size) return undefined;
  return {
    silent: true,
    symbol: "none",
    lineStyle: { color: color("muted"), type: "dashed", width: 1.2 },
    label: { formatter: "budget", color: color("muted"), position: "end" },
    data: [{ xAxis: data.budget.size_bytes / data.unit.bytes }],
  };
}

// Below and left of a front point nothing can lie, so its name is safe there, if the axis leaves room.
function placeName({ labelRect, rect }) {
  const isRoomy = rect.x - labelRect.width > 70;
  return isRoomy
    ? { x: rect.x - 4, y: rect.y + rect.height + 4, align: "right", verticalAlign: "middle", hideOverlap: true }
    : { x: rect.x + rect.width + 5, y: rect.y - 3, align: "left", verticalAlign: "middle", hideOverlap: true };
}

function scatter(id, list, look) {
  return { id, type: "scatter", data: place(list), cursor: "pointer", animation: false, ...look };
}

function series() {
  const dominated = drawn.filter((point) => !point.is_front && !point.is_baseline && !point.is_answer);
  const isMany = dominated.length > 300;
  const baselines = drawn.filter((point) => point.is_baseline && !point.is_answer);
  baselines.sort((a, b) => a.size_bytes - b.size_bytes || (a.label < b.label ? -1 : 1));
  const front = drawn.filter((point) => point.is_front && !point.is_baseline && !point.is_answer);
  return [
    scatter("dominated", find("dominated").checked ? dominated : [], {
      symbolSize: isMany ? 4 : 7,
      itemStyle: { color: color("candidate"), opacity: isMany ? 0.4 : 0.7 },
    }),
    {
      id: "line", type: "line", step: "end", data: frontLine(), symbol: "none", silent: true, z: 3,
      animation: false, lineStyle: { color: color("front"), width: 2 }, markLine: budgetLine(),
    },
    { id: "errors", type: "custom", renderItem: errorBar, data: errors(), encode: { x: 0, y: [1, 2] }, silent: true, z: 4, animation: false },
    scatter("front", front, { symbolSize: 9, z: 5, itemStyle: { color: color("front"), opacity: 1 } }),
    scatter("baselines", baselines, {
      symbolSize: 12, z: 6,
      symbol: (_, { dataIndex }) => BASELINE_SHAPES[dataIndex % BASELINE_SHAPES.length],
      itemStyle: { color: color("card"), borderColor: color("ink"), borderWidth: 1.6, opacity: 1 },
      label: {
        show: chart.getWidth() > NARROW, color: color("muted"), fontSize: 11,
        formatter: ({ data: spot }) => points[spot.number].label.replace(/^uniform /, ""),
      },
      labelLayout: placeName,
    }),
    scatter("answer", drawn.filter((point) => point.is_answer), {
      symbol: STAR, symbolSize: 22, z: 7,
      itemStyle: { color: color("answer"), borderColor: color("card"), borderWidth: 1, opacity: 1 },
    }),
    scatter("chosen", drawn.filter((point) => point.number === state.chosen), {
      symbol: "circle", symbolSize: 30, z: 8, silent: true,
      itemStyle: { color: "transparent", borderColor: color("answer"), borderWidth: 2 },
    }),
  ];
}

function extent(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
}

function scale(name, type, extra) {
  return {
    type, name, scale: true, nameLocation: "middle", nameTextStyle: { color: color("muted") },
    axisLine: { show: true, lineStyle: { color: color("muted") } },
    axisLabel: { color: color("muted"), hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: (value) => number(value, 5) },
    splitLine: { lineStyle: { color: color("hairline") } },
    ...extra,
  };
}

function draw() {
  const across = drawn.map(axis().of);
  if (budgetLine()) across.push(data.budget.size_bytes / data.unit.bytes);
  const [min, max] = extent(across);
  const isLog = find("log").checked;
  const objectives = drawn.map((point) => point.objective);
  chart.setOption({
    backgroundColor: "transparent",
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { left: 62, right: 24, top: 34, bottom: 46 },
    aria: { enabled: true },
    tooltip: {
      formatter: tooltip, confine: true, backgroundColor: color("card"), borderColor: color("hairline"),
      textStyle: { color: color("ink"), fontSize: 12 },
    },
    toolbox: {
      right: 16, top: -4, itemSize: 13, iconStyle: { borderColor: color("muted") },
      feature: { dataZoom: { title: { zoom: "zoom into a box", back: "zoom back" } }, restore: { title: "whole front" } },
    },
    xAxis: scale(axis().name, "value", {
      nameGap: 28, splitLine: { show: false }, min, max,
    }),
    yAxis: { ...scale(data.objective_name, isLog ? "log" : "value", { nameGap: 46 }), ...(isLog ? logScale(objectives) : {}) },
    series: series(),
  }, { replaceMerge: ["series"] });
}

function logScale(objectives) {
  const low = Math.min(...objectives);
  const high = Math.max(...objectives);
  const [min, max] = [low / 1.6, high * 1.4];
  const factors = high < 1000 * low ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(Math.log10(min)); 10 ** power <= max; power += 1) {
    ticks.push(...factors.map((factor) => Number(`${factor}e${power}`)));
  }
  const customValues = ticks.filter((value) => value >= min && value <= max);
  const axisLabel = { color: color("muted"), hideOverlap: true, customValues, formatter: (value) => `${value}` };
  return { min, max, axisLabel, axisTick: { customValues } };
}
