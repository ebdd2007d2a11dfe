"""Scores through real workers and the store: every one of them, computed once, and solved again for other budgets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.engine.answers import Recorded, drive
from search.engine.compare import make_trials, run_trials
from search.engine.estimates import cut_runs, sample_keys
from search.engine.front_run import run_front
from search.engine.plan import Plan, make_plan
from search.engine.progress import Progress
from search.engine.resolve import Resolve, resolve, resolve_and_measure, score_of
from search.engine.run import run_job
from search.engine.scoring import compute_scores
from search.report import Outcome
from search.scores.errors import OutputError
from search.scores.fisher import Fisher
from search.scores.gram import Gram
from search.scores.measured import MeasuredKL
from search.scores.score import SCORES
from search.settings import make_score, make_solver
from search.solvers.exact import Knapsack
from search.spec import read_spec
from search.strategies.evolution import Evolution
from search.strategy import Estimate
from service.solving import Wanted, pose, solve_stored
from spaces.budget import make_budget
from spaces.errors import InputError
from store.store import Store

pytestmark = pytest.mark.usefixtures("running_ray")
BUDGET = "nominal_bits_per_weight"
FOR_DROPS = {"cosine-similarity"}
SHORTER = {  # those that take a minute at their own settings; their numbers are checked in tests/search
    "hessian-trace": {"tokens": 512, "max_probes": 4},
    "hessian-eigenvalue": {"tokens": 256, "max_iterations": 3},
    "hessian-eigenvalue-spread": {"tokens": 256, "max_iterations": 2, "batches": 2},
    "inter-layer": {"tokens": 256, "singles": {"name": "measured-kl", "tokens": 256}},
}


def plan_of(job: dict[str, Any], home: Path, **changes: Any) -> Plan:
    return make_plan(read_spec({**job, **changes}), home)


def run(plan: Plan) -> Outcome:
    with Store.open(f"sqlite:///{plan.home / 'store.db'}") as store:
        return run_job(plan, store, lambda moment: None)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_runs_once_and_serves_the_next_budget(job: dict[str, Any], tmp_path: Path, name: str) -> None:
    if name in FOR_DROPS:
        job |= {"space": {"options": [{"kind": "drop"}]}, "budget": {"dropped_attentions": 1}}
    score = {"name": name, **SHORTER.get(name, {})}
    plan = plan_of(job, tmp_path, strategy={"name": "allocate", "score": score})
    first, again = run(plan), run(plan)
    assert plan.problem.holds(plan.problem.space.levels(first.found.configuration))
    assert again.facts["statistics"]["computed"] == again.facts["evaluations"]["computed"] == 0
    assert again.found.configuration == first.found.configuration
    assert again.facts["statistics"]["cached"] == first.facts["statistics"]["computed"]
    assert again.facts["asked_tokens"] == first.facts["asked_tokens"]
    planned = plan.strategy.planned_tokens(plan.problem)
    assert first.facts["asked_tokens"] <= planned * 1.01  # the bar reaches its end and does not run past it


def test_another_budget_reuses_what_does_not_depend_on_it(job: dict[str, Any], tmp_path: Path) -> None:
    strategy = {"name": "allocate", "score": "fisher"}
    run(plan_of(job, tmp_path, strategy=strategy))
    other = run(plan_of(job, tmp_path, strategy=strategy, budget={"nominal_bits_per_weight": 2.5}))
    assert other.facts["statistics"]["computed"] == 0
    assert other.facts["statistics"]["cached"] > 0


class Stopped(Exception):
    """What ends a run in the middle."""


def test_a_score_that_was_stopped_goes_on_where_it_was(job: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_of(job, tmp_path, strategy="fisher")

    def stop(moment: Progress) -> None:
        if moment.computed >= 4:
            raise Stopped

    seen: list[Progress] = []
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        with pytest.raises(Stopped):
            compute_scores(plan, [Fisher()], store, stop)
        assert store.holders() == set()  # what it held is free again
        ((again, _),) = compute_scores(plan, [Fisher()], store, seen.append)
        assert seen[-1].cached >= 4
        assert seen[-1].computed + seen[-1].cached == 32  # sequences
        recorded = Recorded(store, plan.context("calibration"), plan.problem.space, "kl")
        costs = drive(Fisher().score(plan.problem), recorded.answer).costs
    np.testing.assert_array_equal(np.concatenate(costs), np.concatenate(again.costs))


def test_two_workers_compute_what_one_does(job: dict[str, Any], tmp_path: Path) -> None:
    samples = []
    for workers in (1, 2):
        plan = plan_of(job, tmp_path / str(workers), strategy={"name": "allocate", "score": "fisher"}, workers=workers)
        with Store.open(f"sqlite:///{plan.home / 'store.db'}") as store:
            ((scores, tokens),) = compute_scores(plan, [Fisher()], store, lambda moment: None)
        samples.append(np.concatenate(scores.costs))
        assert tokens == Fisher().planned_tokens(plan.problem)
    np.testing.assert_allclose(samples[0], samples[1], rtol=1e-3)


def test_a_samples_key_is_its_content(job: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_of(job, tmp_path)
    context = plan.context("calibration")
    asked = next(Fisher().score(plan.problem))
    assert isinstance(asked, Estimate)
    keys = sample_keys(replace(asked, start=0, stop=3), context)
    assert [key.number for key in keys] == [0, 1, 2]
    assert len({key.key for key in keys}) == 3
    assert sample_keys(replace(asked, start=2, stop=4), context)[0] == keys[2]
    fewer = replace(asked.statistic, changes=asked.statistic.changes[1:])
    for other in (
        sample_keys(asked, replace(context, model="other")),
        sample_keys(asked, replace(context, dtype="bfloat16")),
        sample_keys(replace(asked, statistic=fewer), context),
        sample_keys(replace(asked, statistic=replace(asked.statistic, seed=1)), context),
    ):
        assert other[0].key != keys[0].key
        assert other[0].statistic == "fisher-products"


def test_pieces_cover_what_is_missing_in_runs() -> None:
    assert cut_runs(range(8), 4) == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert cut_runs([0, 1, 2, 5, 6, 9], 3) == [(0, 2), (2, 3), (5, 7), (9, 10)]
    assert cut_runs([4], 8) == [(4, 5)]
    for pieces in (1, 2, 3, 7, 50):
        numbers = [number for number in range(40) if number % 7]
        assert [n for start, stop in cut_runs(numbers, pieces) for n in range(start, stop)] == numbers


def test_another_budget_is_solved_from_the_store_alone(job: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_of(job, tmp_path)  # evolution from measured-kl
    run(plan)
    problem = replace(plan.problem, budget=make_budget({"nominal_bits_per_weight": 2.5}, plan.problem.space))
    score = score_of(plan.strategy, plan.problem)
    assert score == MeasuredKL(tokens=512)
    strategy = Resolve(score=score, solver=Knapsack(), scored=plan.problem)
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        before = store.evaluation_stats()
        levels = resolve(plan, problem, strategy, store)
        assert store.evaluation_stats() == before
        assert problem.holds(levels)
        missing = replace(strategy, score=Fisher())
        with pytest.raises(InputError, match=r"lacks \d+ of \d+ results .*add --measure"):
            resolve(plan, problem, missing, store)
        outcome = resolve_and_measure(plan, problem, missing, store, lambda moment: None)
        assert problem.holds(plan.problem.space.levels(outcome.answer.configuration))
        assert resolve(plan, problem, missing, store) == plan.problem.space.levels(outcome.found.configuration)


def test_a_run_without_scores_is_solved_by_its_banks_errors(job: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_of(job, tmp_path, strategy="uniform")
    assert score_of(plan.strategy, plan.problem) == OutputError()


def test_a_trust_region_is_solved_by_the_score_that_it_began_with(job: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_of(job, tmp_path, strategy="trust-region")
    assert score_of(plan.strategy, plan.problem) == Fisher()
    drops = {"space": {"options": [{"kind": "drop"}]}, "budget": {"dropped_attentions": 1}}
    plan = plan_of(job, tmp_path, strategy="trust-region", **drops)
    assert score_of(plan.strategy, plan.problem) == MeasuredKL()
    named = plan_of(job, tmp_path, strategy={"name": "trust-region", "score": "gram"})
    assert score_of(named.strategy, named.problem) == Gram()
    started = Evolution(start=named.strategy)
    assert score_of(started, named.problem) == Gram()


def test_a_budget_beside_a_front_is_solved_from_the_score_of_all(job: dict[str, Any], tmp_path: Path) -> None:
    """It is measured around the budget in the middle, whichever is the nearest to the one that is asked for."""
    strategy = {"name": "trust-region", "score": {"name": "measured-kl", "tokens": 512}, "rounds": 0}
    plan = plan_of(job, tmp_path, strategy=strategy, budget={BUDGET: [2.25, 3.0, 3.75, 4.0]})
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        run_front(plan, store, lambda moment: None)
        for bits in (2.5, 3.5, 3.9):
            posed = pose(plan, Wanted(budget={BUDGET: bits}), "here")
            solved = solve_stored(plan, posed, store)
            assert solved.content["score"] == "measured-kl"
            assert posed.problem.holds(plan.problem.space.levels(solved.configuration))


def test_recorded_answers_are_the_workers_own(job: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_of(job, tmp_path)
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        asked = [Fisher(), MeasuredKL(tokens=512)]
        computed = compute_scores(plan, asked, store, lambda moment: None)
        recorded = Recorded(store, plan.context("calibration"), plan.problem.space, "kl")
        for score, (scores, _) in zip(asked, computed, strict=True):
            again = drive(score.score(plan.problem), recorded.answer)
            for one, other in zip(scores.costs, again.costs, strict=True):
                np.testing.assert_array_equal(one, other)


def test_methods_are_compared_on_one_bank(job: dict[str, Any], tmp_path: Path) -> None:
    plan, seen = plan_of(job, tmp_path), list[Progress]()
    budgets = [{"nominal_bits_per_weight": bits} for bits in (2.5, 3.0)]
    trials = make_trials(plan, ["uniform", "l-greco", "fisher:pareto"], budgets)
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        found = list(run_trials(trials, store, seen.append))
    assert [(trial.method, trial.budget) for trial, _ in found] == [
        (method, budget) for budget in budgets for method in ("uniform", "l-greco", "fisher:pareto")
    ]
    for trial, outcome in found:
        assert trial.plan.problem.holds(plan.problem.space.levels(outcome.found.configuration))
        assert outcome.found.validation is not None
        assert outcome.baselines
    assert any("2/6 l-greco at nominal_bits_per_weight 2.5" in moment.label for moment in seen)


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (["l-grecco"], r"unknown method 'l-grecco'; did you mean 'l-greco'"),
        (["fisher:knapsak"], r"unknown solver 'knapsak'; did you mean 'knapsack'"),
        (["cosine-similarity:knapsack"], r"method cosine-similarity:knapsack: .*"),
    ],
)
def test_a_method_that_does_not_fit_is_refused_before_the_first_begins(
    job: dict[str, Any], tmp_path: Path, methods: list[str], message: str
) -> None:
    plan = plan_of(job, tmp_path)
    with pytest.raises(InputError, match=message):
        make_trials(plan, ["uniform", *methods], [{"nominal_bits_per_weight": 3.0}])


def test_scores_and_solvers_are_made_by_name() -> None:
    assert make_score("fisher") == Fisher()
    assert make_solver("knapsack") == Knapsack()
