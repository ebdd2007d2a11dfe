"""What was asked, counted in tokens read and computed: a real evaluator that starts afresh is the oracle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from real_evaluator import LENGTH, evaluator_for
from small_spaces import EVERY_PART
from synthetic_search import quantize, tiny_space

from evaluators.evaluator import Evaluator
from evaluators.prefixes import Prefixes
from evaluators.sensitivity.logit_shifts import LogitShifts
from evaluators.sensitivity.noise import NoiseResponse
from evaluators.trie import shares
from search.engine.ledger import Asked, Ledger, computed_share
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.option import KEEP
from spaces.space import Space

NUM_SEQUENCES = 8


@dataclass(frozen=True, kw_only=True)
class Bench:
    space: Space
    evaluator: Evaluator

    @property
    def anatomy(self) -> Anatomy:
        return self.space.anatomy

    def computed(self, configurations: list[Configuration], start: int, stop: int) -> float:
        """Tokens that an evaluator without a past computes."""
        live = self.evaluator.live
        fresh = Evaluator(live, self.evaluator.stream, self.evaluator.dense, Prefixes(live))
        fresh.measure_each(configurations, start, stop)
        return fresh.prefixes.computed_tokens


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    space = tiny_space(2, EVERY_PART, quantize(2, 4))
    return Bench(space=space, evaluator=evaluator_for(space, tmp_path_factory.mktemp("ledger"), NUM_SEQUENCES))


def random_configurations(space: Space, rng: np.random.Generator, count: int) -> list[Configuration]:
    """Few changes each, so that many share something."""
    found = []
    for _ in range(count):
        levels = [unit.options.index(KEEP) for unit in space.units]
        for unit in rng.choice(len(levels), rng.integers(1, 3), replace=False):
            levels[unit] = int(rng.integers(len(space.units[unit].options)))
        found.append(space.configure(levels))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_the_share_is_what_a_real_evaluator_computes(bench: Bench, seed: int) -> None:
    configurations = list(dict.fromkeys(random_configurations(bench.space, np.random.default_rng(seed), 12)))
    share = computed_share(configurations, bench.anatomy)
    assert share * NUM_SEQUENCES * LENGTH == pytest.approx(bench.computed(configurations, 0, NUM_SEQUENCES), rel=1e-9)
    assert share < len(configurations)


def test_one_configuration_is_one_pass_however_often_it_is_asked(bench: Bench) -> None:
    alone = random_configurations(bench.space, np.random.default_rng(0), 1)
    assert computed_share(alone * 3, bench.anatomy) == pytest.approx(1)
    assert computed_share([], bench.anatomy) == 0


def test_probes_of_every_layer_cost_about_half(bench: Bench) -> None:
    """Each begins where it changes something: by hand, the blocks behind it, the block itself and the head."""
    space = bench.space
    changes = [(unit, level) for unit, each in enumerate(space.units) for level, option in enumerate(each.options)]
    kept = list(space.kept)
    probes = {
        space.configure((*kept[:unit], level, *kept[unit + 1 :])): space.layers[space.units[unit].layers[0]].block
        for unit, level in changes
        if level != kept[unit]
    }
    left = shares(bench.anatomy)
    of_second_block = sum(block == 1 for block in probes.values())
    by_hand = (len(probes) - of_second_block) * left[0] + (left[0] - left[1]) + of_second_block * left[1]
    assert computed_share(list(probes), bench.anatomy) == pytest.approx(by_hand)


def test_a_longer_evaluation_counts_what_it_adds(bench: Bench) -> None:
    first, second, third = random_configurations(bench.space, np.random.default_rng(1), 3)
    ledger = Ledger(bench.anatomy)

    def asked(configurations: list[Configuration], stop: int, begin: int = 0) -> Asked:
        return ledger.evaluations(configurations, stop, LENGTH, "calibration", begin)

    assert asked([first, first], 2) == Asked(read=2 * LENGTH, computed=pytest.approx(bench.computed([first], 0, 2)))
    expected = bench.computed([second, third], 0, 2) + bench.computed([first, second, third], 2, 6)
    assert asked([first, second, third], 6) == Asked(read=16 * LENGTH, computed=pytest.approx(expected))
    assert asked([second, first], 4) == Asked()  # known
    assert asked([first], 2, begin=5) == Asked(read=2 * LENGTH, computed=pytest.approx(2 * LENGTH))  # read anew
    assert asked([first], 8) == Asked(read=2 * LENGTH, computed=pytest.approx(2 * LENGTH))
    assert ledger.evaluations([first], 2, LENGTH, "validation").read == 2 * LENGTH
    assert ledger.total.read == 24 * LENGTH
    before = ledger.total
    asked([third], 7)
    assert ledger.total - before == Asked(read=LENGTH, computed=pytest.approx(LENGTH))


def test_logit_shifts_share_what_their_moves_have_in_common(bench: Bench) -> None:
    base, *moves = random_configurations(bench.space, np.random.default_rng(2), 6)
    statistic = LogitShifts(base=base, moves=tuple(moves), sequences=8, sequences_per_sample=2, draws=4, seed=0)
    live = bench.evaluator.live
    fresh = Evaluator(live, bench.evaluator.stream, bench.evaluator.dense, Prefixes(live))
    statistic.samples(fresh, 1, 4)
    asked = Ledger(bench.anatomy).samples(statistic, 3, LENGTH)
    assert asked.read == 3 * 2 * (2 + len(moves)) * LENGTH
    assert asked.computed == pytest.approx(fresh.prefixes.computed_tokens, rel=1e-9)
    assert asked.computed < asked.read


def test_other_statistics_compute_what_they_read(bench: Bench) -> None:
    statistic = NoiseResponse(layers=("model.layers.0.mlp.up_proj",), noise_levels=(0.1, 0.2), sequences=3, seed=0)
    asked = Ledger(bench.anatomy).samples(statistic, 2, LENGTH)
    assert asked == Asked(read=12 * LENGTH, computed=12 * LENGTH)
