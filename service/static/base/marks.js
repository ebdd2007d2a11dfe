// Marks that the PNG pictures draw alike, in the same order: o s D ^ v < > p P.

const STAR = "path://M50 4 61 38 97 38 68 59 79 93 50 72 21 93 32 59 3 38 39 38Z";
const MARK_SHAPES = [
  "M50 0A50 50 0 1 1 49.9 0Z", "M6 6 94 6 94 94 6 94Z", "M50 0 100 50 50 100 0 50Z", "M50 0 100 87 0 87Z",
  "M0 0 100 0 50 87Z", "M87 0 87 100 0 50Z", "M0 0 0 100 87 50Z", "M50 0 98 35 79 91 21 91 2 35Z",
  "M34 0 66 0 66 34 100 34 100 66 66 66 66 100 34 100 34 66 0 66 0 34 34 34Z",
];
const symbolOf = (shape) => `path://${MARK_SHAPES[shape % MARK_SHAPES.length]}`;

// An error bar from value 1 up to value 2, over value 0; `look` gives colour and opacity of each.
function errorBar(look) {
  return ({ dataIndex }, api) => {
    const [x, low] = api.coord([api.value(0), api.value(1)]);
    const high = api.coord([api.value(0), api.value(2)])[1];
    const style = { lineWidth: 1, ...look(dataIndex) };
    const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style });
    return {
      type: "group",
      silent: true,
      children: [line(x, low, x, high), line(x - 3, low, x + 3, low), line(x - 3, high, x + 3, high)],
    };
  };
}
