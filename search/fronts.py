"""One search over several budgets: neighbours share what they ask for, what was measured, and winners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from functools import partial
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from evaluators.statistic import Samples
from search.digests import Digests
from search.rows import Rows, levels_type
from search.strategy import Ask, Asking, Estimate, Losses, Problem, Question, Strategy, T, measured
from spaces.budget import Budget
from spaces.space import Levels, Measures

MEASURES = tuple(Measures.__dataclass_fields__)

Front: TypeAlias = Asking[tuple[Levels, ...]]  # one answer for each problem


@runtime_checkable
class SharesBudgets(Protocol):
    """A strategy that knows better than to search one budget after another."""

    def search_front(self, problems: tuple[Problem, ...]) -> Front:
        """Ask, be told, and return an answer for each of ``problems``, which differ in budget alone, tightest first."""


@runtime_checkable
class PlansFronts(Protocol):
    """A strategy that knows what its search over several budgets reads; for others it is the sum of all."""

    def planned_front_tokens(self, problems: tuple[Problem, ...]) -> int:
        """As ``planned_tokens``, for all ``problems`` together."""


@runtime_checkable
class ChecksFronts(Protocol):
    """A strategy some settings of which are about one budget alone."""

    def check_front(self) -> None:
        """Refuse several budgets, where they mean nothing to it."""


def check_budgets(strategy: Strategy, problem: Problem, budgets: Sequence[Budget]) -> None:
    """Refuse what ``strategy`` cannot search under one of ``budgets``, or under all of them together.

    Raises:
        InputError: says which rule and how to go on.
    """
    for budget in budgets:
        strategy.check(replace(problem, budget=budget))
    if len(budgets) > 1 and isinstance(strategy, ChecksFronts):
        strategy.check_front()


def middle(problems: tuple[Problem, ...]) -> Problem:
    """Whose score serves all budgets, where they share one."""
    return problems[len(problems) // 2]


def search_front(strategy: Strategy, problems: tuple[Problem, ...]) -> Front:
    """An answer for each of ``problems``, which differ in budget alone, the tightest first.

    The strategy's own search of fronts, or its search of each budget in turn. Then whatever was measured at the highest
    fidelity, for whichever budget, competes for every budget that it meets; answers that were not measured there are.
    So no answer has a larger loss, on that text, than one of a tighter budget.
    """
    known = Known(problems[0], max(strategy.fidelity(problem) for problem in problems))
    own = strategy.search_front(problems) if isinstance(strategy, SharesBudgets) else _one_by_one(strategy, problems)
    answers = yield from known.noting(own)
    unknown = tuple(levels for levels in dict.fromkeys(answers) if levels not in known)
    if unknown:
        yield from known.noting(measured(unknown, known.tokens, "the answers of all budgets"))
    return tuple(known.best(problem, answer) for problem, answer in zip(problems, answers, strict=True))


def planned_front_tokens(strategy: Strategy, problems: tuple[Problem, ...]) -> int:
    """About how many tokens ``search_front`` will ask to be read; for the time left, no promise."""
    if isinstance(strategy, PlansFronts):
        own = strategy.planned_front_tokens(problems)
    else:
        own = sum(strategy.planned_tokens(problem) for problem in problems)
    return own + sum(strategy.fidelity(problem) for problem in problems)


class Known:
    """What was measured at the highest fidelity on the way, and every sample of a statistic."""

    def __init__(self, problem: Problem, tokens: int) -> None:
        self.tokens = tokens
        self._problem = problem
        self._numbers = Digests()  # of rows, by levels
        measures = [(field, np.int64) for field in MEASURES]
        self._rows = Rows([("levels", levels_type(problem.space)), ("loss", np.float64), ("measures", measures)])
        self._samples: dict[object, Samples] = {}

    def __contains__(self, levels: Levels) -> bool:
        return _digest(levels) in self._numbers

    def noting(self, asking: Asking[T]) -> Asking[T]:
        """The same asking, noted. A sample that another budget asked for is not asked for again."""
        return passed_on(asking, self._answered)

    def best(self, problem: Problem, answer: Levels) -> Levels:
        """The least loss among all that meet the budget; of equal ones the smallest. ``answer`` if none does."""
        losses, sizes = self._rows.column("loss"), self._rows.column("measures")["stored_bits"]
        order = np.lexsort((sizes, losses)).tolist()
        ranks = zip(losses[order].tolist(), sizes[order].tolist(), strict=True)
        for _, equals in groupby(zip(ranks, order, strict=True), key=itemgetter(0)):
            held = [levels for _, number in equals if (levels := self._held(problem, self._rows[number])) is not None]
            if held:
                return min(held)
        return answer

    def _answered(self, question: Question) -> Asking[Losses | Samples]:
        if isinstance(question, Estimate):
            return (yield from self._sampled(question))
        losses: Losses = yield question
        self._note(question, losses)
        return losses

    def _note(self, ask: Ask, losses: Losses) -> None:
        problem = self._problem
        if ask.first or problem.sequences(ask.tokens) != problem.sequences(self.tokens):
            return  # other text: not comparable
        for levels, loss in zip(ask.candidates, losses, strict=True):
            if levels not in self:
                mean = float(loss.mean())
                measures = astuple(problem.space.measure(levels))
                row = self._rows.append(levels, float("inf") if np.isnan(mean) else mean, measures)
                self._numbers.put(_digest(levels), row)

    def _sampled(self, estimate: Estimate) -> Asking[Samples]:
        key = (estimate.statistic, estimate.start, estimate.stop)
        if key not in self._samples:
            self._samples[key] = yield estimate
        return self._samples[key]

    def _held(self, problem: Problem, row: np.void) -> Levels | None:
        """The levels of a row, where they meet the budget and the constraints."""
        if not problem.budget.holds(Measures(**dict(zip(MEASURES, row["measures"].tolist(), strict=True)))):
            return None
        levels: Levels = tuple(row["levels"].tolist())
        return levels if all(each.holds(problem.space, levels) for each in problem.constraints) else None


def _digest(levels: Levels) -> str:
    return blake2b(np.asarray(levels, np.int32).tobytes(), digest_size=8).hexdigest()


def _one_by_one(strategy: Strategy, problems: tuple[Problem, ...]) -> Front:
    answers = []
    for number, problem in enumerate(problems):
        named = partial(_labelled, f"budget {number + 1} of {len(problems)}: ")
        answers.append((yield from passed_on(strategy.search(problem), named)))
    return tuple(answers)


def _labelled(prefix: str, question: Question) -> Asking[Losses | Samples]:
    """The same question, for people who watch."""
    told: Losses | Samples = yield replace(question, label=prefix + question.label)
    return told


def passed_on(asking: Asking[T], through: Callable[[Question], Asking[Losses | Samples]]) -> Asking[T]:
    """The same asking, with each of its questions asked ``through`` another."""
    told: Losses | Samples | None = None
    while True:
        try:
            question = asking.send(told)
        except StopIteration as stop:
            result: T = stop.value
            return result
        told = yield from through(question)
