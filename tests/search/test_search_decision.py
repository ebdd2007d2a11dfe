"""The answer of a job: the least loss on unseen text, or the smallest size whose loss there stays under a limit."""

from __future__ import annotations

import re
from math import inf, log

import numpy as np
import pytest
from synthetic_search import quantize, tiny_space

from evaluators.evaluator import Measurement
from search.decision import decide
from search.report import Measured, Objective
from spaces.space import Space


@pytest.fixture(scope="module")
def space() -> Space:
    return tiny_space(2, quantize(2, 3, 4, 8))


def measured(space: Space, name: str, level: int, loss: float, objective: Objective = "kl") -> Measured:
    """One option everywhere: the higher its level, the larger it is."""
    values = {"kl": np.full(3, 9.0), "nll": np.full(3, 9.0)}
    values["kl" if objective == "kl" else "nll"] = np.full(3, loss)
    configuration = space.configure(tuple(level for _ in space.units))
    unread = Measurement(kl=np.zeros(3), nll=np.zeros(3))
    return Measured(name=name, configuration=configuration, calibration=unread, validation=Measurement(**values))


def test_the_least_loss_on_unseen_text_is_the_answer(space: Space) -> None:
    plain = [measured(space, "uniform 3", 1, 0.3), measured(space, "uniform 2", 0, 0.9)]
    better, worse = measured(space, "found", 2, 0.2), measured(space, "found", 2, 0.4)
    assert decide(better, plain, "kl", space=space)[0] is better
    assert decide(worse, plain, "kl", space=space)[0] is plain[0]
    assert decide(worse, [], "kl", space=space)[0] is worse
    assert decide(measured(space, "found", 2, inf), plain, "kl", space=space)[0] is plain[0]


@pytest.mark.parametrize(
    ("found", "plain", "answer", "verdict"),
    [
        ((1, 0.09), [(2, 0.05), (3, 0.01)], "found", r"takes .* at KL 0\.09 .* less than plain 2 .*smallest plain"),
        ((2, 0.09), [(1, 0.05), (3, 0.01)], "plain 1", r"Nothing smaller than plain 1 .*at most 0\.1"),
        ((1, 0.09), [(2, 0.5)], "found", r"takes .*; no plain choice keeps 0\.1"),
        ((1, 0.11), [(2, 0.05)], "plain 2", r"found is 0\.11, above the limit of 0\.1, so .*plain 2"),
        ((1, 0.11), [(2, 0.5)], "found", r"found is 0\.11, above .* no plain choice .* keeps either"),
    ],
    ids=["smaller", "no smaller", "alone", "only on the calibration text", "nothing keeps it"],
)
def test_the_smallest_that_keeps_the_limit_on_unseen_text_is_the_answer(
    space: Space, found: tuple[int, float], plain: list[tuple[int, float]], answer: str, verdict: str
) -> None:
    others = [measured(space, f"plain {level}", level, loss) for level, loss in plain]
    chosen, said = decide(measured(space, "found", *found), others, "kl", space=space, max_loss=0.1)
    assert chosen.name == answer
    assert re.search(verdict, said), said


def test_a_limit_on_perplexity_is_kept_in_logarithms_and_told_as_it_was_asked(space: Space) -> None:
    found = measured(space, "found", 0, log(10.0), "perplexity")
    plain = [measured(space, "plain 2", 2, log(9.0), "perplexity")]
    answer, said = decide(found, plain, "perplexity", space=space, max_loss=log(12.0))
    assert answer is found
    assert "perplexity 10 on unseen text (limit 12)" in said
    assert decide(found, plain, "perplexity", space=space, max_loss=log(9.5))[0] is plain[0]
