"""Runs trials: asks the engine what a strategy asks, follows its answers, and looks at them on unseen text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from benchmarks.search.curves import checkpoints, in_force_near
from benchmarks.search.meter import EngineMeter, Meter, PublishedMeter
from benchmarks.search.methods import EVOPRESS_BITS, EVOPRESS_DROPS, shortened
from benchmarks.search.queue import Trial
from benchmarks.search.records import Plain, Point, Record
from benchmarks.search.tasks import Task
from benchmarks.search.trail import Trail, follow
from search.baselines import baselines, uniform_above
from search.engine.plan import Plan, make_plan
from search.engine.pool import Pool
from search.engine.progress import Progress
from search.engine.run import Run
from search.engine.session import Session
from search.settings import make_strategy
from search.strategy import Problem
from spaces.errors import InputError
from store.store import Store

NEAR = 0.1  # what EvoPress reads may differ by from what was planned; its rivals are held against it there
LOOKS = 12  # answers of a trial that are measured on unseen text; of one with fewer, all
LOOKS_PUBLISHED = 48  # of EvoPress as published, which all others are held against


class TimeUpError(Exception):
    """The time that a race may take is over; what was measured is kept."""


class Track:
    """Everything that the trials on one task share."""

    def __init__(self, task: Task, home: Path, *, is_small: bool) -> None:
        self.task = task
        self.is_small = is_small
        self._home = home

    @cached_property
    def plan(self) -> Plan:
        """Of no strategy in particular."""
        return make_plan(self.task.spec(self._home, is_small=self.is_small), self._home)

    def planned(self, trial: Trial) -> Plan:
        """The plan of one trial.

        Raises:
            InputError: the strategy does not exist, or does not fit the task.
        """
        strategy = make_strategy(trial.method.strategy(self.task.kind, is_small=self.is_small), trial.method.name)
        problem = replace(self.plan.problem, seed=trial.seed)
        strategy.check(problem)
        return replace(self.plan, problem=problem, strategy=strategy)

    @cached_property
    def published_tokens(self) -> int:
        """What EvoPress as published reads here."""
        settings = EVOPRESS_BITS if self.task.kind == "bits" else EVOPRESS_DROPS
        return make_strategy(shortened(settings, is_small=self.is_small)).planned_tokens(self.plan.problem)

    def limit(self, trial: Trial) -> int | None:
        """The tokens that a trial may read."""
        share = trial.method.budget
        return None if share is None else int(share * self.published_tokens)


class Race:
    """Keeps one pool of workers as long as tasks have the same model."""

    def __init__(
        self,
        home: Path,
        store: Store,
        *,
        is_small: bool = False,
        say: Callable[[str], None],
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._home = home
        self._store = store
        self._is_small = is_small
        self._say = say
        self._is_over = is_over
        self._tracks: dict[str, Track] = {}
        self._pool: Pool | None = None
        self._label = ""

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def track(self, task: Task) -> Track:
        return self._tracks.setdefault(task.name, Track(task, self._home, is_small=self._is_small))

    def run(self, trial: Trial) -> Record:
        """One trial from its beginning; what was measured before comes from the store.

        Raises:
            TimeUpError: before it was finished.
            InputError: it cannot be run here: its strategy does not fit, or its model is not there.
            JobError: it failed on the way.
        """
        track = self.track(trial.task)
        plan, limit = track.planned(trial), track.limit(trial)
        run = self.open(plan)
        with run.session.phase("search"):
            search = plan.strategy.search(plan.problem)
            trail = follow(search, plan.problem, run.answer, _meter(trial, plan.problem), limit)
        looks = LOOKS_PUBLISHED if trial.method.is_published else LOOKS
        return self._looked_at(trail, run.session, looks, also=[track.published_tokens])

    def plain(self, task: Task) -> list[Plain]:
        """Every plain choice within the budget, and the next one above it, on unseen text."""
        plan = self.track(task).plan
        session, problem = self.open(plan).session, plan.problem
        named = [(each.name, each.levels) for each in baselines(problem)]
        above = uniform_above(problem)
        if above != problem.space.kept:
            slugs = {option.slug for _, option in problem.space.configure(above).options}
            named.append((f"uniform {', '.join(sorted(slugs))}", above))
        configurations = [problem.space.configure(levels) for _, levels in named]
        measured = session.measure(configurations, plan.streams["validation"].num_sequences, "validation")
        return [
            Plain(weights=plan.weights, name=name, kl=each.kl, holds=problem.holds(levels))
            for (name, levels), each in zip(named, measured, strict=True)
        ]

    def open(self, plan: Plan) -> Run:
        """The bank and the dense logits made, and everything ready to answer."""
        if self._pool is not None and self._pool.setup.folder != plan.folder:
            self.close()
        if self._pool is None:
            self._pool = Pool(plan.worker_setup(), plan.spec.workers)
        run = Run(Session(plan, self._store, self._pool, self._watch))
        run.session.materials(plan.entries())
        return run

    def _watch(self, moment: Progress) -> None:
        if self._is_over():
            raise TimeUpError
        if moment.phase in ("bank", "dense") and moment.label and moment.label != self._label:
            self._label = moment.label
            self._say(f"  {moment.label}")

    def _looked_at(self, trail: Trail, session: Session, looks: int, also: Sequence[int]) -> Record:
        """The record of a search: some of its answers, the last among them, measured on unseen text."""
        places = checkpoints([moment.read for moment in trail.moments], trail.read, looks, also)
        chosen = [trail.moments[place] for place in places]
        read = [moment.read for moment in chosen]
        compared = {len(chosen) - 1}.union(*(in_force_near(read, tokens, NEAR) for tokens in also))
        space, stream = session.plan.problem.space, session.plan.streams["validation"]
        configurations = [space.configure(moment.levels) for moment in chosen]
        measured = session.measure(configurations, stream.num_sequences, "validation")
        points = [
            Point(
                read=moment.read,
                computed=moment.computed,
                levels=moment.levels,
                loss=float(each.kl.mean()),
                kl=each.kl if number in compared else None,
            )
            for number, (moment, each) in enumerate(zip(chosen, measured, strict=True))
        ]
        return Record(
            weights=session.plan.weights,
            points=tuple(points),
            read=trail.read,
            computed=trail.computed,
            num_answers=len(trail.moments),
            is_cut=trail.is_cut,
            date=f"{datetime.now(UTC):%Y-%m-%d}",
        )


def _meter(trial: Trial, problem: Problem) -> Meter:
    return PublishedMeter(problem) if trial.method.is_published else EngineMeter(problem)


def check_model(task: Task, home: Path) -> None:
    """Refuse a task whose model is not there.

    Raises:
        InputError: names the command that makes it.
    """
    folder = Path(task.model.folder.format(home=home))
    if not folder.is_dir():
        raise InputError(f"task {task.name} needs the model {folder}; make it with python -m benchmarks.search train")
