// Loss against size: one line a method, the uniform baseline dashed, broken answers at the upper edge.

const losses = echarts.init(find("chart"), null, { renderer: "canvas" });
const axis = () => AXES[find("axis").value];

function lossScale() {
  const values = holding.map((answer) => answer.loss);
  const isAnyBroken = holding.length < answers.length;
  if (data.is_log) return logScale(isAnyBroken ? [...values, Math.max(...values) * 1.8] : values);
  const [min, max] = extent(values);
  return { min, max: isAnyBroken ? max + (max - min) * 0.15 : max };
}

function lossLine(line) {
  const points = answers.filter((answer) => answer.line === line && answer.loss !== null);
  points.sort((a, b) => axis().of(a) - axis().of(b));
  return {
    id: `line-${line.number}`, type: "line", symbolSize: 9, cursor: "pointer", ...markLook(line), showAllSymbol: true,
    data: points.map((answer) => ({ value: [axis().of(answer), answer.loss], number: answer.number })),
    lineStyle: {
      color: inkOf(line), width: line.is_baseline ? 2.4 : 1.7, type: line.is_baseline ? "dashed" : "solid", opacity: opacityOf(line) * (line.is_baseline ? 1 : 0.85),
    },
  };
}

function brokenMarks(top) {
  const stacked = {};
  return answers.filter((answer) => answer.loss === null).map((answer) => {
    const place = (stacked[answer.budget] = (stacked[answer.budget] ?? -1) + 1);
    const { symbol, itemStyle } = markLook(answer.line);
    return { value: [axis().of(answer), top], symbol, itemStyle, symbolSize: 8, symbolOffset: [0, 8 + 13 * place], number: answer.number };
  });
}

function lossBars() {
  return holding.filter((answer) => answer.se).map((answer) => {
    const reach = data.bar_errors * answer.se;
    const low = data.is_log && answer.loss <= reach ? answer.loss : answer.loss - reach;
    return { line: answer.line, value: [axis().of(answer), low, answer.loss + reach] };
  });
}

function drawLosses() {
  const [min, max] = extent(answers.map(axis().of));
  const up = lossScale();
  const broken = brokenMarks(up.max);
  losses.setOption({
    ...chartFrame({ left: 62, right: 24, top: 18, bottom: 46 }),
    xAxis: scale(axis().name, "value", { nameGap: 28, splitLine: { show: false }, min, max }),
    yAxis: { ...scale(data.objective_name, data.is_log ? "log" : "value", { nameGap: 46 }), ...up },
    series: [
      ...lines.map(lossLine),
      errorSeries("errors", lossBars()),
      { id: "broken", type: "scatter", data: broken, z: 6, clip: false, markPoint: brokenNote(broken, max, up.max) },
    ],
  }, { replaceMerge: ["series"] });
}

function brokenNote(broken, right, top) {
  if (broken.length === 0) return undefined;
  return {
    silent: true, symbol: "circle", symbolSize: 0.01, data: [{ coord: [right, top] }],
    label: { formatter: "↑ broken", position: "left", offset: [0, 10], color: color("muted"), fontSize: 11 },
  };
}
