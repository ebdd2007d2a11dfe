"""A job from plan to outcome, in this process, on real Ray and SQLite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.engine.plan import Plan, make_plan
from search.engine.progress import Progress
from search.engine.run import evaluate_configuration, run_job
from search.report import Outcome, report
from search.spec import read_spec
from spaces.errors import BudgetError, InputError
from store.store import Store

pytestmark = pytest.mark.usefixtures("running_ray")


def run(job: dict[str, Any], home: Path) -> tuple[Plan, Outcome, list[Progress]]:
    seen: list[Progress] = []
    plan = make_plan(read_spec(job), home)
    with Store.open(f"sqlite:///{home / 'store.db'}") as store:
        return plan, run_job(plan, store, seen.append), seen


def test_a_job_meets_its_budget_and_a_second_run_computes_nothing(job: dict[str, Any], tmp_path: Path) -> None:
    plan, first, seen = run(job, tmp_path)
    again_plan, again, _ = run(job, tmp_path)
    space = plan.problem.space
    assert plan.problem.holds(space.levels(first.answer.configuration))
    assert first.facts["evaluations"]["computed"] > 20
    assert again.facts["evaluations"] == {
        "computed": 0,
        "cached": first.facts["evaluations"]["computed"] + first.facts["evaluations"]["cached"],
        "tokens": 0,
        "tokens_computed": 0,
    }
    assert report(again)["answer"] == report(first)["answer"]
    assert again_plan.weights == plan.weights
    assert [moment.phase for moment in seen][-1] == "validation"
    assert seen[-1].done == seen[-1].total > 0


def test_two_workers_find_the_same_answer_as_one(job: dict[str, Any], tmp_path: Path) -> None:
    _, one, _ = run(job, tmp_path / "one")
    _, two, _ = run({**job, "workers": 2}, tmp_path / "two")
    assert two.answer.configuration == one.answer.configuration
    np.testing.assert_allclose(two.answer.calibration.kl, one.answer.calibration.kl, rtol=1e-4)
    for key in ("computed", "cached", "tokens"):
        assert two.facts["evaluations"][key] == one.facts["evaluations"][key]
    for key in ("asked_tokens", "asked_computed_tokens"):
        assert two.facts[key] == one.facts[key]


def test_predicted_size_equals_the_banks_bytes(job: dict[str, Any], tmp_path: Path) -> None:
    plan, outcome, _ = run({**job, "strategy": {"name": "allocate", "score": "output-error"}}, tmp_path)
    space, answer = plan.problem.space, outcome.answer.configuration
    pairs = [(name, option) for name, option in answer.options if option.kind == "quantize"]
    rest = (space.anatomy.num_parameters - space.num_weights) * 2  # bfloat16
    kept = sum(layer.num_weights * 2 for layer in space.layers if answer[layer.name].kind == "keep")
    assert space.measure(space.levels(answer)).size_bytes == plan.bank.size_bytes(pairs) + rest + kept


def test_the_answer_is_the_plain_choice_when_nothing_beats_it(job: dict[str, Any], tmp_path: Path) -> None:
    strategy = {"name": "random", "samples": 1, "stages": [{"tokens": 512, "survivors": 1}]}
    _, outcome, _ = run({**job, "strategy": strategy}, tmp_path)
    assert outcome.found.configuration != outcome.answer.configuration
    assert outcome.answer in outcome.baselines
    assert outcome.answer.validation is not None
    assert outcome.found.validation is not None
    assert outcome.answer.validation.kl.mean() <= outcome.found.validation.kl.mean()
    assert "so the answer is that plain choice" in outcome.verdict


def test_a_sweep_gives_a_front_around_the_answer(job: dict[str, Any], tmp_path: Path) -> None:
    _, outcome, _ = run({**job, "strategy": "uniform", "front_points": 5}, tmp_path)
    names = [measured.name for measured in outcome.evaluated]
    assert sum(name.startswith("output-error x knapsack") for name in names) >= 4  # one may be a plain choice
    assert len(outcome.front) >= 4


def test_a_sweep_leaves_out_what_breaks_a_constraint(job: dict[str, Any], tmp_path: Path) -> None:
    changes = {
        "strategy": "output-error:integer-program",
        "front_points": 5,
        "constraints": [{"at_most": 0, "option": "*int2*", "layers": "*"}],
    }
    plan, outcome, _ = run({**job, **changes}, tmp_path)
    for measured in outcome.evaluated:  # below 3 bits a point of the sweep must have some
        assert not [name for name, option in measured.configuration.options if "int2" in option.slug]
    assert plan.problem.holds(plan.problem.space.levels(outcome.answer.configuration))


@pytest.mark.parametrize("objective", ["kl", "perplexity"])
def test_dropping_under_either_objective(job: dict[str, Any], tmp_path: Path, objective: str) -> None:
    changes = {
        "space": {"options": [{"kind": "drop", "parts": ["attention", "mlp"]}]},
        "budget": {"dropped_attentions": 1, "dropped_mlps": 1},
        "objective": objective,
        "strategy": {"name": "evolution", "preset": "evopress-drop", "stages": [{"tokens": 1024, "survivors": 1}]},
    }
    plan, outcome, _ = run({**job, **changes}, tmp_path)
    measures = plan.problem.space.measure(plan.problem.space.levels(outcome.found.configuration))
    assert (measures.attentions, measures.mlps) == (2, 2)
    # nine ways to drop one of three attentions and one of three MLPs: evolution must have found the best
    best = min(outcome.evaluated, key=lambda each: each.calibration.kl if objective == "kl" else each.calibration.nll)
    assert outcome.found.configuration == best.configuration


def test_evaluating_one_configuration_reads_all_text(job: dict[str, Any], tmp_path: Path) -> None:
    plan, outcome, _ = run(job, tmp_path)
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        alone = evaluate_configuration(plan, store, lambda moment: None, outcome.answer.configuration, "answer")
    assert len(alone.answer.calibration.kl) == 32
    assert alone.answer.validation is not None
    assert outcome.answer.validation is not None
    np.testing.assert_array_equal(alone.answer.validation.kl, outcome.answer.validation.kl)


def test_quantized_propagation_gives_other_entries(job: dict[str, Any], tmp_path: Path) -> None:
    plan, _, _ = run({**job, "strategy": "uniform"}, tmp_path)
    behind, outcome, _ = run({**job, "strategy": "uniform", "bank": {"propagate": "quantized"}}, tmp_path)
    layer = plan.problem.space.names[-1]
    option = plan.entries()[layer][0]
    assert plan.bank.path(layer, option) != behind.bank.path(layer, option)
    assert behind.bank.errors(layer, option) != plan.bank.errors(layer, option)
    assert np.isfinite(outcome.answer.calibration.kl).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"budget": {"nominal_bits_per_weight": 1.5}},
            r"at least 2\.0000 for this space, got 1\.5.*2\.0000 to 16\.0000",
        ),
        ({"budget": {"size": "1kB"}}, r"size must be at least .* got 1kB"),
        ({"model": "no/such/folder"}, r"got 'no/such/folder': there is no such folder"),
        ({"calibration": {"source": "missing.txt", "sequence_length": 128}}, r"missing\.txt"),
        ({"strategy": {"name": "evolutoin"}}, r"unknown strategy 'evolutoin'; did you mean 'evolution'"),
        ({"space": {"options": [{"kind": "quantise", "bits": 4}]}}, r"unknown option kind .*'quantise'.*'quantize'"),
    ],
)
def test_bad_input_is_refused_before_any_work(
    job: dict[str, Any], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make_plan(read_spec({**job, **changes}), tmp_path)
    assert isinstance(caught.value, BudgetError) == ("budget" in changes)
    assert list(tmp_path.iterdir()) == []


def test_text_must_be_unseen_and_long_enough(job: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"never reads, got .*calibration\.txt' for both"):
        make_plan(read_spec({**job, "validation": job["calibration"]}), tmp_path)
    short = tmp_path / "short.txt"
    short.write_text("It is a truth universally acknowledged. " * 20)
    with pytest.raises(InputError, match=r"4096|4,096"):
        make_plan(read_spec({**job, "calibration": {**job["calibration"], "source": str(short)}}), tmp_path)
    long = {**job["calibration"], "sequence_length": 512}
    with pytest.raises(InputError, match="at most 256, the positions that the model was made for, got 512"):
        make_plan(read_spec({**job, "calibration": long}), tmp_path)
