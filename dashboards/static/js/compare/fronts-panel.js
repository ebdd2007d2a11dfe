// @ts-check
/** The fronts of several jobs in one chart for each objective, with their baselines; a click picks a candidate. */

import { html, useMemo } from "../preact.js";
import { useQuery } from "../router.js";
import { formatBytes, formatLoss } from "../format.js";
import { Chart } from "../charts/chart.js";
import { isDrawn, overlayOption, SIZES } from "../charts/overlay.js";
import { useColours } from "../charts/theme.js";
import { Card } from "../components/card.js";
import { Checkbox, Select } from "../components/field.js";
import { Segmented } from "../components/segmented.js";
import { Table } from "../components/table.js";
import { JobMark } from "./job-mark.js";
import { OBJECTIVES } from "./lines.js";
import { pick } from "./view.js";

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./data.js").Candidate} Candidate
 * @typedef {import("../charts/overlay.js").Marked} Marked
 * @typedef {import("../charts/overlay.js").SizeKey} SizeKey
 * @typedef {{line: Line, candidate: Candidate}} Row
 * @typedef {{lines: Line[], plains: Record<string, Candidate[]>, hidden: Set<string>, marked: Marked[],
 *   onPick: ((pick: import("./view.js").Pick) => void) | null, title?: string, hasBaselines?: boolean,
 *   unions?: Record<string, Candidate[]>, notes?: Record<string, string>}} Props  unions, notes: for each objective
 */

/** @param {Props} props */
export function FrontsPanel(props) {
  const [query, setQuery] = useQuery();
  const x = query.x && query.x in SIZES ? /** @type {SizeKey} */ (query.x) : "size_bytes";
  const [isLog, hasPlain] = [query.log !== "0", query.plain !== "0"];
  const objectives = [...new Set(props.lines.map((line) => line.front.objective))];
  const linesIn = (/** @type {string} */ objective) => props.lines.filter(({ front }) => front.objective === objective);
  return html`
    <${Card} title=${props.title ?? "Fronts"} actions=${html`
        <${Select} label="Size as" value=${x} options=${SIZE_OPTIONS}
          onChange=${(/** @type {string} */ value) => setQuery({ x: value === "size_bytes" ? null : value })} />
        <${Segmented} label="Scale of the loss" value=${isLog ? "log" : "linear"} options=${SCALES}
          onChange=${(/** @type {string} */ value) => setQuery({ log: value === "log" ? null : "0" })} />
        ${props.hasBaselines !== false && html`
          <${Checkbox} checked=${hasPlain} onChange=${() => setQuery({ plain: hasPlain ? "0" : null })}>
            Baselines<//>`}`}>
      ${objectives.map((objective) => html`
        <${OneObjective} key=${objective} ...${props} objective=${objective} x=${x} isLog=${isLog}
          union=${props.unions?.[objective]} note=${props.notes?.[objective] ?? ""}
          plains=${hasPlain ? props.plains : NONE} lines=${linesIn(objective)} />`)}
    <//>`;
}

const SIZE_OPTIONS = Object.entries(SIZES).map(([value, label]) => ({ value, label }));
const SCALES = [{ value: "log", label: "Log" }, { value: "linear", label: "Linear" }];
const NONE = /** @type {Record<string, Candidate[]>} */ ({});

/**
 * @param {Props & {objective: "kl" | "perplexity", x: SizeKey, isLog: boolean, union: Candidate[] | undefined,
 *   note: string}} props
 */
function OneObjective({ lines, plains, hidden, marked, onPick, union, note, objective, x, isLog }) {
  const lossName = OBJECTIVES[objective];
  const scheme = useColours();
  const rows = useMemo(() => rowsOf(lines, hidden), [lines, hidden]);
  const own = useMemo(() => {
    const ids = new Set(lines.filter((line) => !hidden.has(line.id)).map((line) => line.id));
    return marked.filter((each) => ids.has(each.jobId));
  }, [marked, lines, hidden]);
  const option = useMemo(
    () => overlayOption({ lines, plains, hidden, marked: own, union, x, isLog, lossName }),
    [lines, plains, hidden, own, union, x, isLog, lossName, scheme],
  );
  const undrawn = rows.filter((row) => !isDrawn(row.candidate, isLog)).length;
  const choose = (/** @type {{data?: {jobId?: string, candidate?: Candidate}}} */ { data }) => {
    if (onPick && data?.jobId && data.candidate) onPick(pick(data.jobId, data.candidate.seq));
  };
  if (rows.length === 0) return html`<p class="muted">No job shown here has measured a candidate that holds yet.</p>`;
  return html`
    <${Chart} option=${option} replaceMerge="series" height=${380} label=${`Fronts: ${lossName} against ${SIZES[x]}`}
      summary=${summaryOf(lines, rows)} onEvents=${{ click: choose }} />
    <p class="muted small">${captionOf(plains, own, union, onPick !== null)} ${note}</p>
    ${undrawn > 0 && html`<p class="muted small">${undrawn} of the points ${undrawn === 1 ? "is" : "are"} in the table
      alone: the model broke, or its loss is 0, for which a log scale has no place.</p>`}
    <details class="points">
      <summary>Table of the points (${rows.length})${onPick ? "; choose some to put them side by side" : ""}</summary>
      <${Table} columns=${columns(marked)} rows=${rows} caption="Every point of the fronts" maxHeight=${360}
        rowKey=${(/** @type {Row} */ row) => `${row.line.id}:${row.candidate.seq}`}
        onSelect=${onPick ? (/** @type {Row} */ row) => onPick(pick(row.line.id, row.candidate.seq)) : undefined} />
    </details>`;
}

/** @type {(plains: object, marked: Marked[], union: Candidate[] | undefined, isPicked: boolean) => string} */
function captionOf(plains, marked, union, isPicked) {
  return [
    "Each line is a job's front; its answer has the larger mark.",
    Object.keys(plains).length > 0 && "Dashed: its uniform baselines.",
    union && `Wide and grey: the front of all together, ${union.length} points.`,
    marked.length > 0 && "Lettered rings are the candidates below.",
    isPicked && "Click a point to put it beside the others.",
  ].filter(Boolean).join(" ");
}

/** @type {(lines: Line[], hidden: Set<string>) => Row[]} */
function rowsOf(lines, hidden) {
  const shown = lines.filter((line) => !hidden.has(line.id));
  return shown.flatMap((line) => line.front.items.map((candidate) => ({ line, candidate })))
    .sort((a, b) => a.candidate.size_bytes - b.candidate.size_bytes);
}

/** @type {(marked: Marked[]) => import("./columns.js").Column<Row>[]} */
function columns(marked) {
  const letters = new Map(marked.map((each) => [`${each.jobId}:${each.candidate.seq}`, each.letter]));
  return [
    {
      key: "job", title: "Job",
      render: ({ line }) => html`<${JobMark} line=${line} /> ${line.title}`,
    },
    { key: "label", title: "Candidate", render: ({ candidate }) => `${candidate.seq}: ${candidate.label}` },
    { key: "size", title: "Size", align: "right", render: ({ candidate }) => formatBytes(candidate.size_bytes) },
    {
      key: "bits", title: "Bits/weight", align: "right",
      render: ({ candidate }) => candidate.bits_per_weight.toFixed(3),
    },
    {
      key: "loss", title: "Loss", align: "right",
      render: ({ candidate }) => formatLoss(candidate.loss, candidate.loss_se),
    },
    {
      key: "picked", title: "Beside", align: "right",
      render: ({ line, candidate }) => letters.get(`${line.id}:${candidate.seq}`) ?? "",
    },
  ];
}

/** @type {(lines: Line[], rows: Row[]) => string} */
function summaryOf(lines, rows) {
  const least = rows.reduce((best, row) => (Number(row.candidate.loss) < Number(best.candidate.loss) ? row : best));
  return `${rows.length} points of ${lines.length} ${lines.length === 1 ? "job" : "jobs"}. The least loss is `
    + `${formatLoss(least.candidate.loss, least.candidate.loss_se)} at ${formatBytes(least.candidate.size_bytes)}, `
    + `of ${least.line.title}.`;
}
