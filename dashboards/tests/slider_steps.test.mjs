/** A slider's steps: ends that are candidates, every step a value of its own, and back from a value to its step. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { STEPS, stepsOf } from "../static/js/job/slider-steps.js";

const inside = Array.from({ length: STEPS - 1 }, (_, index) => index + 1);

for (const [kind, low, high, least] of [
  ["size", 1_000_000, 9_000_001, 0],
  ["loss", 0.0123456, 0.87654321, 0.0123456],
  ["loss", 0, 0.8, 0.002],
  ["loss", 0, 0, 0],
  ["loss", 0.5, 0.5, 0.5],
]) {
  test(`${kind} from ${low} to ${high}`, () => {
    const { step, value } = stepsOf(low, high, kind, least);
    assert.deepEqual([value(0), value(STEPS)], [low, high]);
    const values = inside.map(value);
    assert.ok(values.every((each) => each >= low && each <= high * 1.001), `${values}`);
    assert.deepEqual(values, values.toSorted((a, b) => a - b));
    if (low === high) return;
    assert.equal(new Set(values).size, values.length);
    assert.deepEqual(inside.filter((each) => Math.abs(step(value(each)) - each) > 1), []);
    assert.deepEqual([step(low), step(high)], [0, STEPS]);
  });
}

test("losses that begin at 0 are spread by their logarithm from the least positive one on", () => {
  const { value } = stepsOf(0, 0.8, "loss", 0.002);
  assert.ok(Math.abs(value(STEPS / 2) - Math.sqrt(0.002 * 0.8)) < 1e-4);
});
