// @ts-check
/** One standard error up and down from each marked point, along whichever axis the loss is on. */

/** @typedef {import("../job/axes.js").Candidate} Candidate */
/** @typedef {import("../job/front-view.js").FrontView} FrontView */

const MOST_ERRORS = 400; // bars beyond which they would be a grey wall

/**
 * @param {FrontView} view
 * @param {Candidate} each
 * @returns {[number, number, number, number] | null} x, low, high, is it flat
 */
function bar(view, each) {
  const error = each.loss_se;
  const loss = each.loss;
  if (!error || loss === null || !Number.isFinite(error)) return null;
  const isFlat = view.axes.x.key === "loss";
  if (!isFlat && view.axes.y.key !== "loss") return null;
  const [along, across] = isFlat ? [view.x, view.y] : [view.y, view.x];
  const low = along.place(loss - error);
  const floor = view.extent[isFlat ? "x" : "y"][0];
  const other = across.place((isFlat ? view.axes.y : view.axes.x).of(each));
  return [other, Number.isFinite(low) ? low : floor, along.place(loss + error), isFlat ? 1 : 0];
}

/** @param {any} colours */
function drawBar(colours) {
  return (/** @type {any} */ _, /** @type {any} */ api) => {
    const isFlat = api.value(3) === 1;
    const ends = [1, 2].map((dimension) => {
      const at = [api.value(0), api.value(dimension)];
      return api.coord(isFlat ? at.reverse() : at);
    });
    const style = { stroke: colours.text, lineWidth: 1, opacity: 0.65, fill: "none" };
    const line = (/** @type {number[]} */ [x1, y1], /** @type {number[]} */ [x2, y2]) => ({
      type: "line",
      shape: { x1, y1, x2, y2 },
      style,
      silent: true,
    });
    const caps = ends.map(([x, y]) => (isFlat ? line([x, y - 3], [x, y + 3]) : line([x - 3, y], [x + 3, y])));
    return { type: "group", silent: true, children: [line(ends[0], ends[1]), ...caps] };
  };
}

/** @param {FrontView} view @param {any} colours */
export function errorSeries(view, colours) {
  const shown = [view.groups.front, view.groups.plain, view.groups.answer].flat().filter(view.holds);
  const bars = shown.length > MOST_ERRORS ? [] : shown.map((each) => bar(view, each)).filter((each) => each !== null);
  return {
    id: "errors",
    type: "custom",
    data: bars,
    renderItem: drawBar(colours),
    silent: true,
    z: 4,
    zlevel: 0,
    animation: false,
    clip: true,
    encode: { x: 0, y: [1, 2] },
    tooltip: { show: false },
  };
}
