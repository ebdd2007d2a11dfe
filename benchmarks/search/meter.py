"""What a strategy's questions cost from an empty store: tokens read, and tokens computed."""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol

from evaluators.statistic import Statistic
from search.engine.ledger import Ledger
from search.strategy import Estimate, Problem, Question


class Meter(Protocol):
    """Counts questions."""

    def note(self, question: Question) -> None: ...

    @property
    def read(self) -> int: ...

    @property
    def computed(self) -> int: ...


class EngineMeter:
    """As the engine does it: everything is read once, and blocks that candidates share are computed once."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._ledger = Ledger(problem.space.anatomy)
        self._samples: dict[Statistic, set[int]] = defaultdict(set)

    @property
    def read(self) -> int:
        return self._ledger.total.read

    @property
    def computed(self) -> int:
        return round(self._ledger.total.computed)

    def note(self, question: Question) -> None:
        problem, length = self._problem, self._problem.sequence_length
        if isinstance(question, Estimate):
            known, asked = self._samples[question.statistic], range(question.start, question.stop)
            self._ledger.samples(question.statistic, len(set(asked) - known), length)
            known.update(asked)
            return
        configurations = [problem.space.configure(levels) for levels in question.candidates]
        sequences = problem.sequences(question.tokens)
        self._ledger.evaluations(configurations, sequences, length, "calibration", question.first)


class PublishedMeter:
    """As EvoPress' code does it: nothing is kept between questions, and everything that is read is computed."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.read = 0

    @property
    def computed(self) -> int:
        return self.read

    def note(self, question: Question) -> None:
        once = EngineMeter(self._problem)
        once.note(question)
        self.read += once.read
