"""Who takes part in the race, in which order, and how records are kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from race_records import BITS, DROPS, EVOPRESS, FAST, GREEDY, STANDING, record

from benchmarks.search.methods import (
    EVOPRESS_BITS,
    EVOPRESS_DROPS,
    METHODS,
    PUBLISHED,
    TRUST_GLOBAL,
    TRUST_SAME,
    Method,
)
from benchmarks.search.queue import SEEDS, Trial, queue
from benchmarks.search.race import Track
from benchmarks.search.records import Point, Record, Records
from benchmarks.search.scaling import generation_tokens
from benchmarks.search.tables import show_seeds
from benchmarks.search.tasks import TASKS, Task
from search.settings import make_strategy
from search.strategies.evolution import PRESETS
from spaces.errors import JobError


def test_names_tell_tasks_and_methods_apart() -> None:
    assert len({task.name for task in TASKS}) == len(TASKS)
    folder = Records(Path("records"))
    paths = {folder.path(Trial(task=BITS, method=method, seed=0)) for method in METHODS}
    assert len(paths) == len(METHODS)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("is_small", [False, True])
def test_everyone_who_takes_part_is_a_strategy_that_a_job_may_ask_for(method: Method, is_small: bool) -> None:
    made = [
        make_strategy(settings)
        for kind in ("bits", "drops")
        if (settings := method.strategy(kind, is_small=is_small)) is not None  # type: ignore[arg-type]
    ]
    assert made


@pytest.mark.parametrize("task", [BITS, DROPS], ids=["bits", "drops"])
def test_everyone_fits_the_tasks_that_it_is_queued_for(task: Task, tmp_path: Path) -> None:
    track = Track(task, tmp_path, is_small=True)
    trials = queue([task], METHODS, [3])
    assert len(trials) >= 6
    for trial in trials:
        assert track.planned(trial).problem.seed == 3
    unlimited = {trial.method.name for trial in trials if track.limit(trial) is None}
    assert PUBLISHED in unlimited
    assert TRUST_SAME not in unlimited


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_task_is_a_job(task: Task, tmp_path: Path) -> None:
    spec = task.spec(tmp_path)
    assert spec.budget == task.budget
    assert spec.sequence_length == spec.validation_length == 128
    assert spec.validation.source != spec.calibration.source


def test_a_generation_reads_what_the_notes_say() -> None:
    published = PRESETS["evopress-quantization"]
    assert generation_tokens(published["offspring"], published["stages"]) == 1_179_648
    assert generation_tokens(EVOPRESS_BITS["offspring"], EVOPRESS_BITS["stages"]) == 28_672
    assert generation_tokens(EVOPRESS_DROPS["offspring"], EVOPRESS_DROPS["stages"]) == 10_240


def test_a_seed_of_what_matters_comes_first() -> None:
    other = Task(name="other", title="", kind="bits", model=BITS.model, budget={})
    trials = queue([BITS, other], [GREEDY, EVOPRESS], (1, 0))
    assert [(trial.task.name, trial.method.name, trial.seed) for trial in trials] == [
        (BITS.name, PUBLISHED, 0),
        ("other", PUBLISHED, 0),
        (BITS.name, "greedy", 0),
        (BITS.name, PUBLISHED, 1),
        ("other", "greedy", 0),
        ("other", PUBLISHED, 1),
    ]


def test_what_does_not_fit_a_task_is_not_queued() -> None:
    assert queue([DROPS], [EVOPRESS, GREEDY], SEEDS) == []


@pytest.mark.parametrize(
    ("seeds", "shown"), [((0, 1, 2, 3, 4), "0 to 4"), ((2, 0), "0, 2"), ((3,), "3"), ((0, 1, 3), "0, 1, 3")]
)
def test_seeds_are_shown_in_short(seeds: tuple[int, ...], shown: str) -> None:
    assert show_seeds(seeds, FAST) == shown
    assert show_seeds(seeds, GREEDY) == "all"


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """With the plain choices of the task, on the weights that all records here are of."""
    made = Records(tmp_path / "records")
    made.save_plain(BITS, STANDING.plain)
    return made


def test_a_record_comes_back_as_it_was(records: Records) -> None:
    trial = Trial(task=BITS, method=FAST, seed=3)
    assert records.load(trial) is None
    kl = np.random.default_rng(0).uniform(0, 1, 16)
    points = (
        Point(read=5, computed=4, levels=(0, 3, 1), loss=2 / 3, kl=None),
        Point(read=9, computed=6, levels=(1, 1, 1), loss=1 / 3, kl=kl),
    )
    kept = Record(weights="abc", points=points, read=11, computed=8, num_answers=7, is_cut=True, date="2026-01-02")
    records.save(trial, kept)
    found = records.load(trial)
    assert found is not None
    assert [(each.read, each.computed, each.levels) for each in found.points] == [(5, 4, (0, 3, 1)), (9, 6, (1, 1, 1))]
    assert [each.loss for each in found.points] == pytest.approx([2 / 3, 1 / 3], rel=5e-6)
    with pytest.raises(JobError, match="no KL of each sequence at 5 tokens; measure it again"):
        found.kl_of(0)
    assert found.kl == pytest.approx(kl, rel=5e-6)
    assert (found.read, found.computed, found.num_answers, found.is_cut, found.date) == (11, 8, 7, True, "2026-01-02")


def test_a_record_of_other_settings_counts_as_missing(records: Records) -> None:
    trial = Trial(task=BITS, method=FAST, seed=0)
    records.save(trial, record((10, 0.1), end=10))
    changed = Trial(task=BITS, method=Method(name=TRUST_GLOBAL, bits={"name": "random", "samples": 5}), seed=0)
    assert records.load(changed) is None
    assert records.outdated([changed, trial]) == [changed]
    assert Records(records.folder, is_small=True).load(trial) is None


def test_records_of_a_model_that_was_trained_again_count_as_missing(records: Records) -> None:
    trial = Trial(task=BITS, method=FAST, seed=0)
    records.save(trial, record((10, 0.1), end=10))
    assert records.load(trial) is not None
    records.save_plain(BITS, [replace(each, weights="def") for each in STANDING.plain])
    assert records.load(trial) is None
    assert records.outdated([trial]) == [trial]


def test_a_damaged_record_is_named(records: Records) -> None:
    trial = Trial(task=BITS, method=FAST, seed=0)
    records.save(trial, record((10, 0.1), end=10))
    records.path(trial).write_text("{", "utf-8")
    with pytest.raises(JobError, match=r"seed-0\.json is no record"):
        records.load(trial)


def test_records_are_plain_json(tmp_path: Path) -> None:
    records, trial = Records(tmp_path), Trial(task=BITS, method=FAST, seed=0)
    records.save(trial, record((10, 0.1), end=10))
    raw = json.loads(records.path(trial).read_text("utf-8"))
    assert raw["settings"]["strategy"] == {"name": "random"}
    assert raw["points"][0]["read"] == 10
