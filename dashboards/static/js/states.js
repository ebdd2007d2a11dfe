// @ts-check
/** The states of a job, as the API names them: `store/records.py` has the same. */

export const UNDER_WAY = ["queued", "validating", "running", "stopping", "cancelling"];
export const FINAL = ["succeeded", "failed", "cancelled"];
export const STATES = ["queued", "validating", "running", "paused", "stopping", "cancelling", ...FINAL];

/** Whether a job in this state has ended, and begins no more by itself. @param {string} state */
export function isFinal(state) {
  return FINAL.includes(state);
}
