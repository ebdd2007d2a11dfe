"""What a search remembers of its many candidates: the same numbers as of the few, and few bytes."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_search import quantize, tiny_space

from evaluators.evaluator import Measurement
from search.digests import NUM_RECENT, Digests
from search.findings import Findings
from search.report import Evaluated, Measured, entry, front_entry, standard_error
from search.rows import ROWS_IN_BLOCK, Rows
from spaces.space import Levels, Space
from spaces.spec import DropSpec
from store.records import Weighed


@pytest.fixture(scope="module")
def space() -> Space:
    return tiny_space(2, quantize(2, 3, 4))


def measured(space: Space, levels: Levels, seed: int, name: str = "a round", num_sequences: int = 4) -> Measured:
    kl = np.random.default_rng(seed).gamma(4.0, 0.01, num_sequences)
    return Measured(
        name=name, configuration=space.configure(levels), calibration=Measurement(kl=kl, nll=np.sqrt(kl) + 3)
    )


def drawn(space: Space, count: int) -> list[Levels]:
    rng = np.random.default_rng(0)
    return [tuple(int(rng.integers(0, len(unit.options))) for unit in space.units) for _ in range(count)]


def test_the_numbers_are_those_of_the_losses_to_the_last_bit(space: Space) -> None:
    findings = Findings(space)
    everything = [measured(space, levels, seed) for seed, levels in enumerate(drawn(space, 30))]
    assert all(findings.add(each, is_computed=True) for each in everything)
    assert [front_entry(each, space) for each in findings] == [entry(each, space) for each in everything]
    assert findings.losses("kl").tolist() == [each.calibration.kl.mean() for each in everything]
    assert findings.losses("perplexity").tolist() == [each.calibration.nll.mean() for each in everything]
    sizes = [space.measure(space.levels(each.configuration)).stored_bits for each in everything]
    assert findings.stored_bits().tolist() == sizes
    assert findings.losses_by_levels("kl") == {
        space.levels(each.configuration): each.calibration.kl.mean() for each in everything
    }
    assert [each.calibration.nll_se for each in findings] == [standard_error(x.calibration.nll) for x in everything]


def test_what_breaks_the_model_and_a_single_sequence_are_remembered_as_they_were(space: Space) -> None:
    findings = Findings(space)
    broken = Measurement(kl=np.array([inf, 1.0]), nll=np.array([2.0, 3.0]))
    findings.add(
        Measured(name="broken", configuration=space.configure(space.kept), calibration=broken), is_computed=True
    )
    findings.add(measured(space, drawn(space, 1)[0], 0, num_sequences=1), is_computed=True)
    assert findings[0].calibration.loss("kl") == inf
    assert findings[0].calibration.loss_se("kl") == pytest.approx(nan, nan_ok=True)
    assert findings[0].calibration.loss_se("perplexity") == pytest.approx(0.5)
    assert findings[1].calibration.kl_se == pytest.approx(nan, nan_ok=True)


def test_each_configuration_is_there_once_under_its_first_name(space: Space) -> None:
    findings = Findings(space)
    one, other = drawn(space, 2)
    assert findings.add(measured(space, one, 1, "first"), is_computed=True)
    assert findings.add(measured(space, other, 2, "second"), is_computed=False)
    assert not findings.add(measured(space, one, 3, "third"), is_computed=False)
    assert [each.name for each in findings] == ["first", "second"]
    assert findings[0].calibration.kl == measured(space, one, 1).calibration.kl.mean()
    assert [findings.was_computed(space.configure(each)) for each in (one, other, space.kept)] == [True, False, False]
    findings.rename(space.configure(one), "the answer")
    assert [each.name for each in findings] == ["the answer", "second"]
    with pytest.raises(ValueError, match="must be added before it is named 'nobody'"):
        findings.rename(space.configure(space.kept), "nobody")


def test_it_is_a_sequence(space: Space) -> None:
    findings = Findings(space)
    for seed, levels in enumerate(drawn(space, 5)):
        findings.add(measured(space, levels, seed), is_computed=True)
    everything = list(findings)
    assert all(isinstance(each, Evaluated) for each in everything)
    assert findings[-1] == everything[-1]
    assert findings[1:4] == everything[1:4]
    with pytest.raises(IndexError, match="row must be from 0 to 4, got 5"):
        findings[5]


def test_layers_inside_a_dropped_part_come_back_dropped() -> None:
    space = tiny_space(2, DropSpec(), quantize(2, 4))
    findings, dropped = Findings(space), space.configure(tuple(0 for _ in space.units))
    findings.add(measured(space, space.levels(dropped), 0), is_computed=True)
    assert findings[0].configuration == dropped


def test_a_front_weighs_errors_on_the_tasks_that_are_minimised_and_on_no_other(space: Space) -> None:
    findings = Findings(space, ("task:asked",))
    rng, errors = np.random.default_rng(2), []
    for seed, levels in enumerate(drawn(space, 40)):
        tried = {"asked": rng.integers(0, 2, 8).astype(float), "beside": rng.random(3)}
        found = replace(measured(space, levels, seed), task_errors=tried)
        findings.add(found, is_computed=True)
        errors.append(tried["asked"].mean())
        assert findings.minimised(found) == {"asked": errors[-1]} == findings[seed].task_errors
    points = list(zip(findings.stored_bits().tolist(), findings.losses("kl").tolist(), errors, strict=True))
    best = {
        number
        for number, one in enumerate(points)
        if not any(other != one and all(a <= b for a, b in zip(other, one, strict=True)) for other in points)
    }
    assert set(findings.front("kl")) == best
    assert best > set(without_tasks(findings, space).front("kl"))


def without_tasks(findings: Findings, space: Space) -> Findings:
    """The same, of a job that minimises loss and size."""
    plain = Findings(space)
    for seed, each in enumerate(findings):
        plain.add(measured(space, space.levels(each.configuration), seed), is_computed=True)
    return plain


@pytest.mark.parametrize("weighed", [(), ("flops",), ("flops", "parameters")])
def test_the_front_weighs_what_it_is_asked_to(weighed: tuple[Weighed, ...]) -> None:
    space = tiny_space(2, DropSpec(), quantize(2, 4))
    findings = Findings(space, weighed)
    for seed, levels in enumerate(drawn(space, 40)):
        findings.add(measured(space, levels, seed), is_computed=True)
    rows = [front_entry(each, space) for each in findings]
    names = ("size_bytes", "kl_calibration", *weighed)
    expected = {
        number
        for number, row in enumerate(rows)
        if not any(all(each[name] <= row[name] for name in names) for each in rows if each is not row)
    }
    front = findings.front("kl")
    assert set(front) == expected
    assert [rows[number]["size_bytes"] for number in front] == sorted(rows[number]["size_bytes"] for number in front)
    assert len({row["flops"] for row in rows}) > 2


def test_a_candidate_takes_few_bytes_whatever_the_number_of_sequences(space: Space) -> None:
    """14 units, of which each takes one byte; the rest is 45 for numbers and 12 for the digest."""
    everything = [
        measured(space, levels, seed, num_sequences=2) for seed, levels in enumerate(drawn(space, ROWS_IN_BLOCK))
    ]
    # kept by whoever holds the configuration
    assert len({each.configuration.hash for each in everything}) == len(everything)
    Findings(space).add(everything[0], is_computed=True)  # what the space keeps of itself comes with the first
    tracemalloc.start()
    try:
        findings = Findings(space)
        for each in everything:
            findings.add(each, is_computed=True)
        gc.collect()  # Python keeps up to 2,000 dead tuples of each length until then
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    each_takes = len(space.units) + 45 + 12
    assert each_takes <= grown / len(findings) < 1.2 * each_takes


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 3 * NUM_RECENT))
def test_digests_are_a_dictionary(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    keys = [f"{key:016x}" for key in rng.integers(0, 2**64 - 1, count, np.uint64, endpoint=True).tolist()]
    digests, expected = Digests(), {}
    for number, key in enumerate(keys + keys[::7]):
        digests.put(key, number)
        expected[key] = number
    assert len(digests) == len(expected)
    assert [digests.get(key) for key in expected] == list(expected.values())
    assert f"{0:016x}" not in digests or f"{0:016x}" in expected


def test_digests_at_both_ends_are_told_apart() -> None:
    digests = Digests()
    ends = ["0" * 16, "0" * 15 + "1", "7" + "f" * 15, "8" + "0" * 15, "f" * 15 + "e", "f" * 16]
    for number in range(NUM_RECENT):
        digests.put(f"{number + 2:08x}" + "5" * 8, number)
    for number, key in enumerate(ends):
        assert digests.get(key) is None
        digests.put(key, number)
    assert [digests.get(key + "ignored") for key in ends] == list(range(6))


def test_rows_are_read_and_changed_across_blocks() -> None:
    rows = Rows([("number", np.int64), ("name", "S4")])
    assert rows.column("number").tolist() == []
    for number in range(ROWS_IN_BLOCK + 3):
        assert rows.append(number, b"abc") == number
    rows[ROWS_IN_BLOCK + 1]["number"] = -1
    assert rows.column("number").tolist() == [*range(ROWS_IN_BLOCK + 1), -1, ROWS_IN_BLOCK + 2]
    with pytest.raises(IndexError, match=f"to {ROWS_IN_BLOCK + 2}, got -1"):
        rows[-1]
