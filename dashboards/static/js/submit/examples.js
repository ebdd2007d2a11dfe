// @ts-check
/** Jobs to start from: those of examples/jobs, with paths to where the bundled model lies in this service. */

/** @typedef {{name: string, title: string, summary: string}} Example */

const FOLDER = "examples/";
const MODEL = "reference-model";

/** @type {Example[]} */
export const EXAMPLES = [
  { name: "demo", title: "Bit-widths", summary: "The best bit-width for each layer at 3 bits: a few minutes." },
  { name: "drop", title: "Dropped parts", summary: "Which two attentions and which two MLPs are missed least?" },
  { name: "front", title: "A whole front", summary: "The best answer at each of nine budgets, in one job." },
];

const TEXTS = /** @type {Record<string, string>} */ ({
  demo: `# The main job on the bundled model: per-layer bit-widths at 3.0 nominal bits per weight.
model: examples/reference-model
calibration: {source: examples/text/calibration.txt, tokens: 65536, sequence_length: 512}
validation: {source: examples/text/validation.txt, tokens: 65536}
space:
  options:
    - {kind: quantize, bits: [2, 3, 4, 5, 6, 8], group_size: 128, symmetric: false, solver: gptq}
budget: {nominal_bits_per_weight: 3.0}
front_points: 5  # besides the answer, five budgets solved from the bank and measured, for the picture
objective: kl
strategy: {name: trust-region, rounds: 4}
seed: 0
workers: 2
`,
  drop: `# EvoPress' other question: which 2 attentions and which 2 MLPs of 12 blocks are missed least?
model: examples/reference-model
calibration: {source: examples/text/calibration.txt, tokens: 32768, sequence_length: 512}
validation: {source: examples/text/validation.txt, tokens: 32768}
space:
  options:
    - {kind: drop, parts: [attention, mlp]}
budget: {dropped_attentions: 2, dropped_mlps: 2}
strategy: {name: evolution, preset: evopress-drop, stages: [{tokens: 2048, survivors: 2}, {tokens: 16384, survivors: 1}]}
workers: 2
`,
  front: `# The whole front of the bundled model in one job: an answer at each of nine budgets, which share evaluations.
model: examples/reference-model
calibration: {source: examples/text/calibration.txt, tokens: 16384, sequence_length: 512}
validation: {source: examples/text/validation.txt, tokens: 65536}
space:
  options:
    - {kind: quantize, bits: [2, 3, 4, 5, 6, 8], group_size: 128, symmetric: false, solver: gptq}
budget: {nominal_bits_per_weight: {points: 9, from: 2.125, to: 4.125}}
objective: kl
strategy: {name: allocate, score: gradient-output, solver: knapsack}
seed: 0
workers: 2
`,
});

/**
 * The text of an example. Relative paths start at the service's first folder, which may not be that of the examples;
 * the list of models says where the bundled one lies, and its texts lie beside it.
 * @param {string} name @param {{path: string, is_found: boolean}[]} models
 * @returns {string | null} null: no such example
 */
export function exampleText(name, models) {
  const text = Object.hasOwn(TEXTS, name) ? TEXTS[name] : null;
  const found = models.find((model) => model.is_found && model.path.endsWith(`/${MODEL}`));
  if (text === null || !found) return text;
  const folder = found.path.slice(0, -MODEL.length);
  return /[\s,{}[\]#:'"]/.test(folder) ? text
    : text.replaceAll(FOLDER + MODEL, folder + MODEL).replaceAll(`${FOLDER}text/`, `${folder}text/`);
}
