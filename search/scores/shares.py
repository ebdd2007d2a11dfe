"""A score asked for in growing shares of its text, so that there is an answer long before all of it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np

from evaluators.statistic import Samples
from search.scores.score import Scores
from search.strategy import Asking, Estimate, Losses, Problem, Question
from spaces.errors import InputError, JobError
from spaces.space import Levels

SHARES = (8, 4, 2, 1)  # the first look is at an eighth of the text

Begin = Callable[[], Asking[Scores]]


def in_shares(begin: Begin, problem: Problem, answer: Callable[[Scores], Levels]) -> Asking[Scores]:
    """What ``begin`` comes to, to the last bit, of the same text and for the same tokens.

    Its first question is put in shares, and each but the first names what the scores so far would ``answer``. Of a
    score that has more to ask no answer is named: what a share of its first question would come to is not known.
    """
    running = begin()
    try:
        told = yield from _shared(begin, next(running), problem, answer)
        while True:  # it has more to ask
            told = yield running.send(told)
    except StopIteration as stop:
        scores: Scores = stop.value
        return scores


def _shared(
    begin: Begin, question: Question, problem: Problem, answer: Callable[[Scores], Levels]
) -> Asking[Losses | Samples]:
    """The question's answer, put together of its shares."""
    told: Losses | Samples | None = None
    for part in _parts(question, problem):
        incumbent = None if told is None else _looked(begin, told, answer)
        told = _joined(told, (yield replace(part, incumbent=incumbent)))
    assert told is not None
    return told


def _parts(question: Question, problem: Problem) -> Iterator[Question]:
    """The question in shares; of losses each goes on where the one before ended, and is answered from the beginning.

    Samples that are not averaged, such as one for each layer, tell nothing before the last: they are asked at once.
    """
    if isinstance(question, Estimate) and question.is_mean:
        start = question.start
        for stop in _stops(question.stop - start):
            yield replace(question, start=start, stop=question.start + stop)
            start = question.start + stop
    elif isinstance(question, Estimate) or question.first:
        yield question
    else:
        *early, _ = _stops(problem.sequences(question.tokens))
        for stop in early:
            yield replace(question, tokens=stop * problem.sequence_length)
        yield question


def _stops(number: int) -> list[int]:
    return sorted({-(-number // share) for share in SHARES})


def _joined(told: Losses | Samples | None, part: Losses | Samples) -> Losses | Samples:
    if told is None or isinstance(told, list) or isinstance(part, list):
        return part
    return {name: np.concatenate([values, part[name]]) for name, values in told.items()}


def _looked(begin: Begin, told: Losses | Samples, answer: Callable[[Scores], Levels]) -> Levels | None:
    """What these losses or samples would lead to, if they were all; None where they lead to nothing."""
    running = begin()
    next(running)
    with suppress(InputError, JobError):  # scores of all the text may leave more open
        try:
            running.send(told)
        except StopIteration as stop:
            return answer(stop.value)
        running.close()
    return None
