"""The report: its numbers by closed form, and a verdict that says no more than was measured."""

from __future__ import annotations

import json
import re
from math import exp, inf, log, sqrt

import numpy as np
import pytest
from synthetic_search import quantize, tiny_space

from evaluators.evaluator import Measurement
from search.report import (
    Evaluated,
    Measured,
    Objective,
    Outcome,
    entry,
    paired,
    report,
    standard_error,
    summarise,
    write_verdict,
)
from spaces.space import Space


@pytest.fixture(scope="module")
def space() -> Space:
    return tiny_space(2, quantize(2, 3, 4))


def measurement(kl: list[float], nll: list[float] | None = None) -> Measurement:
    return Measurement(kl=np.array(kl), nll=np.array(nll if nll is not None else [value + 2.0 for value in kl]))


def measured(space: Space, name: str, level: int, validation: Measurement | None = None) -> Measured:
    configuration = space.configure(tuple(level for _ in space.units))
    return Measured(name=name, configuration=configuration, calibration=measurement([0.5, 0.7]), validation=validation)


def verdict(space: Space, found: Measurement, plain: Measurement, objective: Objective = "kl") -> str:
    winner, best = measured(space, "evolution", 2, found), measured(space, "uniform 3", 1, plain)
    values = [each.kl.mean() if objective == "kl" else each.nll.mean() for each in (found, plain)]
    return write_verdict(winner if values[0] < values[1] else best, best, winner, objective)


def test_an_entry_has_the_exact_sizes_and_the_closed_form_of_each_number(space: Space) -> None:
    row = entry(measured(space, "uniform 3", 1, measurement([0.1, 0.3], [1.0, 3.0])), space)
    attention = 2 * (64 * 64) + 2 * (32 * 64)
    mlp, norms, embeddings = 3 * 64 * 96, 2 * 64, 64 * 64
    parameters = 2 * (attention + mlp + norms) + 64 + 2 * embeddings
    assert row["parameters"] == parameters
    assert row["nominal_bits_per_weight"] == 3.0
    assert row["bits_per_weight"] * parameters / 8 == pytest.approx(row["size_bytes"], abs=1)
    assert row["kl_calibration"] == pytest.approx(0.6)
    assert row["kl_calibration_se"] == pytest.approx(0.1)  # 0.2 / sqrt(2) / sqrt(2)
    assert row["kl_validation"] == pytest.approx(0.2)
    assert row["kl_validation_se"] == pytest.approx(0.1)
    assert row["perplexity_validation"] == pytest.approx(exp(2.0))
    assert row["name"] == "uniform 3"
    assert len(row["configuration_id"]) == 12


def test_what_has_no_number_is_null(space: Space) -> None:
    row = entry(measured(space, "broken", 0, measurement([inf, 0.1], [inf, 1000.0])), space)
    assert row["kl_validation"] is row["kl_validation_se"] is row["perplexity_validation"] is None
    row = entry(measured(space, "steep", 0, measurement([0.1], [1000.0])), space)
    assert row["perplexity_validation"] is None  # beyond float64
    assert row["kl_validation_se"] is None  # one sequence
    assert entry(measured(space, "unseen", 0), space)["kl_validation"] is None


def test_paired_differences_by_closed_form() -> None:
    left, right = measurement([1.0, 2.0, 4.0]), measurement([2.0, 2.0, 2.0])
    difference = paired(left, right, "kl")  # -1, 0, 2: mean 1/3, squares about it 42/9
    assert difference.mean == pytest.approx(1 / 3)
    assert difference.se == pytest.approx(sqrt(42 / 9 / 2 / 3))
    assert difference.num_sequences == 3
    assert paired(left, right, "perplexity").mean == pytest.approx(1 / 3)


def test_pairing_removes_what_both_share() -> None:
    shared = np.random.default_rng(0).normal(size=50)
    left, right = measurement(list(shared + 1.0)), measurement(list(shared))
    assert paired(left, right, "kl").se < 1e-12
    assert standard_error(left.kl) == pytest.approx(np.sqrt(np.var(shared, ddof=1) / 50))


def test_a_clear_win_is_told_with_its_share_and_error(space: Space) -> None:
    text = verdict(space, measurement([0.10, 0.12, 0.14]), measurement([0.20, 0.21, 0.25]))
    # differences -0.10, -0.09, -0.11: mean -0.1, standard error 0.01 / sqrt(3)
    assert text == (
        "On unseen text the answer's KL is 0.12, 45.5% below uniform 3 (0.22); "
        "paired difference of the KL -0.1 ± 0.0058 over 3 sequences."
    )


def test_an_uncertain_win_says_so(space: Space) -> None:
    text = verdict(space, measurement([0.1, 0.3]), measurement([0.3, 0.2]))
    assert text.startswith("On unseen text the answer's KL is 0.2, 20.0% below uniform 3 (0.25); ")
    assert text.endswith("-0.05 ± 0.15 over 2 sequences, which is within two standard errors.")


def test_perplexity_is_quoted_as_perplexity(space: Space) -> None:
    found, plain = [log(8.0)] * 2, [log(10.0)] * 2
    text = verdict(space, measurement([0.1, 0.1], found), measurement([0.2, 0.2], plain), "perplexity")
    assert "the answer's perplexity is 8, 20.0% below uniform 3 (10)" in text
    assert "paired difference of the log-perplexity -0.223" in text


def test_a_loss_on_unseen_text_returns_the_plain_choice(space: Space) -> None:
    text = verdict(space, measurement([0.3, 0.5]), measurement([0.2, 0.2]))
    assert text == (
        "Nothing found beats uniform 3 on unseen text (paired difference of the KL +0.2 ± 0.1 over 2 sequences, "
        "which is within two standard errors), so the answer is that plain choice."
    )


def test_a_search_that_ends_at_the_plain_choice_says_so(space: Space) -> None:
    same = measured(space, "uniform 3", 1, measurement([0.2, 0.2]))
    winner = measured(space, "evolution", 1, measurement([0.2, 0.2]))
    assert write_verdict(same, same, winner, "kl") == (
        "The search ended at the plain choice itself, uniform 3: nothing it measured was better."
    )


def test_without_a_plain_choice_there_is_no_comparison(space: Space) -> None:
    winner = measured(space, "allocate", 1, measurement([0.2, 0.2]))
    assert write_verdict(winner, None, winner, "kl") == (
        "allocate is the answer; no plain choice meets this budget, so there is none to compare with."
    )


@pytest.mark.parametrize(
    ("found", "plain", "expected"),
    [
        ([0.1, 0.3], [inf, 0.2], "KL is 0.2; evolution breaks the model on 0 of 2 sequences; uniform 3 .* 1 of 2"),
        ([inf, 0.3], [0.2, 0.2], r"Nothing found beats uniform 3 .*evolution breaks the model on 1 of 2 sequences"),
        ([inf, 0.3], [inf, 0.2], r"Nothing found beats .*evolution breaks .* 1 of 2 sequences; uniform 3 .* 1 of 2"),
        ([0.1], [0.2], r"KL -0\.1 on one sequence, which leaves no standard error"),
    ],
)
def test_a_broken_model_or_a_single_sequence_gives_no_number_that_is_none(
    space: Space, found: list[float], plain: list[float], expected: str
) -> None:
    text = verdict(space, measurement(found), measurement(plain))
    assert "nan" not in text
    assert "inf" not in text
    assert re.search(expected, text)


def test_a_verdict_needs_validated_configurations(space: Space) -> None:
    best, winner = measured(space, "uniform 3", 1, measurement([0.2])), measured(space, "evolution", 2)
    with pytest.raises(ValueError, match="evolution has not been validated"):
        write_verdict(winner, best, winner, "kl")


def test_the_report_is_strict_json(space: Space) -> None:
    plain = measured(space, "uniform 3", 1, measurement([0.2, inf]))
    answer = measured(space, "evolution", 2, measurement([0.1, 0.1], [1e4, 1e4]))
    outcome = Outcome(
        space=space,
        objective="kl",
        answer=answer,
        found=answer,
        baselines=(plain,),
        evaluated=[
            Evaluated(name=each.name, configuration=each.configuration, calibration=summarise(each.calibration))
            for each in (plain, answer)
        ],
        front=(1, 0),
        verdict="one sentence",
        facts={"seed": 0},
    )
    made = json.loads(json.dumps(report(outcome), allow_nan=False))
    unseen = ("kl_validation", "kl_validation_se", "perplexity_validation")  # a point of the front was not validated
    assert made["seed"] == 0
    assert made["verdict"] == "one sentence"
    assert made["answer"] == made["found"]
    assert made["front"] == [row | dict.fromkeys(unseen) for row in (made["answer"], made["baselines"][0])]
    assert made["answer"]["kl_validation"] == pytest.approx(0.1)
    assert made["baselines"][0]["kl_validation"] is None
