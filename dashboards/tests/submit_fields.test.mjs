/** The form's pure parts: the schema and the catalogue as fields, words as values, budgets on a scale, errors in place. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { register } from "node:module";
import { test } from "node:test";

register("./vendored.mjs", import.meta.url);
const { fieldOf, groupsOf, inOrder, orderOf } = await import("../static/js/submit/schema.js");
const { settingField } = await import("../static/js/submit/settings.js");
const { chooseNamed, nameOf, readNamed, withSetting } = await import("../static/js/submit/named.js");
const { listed, meant, scalar, shown } = await import("../static/js/submit/words.js");
const { inMode, modeOf, moved, quantity, rangesJob, scaleOf } = await import("../static/js/submit/budget.js");
const { faultsAt, faultsWithin, lineOf, locate } = await import("../static/js/submit/locate.js");
const { EXAMPLES, exampleText } = await import("../static/js/submit/examples.js");
const { attemptFor } = await import("../static/js/submit/draft.js");
const { readYaml } = await import("../static/js/submit/yaml-tree.js");

const SCHEMA = {
  required: ["model", "space"],
  properties: {
    model: { type: "string", description: "a folder" },
    space: { $ref: "#/$defs/Space" },
    max_loss: { anyOf: [{ exclusiveMinimum: 0, type: "number" }, { type: "null" }], default: null, description: "at most" },
    strategy: { anyOf: [{ type: "object", additionalProperties: true }, { type: "string" }], default: "trust-region" },
    objective: { enum: ["kl", "perplexity"], type: "string", default: "kl" },
    brand_new: { type: "boolean", default: false },
    bank: { $ref: "#/$defs/Bank", default: {} },
  },
  $defs: {
    Space: {
      type: "object", required: ["options"], properties: {
        options: { type: "array", items: { $ref: "#/$defs/Option" } },
        exclude: { type: "array", items: { type: "string" }, default: [] },
        pin: { type: "object", additionalProperties: { type: "string" }, default: {} },
      },
    },
    Option: { type: "object", properties: { bits: { type: "array", items: { enum: [2, 3], type: "integer" } } } },
    Bank: { type: "object", description: "how", properties: { limit: { anyOf: [{ type: "string" }, { type: "integer" }], default: "4GiB" } } },
  },
};

test("every key of the schema is in a group, and one that is new comes under More", () => {
  const groups = groupsOf(SCHEMA);
  assert.deepEqual(groups.flatMap((group) => group.fields.map((field) => field.key)).sort(), Object.keys(SCHEMA.properties).sort());
  assert.ok(groups.find((group) => group.name === "more").fields.some((field) => field.key === "brand_new"));
  assert.deepEqual(orderOf(SCHEMA), Object.keys(SCHEMA.properties));
});

test("references, choices with null, lists and words become fields", () => {
  const field = (key) => groupsOf(SCHEMA).flatMap((group) => group.fields).find((each) => each.key === key);
  assert.equal(field("model").isRequired, true);
  assert.deepEqual([field("max_loss").kind, field("max_loss").minimum, field("max_loss").hint], ["number", 0, "at most"]);
  assert.deepEqual([field("strategy").kind, field("strategy").fallback], ["any", "trust-region"]);
  assert.deepEqual([field("objective").kind, field("objective").choices], ["choice", ["kl", "perplexity"]]);
  assert.equal(field("bank").fields[0].kind, "text");
  assert.deepEqual(field("space").fields.map((each) => each.kind), ["any", "list", "any"]);
  const bits = fieldOf(SCHEMA, SCHEMA.$defs.Option.properties.bits, ["space", "options", 0, "bits"], false);
  assert.deepEqual([bits.kind, bits.choices], ["list", [2, 3]]);
});

test("a job that a store has sorted stands in the schema's order again", () => {
  const job = { zeta: 1, strategy: { batch: 2, name: "tpe" }, space: { exclude: ["a"], options: [{ kind: "q", bits: [2] }] }, model: "m" };
  const ordered = inOrder(job, SCHEMA);
  assert.deepEqual(ordered, job);
  assert.equal(JSON.stringify(ordered), '{"model":"m","space":{"options":[{"bits":[2],"kind":"q"}],"exclude":["a"]},"strategy":{"name":"tpe","batch":2},"zeta":1}');
});

test("a schema that refers to nothing still gives a field", () => {
  assert.equal(fieldOf({}, { $ref: "#/$defs/Lost" }, ["x"], false).kind, "any");
  assert.equal(fieldOf({}, {}, ["x"], false).kind, "any");
});

test("the catalogue's types become fields", () => {
  const kind = (type, fallback = null) => {
    const field = settingField({ name: "a_b", type, default: fallback, is_required: false }, ["strategy", "a_b"]);
    return [field.kind, field.choices.length, field.fields.map((each) => each.key)];
  };
  assert.deepEqual(kind("int"), ["integer", 0, []]);
  assert.deepEqual(kind("float | None"), ["number", 0, []]);
  assert.deepEqual(kind("equal-size | last-name | global"), ["choice", 3, []]);
  assert.deepEqual(kind("list[2 | 3 | 4]"), ["list", 3, []]);
  assert.deepEqual(kind("list[int | channel]", [128]), ["list", 0, []]);
  assert.deepEqual(kind("list[bool]", [false]), ["list", 2, []]);
  assert.deepEqual(kind("tuple[Stage]", [{ tokens: 1, survivors: 2 }]), ["rows", 0, ["tokens", "survivors"]]);
  assert.deepEqual(kind("Race", { tokens: 1, confidence: 0.5 }), ["object", 0, ["tokens", "confidence"]]);
  assert.deepEqual(kind("UniformStart | Strategy", { name: "uniform" }), ["any", 0, []]);
  assert.deepEqual(kind("Score | None"), ["named", 0, []]);
  assert.deepEqual(kind("Something"), ["any", 0, []]);
});

const ENTRIES = [
  { name: "evolution", summary: "e", settings: [{ name: "generations", type: "int", default: 150, is_required: false }, { name: "tokens", type: "int", default: 1, is_required: false }] },
  { name: "random", summary: "r", settings: [{ name: "tokens", type: "int", default: 2, is_required: false }] },
];
const PRESETS = [{ name: "quick", summary: 'evolution with {"generations": 6}', settings: [] }];

test("a strategy is a name, a preset or a mapping", () => {
  assert.deepEqual(["random", { name: "random" }, { name: "evolution", preset: "quick" }, 3, null].map(nameOf), ["random", "random", "quick", "", ""]);
  assert.equal(readNamed("quick", ENTRIES, PRESETS).settings[0].default, 6);
  assert.equal(readNamed({ name: "nobody" }, ENTRIES, PRESETS).isKnown, false);
  assert.deepEqual(chooseNamed({ name: "evolution", tokens: 5, generations: 3 }, "random", ENTRIES, PRESETS), { name: "random", tokens: 5 });
  assert.equal(chooseNamed({ name: "evolution" }, "quick", ENTRIES, PRESETS), "quick");
  const quick = readNamed("quick", ENTRIES, PRESETS);
  assert.deepEqual(withSetting("quick", "tokens", 9, quick, PRESETS), { name: "evolution", preset: "quick", tokens: 9 });
  assert.deepEqual(withSetting({ name: "random", tokens: 9 }, "tokens", undefined, readNamed("random", ENTRIES)), { name: "random" });
});

test("words and values are each other's opposite", () => {
  assert.deepEqual([scalar("3"), scalar(" 3.50 "), scalar("1e-3"), scalar("12MB"), scalar("1e999"), scalar("0x10")], [3, 3.5, 0.001, "12MB", "1e999", "0x10"]);
  assert.deepEqual(listed("32, channel,\n64,", true), [32, "channel", 64]);
  assert.equal(meant("  ", "text"), undefined);
  assert.equal(meant("3", "text"), "3");
  assert.equal(meant("abc", "integer"), "abc");
  for (const value of [{ a: [1, { b: 2 }] }, [1, 2], "word", 3, true]) assert.deepEqual(meant(shown(value, "any"), "any"), value);
  assert.equal(meant("{a: ", "any"), "{a: ");
  assert.equal(shown([128, "channel"], "list"), "128, channel");
  assert.equal(shown(128, "list"), "128");
  assert.equal(shown(null, "text"), "");
});

test("quantities read as the service reads them", () => {
  const cases = { "4.635136 MB": 4635136, "1.5GiB": 1610612736, "12MB": 12e6, "100": 100, "10,492,160": 10492160, "6.5B": 6.5e9, "1.5G": 1.5e9, "2.0000": 2 };
  for (const [written, number] of Object.entries(cases)) assert.equal(quantity(written), number, written);
  for (const none of ["", "MB", "4X", "-3", null, undefined, [1], NaN]) assert.equal(quantity(none), null, String(none));
});

test("a budget changes between one value, several and a spread", () => {
  assert.deepEqual([3, [1], { points: 3 }, "3MB"].map(modeOf), ["one", "several", "spread", "one"]);
  assert.deepEqual(inMode(3, "several"), [3]);
  assert.equal(inMode([2, 4], "one"), 2);
  assert.deepEqual(inMode([2, 4], "spread"), { points: 9, from: 2, to: 4 });
  assert.equal(inMode({ points: 3 }, "one", { smallest: "10,000", largest: "2" }), "10000");
  assert.deepEqual(inMode({ points: 3, from: 2, to: 4 }, "several"), [2, 4]);
});

test("a budget is shown on the scale of what is feasible", () => {
  const range = { smallest: "2.0000", largest: "16.0000" };
  assert.deepEqual(scaleOf("nominal_bits_per_weight", 3, range), { name: "nominal_bits_per_weight", low: 2, high: 16, end: 16, asked: [3], isAtLeast: false, isOutside: false });
  assert.equal(scaleOf("nominal_bits_per_weight", [1, 3], range).isOutside, true);
  assert.deepEqual(scaleOf("bits_per_weight", { points: 3 }, range).asked, [2, 9, 16]);
  assert.equal(scaleOf("dropped_mlps", 13, { smallest: "0", largest: "12" }).isOutside, true);
  assert.equal(scaleOf("size", "words", { smallest: "4 MB", largest: "20 MB" }).asked.length, 0);
  assert.equal(scaleOf("size", 3, { smallest: "?", largest: "20 MB" }), null);
  assert.equal(moved("size", 9, range, { smallest: "4.635136 MB", largest: "20.98432 MB" }), "12.81MB");
  assert.equal(moved("bits_per_weight", "12.81MB", { smallest: "4.635136 MB", largest: "20.98432 MB" }, range), 9.01);
  assert.equal(moved("dropped_mlps", "x", undefined, { smallest: "0", largest: "12" }), 3);
  assert.equal(moved("size", 9, range, undefined), "");
});

test("the question for ranges keeps the space and asks for every limit", () => {
  const spec = { model: "m", space: { options: [{ kind: "drop" }] }, budget: {}, max_loss: 1, strategy: "tpe" };
  const asked = rangesJob(spec, ["size", "nominal_bits_per_weight", "dropped_mlps"]);
  assert.deepEqual(asked, { model: "m", space: spec.space, strategy: "uniform", budget: { size: "1000TB", dropped_mlps: 0 } });
});

test("an error finds its field and its line", () => {
  const text = "model: m\nspace:\n  options:\n    - kind: quantize\n      bits: [1,\n        9]\nstrategy: {name: tpe, round: 2}\n";
  const { root, value } = readYaml(text);
  const keys = ["model", "space", "strategy", "budget"];
  const place = (loc, msg) => {
    const [{ path, line }] = locate({ detail: msg, errors: [{ loc, msg }] }, value, text, root, keys);
    return [path.join("."), line];
  };
  assert.deepEqual(place(["body", "space", "options", 0, "bits", 1], "no"), ["space.options.0.bits.1", 6]);
  assert.deepEqual(place(["body", "space", "options", 0, "solver"], "no"), ["space.options.0.solver", 4]);
  assert.deepEqual(place(["body", "budget"], "budget is missing"), ["budget", null]);
  assert.deepEqual(place(["body"], "space.options.0: quantize needs bits, say bits: [2]"), ["space.options.0", 4]);
  assert.deepEqual(place(["body"], "unknown option kind in space.options.0 'quantze'"), ["space.options.0", 4]);
  assert.deepEqual(place(["body", "strategy"], "unknown setting of strategy 'round'; did you mean 'rounds'?"), ["strategy.round", 7]);
  assert.deepEqual(place(["body", "strategy"], "the name of a strategy must be a word"), ["strategy", 7]);
  assert.deepEqual(place(["query", "priority"], "too high"), ["query.priority", null]);
  assert.deepEqual(place([], "it failed"), ["", null]);
  assert.deepEqual(locate({ detail: "out", errors: [] }, value, text, root, keys).map((fault) => fault.message), ["out"]);
  assert.equal(lineOf(["model"], "", null), null);
});

test("a fault is shown at its field, or at the nearest one around it", () => {
  const faults = [["space", "options", 0, "bits", 1], ["space"], ["spaced"]].map((path) => ({ path, message: "m", line: 1 }));
  assert.equal(faultsWithin(faults, ["space"]).length, 2);
  assert.equal(faultsAt(faults, ["space"], new Set(["options"])).length, 1);
  assert.equal(faultsWithin(faults, ["space", "options", 0, "bits"]).length, 1);
});

test("the examples are those of the folder, with the paths of this service", () => {
  for (const { name } of EXAMPLES) {
    const file = readFileSync(new URL(`../../examples/jobs/${name}.yaml`, import.meta.url), "utf8");
    assert.deepEqual(readYaml(exampleText(name, [])).value, readYaml(file).value);
    const text = exampleText(name, [{ path: "/srv/a/reference-model", is_found: true }]);
    assert.equal(readYaml(text).value.model, "/srv/a/reference-model");
    assert.equal(readYaml(text).value.validation.source, "/srv/a/text/validation.txt");
  }
  assert.equal(exampleText("nothing", []), null);
});

test("a job that may have been heard is sent with the same key, another one is not", () => {
  let made = 0;
  const make = () => `k${++made}`;
  const first = attemptFor(null, "a", make);
  assert.equal(attemptFor(first, "a", make).key, "k1");
  assert.equal(attemptFor(first, "b", make).key, "k2");
});
