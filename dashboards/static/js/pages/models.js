// @ts-check
/** Models: which there are, all that was found for one of them, and what is kept on disk. */

import { html } from "../preact.js";
import { useQuery } from "../router.js";
import { usePolled } from "../live.js";
import { ButtonLink } from "../components/button.js";
import { EmptyState } from "../components/empty-state.js";
import { Loading } from "../components/loading.js";
import { ProblemBox } from "../components/problem-box.js";
import { baseName } from "../compare/lines.js";
import { ModelList } from "../models/model-list.js";
import { OneModel } from "../models/one-model.js";
import { BanksPanel, CachePanel } from "../models/store-panel.js";

/** @typedef {import("../model.d.ts").ModelView} ModelView */

const EVERY_MS = 15_000;

export function ModelsPage() {
  const [query] = useQuery();
  const asked = usePolled("models", {}, EVERY_MS);
  const models = /** @type {ModelView[] | null} */ (asked.value?.items ?? null);
  const chosen = query.model || null;
  const known = models?.find((each) => each.path === chosen);
  return html`
    <div class="models-page">
      ${!chosen && html`<header class="page-header"><h1>Models</h1></header>`}
      ${asked.problem && html`<${ProblemBox} problem=${asked.problem} onRetry=${asked.reload} />`}
      ${!models && !asked.problem && html`<${Loading} rows=${4} />`}
      ${!chosen && models?.length === 0 && html`<${NoModels} />`}
      ${chosen && models && !known && html`<p class="note">The service knows no model ${chosen} now. It may have been
        moved; jobs that were run on it stand below.</p>`}
      ${chosen && html`<${OneModel} key=${chosen} path=${chosen} name=${known?.name ?? baseName(chosen)} />`}
      ${!chosen && models && models.length > 0 && html`<${ModelList} models=${models} />`}
      <div class="models-store">
        <${BanksPanel} model=${chosen} />
        <${CachePanel} />
      </div>
    </div>`;
}

function NoModels() {
  return html`
    <${EmptyState} title="No models yet" action=${html`<${ButtonLink} to="/submit" kind="primary">Submit a job<//>`}>
      <p>Models are found in the folders that the service was started with:
        ${" "}<code>layerpress serve --root FOLDER</code>. A model is a folder with a <code>config.json</code> and its
        weights as <code>.safetensors</code>. One that a job was run on stands here as well.</p>
    <//>`;
}
