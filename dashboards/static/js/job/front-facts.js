// @ts-check
/** A candidate in words: its role, its figures with their errors, where they came from. */

import { exactBytes, formatBits, formatBytes, formatCount, formatLoss, formatTime } from "../format.js";
import { formatError, taskName } from "../task-errors.js";

/** @typedef {import("./axes.js").Axis} Axis */
/** @typedef {import("./axes.js").Candidate} Candidate */

const SOURCES = { computed: "computed for this job", cached: "known already, from the store" };

/** @param {Candidate} candidate */
export function roleOf(candidate) {
  if (candidate.state === "failed" || candidate.loss === null) return "failed";
  if (candidate.kind === "answer") return "answer";
  if (candidate.kind === "plain") return candidate.is_on_front ? "uniform baseline, on the front" : "uniform baseline";
  return candidate.is_on_front ? "on the front" : "dominated";
}

/** @param {Candidate} candidate */
export function lossText(candidate) {
  if (candidate.loss === null) return "none: it broke the model";
  const loss = formatLoss(candidate.loss, candidate.loss_se);
  return candidate.loss_se ? `${loss} ± ${candidate.loss_se.toPrecision(2)}` : loss;
}

/**
 * What a tooltip says, one fact a line.
 * @param {Candidate} candidate @param {Axis} loss
 * @returns {[string, string][]}
 */
export function factsOf(candidate, loss) {
  const { flops, parameters } = candidate;
  return [
    ["role", roleOf(candidate)],
    ["size", `${formatBytes(candidate.size_bytes)} (${exactBytes(candidate.size_bytes)})`],
    [
      "bits per weight",
      `${formatBits(candidate.bits_per_weight)}, nominal ${formatBits(candidate.nominal_bits_per_weight)}`,
    ],
    [loss.short, lossText(candidate)],
    ...(flops == null ? [] : [/** @type {[string, string]} */ (["FLOPs per token", formatCount(flops)])]),
    ...(parameters == null ? [] : [/** @type {[string, string]} */ (["parameters", formatCount(parameters)])]),
    ...Object.entries(candidate.task_errors ?? {}).map(([task, error]) =>
      /** @type {[string, string]} */ ([taskName(task), formatError(error)])),
    ["measured", `${SOURCES[candidate.source] ?? candidate.source}, ${formatTime(candidate.created_at)}`],
  ];
}

/**
 * The tooltip as elements, so that no label is ever read as HTML.
 * @param {Candidate} candidate @param {Axis} loss
 */
export function tooltipOf(candidate, loss) {
  const box = document.createElement("div");
  box.className = "front-tip";
  const title = document.createElement("strong");
  title.textContent = `${candidate.seq} · ${candidate.label}`;
  const list = document.createElement("dl");
  for (const [name, value] of factsOf(candidate, loss)) {
    const [term, fact] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    fact.textContent = value;
    list.append(term, fact);
  }
  box.append(title, list);
  return box;
}
