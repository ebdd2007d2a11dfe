// @ts-check
/** Which points no other beats, and the best of them within a limit: the same rules as the service's `:select`. */

/** @typedef {import("./axes.js").Candidate} Candidate */
/** @typedef {{x: number, y: number, candidate: Candidate}} Point */

/**
 * The points that no other beats, both axes minimised, in the order of x; of equal points the first alone.
 * @param {Point[]} points finite
 * @returns {Point[]}
 */
export function nonDominated(points) {
  const order = points.slice().sort((a, b) => a.x - b.x || a.y - b.y || a.candidate.seq - b.candidate.seq);
  let best = Infinity;
  return order.filter((point) => {
    if (point.y >= best) return false;
    best = point.y;
    return true;
  });
}

/** @param {Candidate} candidate */
export const isMeasured = (candidate) => candidate.loss !== null && Number.isFinite(candidate.loss);

/**
 * The front over size and loss, smallest first: losses fall along it, so that limits are found by halving.
 * @param {Candidate[]} candidates
 * @returns {Candidate[]}
 */
export function ladderOf(candidates) {
  const points = candidates.filter(isMeasured).map((candidate) => ({
    x: candidate.size_bytes,
    y: /** @type {number} */ (candidate.loss),
    candidate,
  }));
  return nonDominated(points).map((point) => point.candidate);
}

/**
 * How many at the beginning of the list hold, where all that hold come first.
 * @template T
 * @param {T[]} list @param {(each: T) => boolean} holds
 */
function countFirst(list, holds) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(/** @type {T} */ (list[middle]))) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The least loss within a size; null: nothing is so small. @param {Candidate[]} ladder @param {number} maxSize */
export function bestUnderSize(ladder, maxSize) {
  return ladder[countFirst(ladder, (each) => each.size_bytes <= maxSize) - 1] ?? null;
}

/** The smallest within a loss; null: nothing is so good. @param {Candidate[]} ladder @param {number} maxLoss */
export function smallestUnderLoss(ladder, maxLoss) {
  return ladder[countFirst(ladder, (each) => /** @type {number} */ (each.loss) > maxLoss)] ?? null;
}

/**
 * The point farthest below the straight line between the ends of a front, both axes scaled to 0..1, loss by its
 * logarithm: from there on, bytes buy less. Null on a front of fewer than three.
 * @param {Candidate[]} ladder
 */
export function kneeOf(ladder) {
  const [first, last] = [ladder[0], ladder.at(-1)];
  if (ladder.length < 3 || first === undefined || last === undefined) return null;
  const height = (/** @type {Candidate} */ each) => Math.log(Math.max(Number(each.loss), 1e-12));
  const [wide, high] = [last.size_bytes - first.size_bytes || 1, height(first) - height(last) || 1];
  const below = ladder.map(
    (each) => 1 - (each.size_bytes - first.size_bytes) / wide - (height(each) - height(last)) / high,
  );
  return ladder[below.indexOf(Math.max(...below))] ?? null;
}

/**
 * The smallest and the largest of some numbers; null of none.
 * @param {Iterable<number>} values
 * @returns {[number, number] | null}
 */
export function extentOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}
