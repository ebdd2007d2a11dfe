"""Evaluations by real workers: shared, extended, windowed, and of workers that one candidate kills."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray import cloudpickle

from evaluators.evaluator import Measurement, batch_sequences
from search.engine.answers import Recorded
from search.engine.evaluations import Evaluations, evaluation_key
from search.engine.ledger import computed_share
from search.engine.plan import Plan, make_plan
from search.engine.pool import Pool
from search.engine.session import Session
from search.engine.worker import Text, Worker
from search.spec import read_spec
from search.strategy import Ask
from spaces.configuration import Configuration
from spaces.errors import InputError
from spaces.space import Levels
from store.records import Leased
from store.store import Store

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # a worker cannot import a test file

pytestmark = pytest.mark.usefixtures("running_ray")
LENGTH, BATCH = 128, 16
MARK = "condemned"  # a file beside the bank that names a configuration


class Mortal(Worker):
    """Dies, as a killed process does, whenever it is to measure the condemned configuration."""

    def measure_each(
        self, text: Text, dense: Path, configurations: Sequence[Configuration], start: int, stop: int
    ) -> tuple[list[Measurement], float]:
        mark = self.setup.bank.root / MARK
        if mark.exists() and mark.read_text() in {configuration.hash for configuration in configurations}:
            os.kill(os.getpid(), signal.SIGKILL)
        return Worker.measure_each(self, text, dense, configurations, start, stop)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A plan whose bank and dense logits are there, and a pool of one worker."""

    plan: Plan
    pool: Pool
    folder: Path
    stores: list[Store] = field(default_factory=list)

    def evaluations(self) -> Evaluations:
        """With an empty store."""
        store = Store.open(f"sqlite:///{self.folder / f'{len(self.stores)}.db'}")
        self.stores.append(store)
        return Evaluations(store, self.pool)

    def levels(self, seed: int, count: int) -> list[Levels]:
        rng = np.random.default_rng(seed)
        units = self.plan.problem.space.units
        return [tuple(int(rng.integers(len(unit.options))) for unit in units) for _ in range(count)]

    def drawn(self, seed: int, count: int) -> list[Configuration]:
        return [self.plan.problem.space.configure(levels) for levels in self.levels(seed, count)]


@pytest.fixture(scope="module")
def bench(tiny_model: Path, running_ray: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root = Path(__file__).parents[2] / "examples" / "text"
    job: dict[str, Any] = {
        "model": str(tiny_model),
        "calibration": {"source": str(root / "calibration.txt"), "tokens": 4096, "sequence_length": LENGTH},
        "validation": {"source": str(root / "validation.txt"), "tokens": 1024},
        "space": {"options": [{"kind": "quantize", "bits": [2, 3, 4], "group_size": 64, "solver": "rtn"}]},
        "budget": {"nominal_bits_per_weight": 3.0},
        "strategy": "uniform",
        "workers": 1,
    }
    folder = tmp_path_factory.mktemp("evaluations")
    plan = make_plan(read_spec(job), folder)
    made = Bench(plan=plan, pool=Pool(plan.worker_setup(), 1, Mortal), folder=folder)
    with Store.open(f"sqlite:///{folder / 'materials.db'}") as store:
        Session(plan, store, made.pool, lambda moment: None).materials(plan.entries())
    yield made
    made.pool.close()
    for store in made.stores:
        store.close()


def assert_equal(found: Measurement, expected: Measurement) -> None:
    np.testing.assert_array_equal(found.kl, expected.kl)
    np.testing.assert_array_equal(found.nll, expected.nll)


def test_a_mix_of_extended_and_new_candidates_gets_the_digits_of_fresh_ones(bench: Bench) -> None:
    assert batch_sequences(LENGTH) == BATCH
    context, candidates = bench.plan.context("calibration"), bench.drawn(0, 7)
    extended, fresh = bench.evaluations(), bench.evaluations()
    extended.measure(candidates[2:5], BATCH, context)
    before = extended.counts.tokens
    found = extended.measure(candidates, 2 * BATCH, context)
    assert extended.counts.tokens - before == (7 * 2 - 3) * BATCH * LENGTH
    for candidate, measured in zip(candidates, found, strict=True):
        (alone,) = fresh.measure([candidate], 2 * BATCH, context)
        assert_equal(measured, alone)
    assert extended.counts.computed == 7 + 3


def test_what_a_worker_really_computed_is_counted(bench: Bench) -> None:
    """Children of one parent, of a text that no other test reads, in one task: what the ledger says of them."""
    context, space = bench.plan.context("validation"), bench.plan.problem.space
    (parent,) = bench.levels(1, 1)
    children = [(*parent[:unit], (parent[unit] + 1) % 3, *parent[unit + 1 :]) for unit in (3, 8, 9, 16, 20)]
    candidates = [space.configure(levels) for levels in children]
    evaluations = bench.evaluations()
    sequences = bench.plan.streams["validation"].num_sequences
    evaluations.measure(candidates, sequences, context)
    tokens = sequences * LENGTH
    assert evaluations.counts.tokens == len(candidates) * tokens
    expected = computed_share(candidates, space.anatomy) * tokens
    assert evaluations.counts.computed_tokens == pytest.approx(expected, rel=1e-9)
    assert expected < 4.7 * tokens


def test_a_window_is_measured_where_it_lies(bench: Bench) -> None:
    context, candidates = bench.plan.context("calibration"), bench.drawn(2, 3)
    evaluations = bench.evaluations()
    whole = evaluations.measure(candidates, 2 * BATCH, context)
    before = evaluations.counts.tokens
    windows = evaluations.measure(candidates, BATCH, context, first=BATCH)
    assert evaluations.counts.tokens - before == 3 * BATCH * LENGTH  # anew
    for window, measured in zip(windows, whole, strict=True):
        np.testing.assert_array_equal(window.kl, measured.kl[BATCH:])  # the very batches, so the very digits
    shifted = evaluations.measure(candidates, 8, context, first=5)
    np.testing.assert_allclose(shifted[0].kl, whole[0].kl[5:13], rtol=1e-4)
    cached = evaluations.counts.cached
    assert_equal(evaluations.measure(candidates[:1], 8, context, first=5)[0], shifted[0])
    assert evaluations.counts.cached == cached + 1
    evaluations.measure(candidates[:1], 12, context, first=5)
    assert evaluations.counts.tokens - before == (3 * BATCH + 3 * 8 + 12) * LENGTH  # a window extends nothing


def test_a_window_beyond_the_stream_is_refused(bench: Bench) -> None:
    (candidate,) = bench.drawn(3, 1)
    context = bench.plan.context("calibration")
    with pytest.raises(InputError, match="sequences 20 to 36 are not a range of this stream, which has 32"):
        bench.evaluations().measure([candidate], BATCH, context, first=20)


def test_a_window_at_the_beginning_has_the_key_of_the_prefix(bench: Bench) -> None:
    context, (candidate,) = bench.plan.context("calibration"), bench.drawn(4, 1)
    assert evaluation_key(candidate, 4, context, 0) == evaluation_key(candidate, 4, context)
    others = {evaluation_key(candidate, 4, context, first).key for first in range(29)}
    assert len(others) == 29


def test_the_store_answers_for_windows_too(bench: Bench) -> None:
    context, evaluations, levels = bench.plan.context("calibration"), bench.evaluations(), bench.levels(5, 2)
    space = bench.plan.problem.space
    measured = evaluations.measure([space.configure(each) for each in levels], 4, context, first=8)
    recorded = Recorded(bench.stores[-1], context, space, "kl")
    ask = Ask(candidates=tuple(levels), tokens=4 * LENGTH, label="", first=8)
    answered = recorded.answer(ask)
    for one, other in zip(answered, measured, strict=True):
        np.testing.assert_array_equal(one, other.kl)


def test_processes_that_ended_elsewhere_with_its_lease_say_nothing_of_a_candidate(bench: Bench) -> None:
    """As those of a service that was moved twice while it measured."""
    context, [candidate] = bench.plan.context("calibration"), bench.drawn(7, 1)
    expected = bench.evaluations().measure([candidate], 4, context)
    evaluations, key = bench.evaluations(), evaluation_key(candidate, 4, context)
    for host in ("one", "two"):
        assert bench.stores[-1].claim(key, owner=f"{host}:7:abc-0", ttl_s=-1.0) in (
            Leased(attempt=1),
            Leased(attempt=2),
        )
    assert_equal(evaluations.measure([candidate], 4, context)[0], expected[0])


def test_a_candidate_that_kills_its_workers_fails_alone(bench: Bench) -> None:
    """Its neighbours were in the same task, and are measured as if it had not been."""
    context, candidates, place = bench.plan.context("calibration"), bench.drawn(6, 7), 3
    expected = bench.evaluations().measure(candidates, BATCH, context)
    mark = bench.plan.bank.root / MARK
    mark.write_text(candidates[place].hash)
    evaluations = bench.evaluations()
    try:
        found = evaluations.measure(candidates, BATCH, context)
    finally:
        mark.unlink()
    assert found[place].kl.tolist() == [np.inf] * BATCH
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        if number != place:
            assert_equal(one, other)
    keys = [evaluation_key(candidate, BATCH, context).key for candidate in candidates]
    assert set(bench.stores[-1].find(keys)) == {key for number, key in enumerate(keys) if number != place}
    assert_equal(evaluations.measure([candidates[place]], BATCH, context)[0], expected[place])  # it may try once more
