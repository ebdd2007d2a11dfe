// @ts-check
/** One node: its name, what it has, and a table of its workers. */

import { html } from "../preact.js";
import { Link } from "../router.js";
import { formatAgo } from "../format.js";
import { Badge } from "../components/badge.js";
import { Table } from "../components/table.js";
import { pace, resources, rounded, states } from "./nodes.js";

/** @typedef {import("./nodes.js").Worker} Worker */

const NOTHING = { starting: "loading the model", idle: "waiting", busy: "working" };
const DEVICES = /** @type {Record<string, string>} */ ({ cuda: "GPU", cpu: "CPU" });

/** @param {{node: import("./nodes.js").Node, names: Map<string, string>}} props */
export function NodeGroup({ node, names }) {
  const { workers } = node;
  return html`
    <section class="node" aria-label=${`Node ${node.name}`}>
      <header class="node-head">
        <h2>${node.name || "unnamed node"}</h2>
        <p class="muted">${[states(workers), resources(workers), ...pace(workers)].filter(Boolean).join(" · ")}</p>
      </header>
      <${Table} columns=${columns(names)} rows=${workers} rowKey=${(/** @type {Worker} */ each) => each.id}
        caption=${`Workers on ${node.name}`} />
    </section>`;
}

/** @type {(names: Map<string, string>) => import("../compare/columns.js").Column<Worker>[]} */
function columns(names) {
  return [
    { key: "state", title: "State", width: "9rem", render: (each) => html`<${Badge} state=${each.state} />` },
    { key: "task", title: "Doing", width: "24%", render: (each) => each.task || quiet(NOTHING[each.state]) },
    {
      key: "job_id", title: "Job", width: "20%",
      render: (each) => html`
        <${Link} to=${`/jobs/${each.job_id}`}>${names.get(each.job_id) ?? each.job_id}<//>`,
    },
    { key: "device", title: "Device", width: "10rem", render: (each) => device(each) },
    {
      key: "evaluations_per_minute", title: "Evaluations a minute", align: "right",
      render: (each) => numberOr(each.evaluations_per_minute),
    },
    {
      key: "num_failed", title: "Job’s failures", align: "right",
      render: (each) => numberOr(each.num_failed),
    },
    { key: "updated_at", title: "Last seen", align: "right", render: (each) => formatAgo(each.updated_at) },
    { key: "pid", title: "Process", align: "right", render: (each) => quiet(String(each.pid)) },
  ];
}

/** @type {(worker: Worker) => string} */
function device(worker) {
  const kind = DEVICES[worker.device] ?? worker.device;
  const [gpus, cpus] = [worker.gpus ? `${rounded(worker.gpus)} GPU` : "", `${rounded(worker.cpus)} CPU`];
  const has = [gpus, cpus].filter(Boolean).join(", ");
  return worker.device in DEVICES ? has : `${kind}, ${has}`;
}

/** @type {(value: number | null | undefined) => unknown} */
const numberOr = (value) => (typeof value === "number" ? rounded(value) : quiet("–"));

/** @type {(text: string) => unknown} */
const quiet = (text) => html`<span class="muted">${text}</span>`;
