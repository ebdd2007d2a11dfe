// @ts-check
/**
 * What the address says about a comparison: which jobs, which candidates, and how they are shown.
 *
 * `jobs=a,b` names jobs, `candidates=a:3,b:17` candidates by job and number. A candidate's job is shown as well.
 */

export const MOST_JOBS = 16; // the API compares no more at once
export const MOST_CANDIDATES = 6; // side by side; more columns cannot be read

/** @typedef {{jobId: string, seq: number, key: string}} Pick */

/** @type {(text: string | undefined) => string[]} */
export function readJobs(text) {
  return [...new Set((text ?? "").split(",").map((id) => id.trim()).filter((id) => /^[A-Za-z0-9_-]{1,64}$/.test(id)))];
}

/** @type {(text: string | undefined) => Pick[]} */
export function readPicks(text) {
  const picks = new Map();
  for (const part of (text ?? "").split(",")) {
    const found = /^\s*([A-Za-z0-9_-]{1,64}):([1-9][0-9]{0,17})\s*$/.exec(part);
    if (found) picks.set(`${found[1]}:${found[2]}`, pick(found[1], Number(found[2])));
  }
  return [...picks.values()];
}

/** @type {(jobId: string, seq: number) => Pick} */
export const pick = (jobId, seq) => ({ jobId, seq, key: `${jobId}:${seq}` });

/**
 * The jobs shown: those asked for, then those of the candidates.
 * @type {(query: Record<string, string>) => string[]}
 */
export function shownJobs(query) {
  return [...new Set([...readJobs(query.jobs), ...readPicks(query.candidates).map((each) => each.jobId)])];
}

/**
 * What to change in the address to show `id` as well.
 * @type {(query: Record<string, string>, id: string) => Record<string, string | null>}
 */
export const withJob = (query, id) => ({ jobs: [...new Set([...shownJobs(query), id])].join(",") });

/**
 * What to change in the address to take a job away, its candidates with it.
 * @type {(query: Record<string, string>, id: string) => Record<string, string | null>}
 */
export function withoutJob(query, id) {
  const picks = readPicks(query.candidates).filter((each) => each.jobId !== id);
  return {
    jobs: shownJobs(query).filter((each) => each !== id).join(",") || null,
    candidates: written(picks),
    hidden: readJobs(query.hidden).filter((each) => each !== id).join(",") || null,
    against: query.against === id ? null : query.against ?? null,
    base: query.base?.startsWith(`${id}:`) ? null : query.base ?? null,
  };
}

/**
 * What to change to put a candidate beside the others, or to take it away.
 * @type {(query: Record<string, string>, changed: Pick) => Record<string, string | null>}
 */
export function withToggled(query, changed) {
  const picks = readPicks(query.candidates);
  const rest = picks.filter((each) => each.key !== changed.key);
  const isAdded = rest.length === picks.length;
  return {
    jobs: shownJobs(query).join(",") || null, // its job stays when it goes
    candidates: written(isAdded ? [...picks, changed] : rest),
    base: query.base === changed.key ? null : query.base ?? null,
  };
}

/** @type {(picks: Pick[]) => string | null} */
const written = (picks) => picks.map((each) => each.key).join(",") || null;

/** @type {(index: number) => string} */
export const letter = (index) => String.fromCharCode(65 + (index % 26));
