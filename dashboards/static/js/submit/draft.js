// @ts-check
/** What a person has typed, kept for the tab until a job was made of it: a reload or an error loses nothing. */

/**
 * `from` is the job or example that the text began as; `attempt` a submission that may have been heard, with its key.
 * @typedef {{key: string, of: string}} Attempt
 * @typedef {{text: string, note: string, priority: string, from: string, attempt: Attempt | null}} Draft
 */

const STORED = "layerpress-submit-draft";
/** @type {Draft} */
const EMPTY = { text: "", note: "", priority: "", from: "", attempt: null };

/** @returns {Draft} */
export function readDraft() {
  try {
    const stored = JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
    return { ...EMPTY, ...(typeof stored.text === "string" ? stored : {}) };
  } catch {
    return { ...EMPTY };
  }
}

/** @param {Partial<Draft>} changes */
export function keepDraft(changes) {
  try {
    sessionStorage.setItem(STORED, JSON.stringify({ ...readDraft(), ...changes }));
  } catch {
    // a full or forbidden storage: the page itself still holds all of it
  }
}

/** The draft has become a job. */
export function dropDraft() {
  try {
    sessionStorage.removeItem(STORED);
  } catch {
    // nothing is kept there then
  }
}

/**
 * The key to send a job with: the same while it is unknown whether the service heard the same job before.
 * @param {Attempt | null} before @param {string} of the job as sent @param {() => string} make @returns {Attempt}
 */
export function attemptFor(before, of, make = randomKey) {
  return before?.of === of ? before : { key: make(), of };
}

/** @returns {string} also where the page is not a secure context, which randomUUID asks for */
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `ui-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
