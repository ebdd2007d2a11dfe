"""A job steered from outside: paused and resumed, stopped, cancelled, and what it tells of on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.engine.best_known import best_known
from search.engine.front_run import run_front
from search.engine.herald import quoted
from search.engine.plan import Plan, make_plan
from search.engine.progress import Progress
from search.engine.run import run_job
from search.engine.steering import Found, Halted, Steering
from search.front_report import FrontOutcome
from search.report import Outcome, report
from search.spec import read_spec
from spaces.errors import InputError
from store.records import Wish
from store.store import Store

pytestmark = pytest.mark.usefixtures("running_ray")


class Helm:
    """Wishes ``wish`` from the first moment on that ``when`` holds of, and keeps what it hears."""

    def __init__(self, wish: Wish = "run", when: Callable[[Progress], bool] = lambda moment: False) -> None:
        self.wish: Wish = "run"
        self.found: list[Found] = []
        self.subjects: list[str] = []
        self._next = wish
        self._when = when

    def watch(self, moment: Progress) -> None:
        if self._when(moment):
            self.wish = self._next

    def hear(self, found: Sequence[Found]) -> None:
        self.found += found

    def note(self, subjects: Collection[str]) -> None:
        self.subjects += subjects

    def steering(self) -> Steering:
        return Steering(wish=lambda: self.wish, found=self.hear, subjects=self.note)


def searching(computed: int) -> Callable[[Progress], bool]:
    return lambda moment: moment.phase == "search" and moment.computed >= computed


def run(job: dict[str, Any], home: Path, helm: Helm) -> tuple[Plan, Outcome]:
    plan = make_plan(read_spec(job), home)
    with Store.open(f"sqlite:///{home / 'store.db'}") as store:
        return plan, run_job(plan, store, helm.watch, helm.steering())


def front(job: dict[str, Any], home: Path, helm: Helm) -> tuple[Plan, FrontOutcome]:
    plan = make_plan(read_spec({**job, "budget": {"nominal_bits_per_weight": [2.5, 3.0]}}), home)
    with Store.open(f"sqlite:///{home / 'store.db'}") as store:
        return plan, run_front(plan, store, helm.watch, helm.steering())


def in_flight(home: Path) -> int:
    with Store.open(f"sqlite:///{home / 'store.db'}") as store:
        return store.evaluation_stats().in_flight


def told(helm: Helm) -> dict[tuple[str, str], float | None]:
    return {(found.configuration.id, found.kind): found.loss for found in helm.found}


@pytest.mark.slow
def test_a_job_paused_time_and_again_ends_as_if_nobody_had(job: dict[str, Any], tmp_path: Path) -> None:
    calm = Helm()
    _, undisturbed = run(job, tmp_path / "calm", calm)
    home, computed, heard = tmp_path / "paused", list[int](), dict[tuple[str, str], float | None]()
    for more in (3, 20):
        seen: list[Progress] = []
        helm = Helm("pause", lambda moment, seen=seen, more=more: bool(seen.append(moment)) or searching(more)(moment))
        with pytest.raises(Halted, match="pause"):
            run(job, home, helm)
        assert in_flight(home) == 0
        computed.append(seen[-1].computed)
        heard = told(helm) | heard
    last = Helm()
    _, resumed = run(job, home, last)
    assert report(resumed)["answer"] == report(undisturbed)["answer"]
    assert report(resumed)["front"] == report(undisturbed)["front"]
    counts = resumed.facts["evaluations"]
    assert sum(computed) + counts["computed"] == undisturbed.facts["evaluations"]["computed"]
    assert told(last) | heard == told(last) == told(calm)
    assert [found.is_cached for found in last.found].count(False) < [found.is_cached for found in calm.found].count(
        False
    )


@pytest.mark.slow
def test_a_stopped_search_ends_with_the_best_it_knows(job: dict[str, Any], tmp_path: Path) -> None:
    helm = Helm("stop", lambda moment: moment.label.startswith("generation 2"))
    plan, outcome = run(job, tmp_path, helm)
    assert outcome.facts["stopped"] is True
    assert outcome.verdict.startswith("Stopped before the search was done. ")
    assert plan.problem.holds(plan.problem.space.levels(outcome.answer.configuration))
    assert outcome.answer.validation is not None
    assert [found.configuration for found in helm.found if found.kind == "answer"] == [outcome.answer.configuration]
    before = outcome.facts["evaluations"]["computed"]
    _, again = run(job, tmp_path, Helm())  # what was stopped can be gone on with
    assert again.facts["stopped"] is False
    assert again.facts["evaluations"]["cached"] >= before - 2
    assert again.facts["evaluations"]["computed"] > 0
    stopped_too_late = Helm("stop", lambda moment: True)
    _, free = run(job, tmp_path, stopped_too_late)  # what the store has is no new work
    assert free.facts["stopped"] is False
    assert report(free)["answer"] == report(again)["answer"]


@pytest.mark.slow
def test_a_search_stopped_before_it_began_ends_with_the_best_plain_choice(job: dict[str, Any], tmp_path: Path) -> None:
    _, outcome = run({**job, "front_points": 3}, tmp_path, Helm("stop", lambda moment: True))
    assert outcome.facts["stopped"] is True
    best = min(outcome.baselines, key=lambda each: float(each.calibration.kl.mean()))
    assert outcome.found.configuration == best.configuration
    assert len(outcome.evaluated) == len(outcome.baselines)  # no sweep either


@pytest.mark.slow
def test_a_stopped_front_has_an_answer_at_every_budget(job: dict[str, Any], tmp_path: Path) -> None:
    helm = Helm("stop", lambda moment: moment.label.startswith("budget 1 of 2: generation 2"))
    plan, outcome = front(job, tmp_path, helm)
    assert outcome.facts["stopped"] is True
    assert outcome.verdict.startswith("Stopped before the search was done. ")
    for problem, at in zip(plan.problems, outcome.answers, strict=True):
        assert problem.holds(plan.problem.space.levels(at.answer.configuration))
        assert at.answer.validation is not None
    found = [float(at.found.calibration.kl.mean()) for at in outcome.answers]
    assert found == sorted(found, reverse=True)


@pytest.mark.slow
def test_a_cancelled_job_keeps_what_was_measured_and_no_lease(job: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Halted, match="cancel"):
        run(job, tmp_path, Helm("cancel", searching(5)))
    assert in_flight(tmp_path) == 0
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        assert store.evaluation_stats().done >= 5


@pytest.mark.slow
def test_a_job_tells_of_each_configuration_once(job: dict[str, Any], tmp_path: Path) -> None:
    helm = Helm()
    plan, outcome = run(job, tmp_path, helm)
    space = plan.problem.space
    kinds = Counter(found.kind for found in helm.found)
    assert kinds["plain"] == len(outcome.baselines)
    assert kinds["answer"] == 1
    assert kinds["plain"] + kinds["candidate"] == len(outcome.evaluated)
    losses = {each.configuration: each.calibration.kl for each in outcome.evaluated}
    for found in helm.found:
        assert space.configure(found.levels) == found.configuration
        assert found.loss == losses[found.configuration]
        assert found.loss_se is not None
        assert found.loss_se > 0
        measures = space.measure(found.levels)
        assert found.size_bytes == measures.size_bytes
        assert found.bits_per_weight == measures.stored_bits / space.anatomy.num_parameters
        assert not found.is_cached
    assert len(helm.subjects) == len(set(helm.subjects)) >= len(outcome.evaluated)
    again = Helm()
    run(job, tmp_path, again)
    assert all(found.is_cached for found in again.found)
    assert told(again) == told(helm)
    assert sorted(again.subjects) == sorted(helm.subjects)


def test_a_loss_is_told_as_people_quote_it() -> None:
    values = np.array([1.0, 2.0, 3.0])
    assert quoted(values, "kl") == (2.0, pytest.approx(1 / np.sqrt(3)))
    loss, error = quoted(values, "perplexity")
    assert loss == pytest.approx(np.exp(2))
    assert error == pytest.approx(np.exp(2) / np.sqrt(3))
    assert quoted(np.array([np.inf, 1.0]), "kl") == (None, None)
    assert quoted(np.array([800.0, 800.0]), "perplexity") == (None, None)  # beyond float64
    assert quoted(np.array([2.0]), "kl") == (2.0, None)


def test_the_best_known_keeps_the_budget_and_what_is_asked_of_the_loss(job: dict[str, Any], tmp_path: Path) -> None:
    problem = make_plan(read_spec(job), tmp_path).problem
    space = problem.space
    two, three, four = (tuple(level for _ in space.units) for level in range(3))
    assert best_known(problem, three, {two: 0.1}) == three
    assert best_known(problem, four, {two: 0.2, three: 0.1, four: 0.0}) == three  # four bits break the budget
    assert best_known(problem, None, {two: 0.1, three: float("inf")}) == two
    lenient = replace(problem, max_loss=0.5)
    assert best_known(lenient, None, {two: 0.4, three: 0.1}) == two  # the smallest that keeps it
    assert best_known(lenient, None, {two: 0.9, three: 0.6}) == three
    nothing_measured = best_known(problem, None, {})
    assert problem.holds(nothing_measured)
    assert space.measure(nothing_measured).nominal_bits == space.measure(three).nominal_bits


@pytest.mark.parametrize(
    ("device", "gpus", "message"),
    [
        ("cpu", 1.0, r"device is cpu, but resources\.gpus is 1; write auto"),
        ("cuda", 0.0, r"device is cuda, but resources\.gpus is 0; give each worker"),
    ],
)
def test_a_device_that_the_resources_gainsay_is_refused(
    job: dict[str, Any], tmp_path: Path, device: str, gpus: float, message: str
) -> None:
    spec = read_spec({**job, "evaluation": {"device": device}, "resources": {"gpus": gpus}})
    with pytest.raises(InputError, match=message):
        make_plan(spec, tmp_path)


def test_resources_reach_the_workers(job: dict[str, Any], tmp_path: Path) -> None:
    setup = make_plan(read_spec({**job, "resources": {"cpus": 3.5}}), tmp_path).worker_setup()
    assert (setup.cpus, setup.gpus, setup.num_threads) == (3.5, 0.0, 3)
    setup = make_plan(read_spec({**job, "resources": {"cpus": 0.25}}), tmp_path).worker_setup()
    assert (setup.cpus, setup.num_threads) == (0.25, 1)
    setup = make_plan(read_spec({**job, "resources": {"gpus": 0.5}}), tmp_path).worker_setup()
    assert (setup.gpus, setup.device) == (0.5, "cuda")
    with pytest.raises(InputError, match=r"resources\.gpus: must be a share of one GPU.*got 1\.5"):
        read_spec({**job, "resources": {"gpus": 1.5}})
