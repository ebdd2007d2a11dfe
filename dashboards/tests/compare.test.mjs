/** What compare, models, workers and export compute: ratios at equal size, differences of layers, the address, words. */

import assert from "node:assert/strict";
import { register } from "node:module";
import { test } from "node:test";

register("./vendored.mjs", import.meta.url);
const { lossRatios, lossWithin, staircase } = await import("../static/js/compare/ratios.js");
const { layerDifferences, sums } = await import("../static/js/compare/differences.js");
const view = await import("../static/js/compare/view.js");
const { byNode, summary } = await import("../static/js/workers/nodes.js");
const { beginning, commandLine, isUnderWay, phaseWords, statePath } = await import("../static/js/export/formats.js");

const points = (...pairs) => pairs.map(([size_bytes, loss]) => ({ size_bytes, loss }));
const layer = (name, option, bits, size_bytes) =>
  ({ name, option, bits, size_bytes, block: 0, module: name, part: null, rows: 1, columns: 1 });

test("a staircase leaves out what is beaten, broken or not finite", () => {
  const all = points([3, 0.5], [1, 2], [2, 3], [4, 0.5], [5, null], [6, NaN], [1, 4]);
  assert.deepEqual(staircase(all).map((each) => each.size_bytes), [1, 3]);
});

test("the loss within a size is that of a plain search, at every size", () => {
  const steps = staircase(points([10, 5], [20, 4], [35, 1], [50, 0.5]));
  for (let size = 0; size <= 60; size += 1) {
    const within = steps.filter((each) => each.size_bytes <= size).map((each) => each.loss);
    assert.equal(lossWithin(steps, size), within.length ? Math.min(...within) : null);
  }
});

test("a front over itself is 1, over its half 2, and its mean weighs by bytes", () => {
  const front = points([10, 8], [20, 4], [40, 2]);
  const half = front.map((each) => ({ ...each, loss: each.loss / 2 }));
  assert.equal(lossRatios(front, front).mean, 1);
  assert.ok(Math.abs(lossRatios(front, half).mean - 2) < 1e-12);
  const { steps, mean } = lossRatios(points([10, 8], [40, 8]), points([10, 8], [20, 2], [40, 2]));
  assert.deepEqual(steps.map((each) => [each.size_bytes, each.ratio]), [[10, 1]]);
  assert.equal(mean, 1); // the first ends at 10: nothing beats its own point
});

test("fronts without sizes in common, empty ones and a reference of 0 have no ratio", () => {
  for (const other of [points([3, 1], [4, 0.5]), [], points([1, 0], [2, 0])]) {
    const { steps, mean } = lossRatios(points([1, 2], [2, 1]), other);
    assert.deepEqual([steps, mean], [[], null]);
  }
});

test("layers that gain, lose, change at equal bits, or are in one space only", () => {
  const before = [layer("a", "int3", 3, 30), layer("b", "int3", 3, 30), layer("c", "int3", 3, 30), layer("d", "int3", 3, 30)];
  const after = [layer("a", "int4", 4, 40), layer("b", "drop", 0, 0), layer("c", "int3-sym", 3, 30), layer("e", "int2", 2, 20)];
  const found = layerDifferences(before, after);
  assert.deepEqual(found.map((each) => each.change), ["gained", "lost", "other", "missing", "missing"]);
  assert.deepEqual(sums(found).lost, { count: 1, bytes: -30 });
  assert.equal(found.reduce((total, each) => total + each.bytes, 0), 90 - 120);
});

test("the address: jobs, candidates, and what a change leaves", () => {
  const query = { jobs: "a,b,a,%,", candidates: "a:3,b:17,c:0,d:x,a:3,e:2", base: "b:17", against: "b", hidden: "b" };
  assert.deepEqual(view.shownJobs(query), ["a", "b", "e"]);
  assert.deepEqual(view.readPicks(query.candidates).map((each) => each.key), ["a:3", "b:17", "e:2"]);
  assert.deepEqual(view.withoutJob(query, "b"), { jobs: "a,e", candidates: "a:3,e:2", hidden: null, against: null, base: null });
  assert.equal(view.withToggled(query, view.pick("a", 3)).candidates, "b:17,e:2");
  assert.equal(view.withToggled({}, view.pick("a", 3)).candidates, "a:3");
});

test("workers by node, and each job's failures counted once", () => {
  const worker = (id, node, job_id, state) =>
    ({ id, node, job_id, state, pid: 1, cpus: 1, gpus: 0, device: "cpu", task: "", num_failed: 2, evaluations_per_minute: 5 });
  const all = [worker("1", "n10", "j", "busy"), worker("2", "n9", "j", "idle"), worker("3", "n9", "k", "busy")];
  assert.deepEqual(byNode(all).map((node) => [node.name, node.workers.length]), [["n9", 2], ["n10", 1]]);
  assert.equal(summary(all), "3 workers on 2 nodes · 2 busy, 1 idle · 3 CPUs · 15 evaluations a minute · 4 failures in their jobs");
});

test("a command is one that a shell reads as meant, and a long preview ends at a line", () => {
  const format = { name: "evopress", kind: "recipe", file_name: "it's.txt" };
  assert.equal(commandLine(format, "j", 3, ""), "layerpress export j --pick 3 --format evopress > 'it'\\''s.txt'");
  const folder = { name: "dense", kind: "checkpoint", file_name: "" };
  assert.equal(commandLine(folder, "j", 3, ""), "layerpress export j --pick 3 --format dense --out dense");
  const { shown, numMore } = beginning("0123456789\n".repeat(3000));
  assert.ok(shown.length <= 20000 && shown.endsWith("9") && shown.split("\n").length + numMore === 3000);
});

test("a checkpoint is followed until it is done or has failed", () => {
  const state = { state: "writing", phase: "tensors", done: 3, total: 7 };
  assert.equal(statePath("j", 3, "dense"), "jobs/j/candidates/3/exports/dense");
  assert.deepEqual(["queued", "writing", "done", "failed"].map((each) => isUnderWay({ ...state, state: each })),
    [true, true, false, false]);
  assert.equal(phaseWords(state), "Writing tensors");
  assert.equal(phaseWords({ ...state, phase: "reading the text" }), "Preparing: reading the text");
  assert.equal(phaseWords({ ...state, state: "queued" }), "Waits for another export");
});
