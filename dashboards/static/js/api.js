// @ts-check
/** The service's API: JSON in and out, problems as errors, and one place that asks for a token when one is needed. */

const BASE = new URL("../../api/v1/", import.meta.url);
const TOKEN_KEY = "layerpress-token";
const TIMEOUT_MS = 60_000;
const SLOW_MS = 150_000; // the service itself gives up on these after 120 s, and says so
const SLOW = /:solve$|:export$|\/sensitivity$|\/exports(\/|$)|\/recipe/;

/** @typedef {Record<string, string | number | boolean | null | undefined | (string | number)[]>} Parameters */
/** @typedef {{params?: Parameters, key?: string, signal?: AbortSignal}} SendOptions */

/** "token": a token is needed (detail.message says why); "login": one was given; "refused": the person gave none;
 *  "reach": the service answered (detail.isReached) or did not. */
export const session = new EventTarget();

let token = readToken();
let isRefused = false;
let isReached = true;

/** An answer that is no success. Status 0: there was no answer at all. */
export class Problem extends Error {
  /**
   * @param {{status: number, code: string, detail: string, errors?: {loc: (string | number)[], msg: string}[]}} given
   */
  constructor({ status, code, detail, errors = [] }) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.errors = errors;
  }

  /** Whether the same question may be answered later. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

function readToken() {
  try {
    return sessionStorage.getItem(TOKEN_KEY);
  } catch {
    return null;
  }
}

/** The secret of this tab, or null. */
export function getToken() {
  return token;
}

/** Keep a secret for this tab, and let everything that waits for one go on. @param {string | null} secret */
export function setToken(secret) {
  token = secret;
  isRefused = false;
  try {
    if (secret === null) sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, secret);
  } catch {
    // kept until the page is left
  }
  session.dispatchEvent(new Event("login"));
}

/** The person gave no token: what waits for one fails now. */
export function refuseToken() {
  isRefused = true;
  session.dispatchEvent(new Event("refused"));
}

/** Ask for a token again, after it was refused. @param {string} message */
export function askForToken(message) {
  isRefused = false;
  session.dispatchEvent(new CustomEvent("token", { detail: { message } }));
}

/** Whether the service accepts a secret; null: it does. @param {string} secret @returns {Promise<Problem | null>} */
export async function checkToken(secret) {
  try {
    const answer = await fetch(address("jobs", { limit: 1 }), { headers: { Authorization: `Bearer ${secret}` } });
    return answer.ok ? null : await problemOf(answer);
  } catch {
    return new Problem({ status: 0, code: "unreachable", detail: "the service does not answer; try again" });
  }
}

/** The whole address of a path of the API. @param {string} path @param {Parameters} [params] */
export function address(path, params = {}) {
  const url = new URL(path, BASE);
  for (const [key, value] of Object.entries(params)) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(key, String(one));
  }
  return url;
}

/** The headers that every request carries. @returns {Record<string, string>} */
export function authorization() {
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

/**
 * @param {string} path
 * @param {Parameters} [params]
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
export async function get(path, params = {}, { signal } = {}) {
  const answer = await request("GET", path, { params, signal });
  return whole(answer.json(), signal);
}

/** @param {string} path @param {Parameters} [params] @param {{signal?: AbortSignal}} [options] */
export async function getText(path, params = {}, { signal } = {}) {
  const answer = await request("GET", path, { params, signal });
  return whole(answer.text(), signal);
}

/**
 * Send a change; answers its JSON, or null where there is none. `key` makes it safe to send again.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {SendOptions} [options]
 * @returns {Promise<any>}
 */
export async function send(method, path, body, { params = {}, key, signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = key === undefined ? {} : { "Idempotency-Key": key };
  const answer = await request(method, path, { params, headers, body, signal });
  return answer.status === 204 ? null : whole(answer.json(), signal);
}

/** Save what a path answers under the name that the service gives it; answers that name.
 *  @param {string} path @param {Parameters} [params] */
export async function downloadFile(path, params = {}) {
  const answer = await request("GET", path, { params, timeoutMs: null });
  const name = fileName(answer.headers.get("Content-Disposition")) ?? path.split("/").at(-1) ?? "download";
  saveBlob(await whole(answer.blob()), name);
  return name;
}

/** Save bytes that the page already has. @param {Blob} blob @param {string} name */
export function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may still be reading it
}

/** @param {string | null} disposition */
function fileName(disposition) {
  const extended = disposition?.match(/filename\*=(?:utf-8|UTF-8)''([^;]+)/)?.[1];
  if (extended) return decodeURIComponent(extended);
  return disposition?.match(/filename="?([^";]+)"?/)?.[1] ?? null;
}

/**
 * @typedef {{params?: Parameters, headers?: Record<string, string>, body?: unknown, signal?: AbortSignal, timeoutMs?:
 *   number | null}} RequestOptions
 */

/** @param {string} method @param {string} path @param {RequestOptions} options @returns {Promise<Response>} */
async function request(method, path, options) {
  for (;;) {
    const used = token;
    const answer = await reach(method, path, options);
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    options.signal?.throwIfAborted();
    if (problem.status !== 401) throw problem;
    if (token === used && !(await waitForToken(problem, options.signal))) throw problem;
  }
}

/** @param {string} method @param {string} path @param {RequestOptions} options @returns {Promise<Response>} */
async function reach(method, path, { params, headers = {}, body, signal, timeoutMs = SLOW.test(path) ? SLOW_MS : TIMEOUT_MS }) {
  /** @type {Record<string, string>} */
  const sent = body === undefined ? {} : { "Content-Type": "application/json" };
  const limits = [signal, timeoutMs === null ? undefined : AbortSignal.timeout(timeoutMs)].filter(
    (one) => one !== undefined,
  );
  try {
    const answer = await fetch(address(path, params), {
      method,
      headers: { Accept: "application/json", ...authorization(), ...sent, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.any(limits),
    });
    noteReach(true);
    return answer;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw isTimeout(error) ? unanswered(timeoutMs ?? 0) : unreachable();
  }
}

/** @param {unknown} error */
const isTimeout = (error) => error instanceof DOMException && error.name === "TimeoutError";

/** It may be at work on something else: nothing is said about the service as a whole. @param {number} timeoutMs */
function unanswered(timeoutMs) {
  const detail = `the service gave no answer within ${timeoutMs / 1000} s; it may be busy`;
  return new Problem({ status: 0, code: "no_answer", detail });
}

/**
 * An answer's body; one that stops halfway, as when the service is killed, is no answer.
 * @template T
 * @param {Promise<T>} reading
 * @param {AbortSignal} [signal]
 */
async function whole(reading, signal) {
  try {
    return await reading;
  } catch (error) {
    if (signal?.aborted || error instanceof SyntaxError) throw error; // all of it came, and is no JSON
    throw unreachable();
  }
}

function unreachable() {
  noteReach(false);
  return new Problem({ status: 0, code: "unreachable", detail: "the service does not answer" });
}

/** Tell the pages whether the service answers. @param {boolean} reached */
export function noteReach(reached) {
  if (reached === isReached) return;
  isReached = reached;
  session.dispatchEvent(new CustomEvent("reach", { detail: { isReached } }));
}

/**
 * True once a token was given; false where the person gave none.
 * @param {Problem} problem
 * @param {AbortSignal} [signal]
 */
function waitForToken(problem, signal) {
  if (isRefused) return Promise.resolve(false);
  session.dispatchEvent(new CustomEvent("token", { detail: { message: token === null ? "" : problem.detail } }));
  return new Promise((resolve, reject) => {
    const done = (/** @type {boolean} */ isGiven) => () => {
      ended.abort();
      resolve(isGiven);
    };
    const ended = new AbortController();
    session.addEventListener("login", done(true), { signal: ended.signal });
    session.addEventListener("refused", done(false), { signal: ended.signal });
    signal?.addEventListener("abort", () => reject(signal.reason), { signal: ended.signal });
  });
}

/** What an answer that is no success says. @param {Response} answer */
export async function problemOf(answer) {
  try {
    const { code, detail, errors } = await answer.json();
    if (typeof detail === "string") return new Problem({ status: answer.status, code, detail, errors });
  } catch {
    // not the service itself: a proxy before it
  }
  const detail = `the answer was ${answer.status} ${answer.statusText}`.trim();
  return new Problem({ status: answer.status, code: "failed", detail });
}
