"""What a submission is told of its job: numbers with an oracle each, and the place of every fault."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx2
import pytest
from live_api import EXAMPLES

from search.spec import read_spec
from search.strategy import STRATEGIES
from service.api.views import EXAMPLE_SPEC
from service.intake.extending import LENGTHS, extended
from service.intake.fields import FieldError
from service.intake.preview import preview
from service.intake.roots import check_paths
from service.intake.submission import changed, read_submission
from spaces.budget import make_budget
from spaces.build import build_space
from spaces.errors import BudgetError, ConflictError
from spaces.option import Quantize
from spaces.skeleton import anatomy_of

ROOTS = (EXAMPLES,)


@pytest.fixture
def spec() -> dict[str, Any]:
    return deepcopy(EXAMPLE_SPEC)


def told(spec: dict[str, Any]) -> Any:
    return preview(check_paths(read_spec(spec), ROOTS, allow_hub=False))


def test_sizes_are_those_of_real_configurations(spec: dict[str, Any]) -> None:
    spec["space"]["options"] = [{"kind": "quantize", "bits": [2, 4]}, {"kind": "drop"}]
    spec["strategy"] = "uniform"
    found = told(spec)
    space = build_space(anatomy_of(str(EXAMPLES / "reference-model")), read_spec(spec).space.spec())
    assert found.num_units == len(space.units) == 84 + 24
    with pytest.raises(BudgetError):
        make_budget({"size": found.smallest.size_bytes - 1}, space)
    assert make_budget({"size": found.smallest.size_bytes}, space).holds(space.measure([0] * len(space.units)))
    assert found.largest.size_bytes == space.measure(space.kept).size_bytes
    assert found.smallest.nominal_bits_per_weight == 0  # every part is dropped
    options = [Quantize(bits_per_code=bits, group_size=128, symmetric=False, solver="gptq") for bits in (2, 4)]
    weights = [layer for layer in space.layers if layer.part is None]
    stored = [option.bits(layer.rows, layer.columns, 16).stored for layer in weights for option in options]
    assert found.bank_bytes == sum(stored) // 8


def test_a_front_plans_for_every_budget(spec: dict[str, Any]) -> None:
    one = told(spec)
    spec["budget"] = {"nominal_bits_per_weight": [2.5, 3, 4]}
    several = told(spec)
    assert (one.num_budgets, several.num_budgets) == (1, 3)
    assert several.planned_tokens > one.planned_tokens


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"modell": "x"}, ("modell",)),
        ({"calibration.tokens": -1}, ("calibration", "tokens")),
        ({"calibration.tokens": 10}, ("calibration",)),
        ({"calibration.source": "text/nothing.txt"}, ("calibration", "source")),
        ({"calibration.sequence_length": 100_000, "calibration.tokens": 200_000}, ("calibration",)),
        ({"space.options.0.bits": [9]}, ("space", "options", 0, "bits", 0)),
        ({"space.options.0.solver": "magic"}, ()),
        ({"space.exclude": ["no.such.*"]}, ("space",)),
        ({"budget": {"nominal_bits_per_weight": 1}}, ("budget",)),
        ({"budget": {"size": "9" * 4000, "nominal_bits_per_weight": 1}}, ("budget",)),
        ({"budget": {"size": "1KB", "nominal_bits_per_weight": "9" * 4000}}, ("budget",)),
        ({"budget": {"speed": 1}}, ("budget",)),
        ({"constraints": [{"kind": "magic"}]}, ("constraints",)),
        ({"strategy": "magic"}, ("strategy",)),
        ({"strategy.rounds": "many"}, ("strategy",)),
        ({"max_loss": 0.1}, ("strategy",)),
        ({"evaluation.dense_logits_limit": "1KB"}, ("evaluation", "dense_logits_limit")),
        ({"workers": 10**6}, ("workers",)),
        ({"name": "x" * 201}, ("name",)),
        ({"space.options": [{"kind": "quantize", "bits": 3}] * 65}, ("space", "options")),
        ({"model": "text"}, ("model",)),
    ],
)
def test_every_fault_has_its_place(spec: dict[str, Any], changes: dict[str, Any], loc: tuple[str | int, ...]) -> None:
    with pytest.raises(FieldError) as caught:
        read_submission(changed(spec, changes), ROOTS, allow_hub=False)
    assert [fault.loc for fault in caught.value.faults] == [loc]


def test_all_faults_of_form_are_told_at_once(api: httpx2.Client, spec: dict[str, Any]) -> None:
    del spec["budget"]
    answer = api.post("/jobs", json={**spec, "sede": 1, "workers": 0}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 422
    errors = {".".join(map(str, error["loc"])): error["msg"] for error in answer.json()["errors"]}
    assert set(errors) == {"body.budget", "body.sede", "body.workers"}
    assert "did you mean 'seed'" in errors["body.sede"]
    assert (
        api.post("/jobs", json={**spec, "budget": {"size": "8MB"}}, headers={"Idempotency-Key": "k"}).status_code == 202
    )


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_is_extended_or_says_that_it_cannot_be(name: str) -> None:
    spec = {**EXAMPLE_SPEC, "strategy": {"name": name}}
    if name not in LENGTHS:
        with pytest.raises(ConflictError, match=f"strategy {name} has no length"):
            extended(spec, 5)
        return
    longer = extended(spec, 5)
    once_more = extended(longer, 7)
    key = LENGTHS[name]
    assert once_more["strategy"][key] == longer["strategy"][key] + 7 > 12
    assert extended({**spec, "strategy": name}, 5) == longer


def test_a_preset_keeps_its_other_settings() -> None:
    longer = extended({**EXAMPLE_SPEC, "strategy": "evopress-quantization"}, 10)
    assert longer["strategy"] == {"name": "evolution", "preset": "evopress-quantization", "generations": 160}
    with pytest.raises(ConflictError, match="strategy allocate has no length"):
        extended({**EXAMPLE_SPEC, "strategy": "hawq-v2"}, 10)


def test_a_target_is_refused_or_told_where_the_job_asks_for_it(spec: dict[str, Any]) -> None:
    options = spec["space"]["options"]
    spec["space"] = {"target": "vllm", "options": options}
    found = told(spec)
    assert (found.target, found.ties, found.formats) == ("vllm", "vllm", ["compressed-tensors"])
    assert found.num_units < found.num_layers
    for space, place, match in (
        ({"target": "vlm", "options": options}, ("space", "target"), "'vllm'.*got 'vlm'"),
        ({"target": "vllm", "ties": "none", "options": options}, ("space", "ties"), "needs ties: vllm"),
        (
            {"target": "mlx", "options": [*options, {"kind": "quantize", "bits": 7}]},
            ("space", "options", 1),
            "mlx holds bits 2, 3, 4, 5, 6, 8, got 7",
        ),
        (
            {"target": "vllm", "include": ["lm_head"], "options": [*options]},
            ("space", "target"),
            "keeps lm_head dense",
        ),
    ):
        with pytest.raises(FieldError, match=match) as caught:
            read_submission({**spec, "space": space}, ROOTS, allow_hub=False)
        assert [fault.loc for fault in caught.value.faults] == [place]


def test_a_tokenizer_that_the_targets_file_has_no_word_for_is_told_at_once(
    spec: dict[str, Any], tmp_path: Path
) -> None:
    """No weight is read: the folder has none."""
    reference = EXAMPLES / "reference-model"
    for name in ("config.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((reference / name).read_bytes())
    content = json.loads((reference / "tokenizer.json").read_text("utf-8"))
    spec["model"], spec["strategy"] = str(tmp_path), "uniform"
    spec["space"] = {"target": "llama.cpp", "options": [{"kind": "ggml", "types": ["q4_0", "q8_0"]}]}
    spec["budget"] = {"size": "10GB"}
    for cutter, is_known in ((content["pre_tokenizer"], True), ({"type": "Whitespace"}, False)):
        (tmp_path / "tokenizer.json").write_text(json.dumps(content | {"pre_tokenizer": cutter}), encoding="utf-8")
        if is_known:
            assert preview(check_paths(read_spec(spec), (*ROOTS, tmp_path), allow_hub=False)).formats == ["gguf"]
            continue
        with pytest.raises(
            FieldError, match=r"target llama.cpp: the tokenizer of .* cut by Whitespace\).*or set space.target: any"
        ) as caught:
            preview(check_paths(read_spec(spec), (*ROOTS, tmp_path), allow_hub=False))
        assert [fault.loc for fault in caught.value.faults] == [("space", "target")]
