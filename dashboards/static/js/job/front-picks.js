// @ts-check
/**
 * The limits of the two sliders: moved at once, written to the address a moment later, answered from what is
 * loaded.
 */

import { useEffect, useMemo, useRef, useState } from "../preact.js";
import { useQuery } from "../router.js";
import { bestUnderSize, isMeasured, ladderOf, smallestUnderLoss } from "./front-math.js";

/** @typedef {import("./axes.js").Candidate} Candidate */
/**
 * @typedef {object} Picks
 * @property {Candidate[]} ladder the front over size and loss, smallest first
 * @property {Candidate[]} plainLadder the same of the plain choices alone
 * @property {Limit} size
 * @property {Limit} loss
 */
/**
 * @typedef {object} Limit
 * @property {number | null} value null: not asked for
 * @property {(value: number | null) => void} set
 * @property {Candidate | null} found
 * @property {Candidate | null} plain the best plain choice within the same limit
 */

const WRITE_MS = 200; // browsers refuse hundreds of changes of the address in a few seconds

/**
 * A number of the address that follows the hand first.
 * @param {string} key
 * @returns {[number | null, (value: number | null) => void]}
 */
function useNumber(key) {
  const [query, setQuery] = useQuery();
  const written = query[key] === undefined || query[key] === "" ? null : Number(query[key]);
  const known = written !== null && Number.isFinite(written) ? written : null;
  const [held, setHeld] = useState(/** @type {{value: number | null} | null} */ (null));
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  useEffect(() => () => clearTimeout(timer.current), []);
  const set = useMemo(
    () => (/** @type {number | null} */ value) => {
      setHeld({ value });
      clearTimeout(timer.current);
      timer.current = setTimeout(() => {
        setQuery({ [key]: value }); // in full: a rounded limit could shut out the candidate that it was set by
        setHeld(null);
      }, WRITE_MS);
    },
    [key],
  );
  return [held ? held.value : known, set];
}

/**
 * @param {Candidate[]} candidates
 * @returns {Picks}
 */
export function usePicks(candidates) {
  const ladder = useMemo(() => ladderOf(candidates), [candidates]);
  const plainLadder = useMemo(
    () => ladderOf(candidates.filter((each) => each.kind === "plain" && isMeasured(each))),
    [candidates],
  );
  const [maxSize, setMaxSize] = useNumber("max_size");
  const [maxLoss, setMaxLoss] = useNumber("max_loss");
  return useMemo(() => {
    const underSize = (/** @type {Candidate[]} */ list) => (maxSize === null ? null : bestUnderSize(list, maxSize));
    const underLoss = (/** @type {Candidate[]} */ list) => (maxLoss === null ? null : smallestUnderLoss(list, maxLoss));
    return {
      ladder,
      plainLadder,
      size: { value: maxSize, set: setMaxSize, found: underSize(ladder), plain: underSize(plainLadder) },
      loss: { value: maxLoss, set: setMaxLoss, found: underLoss(ladder), plain: underLoss(plainLadder) },
    };
  }, [ladder, plainLadder, maxSize, maxLoss]);
}
