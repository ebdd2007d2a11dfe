// @ts-check
/** Every candidate as a table: the same selection as the charts', sorted by any column, moved through by keys. */

import { Button } from "../components/button.js";
import { Segmented } from "../components/segmented.js";
import { Table } from "../components/table.js";
import { formatAgo, formatTime } from "../format.js";
import { html, useMemo } from "../preact.js";
import { useQuery } from "../router.js";
import { lossText, roleOf } from "./front-facts.js";

/** @typedef {import("./axes.js").Axis} Axis */
/** @typedef {import("./axes.js").Candidate} Candidate */
/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} title
 * @property {string} [term]
 * @property {"right"} [align]
 * @property {(candidate: Candidate) => any} [render]
 * @property {boolean} sort
 * @property {(candidate: Candidate) => number | string} of
 */

const FIRST_COLUMNS = ["seq", "label", "role", "size_bytes", "nominal_bits_per_weight", "loss"];
const UNKNOWN = "not noted: measured by an earlier release";

/** @param {Axis} axis @returns {Column} */
function axisColumn(axis) {
  const isLoss = axis.key === "loss";
  const write = (/** @type {Candidate} */ each) => {
    const value = axis.of(each);
    return Number.isFinite(value) ? axis.format(value) : "–";
  };
  return {
    key: axis.key,
    title: axis.short,
    term: axis.term,
    align: "right",
    sort: true,
    of: axis.of,
    render: (each) =>
      isLoss
        ? lossCell(each)
        : axis.exact
          ? html`<span title=${Number.isFinite(axis.of(each)) ? axis.exact(axis.of(each)) : UNKNOWN}>${write(each)}</span>`
          : write(each),
  };
}

/** @param {Candidate} candidate */
function lossCell(candidate) {
  if (candidate.loss === null) return html`<span class="lost">failed</span>`;
  return html`<span title=${candidate.loss}>${lossText(candidate)}</span>`;
}

/** @param {Axis[]} axes @returns {Column[]} */
function columnsOf(axes) {
  const figures = axes.map(axisColumn);
  const [order, ...others] = [
    ...figures.filter((each) => each.key === "seq"),
    ...figures.filter((each) => each.key !== "seq"),
  ];
  return [
    { ...order, title: "no." },
    { key: "label", title: "proposed by", sort: true, of: (each) => each.label },
    { key: "role", title: "role", sort: true, of: roleOf, render: roleOf },
    ...others,
    { key: "source", title: "source", sort: true, of: (each) => each.source },
    {
      key: "created_at",
      title: "measured",
      sort: true,
      of: (each) => Date.parse(each.created_at),
      render: (each) => html`<span title=${formatTime(each.created_at)}>${formatAgo(each.created_at)}</span>`,
    },
    { key: "configuration_id", title: "configuration", sort: true, of: (each) => each.configuration_id },
  ];
}

/** @type {Record<string, (candidate: Candidate) => boolean>} */
export const SHOWN = {
  all: () => true,
  front: (each) => each.is_on_front,
  plain: (each) => each.kind === "plain",
  failed: (each) => each.loss === null,
};

/**
 * Numbers by size, texts by words; what has no number comes last either way.
 * @param {Column} column
 * @param {boolean} isDown
 */
function orderOf({ of }, isDown) {
  const sign = isDown ? -1 : 1;
  const words = new Intl.Collator("en", { numeric: true });
  return (/** @type {Candidate} */ left, /** @type {Candidate} */ right) => {
    const [a, b] = [of(left), of(right)];
    if (typeof a === "string" || typeof b === "string")
      return sign * words.compare(String(a), String(b)) || left.seq - right.seq;
    if (Number.isNaN(a) || Number.isNaN(b))
      return Number(Number.isNaN(a)) - Number(Number.isNaN(b)) || left.seq - right.seq;
    return sign * (a - b) || left.seq - right.seq;
  };
}

/**
 * The candidates of the selection that the table shows, in its order.
 * @param {Candidate[]} candidates @param {Axis[]} axes @param {import("./selection.js").Selection} selection
 */
export function useTableRows(candidates, axes, selection) {
  const [query] = useQuery();
  const columns = useMemo(() => columnsOf(axes), [axes]);
  const sort = query.sort ?? "size_bytes";
  const isDown = sort.startsWith("-");
  const column = columns.find((each) => each.key === sort.replace(/^-/, "")) ?? columns[0];
  const show = SHOWN[query.show] ? query.show : "all";
  const rows = useMemo(() => {
    const shown = candidates.filter((each) => SHOWN[show](each) && selection.holds(each));
    return shown.sort(orderOf(column, isDown));
  }, [candidates, selection, show, column, isDown]);
  return { rows, columns, column, isDown, show };
}

/** @param {{columns: Column[], chosen: string[], onChange: (keys: string[]) => void}} props */
function ColumnPicker({ columns, chosen, onChange }) {
  const toggle = (/** @type {string} */ key) => {
    const isOn = chosen.includes(key);
    onChange(columns.map((each) => each.key).filter((each) => (each === key ? !isOn : chosen.includes(each))));
  };
  return html`<details class="column-picker">
    <summary>Columns</summary>
    <div>${columns.map(
      (column) => html`<label>
      <input type="checkbox" checked=${chosen.includes(column.key)}
        onChange=${() => toggle(column.key)} />${column.title}
    </label>`,
    )}</div>
  </details>`;
}

/**
 * @param {{
 *   table: ReturnType<typeof useTableRows>, counts: {all: number, front: number, failed: number},
 *   selected: number | null, onSelect: (seq: number) => void, onSave: () => void, weighed: string[],
 * }} props
 */
export function CandidateTable({ table, counts, selected, onSelect, onSave, weighed }) {
  const [query, setQuery] = useQuery();
  const { rows, columns, column, isDown, show } = table;
  const chosen = query.columns ? query.columns.split(".") : [...new Set([...FIRST_COLUMNS, ...weighed])];
  const shown = useMemo(() => columns.filter((each) => chosen.includes(each.key)), [columns, chosen.join(".")]);
  const options = [
    { value: "all", label: `All ${counts.all}` },
    { value: "front", label: `Front ${counts.front}` },
    { value: "plain", label: "Uniform" },
    { value: "failed", label: `Failed ${counts.failed}` },
  ];
  const onSort = (/** @type {import("../components/table.js").Sort} */ next) =>
    setQuery({ sort: next.isDescending ? `-${next.key}` : next.key });
  return html`<div class="candidate-table">
    <div class="front-bar">
      <${Segmented} label="candidates to show" options=${options} value=${show}
        onChange=${(/** @type {string} */ value) => setQuery({ show: value === "all" ? null : value })} />
      <span class="front-space"></span>
      <${ColumnPicker} columns=${columns} chosen=${chosen}
        onChange=${(/** @type {string[]} */ keys) => setQuery({ columns: keys.join(".") || null })} />
      <${Button} kind="quiet" onClick=${onSave}>Download CSV<//>
    </div>
    <${Table} caption="Candidates" columns=${shown} rows=${rows} rowKey=${(/** @type {Candidate} */ each) => each.seq}
      sort=${{ key: column.key, isDescending: isDown }} onSort=${onSort} selectedKey=${selected}
      onSelect=${(/** @type {Candidate} */ each) => onSelect(each.seq)} maxHeight=${440}
      empty="No candidate is within the selection." />
  </div>`;
}
