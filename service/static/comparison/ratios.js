// Every loss over uniform's at the same budget: budgets side by side, methods spread within each, best first.

const ratios = echarts.init(find("ratios"), null, { renderer: "canvas" });
const compared = answers.filter((answer) => answer.place !== null);

function ratioScale() {
  const values = compared.filter((answer) => answer.ratio !== null).flatMap(({ ratio: value, ratio_se: error }) => {
    const reach = data.bar_errors * (error ?? 0);
    return [value > reach ? value - reach : value, value + reach];
  });
  const [low, high] = [Math.min(1, ...values), Math.max(1, ...values)];
  if (low <= 0) return { type: "value", min: low, max: high };
  const room = Math.max((high / low) ** 0.1, 1.02);
  const top = compared.some((answer) => answer.ratio === null) ? room ** 2 : room;
  return { type: "log", min: low / room, max: high * top, ...ratioTicks(low / room, high * top) };
}

function ratioTicks(min, max) {
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5];
  const step = steps.find((size) => (max - min) / size <= 7);
  const even = step ? Array.from({ length: 8 }, (_, i) => (Math.ceil(min / step) + i) * step) : [];
  const factors = max < 30 * min ? [1, 2, 3, 5, 7] : [1, 2, 5];
  const decades = [0.001, 0.01, 0.1, 1, 10, 100, 1000].flatMap((power) => factors.map((factor) => factor * power));
  const customValues = (max / min < 4 && step ? even : decades)
    .map((value) => Number(value.toPrecision(6))).filter((value) => value >= min && value <= max);
  return {
    axisLabel: { color: color("muted"), customValues, formatter: (value) => `${Number(value.toPrecision(4))}` },
    axisTick: { customValues },
  };
}

function ratioMarks(line, top) {
  const points = compared.filter((answer) => answer.line === line);
  return {
    id: `ratio-${line.number}`, type: "scatter", symbolSize: ratios.getWidth() < 420 ? 6 : 9, cursor: "pointer", ...markLook(line),
    data: points.map((answer) => ({
      value: [answer.place, answer.ratio ?? top], number: answer.number, symbolOffset: answer.ratio === null ? [0, 9] : [0, 0],
    })),
  };
}

function ratioBars() {
  return compared.filter((answer) => answer.ratio !== null && answer.ratio_se).map((answer) => {
    const reach = data.bar_errors * answer.ratio_se;
    return { line: answer.line, value: [answer.place, Math.max(answer.ratio - reach, answer.ratio * 0.01), answer.ratio + reach] };
  });
}

function frameOfBudgets() {
  const bands = data.budgets.map((_, place) => place).filter((place) => place % 2 === 1);
  return {
    id: "frame", type: "line", data: [], silent: true, z: 1,
    markLine: {
      silent: true, symbol: "none", label: { show: false }, data: [{ yAxis: 1 }],
      lineStyle: { color: color("ink"), type: "dashed", width: 1.6 },
    },
    markArea: {
      silent: true, itemStyle: { color: color("paper") },
      data: bands.map((place) => [{ xAxis: place - 0.5 }, { xAxis: place + 0.5 }]),
    },
  };
}

function drawRatios() {
  if (data.budgets.length === 0) return;
  const { type, ...up } = ratioScale();
  const places = data.budgets.map((_, place) => place);
  ratios.setOption({
    ...chartFrame({ left: 62, right: 24, top: 14, bottom: 46 }),
    xAxis: scale("budget", "value", {
      nameGap: 28, splitLine: { show: false }, min: -0.5, max: data.budgets.length - 0.5, axisTick: { show: false },
      axisLabel: { color: color("muted"), customValues: places, hideOverlap: true, formatter: (place) => data.budgets[place] ?? "" },
    }),
    yAxis: { ...scale("loss ÷ uniform", type, { nameGap: 46 }), ...up },
    series: [
      frameOfBudgets(),
      ...lines.filter((line) => !line.is_baseline).map((line) => ratioMarks(line, up.max)),
      errorSeries("ratio-errors", ratioBars()),
    ],
  }, { replaceMerge: ["series"] });
}
