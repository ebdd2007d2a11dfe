// The methods and their answers, and how each is told.

const lines = data.lines.map((line, number) => ({ ...line, number }));
const answers = lines.flatMap((line) => line.points.map((point) => ({ ...point, line })))
  .map((answer, number) => ({ ...answer, number }));
const holding = answers.filter((answer) => answer.loss !== null);

const AXES = {
  size: { name: `size, ${data.unit.name}`, of: (answer) => answer.size_bytes / data.unit.bytes },
  bits: { name: "bits per weight", of: (answer) => answer.bits },
  nominal: { name: "nominal bits per weight", of: (answer) => answer.nominal_bits },
};

// chosen: an answer in the table; lit: the line pointed at; muted: lines switched off in the legend.
const state = { chosen: null, lit: null, muted: new Set() };

const inkOf = (line) => color(line.mark.color === null ? "ink" : `m${line.mark.color}`);
const size = (answer) => `${AXES.size.of(answer).toPrecision(4)} ${data.unit.name}`;
const loss = (answer) => (answer.loss === null ? "broken" : withError(answer.loss, answer.se));
const ratio = (value) => (value === null ? "–" : value.toFixed(3));

function count(value) {
  if (value === null) return "–";
  return value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 3 });
}

// Muted lines stay as a trace; while one line is brought out, the others step back.
function opacityOf(line) {
  const front = state.lit ?? (state.chosen === null ? null : answers[state.chosen].line.number);
  if (front === line.number) return 1;
  if (state.muted.has(line.number)) return 0.06;
  return front === null ? 1 : 0.18;
}

function tellAnswer(answer) {
  const told = [
    `budget ${answer.budget} · ${size(answer)} · ${answer.nominal_bits.toFixed(3)} nominal bits`,
    `${data.objective_name}: ${loss(answer)}`,
  ];
  if (answer.ratio !== null) told.push(`over uniform: ${withError(answer.ratio, answer.ratio_se)}`);
  if (answer.difference !== null) told.push(`difference: ${withError(answer.difference, answer.difference_se)}`);
  if (answer.tokens !== null) told.push(`${count(answer.tokens)} tokens`);
  if (answer.note) told.push(answer.note);
  return tooltipBox(answer.line.name, told);
}

function markLook(line) {
  const ink = inkOf(line);
  return {
    symbol: symbolOf(line.mark.shape),
    itemStyle: { color: line.mark.is_filled ? ink : color("card"), borderColor: ink, borderWidth: 1.5, opacity: opacityOf(line) },
    z: opacityOf(line) === 1 ? 5 : 3,
  };
}

function errorSeries(id, bars) {
  const look = (index) => ({ stroke: inkOf(bars[index].line), opacity: opacityOf(bars[index].line) });
  return {
    id, type: "custom", renderItem: errorBar(look), data: bars.map(({ value }) => value),
    encode: { x: 0, y: [1, 2] }, silent: true, z: 4, animation: false,
  };
}

function chartFrame(grid) {
  return {
    backgroundColor: "transparent", animation: false, aria: { enabled: true }, grid,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    tooltip: { ...tooltipLook(), formatter: ({ data: spot }) => tellAnswer(answers[spot.number]) },
  };
}
