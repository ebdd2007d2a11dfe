"""What every statistic must satisfy, whatever it measures: ranges, pickles, keys, a model left as it was; and a GPU."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_oracle import LENGTH, NUM_SEQUENCES, evaluator_of
from live_oracle import RTN, logits_of
from tiny_models import VOCABULARY

from evaluators.evaluator import Evaluator
from evaluators.requests import SAMPLE_REQUESTS, RequestLikelihoods, Requests
from evaluators.sensitivity.delta_loss import DeltaLossSums
from evaluators.sensitivity.entropy import EntropyChanges
from evaluators.sensitivity.fisher import FisherProducts
from evaluators.sensitivity.gradient_output import GradientOutputSquares
from evaluators.sensitivity.hessian_eigenvalue import HessianEigenvalue
from evaluators.sensitivity.hessian_trace import HessianTrace
from evaluators.sensitivity.logit_shifts import LogitShifts
from evaluators.sensitivity.noise import NoiseResponse
from evaluators.sensitivity.similarity import ResidualTurns
from evaluators.sensitivity.spectrum import OperatorErrors
from evaluators.sensitivity.weight_norms import WeightNorms
from evaluators.statistic import Statistic, contents
from spaces.configuration import Configuration
from spaces.option import DROP

NUM_SAMPLES = 3
Make = Callable[[Evaluator], Statistic]


def layers_of(evaluator: Evaluator) -> tuple[str, ...]:
    return tuple(layer.name for layer in evaluator.live.anatomy.weights)[:4]


def entries_of(evaluator: Evaluator) -> tuple[tuple[str, object], ...]:
    return tuple((name, option) for name in layers_of(evaluator) for option in RTN.values())


def moves_of(evaluator: Evaluator) -> tuple[Configuration, ...]:
    return tuple(Configuration.of({name: option}) for name, option in entries_of(evaluator))  # type: ignore[dict-item]


def likelihoods_of(evaluator: Evaluator) -> RequestLikelihoods:
    rng = np.random.default_rng(3)
    draw = lambda most: rng.integers(0, VOCABULARY, rng.integers(1, most)).tolist()  # noqa: E731
    requests = Requests.of([(draw(9), draw(4)) for _ in range(NUM_SAMPLES * SAMPLE_REQUESTS - 5)])
    evaluator.requests = {requests.key: requests}
    return RequestLikelihoods(
        configuration=moves_of(evaluator)[1],
        requests=requests.key,
        num_requests=len(requests),
        num_tokens=requests.num_tokens,
    )


STATISTICS: dict[str, Make] = {
    "hessian trace": lambda e: HessianTrace(layers=layers_of(e), sequences=3, seed=1),
    "hessian eigenvalue": lambda e: HessianEigenvalue(
        layers=layers_of(e), batches=2, batch_sequences=1, max_iterations=5, tolerance=1e-3, seed=1
    ),
    "weight norms": lambda e: WeightNorms(layers=layers_of(e)),
    "fisher": lambda e: FisherProducts(changes=entries_of(e), sequences=4, seed=1),  # type: ignore[arg-type]
    "fisher of drops": lambda e: FisherProducts(
        changes=(*entries_of(e)[:2], *((part.name, DROP) for part in e.live.anatomy.parts)),  # type: ignore[arg-type]
        sequences=4,
        seed=1,
    ),
    "gradient output": lambda e: GradientOutputSquares(changes=entries_of(e), sequences=4),  # type: ignore[arg-type]
    "delta loss": lambda e: DeltaLossSums(changes=entries_of(e), sequences=4),  # type: ignore[arg-type]
    "noise": lambda e: NoiseResponse(layers=layers_of(e), noise_levels=(0.1, 0.3), sequences=3, seed=1),
    "spectrum": lambda e: OperatorErrors(changes=entries_of(e)),  # type: ignore[arg-type]
    "entropy": lambda e: EntropyChanges(changes=entries_of(e), bins=16, sequences=4),  # type: ignore[arg-type]
    "similarity": lambda e: ResidualTurns(
        parts=tuple(part.name for part in e.live.anatomy.parts)[:4], sequences=NUM_SAMPLES
    ),
    "request likelihoods": lambda e: likelihoods_of(e),
    "logit shifts": lambda e: LogitShifts(
        base=Configuration.of({}), moves=moves_of(e), sequences=6, sequences_per_sample=2, draws=8, seed=1
    ),
}


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    made = evaluator_of(tmp_path_factory.mktemp("contract"), "llama", dtype=torch.float32)
    made.write_dense(0, NUM_SEQUENCES)
    return made


@pytest.mark.parametrize("make", STATISTICS.values(), ids=STATISTICS)
def test_a_sample_is_the_same_in_every_range_and_behind_a_pickle(make: Make, evaluator: Evaluator) -> None:
    statistic = make(evaluator)
    sent: Statistic = pickle.loads(pickle.dumps(statistic))
    assert sent == statistic
    whole = statistic.samples(evaluator, 0, NUM_SAMPLES)
    last = sent.samples(evaluator, NUM_SAMPLES - 1, NUM_SAMPLES)
    assert whole.keys() == last.keys()
    for name, array in whole.items():
        assert len(array) == NUM_SAMPLES
        assert array.dtype in (np.float32, np.float64, np.int64)
        assert np.isfinite(array).all()
        np.testing.assert_array_equal(last[name][0], array[-1])


@pytest.mark.parametrize("make", STATISTICS.values(), ids=STATISTICS)
def test_the_model_takes_on_the_next_configuration_as_if_nothing_had_been(make: Make, evaluator: Evaluator) -> None:
    statistic, tokens = make(evaluator), evaluator.stream.tokens
    name, option = entries_of(evaluator)[0]
    changed = Configuration.of({name: option})  # type: ignore[dict-item]
    expected = []
    for configuration in (changed, Configuration.of({})):
        evaluator.live.apply(configuration)
        expected.append(logits_of(evaluator.live.model, tokens))
    statistic.samples(evaluator, 0, 1)
    flags = {parameter.requires_grad for parameter in evaluator.live.model.parameters()}
    for configuration, logits in zip((changed, Configuration.of({})), expected, strict=True):
        evaluator.live.apply(configuration)
        torch.testing.assert_close(logits_of(evaluator.live.model, tokens), logits, rtol=0, atol=0)
    assert flags == {parameter.requires_grad for parameter in evaluator.live.model.parameters()}


@pytest.mark.parametrize("make", STATISTICS.values(), ids=STATISTICS)
def test_its_contents_name_it_and_its_passes_are_counted(make: Make, evaluator: Evaluator) -> None:
    statistic = make(evaluator)
    known = contents(statistic)
    assert json.loads(json.dumps(known)) == known
    assert known["name"] == statistic.name
    assert known["version"] == statistic.version
    passes = statistic.passes(LENGTH)
    reads = statistic.num_sequences(LENGTH) > 0 or isinstance(statistic, RequestLikelihoods)  # its own text
    assert (passes.total_tokens > 0) == reads
    assert 0 <= statistic.num_sequences(LENGTH) <= NUM_SEQUENCES
    assert set(statistic.entries()) <= set(entries_of(evaluator))


def test_other_settings_are_other_contents(evaluator: Evaluator) -> None:
    statistic = FisherProducts(changes=entries_of(evaluator), sequences=4, seed=1)  # type: ignore[arg-type]
    others = [
        replace(statistic, seed=2),
        replace(statistic, sequences=5),
        replace(statistic, changes=statistic.changes[:-1]),
    ]
    assert len({json.dumps(contents(each)) for each in (statistic, *others)}) == 4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("make", STATISTICS.values(), ids=STATISTICS)
def test_a_gpu_gives_the_same_samples(make: Make, evaluator: Evaluator, tmp_path: Path) -> None:
    there = evaluator_of(tmp_path, "llama", dtype=torch.float32)
    there.write_dense(0, NUM_SEQUENCES)
    there.live.model.cuda()
    statistic = make(evaluator)
    there.requests = evaluator.requests
    for name, array in statistic.samples(evaluator, 0, NUM_SAMPLES).items():
        scale = np.abs(array).max()
        np.testing.assert_allclose(statistic.samples(there, 0, NUM_SAMPLES)[name], array, rtol=1e-2, atol=1e-3 * scale)
