"""A search by one of Optuna's samplers: asked for a batch at a time, so that workers are busy, and told it together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
from optuna.samplers import BaseSampler
from optuna.trial import Trial

from search.sampling.fitting import fitted, unseen
from search.sampling.ladder import Ladder, check_rungs, climb_tokens
from search.sampling.objectives import check_objectives, tasks_among, values_of
from search.sampling.rules import Rules
from search.sampling.starts import plain_starts
from search.sampling.trials import Trials, make_pruner, quiet, sampler_seed
from search.strategy import Asking, Problem, Search, check_budget_alone, errors_on
from spaces.errors import InputError
from spaces.space import Levels

Pruner = Literal["none", "halving", "median", "hyperband"]
Batch = list[tuple[Trial, Levels]]


@dataclass(frozen=True, kw_only=True)
class Sampled(ABC):
    """What the samplers have in common.

    The plain choices that fit are the first trials, and are measured to the end; neighbours of the largest of them make
    half a batch.

    ``repair`` brings each draw onto the budget before it is measured: random lowerings, then raises while they fit,
    unless something beside the loss is minimised. A draw that was measured already becomes a neighbour. The sampler is
    told what was measured. Under an exact budget nearly nothing that is drawn at random fits and uses the budget up.
    Without it, a draw that does not fit costs no tokens: the sampler is told by how much it exceeds each rule.

    ``rungs`` are tokens, ascending. ``pruner`` none measures every trial on the last; median and hyperband are
    optuna's, over all rungs; halving lets the sampler learn from the first rung alone, and the ``finalists`` best of
    all trials climb the others at the end, half as many at each. The answer is the least loss on the last rung.
    """

    trials: int = 512
    batch: int = 32
    objectives: tuple[str, ...] = ("loss",)
    repair: bool = True
    pruner: Pruner = "halving"
    rungs: tuple[int, ...] = (2048, 16_384)
    finalists: int = 8

    def __post_init__(self) -> None:
        check_objectives(self.objectives)
        for name in ("trials", "batch", "finalists"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        check_rungs(self.rungs)
        if self.pruner in ("median", "hyperband"):
            self._check_pruned()

    def _check_pruned(self) -> None:
        if len(self.objectives) > 1:
            raise InputError(
                f"pruner {self.pruner} compares one objective, got {list(self.objectives)}; use halving or none"
            )
        if len(self.rungs) < 2:
            raise InputError(
                f"pruner {self.pruner} needs two rungs or more, got {list(self.rungs)}; say, [2048, 16384]"
            )

    @abstractmethod
    def sampler(self, seed: int) -> BaseSampler:
        """Optuna's sampler of these settings."""

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, f"strategy {self.name}", takes=("constraints",))

    def fidelity(self, problem: Problem) -> int:
        return problem.tokens(self.rungs[-1])

    def planned_tokens(self, problem: Problem) -> int:
        minimised = tasks_among(self.objectives)
        on_tasks = sum(task.requests.num_tokens for name, task in problem.tasks.items() if name in minimised)
        return self._planned_losses(problem) + self.trials * on_tasks

    def _planned_losses(self, problem: Problem) -> int:
        first, last = (problem.tokens(self.rungs[place]) for place in (0, -1))
        if self.pruner == "none":
            return self.trials * last
        if self.pruner == "halving":
            return self.trials * first + climb_tokens(self.finalists, self.rungs, problem)
        return self.trials * (first + 3 * last) // 4  # about a quarter is pruned at once

    def search(self, problem: Problem) -> Search:
        return (yield from _Sampling(self, problem).search())


class _Sampling:
    """One run of a sampler on one problem."""

    def __init__(self, settings: Sampled, problem: Problem) -> None:
        self.settings, self.problem = settings, problem
        self.rules = Rules.of(problem)
        self.ladder = Ladder(problem, settings.rungs)
        rungs = self.ladder.rungs
        self.rungs = {"none": rungs[-1:], "halving": rungs[:1]}.get(settings.pruner, rungs)
        self.rng = np.random.default_rng([problem.seed, 1])
        self.drawn: set[Levels] = set()  # by this batch
        self.errors: dict[str, dict[Levels, float]] = {task: {} for task in tasks_among(settings.objectives)}
        self.fills = settings.objectives == ("loss",)  # another objective may want less than the budget allows
        with quiet():
            sampler = settings.sampler(sampler_seed(problem.seed))
        self.study = Trials(
            problem,
            sampler,
            pruner=make_pruner(settings.pruner, rungs),
            num_objectives=len(settings.objectives),
            adjust=self._adjust if settings.repair else lambda levels: levels,
        )
        # where every draw is repaired onto limits alone, all trials are feasible and the sampler need not model it
        self.has_rules = not settings.repair or bool(problem.constraints)

    def search(self) -> Search:
        starts = plain_starts(self.problem, self.rules, self.rng)
        total = -(-self.settings.trials // self.settings.batch) if self.rules.free else 0
        for number in range(max(1, total)):
            given = [*starts, *self._near(starts[-1], self.settings.trials - len(starts))] if number == 0 else []
            size = min(self.settings.batch, self.settings.trials - number * self.settings.batch)
            batch = self._drawn(given, size if total else 0)
            known = self.ladder.count
            yield from self._run(batch, starts, f"batch {number + 1} of {total}")
            if not self.has_rules and self.ladder.count == known:
                break  # every configuration near was measured
        if self.settings.pruner != "halving":
            return self.ladder.ranked(self.rungs[-1])[0]
        return (yield from self.ladder.climb(starts, self.settings.finalists, "the best on more text"))

    def _near(self, plain: Levels, most: int) -> list[Levels]:
        """Neighbours of a plain choice, for half a batch: it is far better than what is drawn at random."""
        found = dict.fromkeys([plain])
        for _ in range(min(most, self.settings.batch // 2) if self.rules.free else 0):
            found[unseen(plain, found.__contains__, self.rules, self.rng, fills=self.fills)] = None
        return list(found)[1:]

    def _drawn(self, given: list[Levels], size: int) -> Batch:
        self.drawn = set(given)
        batch = [self.study.ask(levels) for levels in given]
        while len(batch) < size:
            batch.append(self.study.ask())
            self.drawn.add(batch[-1][1])
        return batch

    def _adjust(self, levels: Levels) -> Levels:
        """Onto the rules, and new; as it was drawn where that fails."""
        found = fitted(levels, self.rules, self.rng, fills=self.fills)
        return levels if found is None else unseen(found, self._is_seen, self.rules, self.rng, fills=self.fills)

    def _is_seen(self, levels: Levels) -> bool:
        return levels in self.drawn or levels in self.ladder

    def _run(self, batch: Batch, starts: list[Levels], label: str) -> Asking[None]:
        """Measure a batch rung by rung, and tell it in its order; ``starts`` are never pruned."""
        alive = [(trial, levels) for trial, levels in batch if self.rules.violation(levels) == 0]
        losses: dict[int, float] = {}  # by trial, on the last rung that it reached
        pruned: list[Trial] = []
        for rung in self.rungs:
            measured = yield from self.ladder.measure([levels for _, levels in alive], rung, label)
            losses |= {trial.number: loss for (trial, _), loss in zip(alive, measured, strict=True)}
            if rung != self.rungs[-1]:
                ends = [trial for trial, levels in alive if self._ends(trial, losses, rung) and levels not in starts]
                alive = [(trial, levels) for trial, levels in alive if trial not in ends]
                pruned += ends
        yield from self._try_tasks([levels for _, levels in alive], label)
        for trial, levels in batch:
            if trial in pruned:
                self.study.prune(trial)
            else:
                self._tell(trial, levels, losses.get(trial.number))

    def _try_tasks(self, candidates: list[Levels], label: str) -> Asking[None]:
        """The errors on the tasks that are minimised, of those that nobody asked for yet."""
        for name, known in self.errors.items():
            for levels in dict.fromkeys(candidates):
                if levels not in known:
                    configuration = self.problem.space.configure(levels)
                    errors = yield from errors_on(self.problem.tasks[name], configuration, f"{label}, {name}")
                    known[levels] = float(errors.mean())

    def _ends(self, trial: Trial, losses: dict[int, float], rung: int) -> bool:
        return self.study.report(trial, losses[trial.number], rung)

    def _tell(self, trial: Trial, levels: Levels, loss: float | None) -> None:
        """A trial that breaks a rule was not measured: it is told as the worst known, which counts for nothing."""
        told = self.ladder.worst(self.rungs[-1]) if loss is None else loss
        errors = {task: known.get(levels, 1.0) for task, known in self.errors.items()}
        values = values_of(told, self.problem.space.measure(levels), errors, self.settings.objectives)
        self.study.tell(trial, values, self.rules.relative(levels) if self.has_rules else {})
