"""The contest: who takes part, and how a line of its table comes about."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.bench import JOB
from benchmarks.contest import Entry, mean_of, show_contest
from benchmarks.giant import build_giant
from benchmarks.quality import SPINE, contenders
from search.settings import make_strategy
from service.intake.jobfile import read_job

BEST = np.array([0.5, 1.0, 1.5])


def cells(entry: Entry) -> list[str]:
    """The only row of a table that holds ``entry`` alone."""
    space = build_giant().space
    return [cell.strip() for cell in show_contest([entry], BEST, space).splitlines()[2].split("|")[1:-1]]


def test_a_line_by_hand() -> None:
    space = build_giant().space
    entry = Entry(
        name="evolution",
        kl=np.array([0.4, 0.8, 1.5]),
        measures=space.measure([1] * len(space.units)),  # 3 bits everywhere
        seed="2",
        num_tokens=12345,
        remark="a word",
    )
    # means 0.9 and -0.1; deviations (-0.5, -0.1, 0.6) and (0, -0.1, 0.1), over sqrt(2) and sqrt(3)
    assert cells(entry) == [
        "evolution",
        "2",
        "3.0000",
        "4.849 GB",
        "0.90000 ± 0.32146",
        "-0.10000 ± 0.05774",
        "12,345",
        "a word",
    ]


def test_the_plain_choice_itself_has_no_difference() -> None:
    assert cells(Entry(name="uniform", kl=BEST))[5] == ""


def test_a_mean_is_taken_sequence_by_sequence() -> None:
    entries = [
        Entry(name="evolution", kl=np.array([1.0, 5.0]), seed="0", num_tokens=100),
        Entry(name="evolution", kl=np.array([3.0, 6.0]), seed="1", num_tokens=201),
    ]
    mean = mean_of(entries)
    assert mean.kl.tolist() == [2.0, 5.5]
    assert (mean.name, mean.seed, mean.num_tokens) == ("evolution", "mean of 2", 150.5)


@pytest.mark.parametrize("is_small", [False, True])
def test_everyone_who_takes_part_is_a_strategy_that_a_job_may_ask_for(is_small: bool) -> None:
    everyone = contenders(read_job(JOB, []).strategy, is_small=is_small)
    assert len({make_strategy(contender.strategy) for contender in everyone}) == 3 + len(SPINE)
    assert [contender.has_seed for contender in everyone] == [True] * 3 + [False] * len(SPINE)


def test_the_start_of_evolution_takes_part_as_it_is() -> None:
    by_name = {each.name: each.strategy for each in contenders(read_job(JOB, []).strategy, is_small=False)}
    assert by_name["allocate, measured-kl"] == by_name["evolution from allocate"]["start"]


@pytest.mark.parametrize("demo", ["uniform", {"name": "trust-region", "rounds": 4}])
def test_the_demo_takes_part_however_it_is_written(demo: str | dict[str, object]) -> None:
    expected = {"name": "uniform"} if demo == "uniform" else demo
    assert contenders(demo, is_small=False)[0].strategy == expected
