// @ts-check
/** What a job's report says of its answers, in one shape for jobs of one budget and of several. */

/**
 * @typedef {{
 *   name: string, configuration_id: string, size_bytes: number, bits_per_weight: number,
 *   nominal_bits_per_weight: number, kl_validation: number | null, kl_validation_se: number | null,
 *   perplexity_validation: number | null,
 * }} Entry
 * @typedef {{budget: string, answer: Entry, plain: Entry | null, verdict: string}} Answer
 * @typedef {import("../model.d.ts").JobDetail} JobDetail
 */

/** The answers of a finished job, the tightest budget first; none before it has finished.
 *  @param {JobDetail} job @returns {Answer[]} */
export function answersOf(job) {
  const report = /** @type {any} */ (job.report);
  if (!report) return [];
  if (Array.isArray(report.answers)) {
    return report.answers.map((/** @type {any} */ each) => ({
      budget: String(each.value ?? ""), verdict: each.verdict ?? "",
      answer: each.answer, plain: each.best_plain ?? null,
    }));
  }
  if (!report.answer) return [];
  return [{ budget: "", answer: report.answer, plain: bestPlain(report), verdict: report.verdict ?? "" }];
}

/** The plain choice that the verdict speaks of: the best that was validated and is no larger.
 *  @param {any} report @returns {Entry | null} */
function bestPlain(report) {
  const key = lossKey(report.objective);
  /** @type {Entry[]} */
  const plains = (report.baselines ?? []).filter((/** @type {any} */ each) => typeof each[key] === "number");
  const named = plains.filter((each) => String(report.verdict).includes(each.name));
  return (named.length > 0 ? named : plains.filter((each) => each.size_bytes <= report.answer.size_bytes))
    .sort((left, right) => Number(/** @type {any} */ (left)[key]) - Number(/** @type {any} */ (right)[key]))[0] ?? null;
}

/** The report's key of the loss on unseen text. @param {string} objective */
export function lossKey(objective) {
  return objective === "perplexity" ? "perplexity_validation" : "kl_validation";
}

/** The loss on unseen text, as people quote it.
 *  @param {Entry | null} entry @param {string} objective @returns {number | null} */
export function unseenLoss(entry, objective) {
  return entry === null ? null : (/** @type {any} */ (entry)[lossKey(objective)] ?? null);
}

/**
 * The size of the dense checkpoint: its parameters at the bits they are stored in; null where nothing says so.
 * @param {{num_parameters?: number, dense_bits?: number} | null} space  the artifact space.json
 */
export function denseBytes(space) {
  return space?.num_parameters && space.dense_bits ? (space.num_parameters * space.dense_bits) / 8 : null;
}

/** "KL" or "perplexity". @param {string | null | undefined} objective */
export function lossName(objective) {
  return objective === "perplexity" ? "perplexity" : "KL";
}

/**
 * A budget as people write it: "nominal bits per weight 3", "size 3MB, 9 points from 2 to 4".
 * @param {Record<string, unknown> | null | undefined} budget
 */
export function budgetText(budget) {
  const limits = Object.entries(budget ?? {}).filter(([, value]) => value !== null && value !== undefined);
  if (limits.length === 0) return "none";
  return limits.map(([name, value]) => `${name.replaceAll("_", " ")} ${valueText(value)}`).join(", ");
}

/** @param {unknown} value */
function valueText(value) {
  if (Array.isArray(value)) return value.join(", ");
  if (value !== null && typeof value === "object") {
    const { points, from, to } = /** @type {any} */ (value);
    return points ? `${points} points from ${from} to ${to}` : JSON.stringify(value);
  }
  return String(value);
}
