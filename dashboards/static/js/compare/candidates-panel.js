// @ts-check
/** Candidates side by side: a table of their figures, each with its difference from the first, and their strips. */

import { html } from "../preact.js";
import { Link, useQuery } from "../router.js";
import { Button } from "../components/button.js";
import { Card } from "../components/card.js";
import { Loading } from "../components/loading.js";
import { figureRows } from "./figures.js";
import { letter } from "./view.js";

/**
 * @typedef {import("./chosen.js").Chosen} Chosen
 * @typedef {Chosen & {letter: string, title: string, kind: number | null}} Column
 * @typedef {{columns: Column[], onRemove: (pick: import("./view.js").Pick) => void,
 *   onExport: (pick: import("./view.js").Pick) => void, onAdd: () => void}} Props
 */

/** @param {Props} props */
export function CandidatesPanel({ columns, onRemove, onExport, onAdd }) {
  const [, setQuery] = useQuery();
  const [base, ...others] = columns;
  return html`
    <${Card} title="Candidates side by side"
        actions=${html`<${Button} icon="plus" onClick=${onAdd}>Add a candidate<//>`}>
      ${!base && html`<p class="muted">None chosen yet. Click a point of a front, or add one by its job and number: its
        figures, its layers, and where its bits went stand here beside the others.</p>`}
      ${base && html`
        <div class="table-scroll" tabindex="0" role="region" aria-label="Figures of the candidates">
          <table class="figures-table">
            <caption class="unseen">Figures of the candidates; differences are from ${base.letter}</caption>
            <thead>
              <tr><th scope="col"></th>${columns.map((column) => html`
                <${Head} key=${column.pick.key} column=${column} isBase=${column === base} onRemove=${onRemove}
                  onExport=${onExport} onBase=${() => setQuery({ base: column.pick.key })} />`)}</tr>
            </thead>
            <tbody>
              ${columns.some((column) => column.candidate) && figureRows(base, columns).map((row) => html`
                <tr key=${row.name}><th scope="row">${row.name}</th>${row.cells.map((cell, index) => html`
                  <td key=${columns[index].pick.key}>${cell.value}
                    ${cell.difference && html`<span class="difference">${cell.difference}</span>`}</td>`)}</tr>`)}
            </tbody>
          </table>
        </div>
        ${others.length > 0 && html`<p class="muted small">Differences are from ${base.letter}. Standard errors of
          differences take the two as measured apart; on the same text, as within a job, the true ones are
          smaller.</p>`}`}
    <//>`;
}

/** @param {Omit<Props, "columns" | "onAdd"> & {column: Column, isBase: boolean, onBase: () => void}} props */
function Head({ column, isBase, onRemove, onExport, onBase }) {
  const { pick, problem, candidate } = column;
  return html`
    <th scope="col">
      <span class="letter">${column.letter}</span>
      <${Link} to=${`/jobs/${pick.jobId}`} query=${{ candidate: pick.seq }}>${column.title}, ${pick.seq}<//>
      ${problem && html`<span class="note">${problem.message}</span>`}
      ${!problem && !candidate && html`<${Loading} />`}
      <span class="row-actions">
        ${isBase ? html`<span class="muted small">base</span>` : html`
          <${Button} kind="quiet" small aria-label=${`Make ${column.letter} the base`} onClick=${onBase}>Make base<//>`}
        ${candidate && html`<${Button} kind="quiet" small aria-label=${`Export ${column.letter}`}
          onClick=${() => onExport(pick)}>Export<//>`}
        <${Button} kind="quiet" small icon="close" title="Remove" aria-label=${`Remove ${column.letter}`}
          onClick=${() => onRemove(pick)} />
      </span>
    </th>`;
}

/**
 * Columns with the one that the others are compared with in front; letters follow the address, so they stay.
 * @type {(chosen: Chosen[], base: string | undefined, lines: import("./lines.js").Line[],
 *   kinds: import("./kinds.js").Kinds) => Column[]}
 */
export function columnsOf(chosen, base, lines, kinds) {
  const columns = chosen.map((each, index) => {
    const { jobId } = each.pick;
    const line = lines.find((line) => line.id === jobId);
    return {
      ...each, candidate: onFront(each, line?.front), letter: letter(index), title: line?.title ?? jobId,
      kind: kinds[jobId] ?? null,
    };
  });
  const first = columns.findIndex((each) => each.pick.key === base);
  return first > 0 ? [columns[first], ...columns.filter((_, index) => index !== first)] : columns;
}

/** A candidate may leave the front while its job runs, of which the front knows.
 *  @type {(chosen: Chosen, front: import("./data.js").ComparedFront | undefined) => Chosen["candidate"]} */
function onFront({ candidate, pick }, front) {
  if (!candidate || !front) return candidate;
  return { ...candidate, is_on_front: front.items.some((each) => each.seq === pick.seq) };
}
