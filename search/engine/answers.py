"""Answers what strategies, scores and solvers ask: by workers, or from the store alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evaluators.evaluator import Measurement
from evaluators.statistic import Samples
from search.engine.estimates import sample_keys, stacked
from search.engine.evaluations import Context, evaluation_key
from search.report import Objective, losses
from search.strategy import Ask, Asking, Estimate, Losses, Question, T
from spaces.errors import InputError
from spaces.space import Space
from store.store import Store


def drive(asking: Asking[T], answer: Callable[[Question], Losses | Samples]) -> T:
    """Run a search, a score or a solver to its end."""
    try:
        question = next(asking)
        while True:
            question = asking.send(answer(question))
    except StopIteration as stop:
        result: T = stop.value
        return result


class Recorded:
    """Answers from the store alone: no worker, no forward pass, no lease."""

    def __init__(self, store: Store, context: Context, space: Space, objective: Objective) -> None:
        self._store = store
        self._context = context
        self._space = space
        self._objective = objective

    def answer(self, question: Question) -> Losses | Samples:
        """What was measured before.

        Raises:
            InputError: it was not.
        """
        return self._losses(question) if isinstance(question, Ask) else self._samples(question)

    def _losses(self, ask: Ask) -> Losses:
        sequences = self._context.stream.sequences_for(ask.tokens)
        keys = [
            evaluation_key(self._space.configure(levels), sequences, self._context, ask.first).key
            for levels in ask.candidates
        ]
        found = self._store.find(keys)
        _check_all(found, keys, ask.label)
        values = [found[key] for key in keys]
        return [losses(Measurement(kl=each.kl, nll=each.nll), self._objective) for each in values]

    def _samples(self, estimate: Estimate) -> Samples:
        keys = [key.key for key in sample_keys(estimate, self._context)]
        found = self._store.find_samples(keys)
        _check_all(found, keys, estimate.label)
        return stacked([found[key].arrays for key in keys])


def _check_all(found: Mapping[str, object], keys: list[str], label: str) -> None:
    missing = sum(key not in found for key in keys)
    if missing:
        raise InputError(
            f"the store lacks {missing} of {len(keys)} results that the score needs ({label}); "
            f"add --measure to have them measured, or use --score output-error, which is in the bank"
        )
