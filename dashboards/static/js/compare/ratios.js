// @ts-check
/**
 * How much worse one front is than another at equal size.
 *
 * At a size, a front offers its least loss within that size, so a front is a falling staircase. Two are compared where
 * both have something to offer: from the larger of their smallest sizes to the smaller of their largest ones.
 */

/** @typedef {{size_bytes: number, loss: number | null, loss_se?: number | null}} Point */
/** @typedef {{size_bytes: number, ratio: number}} Step */
/** @typedef {{steps: Step[], mean: number | null, least: Step | null, most: Step | null}} Ratios */

/**
 * The points that no other beats, smallest first; those that broke the model are left out.
 * @template {Point} T
 * @param {readonly T[]} points
 * @returns {T[]}
 */
export function staircase(points) {
  const holding = points.filter((each) => each.loss !== null && Number.isFinite(each.loss));
  holding.sort((a, b) => a.size_bytes - b.size_bytes || Number(a.loss) - Number(b.loss));
  /** @type {T[]} */
  const steps = [];
  for (const each of holding) {
    const last = steps.at(-1);
    if (last === undefined || Number(each.loss) < Number(last.loss)) steps.push(each);
  }
  return steps;
}

/**
 * The least loss within a size; null where nothing is as small.
 * @type {(steps: readonly Point[], sizeBytes: number) => number | null}
 */
export function lossWithin(steps, sizeBytes) {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle].size_bytes <= sizeBytes) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? null : steps[low - 1].loss;
}

/**
 * The loss of `points` over that of `reference` at every size where either changes.
 * @type {(points: readonly Point[], reference: readonly Point[]) => Ratios}
 */
export function lossRatios(points, reference) {
  const [own, other] = [staircase(points), staircase(reference)];
  const steps = commonSizes(own, other).flatMap((size) => {
    const [loss, base] = [lossWithin(own, size), lossWithin(other, size)];
    return loss !== null && base !== null && base > 0 && loss > 0 ? [{ size_bytes: size, ratio: loss / base }] : [];
  });
  const ordered = [...steps].sort((a, b) => a.ratio - b.ratio);
  return { steps, mean: meanRatio(steps), least: ordered[0] ?? null, most: ordered.at(-1) ?? null };
}

/** @type {(own: Point[], other: Point[]) => number[]} */
function commonSizes(own, other) {
  if (own.length === 0 || other.length === 0) return [];
  const first = Math.max(own[0].size_bytes, other[0].size_bytes);
  const last = Math.min(own[own.length - 1].size_bytes, other[other.length - 1].size_bytes);
  if (last < first) return [];
  const changes = [...own, ...other].map((each) => each.size_bytes).filter((size) => size >= first && size <= last);
  return [...new Set([first, ...changes, last])].sort((a, b) => a - b);
}

/**
 * The geometric mean over the sizes, each step weighing as many bytes as it holds for.
 * @type {(steps: Step[]) => number | null}
 */
function meanRatio(steps) {
  if (steps.length === 0) return null;
  if (steps.length === 1) return steps[0].ratio;
  let [total, weight] = [0, 0];
  for (let i = 0; i + 1 < steps.length; i += 1) {
    const width = steps[i + 1].size_bytes - steps[i].size_bytes;
    total += Math.log(steps[i].ratio) * width;
    weight += width;
  }
  return Math.exp(total / weight);
}
