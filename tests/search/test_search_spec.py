"""The job file: the issue's own example, and every mistake with its path, its value and a way out."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import yaml

from search.spec import JobSpec, read_spec
from spaces.errors import InputError
from spaces.option import DROP, KEEP, Quantize
from spaces.spec import DropSpec, QuantizeSpec, SpaceSpec

JOB = """
model: examples/reference-model            # a local path or a hub id
calibration: {source: examples/text/calibration.txt, tokens: 65536, sequence_length: 512}
validation: {source: examples/text/validation.txt, tokens: 65536}
space:
  exclude: ["model.layers.0.*"]            # optional; include, pin, ties as well
  options:
    - {kind: quantize, bits: [2, 3, 4, 5, 6, 8], group_size: 128, symmetric: false, solver: gptq}
budget: {nominal_bits_per_weight: 3.0}
objective: kl
strategy: {name: evolution, preset: quick, start: {name: allocate, score: measured-kl, solver: knapsack}}
seed: 0
workers: 2
"""


def job(path: str = "", value: object = None) -> dict[str, Any]:
    """The job with the value at a dotted path replaced, added, or (the value is ...) taken away."""
    raw: dict[str, Any] = deepcopy(yaml.safe_load(JOB))
    if not path:
        return raw
    *steps, last = path.split("/")
    target: Any = raw
    for step in steps:
        target = target[int(step) if step.isdigit() else step]
    if value is ...:
        del target[last]
    else:
        target[int(last) if last.isdigit() else last] = value
    return raw


def test_the_issues_job_reads_as_it_says() -> None:
    spec = read_spec(job())
    assert spec.space.spec() == SpaceSpec(
        options=(QuantizeSpec(bits=(2, 3, 4, 5, 6, 8), group_sizes=(128,), symmetric=(False,), solver="gptq"),),
        exclude=("model.layers.0.*",),
    )
    assert (spec.model, spec.objective, spec.seed, spec.workers) == ("examples/reference-model", "kl", 0, 2)
    assert spec.calibration.tokens == spec.validation.tokens == 65536
    assert spec.sequence_length == spec.validation_length == 512
    assert spec.budget == {"nominal_bits_per_weight": 3.0}
    assert spec.strategy == job()["strategy"]


def test_what_may_be_left_out_has_plain_defaults() -> None:
    raw = job()
    for key in ("objective", "strategy", "seed", "workers"):
        del raw[key]
    del raw["calibration"]["sequence_length"]
    spec = read_spec(raw)
    assert (spec.objective, spec.strategy, spec.seed, spec.workers) == ("kl", "trust-region", 0, 1)
    assert spec.sequence_length == 512
    assert spec.bank.propagate == "dense"


PINS = {
    "*.o_proj": "gptq-int4-g128-asym",
    "*.v_proj": {"kind": "quantize", "bits": 8, "group_size": "channel", "symmetric": True, "solver": "rtn"},
    "*.0.mlp": "drop",
    "*.1.mlp": {"kind": "drop"},
    "lm_head": {"kind": "keep"},
}
RICH = [
    {"kind": "quantize", "bits": 4, "group_size": [64, "channel"], "symmetric": [True, False], "layers": "*.q_proj"},
    {"kind": "drop", "parts": "mlp"},
    {"kind": "drop"},
]


def rich() -> JobSpec:
    raw = job("space/options", RICH)
    raw["space"] |= {"pin": PINS, "include": ["lm_head"], "ties": "vllm"}
    return read_spec(raw)


def test_one_value_is_a_list_of_one_and_channel_is_a_group_size() -> None:
    first, second, third = rich().space.spec().options
    assert first == QuantizeSpec(
        bits=(4,), group_sizes=(64, None), symmetric=(True, False), solver="gptq", layers=("*.q_proj",)
    )
    assert second == DropSpec(parts=("mlp",))
    assert third == DropSpec(parts=("attention", "mlp"))


def test_pins_are_slugs_or_mappings() -> None:
    assert rich().space.spec().pin == {
        "*.o_proj": Quantize(bits_per_code=4, group_size=128, symmetric=False, solver="gptq"),
        "*.v_proj": Quantize(bits_per_code=8, group_size=None, symmetric=True, solver="rtn"),
        "*.0.mlp": DROP,
        "*.1.mlp": DROP,
        "lm_head": KEEP,
    }


@pytest.mark.parametrize("spec", [read_spec(job()), rich()], ids=["issue", "rich"])
def test_a_stored_job_reads_back_as_it_was(spec: JobSpec) -> None:
    again = read_spec(spec.model_dump(mode="json"))
    assert again == spec
    assert again.space.spec() == spec.space.spec()


OPTION = "space/options/0"
REFUSED: list[tuple[str, object, str]] = [
    ("modl", "x", "unknown key modl; did you mean 'model'"),
    ("calibration/token", 5, "unknown key calibration.token; did you mean 'tokens'"),
    ("calibration/zzz", 5, "unknown key calibration.zzz; known: source, tokens"),
    (f"{OPTION}/bit", 3, "unknown key space.options.0.bit; did you mean 'bits'"),
    ("space/exlude", [], "unknown key space.exlude; did you mean 'exclude'"),
    ("evaluation", {"dtyp": "float32"}, "unknown key evaluation.dtyp; did you mean 'dtype'"),
    ("space/pin", {"*.q_proj": {"kind": "quantize", "bitz": 4}}, r"unknown key space.pin.\*.q_proj.bitz; .*'bits'"),
    ("model", ..., "model is missing"),
    ("calibration/source", ..., "calibration.source is missing"),
    (f"{OPTION}/kind", ..., "space.options.0.kind is missing"),
    ("model", 5, "model: .*string, got 5"),
    ("calibration/tokens", "many", "calibration.tokens: .*integer, got 'many'"),
    ("calibration/tokens", 0, "calibration.tokens: .*greater than 0, got 0"),
    ("calibration/tokens", True, "calibration.tokens: .*integer, got True"),
    ("calibration/sequence_length", 1, "calibration.sequence_length: .*greater than 1, got 1"),
    ("calibration", "text.txt", "calibration: .*got 'text.txt'"),
    ("seed", -1, "seed: .*greater than or equal to 0, got -1"),
    ("seed", 1.5, "seed: .*integer, got 1.5"),
    ("workers", 0, "workers: .*got 0"),
    ("objective", "accuracy", "objective: .*'kl' or 'perplexity', got 'accuracy'"),
    ("budget", {}, r"budget: .*at least 1 item.*got \{\}"),
    ("budget", 3.0, "budget: .*dictionary, got 3.0"),
    ("strategy", 5, "strategy: must be a name or a mapping .*got 5"),
    ("strategy", {1: 2}, r"strategy: must be a name or a mapping .*got \{1: 2\}"),
    ("space/options", [], r"space.options: .*at least 1 item.*got \[\]"),
    (f"{OPTION}/kind", "quantise", "unknown option kind in space.options.0 'quantise'; did you mean 'quantize'"),
    (f"{OPTION}/kind", "keep", "unknown option kind in space.options.0 'keep'"),
    (f"{OPTION}/bits", [2, 9], r"job: space.options.0.bits.1: .*2, 3, 4, 5, 6, 7 or 8, got 9$"),
    (f"{OPTION}/bits", "four", r"job: space.options.0.bits.0: .*got 'four'$"),
    (f"{OPTION}/bits", [], r"space.options.0: quantize needs bits"),
    (f"{OPTION}/bits", ..., r"space.options.0: quantize needs bits"),
    (f"{OPTION}/group_size", 100, r"job: space.options.0.group_size.0: must be 32, 64, 128 or channel, got 100$"),
    (f"{OPTION}/group_size", "chanel", r"group_size.0: must be 32, 64, 128 or channel, got 'chanel'$"),
    (f"{OPTION}/group_size", [64, True], r"group_size.1: must be 32, 64, 128 or channel, got True$"),
    (f"{OPTION}/group_size", [64, [1]], r"group_size.1: must be 32, 64, 128 or channel, got \[1\]$"),
    (f"{OPTION}/symmetric", "maybe", r"space.options.0.symmetric.0: .*boolean, got 'maybe'"),
    (f"{OPTION}/solver", "gtpq", r"unknown quantize solver 'gtpq'; did you mean 'gptq'"),
    (f"{OPTION}/parts", ["mlp", "head"], r"space.options.0: parts means nothing for kind: quantize"),
    ("space/options/0", {"kind": "drop", "bits": [4]}, r"bits means nothing for kind: drop here, got \[4\]"),
    ("space/options/0", {"kind": "drop", "parts": ["head"]}, "unknown droppable part 'head'"),
    ("space/exclude", "model.*", r"space.exclude: .*list, got 'model.\*'"),
    ("space/pin", {"*.q_proj": "gptq-int4"}, r"job: space.pin.\*.q_proj: unknown option 'gptq-int4'"),
    ("space/pin", {"*.q_proj": 4}, r"space.pin.\*.q_proj: .*string, got 4"),
    ("space/pin", {"*.q": {"kind": "quantize", "bits": [3, 4]}}, r"space.pin.\*.q must name one option, got 2"),
    ("space/pin", {"*.q": {"kind": "quantize"}}, r"space.pin.\*.q: quantize needs bits"),
    ("space/pin", {"*.q": {"kind": "keep", "bits": 4}}, r"space.pin.\*.q: bits means nothing for kind: keep"),
    ("space/pin", {"*.q": {"kind": "drop", "layers": "a"}}, r"layers means nothing for kind: drop here, got \['a'\]"),
    ("evaluation", {"dense_logits_limit": "4 gigs"}, "evaluation.dense_logits_limit: size must be .*got '4 gigs'"),
    ("evaluation", {"dense_logits_limit": [4]}, r"evaluation.dense_logits_limit: must be a size .*got \[4\]"),
    ("evaluation", {"device": "tpu"}, "evaluation.device: .*got 'tpu'"),
]


@pytest.mark.parametrize(("path", "value", "message"), REFUSED, ids=[f"{path}={value}" for path, value, _ in REFUSED])
def test_a_mistake_is_named_with_its_path_and_value(path: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_spec(job(path, value))


def test_all_mistakes_are_told_at_once() -> None:
    raw = job("modl", 1) | {"seed": -1}
    with pytest.raises(InputError, match=r"(?s)seed: .*got -1; unknown key modl"):
        read_spec(raw)


@pytest.mark.parametrize("raw", [None, [], "model: x", 3])
def test_a_job_that_is_no_mapping_is_refused(raw: object) -> None:
    with pytest.raises(InputError, match=r"job\.yaml must be a mapping of keys .*got "):
        read_spec(raw, "job.yaml")
