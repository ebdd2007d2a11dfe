// The chart: every point, the front as a step line, baselines and the answer marked.

const NARROW = 560; // pixels: below, the names of the baselines would cover the points
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
  const told = facts(point).map(([name, value]) => `${name}: ${value}`);
  return tooltipBox(point.label, [`${point.id} · ${role(point)}`, ...told]);
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
  const answers = drawn.filter((point) => point.is_answer);
  return [
    scatter("dominated", find("dominated").checked ? dominated : [], {
      symbolSize: isMany ? 4 : 7,
      itemStyle: { color: color("candidate"), opacity: isMany ? 0.4 : 0.7 },
    }),
    {
      id: "line", type: "line", step: "end", data: frontLine(), symbol: "none", silent: true, z: 3,
      animation: false, lineStyle: { color: color("front"), width: 2 }, markLine: budgetLine(),
    },
    { id: "errors", type: "custom", renderItem: errorBar(() => ({ stroke: color("ink"), opacity: 0.7 })), data: errors(), encode: { x: 0, y: [1, 2] }, silent: true, z: 4, animation: false },
    scatter("front", front, { symbolSize: 9, z: 5, itemStyle: { color: color("front"), opacity: 1 } }),
    scatter("baselines", baselines, {
      symbolSize: 12, z: 6,
      symbol: (_, { dataIndex }) => symbolOf(dataIndex),
      itemStyle: { color: color("card"), borderColor: color("ink"), borderWidth: 1.6, opacity: 1 },
      label: {
        show: chart.getWidth() > NARROW, color: color("muted"), fontSize: 11,
        formatter: ({ data: spot }) => points[spot.number].label.replace(/^uniform /, ""),
      },
      labelLayout: placeName,
    }),
    scatter("answer", answers, {
      symbol: STAR, symbolSize: answers.length > 1 ? 17 : 22, z: 7,
      itemStyle: { color: color("answer"), borderColor: color("card"), borderWidth: 1, opacity: 1 },
      label: {
        show: answers.length > 1, color: color("answer"), fontSize: 11,
        formatter: ({ data: spot }) => points[spot.number].budget,
      },
      labelLayout: placeName,
    }),
    scatter("chosen", drawn.filter((point) => point.number === state.chosen), {
      symbol: "circle", symbolSize: 30, z: 8, silent: true,
      itemStyle: { color: "transparent", borderColor: color("answer"), borderWidth: 2 },
    }),
  ];
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
    tooltip: { formatter: tooltip, ...tooltipLook() },
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
