/** A job's YAML: read with places and errors, and edited so that everything else stays as it was written. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { register } from "node:module";
import { test } from "node:test";

register("./vendored.mjs", import.meta.url);
const { deepest, placeOf, readYaml } = await import("../static/js/submit/yaml-tree.js");
const { editYaml, writeYaml } = await import("../static/js/submit/yaml-edit.js");
const { getIn, putIn } = await import("../static/js/submit/values.js");

const example = (name) => readFileSync(new URL(`../../examples/jobs/${name}.yaml`, import.meta.url), "utf8");
const DEMO = example("demo");
const BLOCKS = `# of blocks
model: here   # where it lies
space:
  # what may be done
  options:
    - kind: quantize
      bits: [2, 3]  # few
      unknown: kept

    - {kind: drop, parts: [mlp]}
  exclude:
    - "a.*"
    - 'b.*' # the second
# at the end
budget:
  size: 3MB
note: |
  two
  lines
`;

test("numbers, words and truths read as the service's own reader has them", () => {
  const { value } = readYaml("a: 0x1F\nb: yes\nc: 012\nd: 1e3\ne: 2021-01-01\nf: 3.0\ng: ~\n");
  assert.deepEqual(value, { a: 31, b: true, c: 10, d: "1e3", e: "2021-01-01", f: 3, g: null });
});

test("an empty text is an empty job", () => {
  for (const text of ["", "# nothing\n", "\n\n"]) assert.deepEqual(readYaml(text).value, {});
});

test("an error has its line and column", () => {
  const { problem } = readYaml("model: a\nbudget: {size: 3\nseed: 1\n");
  assert.equal(problem.line, 3);
  assert.equal(readYaml("a: 1\na: 2\n").problem.line, 2);
  assert.match(readYaml("- 1\n").problem.message, /keys with values/);
  assert.match(readYaml("a: 1\n---\nb: 2\n").problem.message, /one document/);
});

test("places lead to what stands in the text", () => {
  const { root } = readYaml(DEMO);
  const { node } = deepest(root, ["space", "options", 0, "bits"]);
  assert.equal(DEMO.slice(node.start, node.end), "[2, 3, 4, 5, 6, 8]");
  assert.deepEqual(placeOf(DEMO, node.start), { line: 8, column: 30 });
  assert.equal(deepest(root, ["space", "options", 3, "bits"]).depth, 2);
});

const edited = (text, path, value, order) => {
  const result = editYaml(text, path, value, order);
  assert.deepEqual(readYaml(result).value, putIn(readYaml(text).value, path, value));
  return result;
};

/** The lines that an edit took away and brought. */
function changes(before, after) {
  const old = before.split("\n"), fresh = after.split("\n");
  return [old.filter((line) => !fresh.includes(line)), fresh.filter((line) => !old.includes(line))];
}

test("a changed value changes its line alone", () => {
  const result = edited(DEMO, ["budget", "nominal_bits_per_weight"], 2.5);
  assert.deepEqual(changes(DEMO, result), [["budget: {nominal_bits_per_weight: 3.0}"], ["budget: {nominal_bits_per_weight: 2.5}"]]);
  assert.match(edited(DEMO, ["front_points"], 9), /front_points: 9 {2}# besides the answer/);
  assert.match(edited(BLOCKS, ["model"], "there"), /^model: there {3}# where it lies$/m);
  assert.match(edited(BLOCKS, ["space", "options", 0, "bits"], [2, 3, 4]), /bits: \[2, 3, 4\] {2}# few/);
  assert.match(edited(BLOCKS, ["space", "options", 0, "bits", 1], 4), /bits: \[2, 4\] {2}# few/);
});

test("a new key stands where its mapping is written", () => {
  assert.match(edited(DEMO, ["strategy", "tokens"], 5), /strategy: \{name: trust-region, rounds: 4, tokens: 5\}/);
  assert.match(edited(BLOCKS, ["space", "options", 0, "solver"], "rtn"), /unknown: kept\n {6}solver: rtn\n/);
  assert.match(edited(BLOCKS, ["space", "ties"], "vllm"), /'b\.\*' # the second\n {2}ties: vllm\n# at the end/);
  assert.match(edited(BLOCKS, ["name"], "x", ["model", "name", "space"]), /where it lies\nname: x\nspace:/);
  assert.match(edited("space: {}\n", ["model"], "m", ["model", "space"]), /^model: m\nspace/);
  assert.equal(edited("", ["budget", "size"], "3MB"), "budget: {size: 3MB}\n");
  assert.equal(edited("# mine", ["seed"], 3), "# mine\nseed: 3\n");
  assert.equal(edited("space:\nseed: 1\n", ["space", "ties"], "vllm"), "space: {ties: vllm}\nseed: 1\n");
  assert.equal(edited("seed: 1", ["workers"], 3), "seed: 1\nworkers: 3");
});

test("a line of a list is added, and taken out", () => {
  const line = { kind: "drop", parts: ["attention"] };
  assert.match(edited(BLOCKS, ["space", "options", 2], line), /parts: \[mlp\]\}\n {4}- \{kind: drop, parts: \[attention\]\}/);
  assert.match(edited(DEMO, ["space", "options", 1], line), /gptq\}\n {4}- \{kind: drop/);
  assert.doesNotMatch(edited(BLOCKS, ["space", "options", 0], undefined), /quantize/);
  assert.match(edited(BLOCKS, ["space", "options", 1], undefined), /unknown: kept\n\n {2}exclude/);
  assert.match(edited(BLOCKS, ["space", "exclude"], ["c"]), /exclude: \[c\]/);
});

test("a key is taken out, and the comments stay", () => {
  const result = edited(BLOCKS, ["space", "options", 0, "kind"], undefined);
  assert.match(result, /- bits: \[2, 3\] {2}# few/);
  assert.deepEqual(changes(DEMO, edited(DEMO, ["seed"], undefined)), [["seed: 0"], []]);
  assert.match(edited(DEMO, ["calibration", "tokens"], undefined), /calibration.txt, sequence_length: 512\}/);
  assert.match(edited(DEMO, ["calibration", "sequence_length"], undefined), /tokens: 65536\}/);
  assert.match(edited(BLOCKS, ["budget"], undefined), /# at the end\nnote: \|/);
  edited(BLOCKS, ["budget", "size"], undefined);
  edited(BLOCKS, ["note"], "one line");
  edited(BLOCKS, ["note"], undefined);
});

test("a value that is shared is written out where it is changed", () => {
  const text = "calibration: &text {source: a, tokens: 3}\nvalidation: *text\n";
  const result = edited(text, ["validation", "tokens"], 9);
  assert.match(result, /&text \{source: a, tokens: 3\}/);
  edited("x: &a {p: 1}\ny:\n  <<: *a\n  q: 2\n", ["y", "p"], 5);
});

test("words that look like numbers or truths are quoted", () => {
  for (const value of ["3", "yes", "null", "*.down_proj", "a: b", "", "1e3", "#x", "- y"]) {
    assert.equal(getIn(readYaml(edited(DEMO, ["name"], value)).value, ["name"]), value);
  }
});

test("a text that does not read is left alone", () => {
  assert.equal(editYaml("a: [1", ["seed"], 3), "a: [1");
});

test("a whole job reads back, each option on a line", () => {
  for (const name of ["demo", "drop", "front"]) {
    const { value } = readYaml(example(name));
    const text = writeYaml(value);
    assert.deepEqual(readYaml(text).value, value);
    assert.match(text, /\n {4}- \{kind: /);
  }
});

test("many edits in a row keep every comment and the unknown key", () => {
  let text = BLOCKS;
  const steps = [[["seed"], 1], [["space", "options", 0, "bits"], [8]], [["strategy", "name"], "tpe"], [["seed"], undefined],
    [["strategy", "trials"], 30], [["space", "options", 2], { kind: "drop" }], [["budget", "size"], undefined],
    [["budget", "bits_per_weight"], { points: 3 }], [["space", "pin", "model.layers.0.*"], "gptq-int8-g128-asym"]];
  for (const [path, value] of steps) text = edited(text, path, value);
  for (const comment of ["# of blocks", "# where it lies", "# what may be done", "# few", "# the second", "# at the end"]) {
    assert.ok(text.includes(comment), comment);
  }
  assert.equal(getIn(readYaml(text).value, ["space", "options", 0, "unknown"]), "kept");
});
