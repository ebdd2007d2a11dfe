"""The report of several budgets: its numbers by closed form, and a verdict that counts no more than was measured."""

from __future__ import annotations

import json
from math import e, exp, inf, log

import numpy as np
import pytest
from synthetic_search import limit, quantize, tiny_space

from evaluators.evaluator import Measurement
from search.front import Bins, Reference, hypervolume
from search.front_report import AtBudget, FrontOutcome, front_report, volumes, write_front_verdict
from search.report import Evaluated, Measured, Objective, describe, summarise
from spaces.configuration import Configuration
from spaces.feasibility import extremes
from spaces.space import Space

BITS = "nominal_bits_per_weight"


@pytest.fixture(scope="module")
def space() -> Space:
    return tiny_space(2, quantize(2, 3, 4, 6))


def measured(space: Space, name: str, level: int, *losses: float) -> Measured:
    configuration = space.configure(tuple(level for _ in space.units))
    values = Measurement(kl=np.array(losses), nll=np.array(losses))
    return Measured(name=name, configuration=configuration, calibration=values, validation=values)


def at(value: str, answer: Measured, *plain: Measured) -> AtBudget:
    budget = limit("nominal_bits", 1, BITS)
    return AtBudget(budget=budget, value=value, answer=answer, found=answer, plain=plain, verdict=f"at {value}")


def outcome(space: Space, answers: tuple[AtBudget, ...], plain: tuple[Measured, ...]) -> FrontOutcome:
    evaluated = (*plain, *(each.answer for each in answers if each.answer not in plain))
    bins: Bins[Configuration] = Bins(*extremes(space, "stored_bits"))
    for each in evaluated:
        size = space.measure(space.levels(each.configuration)).stored_bits
        bins.update(size, float(each.calibration.kl.mean()), each.configuration)
    return FrontOutcome(
        space=space,
        objective="kl",
        limit=BITS,
        answers=answers,
        baselines=plain,
        evaluated=[
            Evaluated(name=each.name, configuration=each.configuration, calibration=summarise(each.calibration))
            for each in evaluated
        ],
        front=(0,),
        bins=bins,
        verdict="one sentence",
        facts={"seed": 0},
    )


def test_the_verdict_counts_wins_sure_wins_plain_answers_and_budgets_without_any(space: Space) -> None:
    two, three = measured(space, "uniform 2", 0, 0.8, 0.8), measured(space, "uniform 3", 1, 0.4, 0.42)
    answers = (
        at("1.9", measured(space, "found", 2, 0.9, 0.9)),  # nothing plain fits
        at("2.0", two, two),
        at("2.5", measured(space, "found", 2, 0.6, 0.59), two),  # 25.6 % less, surely
        at("3.5", measured(space, "found", 3, 0.3, 0.5), two, three),  # 2.4 % less, within two standard errors
    )
    assert write_front_verdict(BITS, answers, "kl") == (
        "At 2 of 4 budgets the answer's KL on unseen text is 2.4% to 25.6% below that of the best plain choice that "
        "fits, at 1 of them by more than two standard errors; at nominal_bits_per_weight 2.0 nothing found beats the "
        "best plain choice, which is the answer; no plain choice meets nominal_bits_per_weight 1.9."
    )


def test_wins_at_every_budget_are_told_as_all(space: Space) -> None:
    plain, answer = measured(space, "uniform 2", 0, 0.2, 0.21), measured(space, "found", 1, 0.1, 0.11)
    assert write_front_verdict(BITS, (at("2.5", answer, plain), at("3", answer, plain)), "kl") == (
        "At all 2 budgets the answer's KL on unseen text is 48.8% below that of the best plain choice that fits, "
        "at all of them by more than two standard errors."
    )


@pytest.mark.parametrize(
    ("objective", "expected"),
    [("kl", "KL on unseen text is 50.0% below"), ("perplexity", "perplexity on unseen text is 9.5% below")],
)
def test_a_share_is_of_what_people_quote(space: Space, objective: Objective, expected: str) -> None:
    plain, answer = measured(space, "uniform 2", 0, 0.2, 0.2), measured(space, "found", 1, 0.1, 0.1)
    verdict = write_front_verdict(BITS, (at("3", answer, plain),), objective)  # 1 - exp(-0.1) = 9.5 %
    assert expected in verdict
    assert "of them by more than two standard errors" in verdict


def test_hypervolumes_by_closed_form_and_again_from_the_report(space: Space) -> None:
    plain = (measured(space, "uniform 2", 0, 1.0), measured(space, "uniform 3", 1, 1 / e))
    answers = (at("2.0", plain[0], plain[0]), at("4.0", measured(space, "found", 2, exp(-3.0)), *plain))
    found = volumes(outcome(space, answers, plain))
    bits = [describe("", space.configure((level,) * len(space.units)), space)["bits_per_weight"] for level in (0, 1, 2)]
    step = bits[2] - bits[0]  # the mean step of two answers is their distance
    assert found["reference"] == {"bits_per_weight": pytest.approx(bits[2] + step), "loss": 1.0}
    assert found["answers"] == pytest.approx(3 * step)
    assert found["plain"] == pytest.approx(1 * (bits[2] + step - bits[1]))
    reference = Reference(size=found["reference"]["bits_per_weight"], loss=found["reference"]["loss"])
    assert hypervolume([bits[0], bits[2]], [1.0, exp(-3.0)], reference) == pytest.approx(found["answers"])
    assert found["text"] == "validation"


@pytest.mark.parametrize("count", [1, 2])
def test_answers_of_one_size_cover_what_they_are_better_by(space: Space, count: int) -> None:
    plain, found = measured(space, "uniform 2", 0, 1.0), measured(space, "found", 1, exp(-2.0))
    made = volumes(outcome(space, (at("3.0", found, plain), at("3.5", found, plain))[:count], (plain,)))
    bits = describe("", found.configuration, space)["bits_per_weight"]
    assert made["reference"] == {"bits_per_weight": pytest.approx(bits + 1), "loss": 1.0}
    assert made["answers"] == pytest.approx(2.0)


def test_what_breaks_the_model_covers_nothing(space: Space) -> None:
    broken = measured(space, "uniform 2", 0, inf)
    answers = (at("2.0", broken, broken), at("3.0", measured(space, "found", 1, 0.5), broken))
    found = volumes(outcome(space, answers, (broken,)))
    assert found["reference"]["loss"] == 0.5  # no plain choice has a loss: the worst answer's
    assert found["answers"] == found["plain"] == 0.0


def test_the_report_is_strict_json_with_an_entry_for_each_budget(space: Space) -> None:
    plain = (measured(space, "uniform 2", 0, 0.8, 1.0), measured(space, "uniform 3", 1, inf, 0.2))
    answer = measured(space, "found", 2, 0.3, 0.5)
    answers = (at("2.0", plain[0], plain[0]), at("4.0", answer, *plain))
    made = json.loads(json.dumps(front_report(outcome(space, answers, plain)), allow_nan=False))
    assert [row["value"] for row in made["answers"]] == ["2.0", "4.0"]
    assert [row["over_plain"] for row in made["answers"]] == [1.0, pytest.approx(0.4 / 0.9)]
    assert made["answers"][1]["difference"] == pytest.approx(-0.5)
    assert made["answers"][1]["best_plain"]["name"] == "uniform 2"
    assert made["answers"][1]["found"] == made["answers"][1]["answer"]
    assert made["answers"][0]["budget"] == {BITS: "1"}
    assert made["baselines"][1]["kl_validation"] is None
    assert [row["name"] for row in made["bins"]] == ["uniform 2", "found"]  # in a bin each; the broken one in none
    assert made["bins"][0]["loss_calibration"] == pytest.approx(0.9)
    assert made["hypervolume"]["answers"] > log(0.9 / 0.4) * 0.1
    assert made["verdict"] == "one sentence"
    assert made["seed"] == 0
