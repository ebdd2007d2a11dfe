// @ts-check
/** A candidate layer by layer: its strip, the sensitivity of the same layers under it, or both as a table. */

import { layerGrid } from "../charts/layer-grid.js";
import { AS_CHOSEN, cellLosses, layerLosses, SensitivityStrip, tellLoss } from "../charts/sensitivity.js";
import { Strip, tellCell, tellPlace } from "../charts/strip.js";
import { Segmented } from "../components/index.js";
import { html, useCallback, useMemo, useState } from "../preact.js";
import { useQuery } from "../router.js";
import { Term } from "../terms.js";
import { LayerTable } from "./layer-table.js";
import { SensitivityRamp, SensitivityTools, StripLegend } from "./strip-legend.js";

/**
 * @typedef {import("../charts/layer-grid.js").LayerView} LayerView
 * @typedef {import("../charts/sensitivity.js").Sensitivity} Sensitivity
 */

const HINT = "Point at a cell, or move with the arrow keys, to read its layer.";
const VIEWS = [{ value: "strip", label: "strip" }, { value: "table", label: "table" }];

/**
 * @param {{
 *   layers: LayerView[], name: string, sensitivity: Sensitivity | null, whyNoSensitivity: any, isStale: boolean,
 * }} props  isStale: these are still the layers of the candidate before
 */
export function StripPanel({ layers, name, sensitivity, whyNoSensitivity, isStale }) {
  const [query, setQuery] = useQuery();
  const [chosen, setChosen] = useState(/** @type {number | null} */ (null));
  const names = useMemo(() => layers.map((layer) => layer.name).join("\n"), [layers]);
  const grid = useMemo(() => layerGrid(layers), [names]);
  const option = query.under ?? AS_CHOSEN;
  const losses = useMemo(
    () => (sensitivity ? layerLosses(layers, sensitivity, option) : null),
    [layers, sensitivity, option],
  );
  const values = useMemo(() => (losses ? cellLosses(grid, losses) : null), [grid, losses]);
  const isTable = query.layers === "table";
  const place = useCallback((/** @type {number} */ cell) => tellPlace(grid, layers, cell), [grid, layers]);
  const turn = (/** @type {string} */ value) => setQuery({ layers: value === "table" ? value : null });
  const turnUnder = (/** @type {string} */ value) => setQuery({ under: value === AS_CHOSEN ? null : value });
  const unit = sensitivity?.unit ?? "";
  const told = chosen === null || !grid.cells[chosen] ? "" : tellCell(grid, layers, chosen);
  return html`
    <section class=${`strip-panel${isStale ? " is-stale" : ""}`} aria-label="Layers" aria-busy=${isStale}>
      <div class="strip-head">
        <h3>What it does with each <${Term} name="layer">layer</${Term}></h3>
        <${Segmented} small label="show layers as" options=${VIEWS} value=${isTable ? "table" : "strip"}
          onChange=${turn} />
      </div>
      <${StripLegend} layers=${layers} />
      ${isTable
        ? html`<${LayerTable} layers=${layers} losses=${losses} unit=${unit} />`
        : html`<${Strip} grid=${grid} layers=${layers} chosen=${chosen} onPoint=${setChosen}
            label=${`${name}: the option of every layer; arrow keys move`} />`}
      ${!isTable && html`<p class="strip-told">${told || HINT}</p>`}
      ${sensitivity && values && html`
        <div class="strip-head">
          <h3><${Term} name="sensitivity">Sensitivity</${Term}> of the same layers</h3>
          <${SensitivityTools} sensitivity=${sensitivity} option=${option} onOption=${turnUnder} />
        </div>`}
      ${sensitivity && values && !isTable && html`
        <${SensitivityStrip} grid=${grid} values=${values} chosen=${chosen} onPoint=${setChosen} place=${place}
          unit=${unit} label="sensitivity of every layer; arrow keys move" />
        <p class="strip-told">${chosen === null ? "" : tellLoss(values[chosen], unit)}</p>
        <${SensitivityRamp} values=${values} sensitivity=${sensitivity} />`}
      ${!sensitivity && whyNoSensitivity}
    </section>`;
}
