// The job's points, and how each is told.

const points = data.points.map((point, number) => ({ ...point, number }));
const drawn = points.filter((point) => point.objective !== null);
const listed = points.filter((point) => point.is_front || point.is_answer || point.is_baseline);

const AXES = {
  size: { name: `size, ${data.unit.name}`, of: (point) => point.size_bytes / data.unit.bytes },
  bits: { name: "bits per weight", of: (point) => point.bits },
  nominal: { name: "nominal bits per weight", of: (point) => point.nominal_bits },
};

const state = { chosen: data.shown };
const size = (point) => `${AXES.size.of(point).toPrecision(4)} ${data.unit.name}`;
const objective = (point) => withError(point.objective, point.se);

function role(point) {
  const roles = [];
  if (point.is_answer) roles.push(point.budget ? `answer at ${point.budget}` : "answer");
  if (point.is_baseline) roles.push("baseline");
  if (point.is_front) roles.push("on the front");
  return roles.join(", ") || "dominated";
}
