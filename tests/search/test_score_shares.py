"""A score in shares is the score, of the same text, with an answer after each share."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from synthetic_search import SyntheticLoss, make_problem, quantize, tiny_space

from evaluators.statistic import Samples
from search.engine.answers import drive
from search.scores.errors import WeightError
from search.scores.fisher import Fisher
from search.scores.inter_layer import InterLayer
from search.scores.measured import MeasuredKL
from search.scores.score import Score, Scores
from search.scores.shares import in_shares
from search.strategy import Ask, Asking, Estimate, Losses, Question
from spaces.errors import InputError
from spaces.space import Levels

LENGTH = 512
PROBLEM = make_problem(tiny_space(2, quantize(2, 3, 4)), {"nominal_bits_per_weight": 3.0}, max_tokens=64 * LENGTH)
LOSS = SyntheticLoss(space=PROBLEM.space, interaction=0.3, noise=0.2, seed=4)


def told(question: Question) -> Losses | Samples:
    if isinstance(question, Ask):
        return [LOSS(levels, question.tokens) for levels in question.candidates]
    rows = [np.random.default_rng(row).standard_normal(500) for row in range(question.start, question.stop)]
    return {"products": np.stack(rows)}


def driven(search: Asking[Scores]) -> tuple[Scores, list[Any]]:
    asked: list[Any] = []
    try:
        question = next(search)
        while True:
            asked.append(question)
            question = search.send(told(question))
    except StopIteration as stop:
        return stop.value, asked


def cheapest(scores: Scores) -> Levels:
    return tuple(int(np.argmin(row)) for row in scores.costs)


def shared(score: Score) -> tuple[Scores, list[Any]]:
    return driven(in_shares(partial(score.score, PROBLEM), PROBLEM, cheapest))


def equal(one: Scores, other: Scores) -> bool:
    tables = zip([*one.costs, *(one.errors or [])], [*other.costs, *(other.errors or [])], strict=True)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in tables)


@pytest.mark.parametrize("sequences", [1, 2, 3, 8, 20])
@pytest.mark.parametrize("kind", [Fisher, MeasuredKL])
def test_the_scores_and_their_text_are_the_same(kind: Any, sequences: int) -> None:
    score = kind(tokens=sequences * LENGTH)
    (scores, parts), (whole, [question]) = shared(score), driven(score.score(PROBLEM))
    assert equal(scores, whole)
    assert len(parts) == {1: 1, 2: 2, 3: 3, 8: 4, 20: 4}[sequences]
    assert parts[0].incumbent is None
    if isinstance(question, Estimate):
        assert (parts[0].start, parts[-1].stop) == (0, sequences)
        assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
        assert {part.statistic for part in parts} == {question.statistic}
    else:
        assert [part.tokens for part in parts] == sorted({part.tokens for part in parts})
        assert (parts[-1].tokens, parts[-1].candidates) == (question.tokens, question.candidates)


@pytest.mark.parametrize("kind", [Fisher, MeasuredKL])
def test_each_answer_is_that_of_the_score_on_what_was_read(kind: Any) -> None:
    _, parts = shared(kind(tokens=8 * LENGTH))
    for before, part in zip((1, 2, 4), parts[1:], strict=True):
        if kind is MeasuredKL:
            assert part.incumbent == cheapest(driven(MeasuredKL(tokens=before * LENGTH).score(PROBLEM))[0])
        else:
            whole = Fisher(tokens=8 * LENGTH).score(PROBLEM)
            assert part.incumbent == cheapest(drive(whole, lambda asked, stop=before: told(replace(asked, stop=stop))))


def test_a_score_without_a_question_is_not_asked() -> None:
    scores, parts = shared(WeightError())
    assert parts == []
    assert equal(scores, driven(WeightError().score(PROBLEM))[0])


def test_a_score_of_several_questions_names_no_answer_before_its_end() -> None:
    score = InterLayer(singles=MeasuredKL(tokens=8 * LENGTH), tokens=2 * LENGTH)
    (scores, parts), (whole, questions) = shared(score), driven(score.score(PROBLEM))
    assert equal(scores, whole)
    assert scores.interactions is not None
    assert whole.interactions is not None
    assert np.array_equal(scores.interactions.matrix, whole.interactions.matrix)
    assert [part.incumbent for part in parts] == [None] * len(parts)
    assert [part.label for part in parts[-1:]] == [questions[-1].label]


def test_scores_of_a_share_that_lead_to_nothing_name_no_answer() -> None:
    def never(scores: Scores) -> Levels:
        raise InputError("closes what the budget would need")

    score = MeasuredKL(tokens=8 * LENGTH)
    scores, parts = driven(in_shares(partial(score.score, PROBLEM), PROBLEM, never))
    assert [part.incumbent for part in parts] == [None] * 4
    assert equal(scores, driven(score.score(PROBLEM))[0])
