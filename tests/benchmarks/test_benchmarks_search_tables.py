"""What the tables and goals of the race make of records."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from race_records import BITS, DROPS, EVOPRESS, FAST, GREEDY, NOISE, STANDING, record

from benchmarks.document import DOCUMENT, markers
from benchmarks.search.__main__ import EXIT_INPUT, PICTURES, SECTION, main
from benchmarks.search.curves import Reach
from benchmarks.search.front import BUDGETS, FrontRecord, load_front, save_front, show_front
from benchmarks.search.goals import Goal, goals, judge
from benchmarks.search.methods import (
    PUBLISHED,
    START,
    TRUST_GLOBAL,
    TRUST_SAME,
    Method,
)
from benchmarks.search.plots import draw, show_tokens
from benchmarks.search.queue import Trial
from benchmarks.search.records import Records
from benchmarks.search.report import write_report
from benchmarks.search.tables import show_ablations, show_scope
from benchmarks.search.tasks import TASKS, Task

FEWER = "22.0 x fewer read, 44.0 x computed (2 of 2 seeds); "


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_a_summary_by_hand() -> None:
    summary = STANDING.summarize(FAST)
    assert (summary.kl, summary.lowest, summary.highest) == pytest.approx((0.055, 0.01, 0.10))
    assert (summary.read, summary.computed) == (1030, 515)
    assert summary.read_to_reach is not None
    assert summary.read_to_reach.tokens == Reach(after=50, by=50)  # the later of 20 and 50
    assert summary.read_to_reach.times_fewer == pytest.approx((1100 / 50, 1100 / 50))
    assert summary.computed_to_reach is not None
    assert summary.computed_to_reach.times_fewer == pytest.approx((1100 / 25, 1100 / 25))
    assert summary.at_equal_tokens is not None
    assert summary.at_equal_tokens.mean == pytest.approx((0.08 + 0.10) / 2 / 0.11 - 1)
    assert summary.at_equal_tokens.se == pytest.approx(0, abs=1e-12)


def test_a_method_that_never_arrives_says_so() -> None:
    reach = STANDING.summarize(GREEDY).read_to_reach
    assert reach is not None
    assert (reach.tokens, reach.times_fewer, reach.num_reaching, reach.num_seeds) == (None, None, 0, 1)


def test_without_evopress_nothing_is_held_against_it() -> None:
    alone = replace(STANDING, runs={FAST: STANDING.runs[FAST]})
    summary = alone.summarize(FAST)
    assert (summary.read_to_reach, summary.computed_to_reach, summary.at_equal_tokens) == (None, None, None)


def test_an_answer_that_comes_after_evopress_ended_is_not_compared_at_its_tokens() -> None:
    late = replace(STANDING, runs={**STANDING.runs, GREEDY: {0: record((1101, 0.01), end=1101)}})
    assert late.summarize(GREEDY).at_equal_tokens is None


def test_a_table_has_evopress_on_top_and_the_least_loss_next() -> None:
    lines = show_scope(STANDING, "global").splitlines()
    assert [cells(line)[0] for line in lines[2:]] == [PUBLISHED, TRUST_GLOBAL, "greedy"]
    assert cells(lines[2])[6:] == ["1 of 2 seeds", "", "1 of 2 seeds", "", ""]
    assert cells(lines[3])[1:5] == ["0, 1", "0.05500 ± 0.00001", "0.01000 to 0.10000", "1,030"]
    # both have two seeds, 0.08 and 0.10 against 0.10 and 0.12: a spread of 0.01 about 0.09 and 0.11
    error = math.hypot(0.01, 0.09 / 0.11 * 0.01) / 0.11
    assert cells(lines[3])[6:] == ["50", "22.0", "25", "44.0", f"-18.2% ± 0.0% ± {error:.1%}"]
    assert cells(lines[4])[6:] == ["never", "", "never", "", f"+81.8% ± 0.0% ± {0.2 / 0.11 * 0.01 / 0.11:.1%}"]


def test_answers_that_nobody_looked_at_make_an_arrival_a_span() -> None:
    few = {seed: replace(each, num_answers=9) for seed, each in STANDING.runs[FAST].items()}
    line = show_scope(replace(STANDING, runs={**STANDING.runs, FAST: few}), "global").splitlines()[3]
    # between 10 and 50, and at 20; in the middle of two seeds is the later one
    assert cells(line)[6:10] == ["20 to 50", "22.0 to 55.0", "10 to 25", "44.0 to 110.0"]


def test_methods_of_the_other_space_have_their_own_table() -> None:
    assert [cells(line)[0] for line in show_scope(STANDING, "same space").splitlines()[2:]] == [PUBLISHED]


def test_an_ablation_is_held_against_the_full_one_on_common_seeds() -> None:
    without = Method(name="without racing", bits={"name": "random"}, scope="ablation", rank=2)
    runs = {**STANDING.runs, without: {1: record((10, 0.15), end=77), 2: record((10, 9.0), end=99)}}
    shown = show_ablations(replace(STANDING, runs=runs))
    assert shown is not None
    # the full one's seed 1, which both ran, ends at 0.10
    assert cells(shown.splitlines()[2])[1:] == ["1", "0.10000 ± 0.00002", "", "60", "30"]
    assert cells(shown.splitlines()[3])[4:] == ["60", "60"]  # without prefix reuse all that is read is computed
    assert cells(shown.splitlines()[4]) == ["without racing", "1", "0.15000 ± 0.00004", "+50.0% ± 0.0%", "77", "38"]
    assert show_ablations(STANDING) is None


@pytest.mark.parametrize(
    ("kind", "least", "got", "is_met"),
    [
        ("times fewer tokens", 22.0, f"{FEWER}EvoPress itself is there on 1 of 2", True),
        ("times fewer tokens", 22.1, f"{FEWER}EvoPress itself is there on 1 of 2", False),
        ("less KL", 0.18, "18.2% ± 0.0% ± 11.7% less (2 seeds)", True),
        ("less KL", 0.19, "18.2% ± 0.0% ± 11.7% less (2 seeds)", False),
    ],
)
def test_a_goal_is_met_or_missed(kind: Any, least: float, got: str, is_met: bool) -> None:
    verdict = judge(Goal(task=BITS.name, method=TRUST_GLOBAL, kind=kind, least=least), {BITS.name: STANDING})
    assert (verdict.got, verdict.is_met) == (got, is_met)


@pytest.mark.parametrize(("least", "is_met"), [(14.0, True), (14.1, None), (18.0, None), (18.1, False)])
def test_a_goal_counts_the_tokens_to_where_evopress_is_first(least: float, is_met: bool | None) -> None:
    early = {seed: record((700, 0.2), (900, 0.11), end=1100) for seed in range(3)}
    goal = Goal(task=BITS.name, method=TRUST_GLOBAL, kind="times fewer tokens", least=least)
    whole = replace(STANDING, runs={**STANDING.runs, EVOPRESS: early})
    verdict = judge(goal, {BITS.name: whole})
    assert (verdict.got, verdict.is_met) == (
        f"{FEWER}18.0 x fewer read than until EvoPress first is there",
        least <= 18,
    )
    unsure = {seed: replace(each, num_answers=9) for seed, each in early.items()}
    verdict = judge(goal, {BITS.name: replace(whole, runs={**whole.runs, EVOPRESS: unsure})})
    assert (verdict.got, verdict.is_met) == (
        f"{FEWER}14.0 to 18.0 x fewer read than until EvoPress first is there",
        is_met,
    )


def test_a_goal_that_nobody_ran_for_is_neither_met_nor_missed() -> None:
    goal = Goal(task=BITS.name, method=TRUST_SAME, kind="less KL", least=0.05)
    assert judge(goal, {BITS.name: STANDING}).is_met is None
    assert judge(goal, {}).is_met is None


def test_every_task_has_the_goals_of_the_issue() -> None:
    wanted = {(goal.task, goal.kind, goal.least) for task in TASKS for goal in goals(task.name)}
    assert ("reference-3.0-bits", "times fewer tokens", 20) in wanted
    assert ("reference-2.25-bits", "times fewer tokens", 10) in wanted
    assert ("reference-drop-6", "times fewer tokens", 8) in wanted
    assert ("reference-3.5-bits", "less KL", 0.15) in wanted
    assert not [each for each in wanted if each[:2] == ("reference-3.5-bits", "times fewer tokens")]


def test_a_report_says_what_was_run_and_draws_it(tmp_path: Path) -> None:
    records = Records(tmp_path / "records")
    records.save_plain(BITS, STANDING.plain)
    for method, runs in STANDING.runs.items():
        for seed, each in runs.items():
            records.save(Trial(task=BITS, method=method, seed=seed), each)
    body = write_report(records, [BITS, DROPS], [EVOPRESS, FAST, GREEDY], tmp_path / "pictures")
    assert "5 of 11 trials are finished, measured from 2026-01-02 to 2026-01-02" in body
    assert show_scope(STANDING, "global") in body
    last = {cells(line)[0]: cells(line)[1:] for line in body.splitlines()[-3:]}
    assert last == {
        PUBLISHED: ["0, 1", "no part"],
        TRUST_GLOBAL: ["0, 1", "no part"],
        "greedy": ["all", "no part"],
    }
    pictures = [path.name for path in (tmp_path / "pictures").iterdir()]
    assert pictures == [f"search-{BITS.name}.png"]


def test_the_front_is_held_against_one_evopress_run(tmp_path: Path) -> None:
    kl = {bits: (0.33 / bits) * (1 + NOISE) for bits in BUDGETS}
    records = Records(tmp_path)
    save_front(records, 4, FrontRecord(read=99, computed=66, kl=kl, date="2026-01-02"))
    assert load_front(records, 3) is None
    found = load_front(records, 4)
    assert found is not None
    shown = show_front([found], {BITS.name: STANDING}).splitlines()
    # EvoPress took 1,100 tokens, and ends at 0.11 at 3 bits, as this front does
    assert "9.0% and 6.0% of one EvoPress run: the goal of 10% is met. " in shown[0]
    # from the KL at the tightest budget: no plain choice is known there
    volume = 0.25 * np.log(np.array(BUDGETS) / 2.25).sum()
    assert f"from 4.5 bits and a KL of 0.14667: {volume:.4f}. At 3 bits alone: " in shown[0]
    own, theirs = 1.5 * np.log(3 / 2.25), 1.5 * np.log(0.33 / 2.25 / np.array([0.10, 0.12]))
    spread = f"{theirs.mean():.4f} ± {np.ptp(theirs) / 2:.4f}"
    assert f"{own:.4f}; of EvoPress as published, in its groups {spread}. Those were" in shown[0]
    rows = {cells(line)[0]: cells(line)[1:] for line in shown[4:]}
    assert len(rows) == 9
    assert rows["3.00"] == ["0.11000 ± 0.00003", "0.11000, 0.11000, 0.11000", "+0.0% ± 0.0% ± 9.1%", "", ""]
    assert rows["4.25"][2] == ""
    others = [replace(found, kl={bits: share * values for bits, values in kl.items()}) for share in (1.1, 1.2, 1.3)]
    attained = show_front([found, *others], {}).splitlines()
    assert cells(next(line for line in attained if line.startswith("| 3.00")))[2] == "0.11000, 0.12100, 0.13200"
    start = {Method(name=START): {seed: record((50, 0.1), end=50) for seed in range(2)}}
    beside = show_front([found], {BITS.name: replace(STANDING, runs={**STANDING.runs, **start})}).splitlines()
    assert f"; of the front's own start (fisher and the knapsack) {1.5 * np.log(0.33 / 2.25 / 0.1):.4f} ±" in beside[0]
    assert cells(next(line for line in beside if line.startswith("| 3.00")))[-1] == "+10.0% ± 0.0% ± 0.0%"
    dear = FrontRecord(read=1000, computed=1000, kl=kl, date="")
    assert "the goal of 10% is missed" in show_front([dear], {BITS.name: STANDING})


def test_a_report_of_nothing_is_honest(tmp_path: Path) -> None:
    body = write_report(Records(tmp_path), [BITS], [EVOPRESS], tmp_path / "pictures")
    assert "0 of 5 trials are finished;" in body
    assert not (tmp_path / "pictures").exists()


@pytest.mark.parametrize("task", [BITS, DROPS], ids=["bits", "drops"])
def test_a_picture_is_a_png(task: Task) -> None:
    assert draw(replace(STANDING, task=task)).startswith(b"\x89PNG")


@pytest.mark.parametrize(("tokens", "shown"), [(10, "10"), (1e4, "10k"), (1e6, "1M")])
def test_token_counts_are_short(tokens: float, shown: str) -> None:
    assert show_tokens(tokens) == shown


def test_the_section_has_its_place_and_its_pictures() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert [text.count(marker) for marker in markers(SECTION)] == [1, 1]
    shown = [line for line in text.splitlines() if line.startswith("![") and "search-" in line]
    assert all((PICTURES / line.rpartition("/")[2].rstrip(")")).exists() for line in shown)


@pytest.mark.parametrize("option", ["--tasks", "--methods"])
def test_an_unknown_name_ends_before_any_work(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAYERPRESS_HOME", str(tmp_path / "home"))
    assert main(["run", option, "nobody"]) == EXIT_INPUT
    assert "'nobody'" in capsys.readouterr().err
    assert not list((tmp_path / "home").iterdir())
