// @ts-check
/** How several jobs are told apart: one colour, one mark and one name each, the same in every chart and table. */

/** @typedef {import("./data.js").ComparedFront} ComparedFront */
/** @typedef {{id: string, title: string, number: number, symbol: string, front: ComparedFront}} Line */

const SYMBOLS = [
  "circle", "rect", "diamond", "triangle", "path://M0 0 100 0 50 87Z",
  "path://M34 0 66 0 66 34 100 34 100 66 66 66 66 100 34 100 34 66 0 66 0 34 34 34Z",
  "path://M50 0 98 35 79 91 21 91 2 35Z",
];

/**
 * One line for each front, numbered by its place among `ids`, so that a job keeps its colour when another goes missing.
 * @type {(fronts: ComparedFront[], ids: string[]) => Line[]}
 */
export function linesOf(fronts, ids) {
  const taken = counts(fronts.map((front) => front.name));
  return fronts.map((front) => {
    const number = Math.max(0, ids.indexOf(front.id));
    const isUnclear = !front.name || Number(taken.get(front.name)) > 1;
    const title = isUnclear ? `${front.name || "job"} ${front.id.slice(0, 6)}` : front.name;
    return { id: front.id, title, number, symbol: SYMBOLS[number % SYMBOLS.length], front };
  });
}

/** @type {(names: string[]) => Map<string, number>} */
function counts(names) {
  const found = new Map();
  for (const name of names) found.set(name, (found.get(name) ?? 0) + 1);
  return found;
}

/** @type {(front: ComparedFront) => string} */
export function budgetTold(front) {
  const limits = Object.entries(front.budget);
  return limits.map(([name, limit]) => `${name.replaceAll("_", " ")} ${limitTold(limit)}`).join(", ") || "none";
}

/** @type {(limit: unknown) => string} */
function limitTold(limit) {
  if (Array.isArray(limit)) return limit.length > 3 ? `${limit[0]} … ${limit.at(-1)}` : limit.join(", ");
  if (typeof limit !== "object" || limit === null) return String(limit);
  const { from, to, points } = /** @type {Record<string, unknown>} */ (limit);
  if (from === undefined || to === undefined) return JSON.stringify(limit);
  return `${from} to ${to}${points ? ` (${points})` : ""}`;
}

/** The last part of a path. @type {(path: string) => string} */
export const baseName = (path) => path.split("/").filter(Boolean).at(-1) ?? path;

export const OBJECTIVES = { kl: "KL to the dense model, nats per token", perplexity: "perplexity" };
