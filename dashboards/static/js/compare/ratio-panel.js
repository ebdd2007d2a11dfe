// @ts-check
/** Losses at equal size, as a ratio: to one of the jobs, or of each job to its own uniform baselines. */

import { html, useMemo } from "../preact.js";
import { useQuery } from "../router.js";
import { formatBytes } from "../format.js";
import { Chart } from "../charts/chart.js";
import { ratioOption } from "../charts/overlay.js";
import { useColours } from "../charts/theme.js";
import { Card } from "../components/card.js";
import { Select } from "../components/field.js";
import { Table } from "../components/table.js";
import { JobMark } from "./job-mark.js";
import { lossRatios } from "./ratios.js";

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./ratios.js").Step} Step
 * @typedef {import("./ratios.js").Ratios & {line: Line}} Row
 * @typedef {{lines: Line[], plains: Record<string, import("./data.js").Candidate[]>,
 *   kinds: import("./kinds.js").Kinds, message: string}} Props  message: why not all are of one kind
 */

/** @param {Props} props */
export function RatioPanel({ lines, plains, kinds, message }) {
  const [query, setQuery] = useQuery();
  const against = chosenReference(query.against, lines, kinds);
  const rows = useMemo(() => ratioRows(lines, plains, kinds, against), [lines, plains, kinds, against]);
  const told = rows.filter((row) => row.steps.length > 0);
  const scheme = useColours();
  const option = useMemo(() => ratioOption(told), [rows, scheme]);
  const options = [
    { value: "uniform", label: "its own uniform baselines" },
    ...lines.filter((line) => hasPeers(line, lines, kinds)).map((line) => ({ value: line.id, label: line.title })),
  ];
  return html`
    <${Card} title="Loss at equal size" actions=${html`
        <${Select} label="Divided by" value=${against} options=${options}
          onChange=${(/** @type {string} */ value) => setQuery({ against: value })} />`}>
      <p class="muted small">The least loss that a job offers within a size, over the least that the reference offers
        within the same size. Under 1 is better than the reference.</p>
      ${message && rows.length + 1 < lines.length && html`<p class="note">Not all are divided: ${message}.</p>`}
      ${told.length > 0
        ? html`<${Chart} option=${option} replaceMerge="series" height=${260} label="Loss ratios at equal size"
            summary=${summaryOf(told)} />`
        : html`<p class="muted">${against === "uniform"
          ? "No uniform baseline was measured at sizes where these fronts have points."
          : "These fronts have no sizes in common."}</p>`}
      ${rows.length > 0 && html`
        <${Table} columns=${COLUMNS} rows=${rows} rowKey=${(/** @type {Row} */ row) => row.line.id}
          caption="Loss ratios at equal size" />`}
    <//>`;
}

/** @type {(asked: string | undefined, lines: Line[], kinds: Props["kinds"]) => string} */
function chosenReference(asked, lines, kinds) {
  const possible = lines.filter((line) => hasPeers(line, lines, kinds));
  if (asked === "uniform" || possible.length === 0) return "uniform";
  return (possible.find((line) => line.id === asked) ?? possible[0]).id;
}

/**
 * Whether another job's losses are of the same kind.
 * @type {(line: Line, lines: Line[], kinds: Props["kinds"]) => boolean}
 */
const hasPeers = (line, lines, kinds) => lines.some((each) => each !== line && kinds[each.id] === kinds[line.id]);

/** @type {(lines: Line[], plains: Props["plains"], kinds: Props["kinds"], against: string) => Row[]} */
function ratioRows(lines, plains, kinds, against) {
  const reference = lines.find((line) => line.id === against);
  if (!reference) return lines.map((line) => ({ line, ...lossRatios(line.front.items, plains[line.id] ?? []) }));
  return lines.filter((line) => line !== reference && kinds[line.id] === kinds[reference.id])
    .map((line) => ({ line, ...lossRatios(line.front.items, reference.front.items) }));
}

/** @param {Row} row */
function jobTold({ line, steps }) {
  const [first, last] = [steps[0], steps.at(-1)];
  const sizes = [first, last].map((step) => formatBytes(step?.size_bytes)).join(" to ");
  return html`<${JobMark} line=${line} /> ${line.title} <span class="muted under">${first ? sizes : "no sizes in common"}</span>`;
}

/** @type {import("./columns.js").Column<Row>[]} */
const COLUMNS = [
  { key: "job", title: "Job", render: jobTold },
  { key: "mean", title: "Mean over sizes", align: "right", render: ({ mean }) => ratioTold(mean) },
  {
    key: "range", title: "Range", align: "right", render: ({ least, most }) => (least && most
      ? html`<span title=${`${stepTold(least)}; ${stepTold(most)}`}>
          ${ratioTold(least.ratio)} to ${ratioTold(most.ratio)}</span>` : "–"),
  },
];

/** @type {(step: Step | null) => string} */
const stepTold = (step) => (step === null ? "–" : `${ratioTold(step.ratio)} at ${formatBytes(step.size_bytes)}`);

/** @type {(value: number | null) => string} */
const ratioTold = (value) => (value === null ? "–" : value.toFixed(3));

/** @type {(rows: Row[]) => string} */
const summaryOf = (rows) => rows.map((row) => `${row.line.title}: ${ratioTold(row.mean)} on average`).join("; ");
