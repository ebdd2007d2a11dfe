"""The race on a tiny model, from the queue to the report: interrupted, it goes on and ends the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import ray
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.search.methods import Method
from benchmarks.search.queue import Trial, queue
from benchmarks.search.race import Race
from benchmarks.search.records import Record, Records
from benchmarks.search.report import write_report
from benchmarks.search.tasks import Model, Task
from benchmarks.search.work import Tally, work_through
from search.engine.cluster import start_ray
from store.store import Store

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FRESH = {"text": "fresh", "fitness": "float16"}
STAGES = [{"tokens": 128, "survivors": 3}, {"tokens": 1024, "survivors": 2}, {"tokens": 4096, "survivors": 1}]
EVOLUTION = {"name": "evolution", "groups": "equal-size", "stages": STAGES}  # as short as a small run makes it
METHODS = [
    Method(name="as published", bits={**EVOLUTION, **FRESH}, scope="same space", is_published=True, budget=None),
    Method(name="ours", bits=EVOLUTION, scope="same space"),
    Method(name="uniform", bits={"name": "uniform"}, has_seed=False, budget=None),
    Method(name="unknown", bits={"name": "evolutoin"}, has_seed=False),
]


@pytest.fixture(scope="module", autouse=True)
def running_ray() -> Iterator[None]:
    """One Ray for all tests here: starting it is what takes the time."""
    started = start_ray(2)
    yield
    if started:
        ray.shutdown()


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    folder = tmp_path_factory.mktemp("model")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=4096,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=256,
            initializer_range=0.15,
            tie_word_embeddings=True,
        )
        LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((ROOT / "examples" / "reference-model" / name).read_bytes())
    model = Model(folder=str(folder), calibration="examples/text/calibration.txt", group_size=64)
    return Task(name="tiny", title="tiny model", kind="bits", model=model, budget={"nominal_bits_per_weight": 3.0})


def worked(
    home: Path, trials: list[Trial], is_over: Callable[[Store], bool] = lambda store: False
) -> tuple[Tally, list[str]]:
    said: list[str] = []
    home.mkdir(exist_ok=True)
    with Store.open(f"sqlite:///{home / 'store.db'}") as store:
        race = Race(home, store, is_small=True, say=said.append, is_over=lambda: is_over(store))
        return work_through(trials, race, records_of(home), home, said.append), said


def records_of(home: Path) -> Records:
    return Records(home / "records", is_small=True)


@pytest.fixture(scope="module")
def trials(task: Task) -> list[Trial]:
    return queue([task], METHODS, [0])


@pytest.fixture(scope="module")
def home(trials: list[Trial], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all trials were run that can be."""
    folder = tmp_path_factory.mktemp("home")
    tally, said = worked(folder, trials)
    assert (tally.num_finished, tally.num_skipped, tally.num_failed, tally.num_left) == (3, 1, 0, 0), said
    assert any("skipped: " in line and "did you mean 'evolution'?" in line for line in said)
    return folder


@pytest.fixture(scope="module")
def found(home: Path, trials: list[Trial]) -> dict[str, Record]:
    loaded = {trial.method.name: records_of(home).load(trial) for trial in trials}
    return {name: record for name, record in loaded.items() if record is not None}


def test_every_method_has_its_own_count(found: dict[str, Record]) -> None:
    published, ours = found["as published"], found["ours"]
    # 1 start at 128; each of 2 generations: 4 children at 128, 3 at 1,024, 2 and their parent at 4,096
    assert published.read == published.computed == 128 + 2 * (4 * 128 + 3 * 1024 + 3 * 4096)
    assert ours.computed <= ours.read < published.read
    assert len(ours.kl) == 32  # 4,096 tokens in sequences of 128
    assert ours.loss == pytest.approx(ours.kl.mean(), rel=1e-5)


def test_unseen_losses_are_of_the_levels_beside_them(found: dict[str, Record], home: Path, task: Task) -> None:
    """The best uniform choice is an answer and a plain choice, measured in two ways."""
    plain = records_of(home).load_plain(task)
    assert plain is not None
    assert [(each.name[-13:], each.holds) for each in plain] == [
        ("int2-g64-asym", True),
        ("int3-g64-asym", True),
        ("int4-g64-asym", False),
    ]
    answer = found["uniform"].points[-1]
    assert set(answer.levels) == {1}
    assert np.array_equal(found["uniform"].kl, plain[1].kl)


def test_what_is_there_is_not_run_again_and_is_reported(
    home: Path, trials: list[Trial], task: Task, tmp_path: Path
) -> None:
    again, _ = worked(home, trials)
    assert (again.num_known, again.num_finished, again.num_skipped) == (3, 0, 1)
    body = write_report(records_of(home), [task], METHODS, tmp_path / "pictures")
    assert "3 of 12 trials are finished" in body


def test_an_interrupted_race_goes_on_and_ends_the_same(
    found: dict[str, Record], trials: list[Trial], tmp_path: Path
) -> None:
    mine = [trial for trial in trials if trial.method.name == "as published"]
    tally, _ = worked(tmp_path, mine, lambda store: store.evaluation_stats().done > 9)  # in its first generation
    assert (tally.num_finished, tally.num_left) == (0, 1)
    assert records_of(tmp_path).load(mine[0]) is None
    tally, _ = worked(tmp_path, mine)
    assert (tally.num_finished, tally.num_left) == (1, 0)
    record = records_of(tmp_path).load(mine[0])
    assert record is not None
    assert as_plain(record) == as_plain(found["as published"])


def as_plain(record: Record) -> object:
    points = [(point.read, point.computed, point.levels, point.loss) for point in record.points]
    return points, record.kl.tolist(), record.read, record.computed, record.num_answers


def test_a_model_that_is_not_there_is_skipped_with_the_way_to_it(task: Task, tmp_path: Path) -> None:
    model = Model(folder="{home}/models/none", calibration="{home}/models/none/text.txt", group_size=64)
    missing = Task(name="missing", title="", kind="bits", model=model, budget=task.budget)
    tally, said = worked(tmp_path / "home", queue([missing], METHODS[:1], [0]))
    assert tally.num_skipped == 1
    assert any("make it with python -m benchmarks.search train" in line for line in said)
