// @ts-check
/** What the words of the pages mean, said where they stand and all together on one page. */

import { Tooltip } from "./components/tooltip.js";
import { html } from "./preact.js";

/** @type {Record<string, string>} */
export const TERMS = {
  layer:
    "One compressible weight of the model, such as the query projection of block 3; or a whole attention, MLP or " +
    "block that may be dropped.",
  option:
    "One way to treat a layer: keep it, quantize it to so many bits, prune it, factor it, drop it, or a combination.",
  space: "All layers of a model with the options that are open to each of them.",
  configuration: "One option for every layer: what a search returns.",
  candidate: "A configuration that a job has measured, with its exact size and its loss.",
  budget: "The hard limits that an answer keeps to the byte: stored size, bits per weight, or others.",
  objective:
    "What a job makes as small as possible: KL divergence to the dense model or perplexity, and with some strategies " +
    "size, FLOPs or parameters together with it.",
  kl:
    "KL divergence to the dense model, in nats per token: how differently the compressed model predicts the next " +
    "token. 0 is the same model; smaller is better.",
  perplexity: "How surprised the model is by the text, as a number of equally likely next tokens. Smaller is better.",
  loss:
    "What is measured of a candidate: the KL divergence to the dense model, in nats per token, or its " +
    "perplexity. Smaller is better.",
  "standard error":
    "How far a measured mean may well be off, from how much it differs between sequences of the text. Two " +
    "candidates closer than about two of them are hardly different.",
  size: "The bytes that the exported checkpoint takes: codes, scales, zeros and all that is not compressed.",
  "FLOPs per token":
    "Multiplications and additions that a token takes in the linear layers that are kept, 2 for each weight, whatever " +
    "its bits. Dropping parts saves them; fewer bits do not. What attention scores add with the length is not counted.",
  parameters: "Weights of the whole model that are kept: dropped parts take theirs along, fewer bits do not.",
  "task error":
    "1 - the accuracy on a multiple-choice task, over all documents that the job reads of it: the share of questions " +
    "that the compressed model gets wrong.",
  "bits per weight": "The whole stored size over all parameters of the model, in bits.",
  "nominal bits":
    "The bits of the codes alone, over the weights of the space, as most papers count: scales and what stays " +
    "uncompressed come on top.",
  front: "The candidates that no other one beats in both size and loss: each is the best known for its size.",
  "best in all":
    "On the front of a job that minimises more than a picture has axes: no other candidate is as good in all of them. " +
    "What looks beaten on two axes is best by another one.",
  dominated:
    "Beaten: another candidate is at most as large and at most as lossy, and better in one of the two; where the job " +
    "minimises more, also no worse in that.",
  "uniform baseline":
    "The best plain choice within the budget: the same option for every layer. A search that does not beat it is " +
    "not worth its time.",
  answer:
    "The candidate that a finished job hands over: the best within the budget, checked on text that the search " +
    "never saw.",
  hypervolume:
    "The area between a front and a reference corner: one number for how good a whole front is. Larger is better.",
  "trust region":
    "A strategy that changes the best configuration a little at a time, and tries larger changes while they pay off.",
  strategy: "What proposes candidates and learns from how they did.",
  score: "A cheap number for each layer and option that predicts the loss, such as the error of the layer's output.",
  solver: "What picks options from scores so that the sum fits the budget, exactly where that can be done.",
  sensitivity: "How much the loss grows when this layer alone is compressed. Sensitive layers deserve more bits.",
  bank:
    "The compressed weights of every layer and option, made once for a model and its calibration text, and " +
    "shared by all jobs.",
  "cached share":
    "Of the evaluations that the job asked for, how many were known already, from itself or from other jobs, and " +
    "cost nothing.",
  evaluation:
    "Running the model with a candidate's weights over text, and comparing its predictions with the dense model's.",
  fidelity: "How many tokens of the calibration text an evaluation reads: few for a first look, all for the final one.",
  "calibration text": "The text that the search measures on.",
  "validation text": "Text that the search never saw: the answer and its baselines are measured on it at the end.",
  wish: "What the owner wants of a job (run, pause, stop or cancel); its state is what is the case.",
  pause: "Begin nothing new: what is under way finishes, and the job waits until it is resumed.",
  stop: "End the search with the best found so far, checked as ever.",
  cancel: "Break off now. What was measured is kept; there is no answer.",
  clone: "A new job from this one's spec. What was measured before is not computed again.",
  extend: "Give the search more rounds; those it has done are not computed again.",
  group: "Weights of a row that share one scale, usually 128. Smaller groups are more exact and take more bytes.",
  phase: "What a job is doing: preparing, measuring baselines, searching, checking its answer.",
  verdict: "Whether the answer beats the uniform baseline on unseen text, compared sequence by sequence.",
  artifact: "A file that a job left: its report, figures, configurations.",
  worker: "A process that evaluates candidates for a job, on a GPU or on CPU cores.",
  knee: "The point of the front where giving up a little more size begins to cost much more loss.",
  "time left": "From the pace so far; nothing is promised.",
};

/** A word that explains itself on hover and on focus. @param {{name: string, children?: any}} props */
export function Term({ name, children }) {
  const meaning = TERMS[name];
  const shown = children ?? name;
  if (meaning === undefined) return html`<span>${shown}</span>`;
  return html`<${Tooltip} text=${meaning}><span class="term" tabindex="0">${shown}</span></${Tooltip}>`;
}
