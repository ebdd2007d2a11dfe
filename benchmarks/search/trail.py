"""Follows a search from question to question: what it would answer at each moment, and what that took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.search.meter import Meter
from evaluators.statistic import Samples
from search.strategy import Ask, Losses, Problem, Question, Search
from spaces.errors import JobError
from spaces.space import Levels


@dataclass(frozen=True, kw_only=True)
class Moment:
    """From here on, and until the next, the search would answer ``levels``."""

    read: int
    computed: int
    levels: Levels


@dataclass(frozen=True, kw_only=True)
class Trail:
    """A whole search: its moments, and the tokens at its end."""

    moments: tuple[Moment, ...]
    read: int
    computed: int
    is_cut: bool  # it had more to ask than it was allowed to


def follow(
    search: Search, problem: Problem, answer: Callable[[Question], Losses | Samples], meter: Meter, limit: int | None
) -> Trail:
    """Run the search to its end, or until its next question would read more than ``limit`` tokens in all.

    Raises:
        JobError: it was cut before it had anything to answer.
    """
    walk = _Walk(problem)
    try:
        question = next(search)
        while True:
            walk.hear(question)
            meter.note(question)
            if limit is not None and meter.read > limit:
                search.close()
                return walk.trail(is_cut=True)
            told = answer(question)
            walk.read, walk.computed = meter.read, meter.computed
            if isinstance(question, Ask) and isinstance(told, list):
                walk.see(question, told)
            question = search.send(told)
    except StopIteration as stop:
        walk.add(stop.value)
    return walk.trail(is_cut=False)


class _Walk:
    """The moments so far. A strategy that names no incumbent has the best that it measured on the most text."""

    def __init__(self, problem: Problem) -> None:
        self.read = self.computed = 0
        self._moments: list[Moment] = []
        self._problem = problem
        self._names_incumbents = False
        self._tokens, self._loss = 0, float("inf")  # of the best measured so far

    def hear(self, question: Question) -> None:
        """Before the question is answered."""
        if question.incumbent is not None:
            self._names_incumbents = True
            self.add(question.incumbent)

    def see(self, ask: Ask, told: Losses) -> None:
        """Once it is answered."""
        if self._names_incumbents:
            return
        tokens = self._problem.tokens(ask.tokens)
        fitting = [
            (float(losses.mean()), number)
            for number, (levels, losses) in enumerate(zip(ask.candidates, told, strict=True))
            if self._problem.holds(levels)
        ]
        loss, number = min(fitting, default=(float("inf"), -1))
        if number >= 0 and (tokens > self._tokens or (tokens == self._tokens and loss < self._loss)):
            self._tokens, self._loss = tokens, loss
            self.add(ask.candidates[number])

    def add(self, levels: Levels) -> None:
        """A new moment, unless the answer is the one before."""
        configure = self._problem.space.configure
        if not self._moments or configure(levels) != configure(self._moments[-1].levels):
            self._moments.append(Moment(read=self.read, computed=self.computed, levels=levels))

    def trail(self, *, is_cut: bool) -> Trail:
        if not self._moments:
            raise JobError(f"the search was cut after {self.read:,} tokens, before it had an answer; allow it more")
        return Trail(moments=tuple(self._moments), read=self.read, computed=self.computed, is_cut=is_cut)
