"""A strategy that is watched: what it answered, and what its questions would cost from an empty store."""

from __future__ import annotations

from collections import defaultdict

from evaluators.stream import Stream
from search.strategy import Ask, Problem, Search, Strategy
from spaces.configuration import Configuration
from spaces.space import Levels


class Recorded:
    """Asks and answers as ``strategy`` does, and counts.

    A job returns its plain choice where that does better (promise 4), and finds in the store what another job
    measured. Neither says what the strategy itself achieved, or at which price.
    """

    def __init__(self, strategy: Strategy, stream: Stream) -> None:
        self._strategy = strategy
        self._stream = stream
        self._sequences: dict[Configuration, int] = defaultdict(int)  # the most that were asked for
        self.answer: Levels = ()  # until it has answered

    @property
    def num_tokens(self) -> int:
        """Tokens read if every configuration is measured once, a longer measurement going on from a shorter one."""
        return sum(self._sequences.values()) * self._stream.length

    def check(self, problem: Problem) -> None:
        self._strategy.check(problem)

    def fidelity(self, problem: Problem) -> int:
        return self._strategy.fidelity(problem)

    def planned_tokens(self, problem: Problem) -> int:
        return self._strategy.planned_tokens(problem)

    def search(self, problem: Problem) -> Search:
        search = self._strategy.search(problem)
        try:
            ask = next(search)
            while True:
                self._note(ask, problem)
                ask = search.send((yield ask))
        except StopIteration as stop:
            self.answer = stop.value
        return self.answer

    def _note(self, ask: Ask, problem: Problem) -> None:
        asked = self._stream.sequences_for(ask.tokens)
        for levels in ask.candidates:
            configuration = problem.space.configure(levels)
            self._sequences[configuration] = max(self._sequences[configuration], asked)
