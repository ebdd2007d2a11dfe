// Axes of every chart: quiet lines, plain numbers.

function extent(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
}

function scale(name, type, extra) {
  return {
    type, name, scale: true, nameLocation: "middle", nameTextStyle: { color: color("muted") },
    axisLine: { show: true, onZero: false, lineStyle: { color: color("muted") } },
    axisLabel: { color: color("muted"), hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: (value) => number(value, 5) },
    splitLine: { lineStyle: { color: color("hairline") } },
    ...extra,
  };
}

function logScale(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
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

function tooltipLook() {
  return {
    confine: true, backgroundColor: color("card"), borderColor: color("hairline"),
    textStyle: { color: color("ink"), fontSize: 12 },
  };
}

function tooltipBox(title, lines) {
  const box = element("div");
  box.append(element("strong", title), ...lines.map((line) => element("div", line)));
  return box;
}
