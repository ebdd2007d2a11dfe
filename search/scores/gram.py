"""The gram score: single changes measured, and all their pairwise interactions from the logits they move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluators.evaluator import batch_sequences
from evaluators.sensitivity.logit_shifts import LogitShifts
from search.baselines import uniform_near
from search.report import standard_error
from search.scores.probes import probes, stand_in
from search.scores.score import Interactions, Scores, first_moves
from search.strategy import Asking, Problem, sampled
from spaces.configuration import Configuration
from spaces.errors import InputError, JobError
from spaces.option import KEEP
from spaces.space import Levels, Space
from spaces.tables import check_name

FEWEST_SAMPLES = 4  # where there are as many sequences, so that workers share them

Base = Literal["uniform", "dense"]
BASES = ("uniform", "dense")


@dataclass(frozen=True, kw_only=True)
class Gram:
    """KL(base + S) - KL(base) ~ sum_i D_i + sum_{i<j} G_ij over the changes of S, at most one of each unit.

    D_i = KL(base + i) - KL(base) is measured; G_ij = mean_t E_{v~q_t}[c_i(v) c_j(v)], where c_i is the shift of the
    logits by change i alone, centred by the base's own distribution q. That is the Fisher form of the KL divergence
    with the shifts of several changes assumed to add, so it knows every pair from single changes: one forward pass for
    each, where CLADO (Deng et al. 2023, arXiv 2307.05657) measures the loss of every pair, N (N + 1) / 2 of them.
    Missing are interactions beyond pairs, and what a pair moves that its single shifts do not: where the base is so
    damaged that this counts (2 bits; 3 on an untrained model), the sum of the D_i alone may predict better. The base's
    own residual enters through D_i.

    ``base`` uniform is the uniform choice nearest to the budget's bits, as for measured-kl: nothing is dropped in
    it. ``entries`` entries of the vocabulary are drawn for each token. ``shrink`` multiplies G: below 1 where
    changes are so large that the Fisher form overstates them. Where eight bits are open, they are measured in place
    of keep. Cost: forward passes over ``tokens``, one for each unit and option, and two. Whole samples are read, so
    that less than a fifth of ``tokens`` may stay unread.
    """

    tokens: int = 2048
    entries: int = 32
    base: Base = "uniform"
    shrink: float = 1.0

    def __post_init__(self) -> None:
        for name in ("tokens", "entries"):
            if getattr(self, name) < 1:
                raise InputError(f"score {name} must be at least 1, got {getattr(self, name)}")
        check_name(self.base, BASES, "base")
        if not 0 <= self.shrink <= 1:
            raise InputError(f"shrink must be from 0 (no interactions) to 1 (as measured), got {self.shrink}")

    def check(self, problem: Problem) -> None:
        pass  # every option can be measured, in any dtype

    def planned_tokens(self, problem: Problem) -> int:
        statistic = self.statistic(problem)
        return statistic.passes(problem.sequence_length).total_tokens * _num_samples(statistic)

    def base_levels(self, problem: Problem) -> Levels:
        """Where the changes are measured from."""
        return uniform_near(problem) if self.base == "uniform" else problem.space.kept

    def statistic(self, problem: Problem) -> LogitShifts:
        """What is asked of the workers."""
        space, base, sequences = problem.space, self.base_levels(problem), problem.sequences(self.tokens)
        per_sample = min(batch_sequences(problem.sequence_length), max(1, sequences // FEWEST_SAMPLES))
        return LogitShifts(
            base=space.configure(base),
            moves=tuple(_changes(space, unit, level) for unit, level in probes(space, base)),
            sequences=sequences // per_sample * per_sample,
            sequences_per_sample=per_sample,
            draws=self.entries,
            seed=problem.seed,
        )

    def score(self, problem: Problem) -> Asking[Scores]:
        statistic = self.statistic(problem)
        label = f"logit shifts of {len(statistic.moves)} changes"
        samples = yield from sampled(statistic, 0, _num_samples(statistic), label, is_mean=True)
        kl = samples["kl"].reshape(-1, 1 + len(statistic.moves))  # (sequences, 1 + probes)
        if not np.isfinite(kl[:, 0]).all():
            raise JobError(
                f"score gram cannot measure changes from {statistic.base.id}, the {self.base} base for the budget "
                f"{problem.budget}, whose KL is infinite; raise the budget or use another score"
            )
        gram = self.shrink * samples["gram"].astype(np.float64)  # (samples, probes, probes)
        return _scores(problem.space, self.base_levels(problem), kl[:, 1:] - kl[:, :1], gram)


def _scores(
    space: Space,
    base: Levels,
    change: np.ndarray,  # (sequences, probes)
    gram: np.ndarray,  # (samples, probes, probes)
) -> Scores:
    """From probes to all moves of the space; an option that broke any sequence is closed, and interacts with none."""
    cost = np.append(change.mean(axis=0), 0.0)
    error = np.array([*(standard_error(column) for column in change.T), 0.0])
    probe_of = _probe_of_each_move(space, base)
    ends = first_moves(space)[1:]
    pairs = np.ix_(probe_of, probe_of)
    is_open = np.isfinite(cost)
    both = np.outer(is_open, is_open)
    mean = np.where(both, np.pad(gram.mean(axis=0), (0, 1)), 0.0)
    noise = np.where(both, np.pad(_errors_of_means(gram), (0, 1)), 0.0)
    return Scores(
        costs=np.split(cost[probe_of], ends),
        errors=np.split(error[probe_of], ends),
        interactions=Interactions(matrix=mean[pairs], errors=noise[pairs]),
    )


def _errors_of_means(gram: np.ndarray) -> np.ndarray:  # (samples, probes, probes) -> (probes, probes)
    """Over samples; infinite where one sample alone says nothing of it."""
    if len(gram) < 2:
        return np.full(gram.shape[1:], np.inf)
    errors: np.ndarray = gram.std(axis=0, ddof=1) / np.sqrt(len(gram))
    return errors


def _probe_of_each_move(space: Space, base: Levels) -> np.ndarray:  # int64 (moves,)
    """The number of the probe that says what a move costs; -1 for the levels of the base, which cost nothing."""
    numbers = {probe: number for number, probe in enumerate(probes(space, base))}
    found = []
    for number, unit in enumerate(space.units):
        wide = stand_in(unit)
        asked = [wide if wide is not None and option == KEEP else level for level, option in enumerate(unit.options)]
        asked[base[number]] = base[number]
        found += [numbers.get((number, level), -1) for level in asked]
    return np.array(found, dtype=np.int64)


def _changes(space: Space, unit: int, level: int) -> Configuration:
    """The layers of a unit and their option."""
    option = space.units[unit].options[level]
    return Configuration.of({space.layers[index].name: option for index in space.units[unit].layers})


def _num_samples(statistic: LogitShifts) -> int:
    return statistic.sequences // statistic.sequences_per_sample
