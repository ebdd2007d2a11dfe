// @ts-check
/** Which of several jobs have losses of one kind, where not all have: each is asked about with one of every kind. */

import { useEffect, useMemo, useState } from "../preact.js";
import { compared } from "./data.js";

/** @typedef {Record<string, number>} Kinds  job id -> the number of its kind */

/**
 * The kind of every job; of those not asked about yet, one of their own.
 * @type {(ids: string[], isComparable: boolean) => Kinds}
 */
export function useKinds(ids, isComparable) {
  const [found, setFound] = useState(/** @type {{key: string, kinds: Kinds}} */ ({ key: "", kinds: {} }));
  const key = ids.join(",");
  useEffect(() => {
    if (isComparable || ids.length < 2) return undefined;
    const stop = new AbortController();
    const ignore = () => undefined; // the comparison itself tells of trouble
    kindsOf(ids, stop.signal).then((kinds) => setFound({ key, kinds }), ignore);
    return () => stop.abort();
  }, [key, isComparable]);
  const told = found.key === key ? found.kinds : null;
  return useMemo(
    () => (!isComparable && told) || Object.fromEntries(ids.map((id, index) => [id, isComparable ? 0 : index])),
    [key, isComparable, told],
  );
}

/** @type {(ids: string[], signal: AbortSignal) => Promise<Kinds>} */
async function kindsOf(ids, signal) {
  const firsts = /** @type {string[]} */ ([]);
  const kinds = /** @type {Kinds} */ ({});
  for (const id of ids) {
    const answers = await Promise.all(firsts.map((first) => compared([first, id], signal)));
    const at = answers.findIndex((answer) => answer.is_comparable);
    kinds[id] = at < 0 ? firsts.push(id) - 1 : at;
  }
  return kinds;
}
