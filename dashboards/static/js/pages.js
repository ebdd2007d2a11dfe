// @ts-check
/** Which page an address shows. Each is a module that is fetched when it is first needed. */

import { ButtonLink } from "./components/button.js";
import { EmptyState } from "./components/empty-state.js";
import { Loading } from "./components/loading.js";
import { ProblemBox } from "./components/problem-box.js";
import { useModule } from "./live/module.js";
import { html, useEffect, useErrorBoundary, useRef } from "./preact.js";

/** @typedef {import("./router.js").Route} Route */
/** @typedef {{title: string, load: () => Promise<any>, name: string, styles?: string[]}} Entry */

/** @type {Record<string, Entry>} */
const PAGES = {
  jobs: { title: "Jobs", load: () => import("./pages/jobs.js"), name: "JobsPage", styles: ["jobs"] },
  job: { title: "Job", load: () => import("./pages/job.js"), name: "JobPage", styles: ["job", "export"] },
  submit: { title: "New job", load: () => import("./pages/submit.js"), name: "SubmitPage", styles: ["submit"] },
  compare: { title: "Compare", load: () => import("./pages/compare.js"), name: "ComparePage", styles: ["compare"] },
  models: { title: "Models", load: () => import("./pages/models.js"), name: "ModelsPage", styles: ["models"] },
  workers: { title: "Workers", load: () => import("./pages/workers.js"), name: "WorkersPage", styles: ["workers"] },
  terms: { title: "Words", load: () => import("./pages/terms.js"), name: "TermsPage" },
};

/** The name of the page that a route shows, or null. @param {Route} route */
export function pageOf(route) {
  const [first = "jobs", id, ...more] = route.parts;
  if (more.length > 0) return null;
  if (first === "jobs") return id === undefined ? "jobs" : "job";
  return id === undefined && first !== "job" && Object.hasOwn(PAGES, first) ? first : null;
}

/** @param {{route: Route}} props */
export function Page({ route }) {
  const name = pageOf(route);
  const [fault, forgetFault] = useErrorBoundary((error) => console.warn("the page failed while it was drawn:", error));
  const { module, problem, reload } = useModule(name, () => load(PAGES[name ?? ""]));
  useEffect(forgetFault, [name]);
  useArrival(route, name, module !== null);

  if (name === null) return html`<${Missing} />`;
  if (problem)
    return html`<${ProblemBox} problem=${{ detail: `this page could not be loaded: ${problem.message}.` }}
        onRetry=${reload} isRetrying />`;
  if (fault)
    return html`<${ProblemBox} problem=${{ detail: `this page failed: ${/** @type {any} */ (fault).message ?? fault}` }}
        onRetry=${forgetFault} isRetrying=${false} />`;
  if (module === null) return html`<${Loading} />`;
  return html`<${module} key=${route.path} id=${route.parts[1]} />`;
}

/** @param {Entry} entry */
async function load({ load, name, styles = [] }) {
  const [module] = await Promise.all([load(), ...styles.map(addStyle)]);
  return module[name] ?? module.default;
}

/**
 * Add a style sheet of one page, once; a page without it is plain but works.
 * @param {string} name
 * @returns {Promise<void>}
 */
function addStyle(name) {
  const address = new URL(`../css/page-${name}.css`, import.meta.url).href;
  if (document.querySelector(`link[href="${address}"]`)) return Promise.resolve();
  return new Promise((resolve) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: address });
    link.onload = link.onerror = () => resolve();
    document.head.append(link);
  });
}

/** Name the document, and after a change of page begin at its top, with the focus there.
 *  @param {Route} route @param {string | null} name @param {boolean} isLoaded */
function useArrival(route, name, isLoaded) {
  const seen = useRef(/** @type {string | null} */ (null));
  useEffect(() => {
    document.title = `${name === null ? "Not found" : PAGES[name].title} · Layerpress`;
  }, [name]);
  useEffect(() => {
    if (!isLoaded && name !== null) return;
    if (seen.current !== null && seen.current !== route.path) {
      scrollTo(0, 0);
      document.getElementById("main")?.focus({ preventScroll: true });
    }
    seen.current = route.path;
  }, [route.path, isLoaded]);
}

function Missing() {
  const action = html`<${ButtonLink} to="/jobs" kind="primary">To the jobs</${ButtonLink}>`;
  return html`<h1 class="unseen">Not found</h1><${EmptyState} title="There is no such page" action=${action}>
    <p>The address names nothing that this dashboard shows.</p>
  </${EmptyState}>`;
}
