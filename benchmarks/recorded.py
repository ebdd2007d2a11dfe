"""A strategy that is watched: what it answered, and what its questions would cost from an empty store."""

from __future__ import annotations

from collections import defaultdict

from evaluators.statistic import Statistic
from evaluators.stream import Stream
from search.strategy import Ask, Problem, Question, Search, Strategy
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
        self._samples: dict[Statistic, set[int]] = defaultdict(set)
        self.answer: Levels = ()  # until it has answered

    @property
    def num_tokens(self) -> int:
        """Tokens read, forward and backward, if everything is measured once and longer prefixes go on from shorter."""
        length = self._stream.length
        passes = [each.passes(length) * len(numbers) for each, numbers in self._samples.items()]
        return sum(self._sequences.values()) * length + sum(each.total_tokens for each in passes)

    def check(self, problem: Problem) -> None:
        self._strategy.check(problem)

    def fidelity(self, problem: Problem) -> int:
        return self._strategy.fidelity(problem)

    def planned_tokens(self, problem: Problem) -> int:
        return self._strategy.planned_tokens(problem)

    def search(self, problem: Problem) -> Search:
        search = self._strategy.search(problem)
        try:
            question = next(search)
            while True:
                self._note(question, problem)
                question = search.send((yield question))
        except StopIteration as stop:
            self.answer = stop.value
        return self.answer

    def _note(self, question: Question, problem: Problem) -> None:
        if not isinstance(question, Ask):
            self._samples[question.statistic].update(range(question.start, question.stop))
            return
        asked = self._stream.sequences_for(question.tokens)
        for levels in question.candidates:
            configuration = problem.space.configure(levels)
            self._sequences[configuration] = max(self._sequences[configuration], asked)
