"""Operator norms against all singular values in float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_oracle import evaluator_of, every_entry, plain_delta, plain_weight, values
from live_oracle import RTN, overwrite
from tiny_models import TINY
from torch import Tensor

from evaluators.sensitivity.spectrum import OperatorErrors, operator_norm
from evaluators.statistic import Passes
from spaces.configuration import Configuration
from spaces.errors import JobError


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def largest(matrix: Tensor) -> float:
    """Of all singular values, in float64."""
    return float(torch.linalg.svdvals(matrix.double())[0])


def low_rank(rows: int, columns: int, rank: int) -> Tensor:
    return torch.randn(rows, rank, generator=seeded(1)) @ torch.randn(rank, columns, generator=seeded(2))


MATRICES = {
    "square": torch.randn(96, 96, generator=seeded(0)),
    "tall": torch.rand(300, 40, generator=seeded(0)) - 0.5,
    "wide": torch.rand(40, 300, generator=seeded(0)) - 0.5,
    "one row": torch.randn(1, 50, generator=seeded(0)),
    "one column": torch.randn(50, 1, generator=seeded(0)),
    "one value": torch.tensor([[-3.0]]),
    "rank 1": low_rank(60, 80, 1),
    "rank 3": low_rank(60, 80, 3),
    "identity": torch.eye(64),
    "two equal": torch.diag(torch.tensor([2.0, 5.0, 5.0, 1.0])),
    "one element": torch.zeros(30, 20).index_put_((torch.tensor([7]), torch.tensor([11])), torch.tensor(-4.0)),
    "orthogonal": torch.linalg.qr(torch.randn(70, 70, generator=seeded(3))).Q,
}


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", MATRICES)
def test_the_largest_singular_value(name: str, dtype: torch.dtype, scale: float) -> None:
    matrix = MATRICES[name].to(dtype) * scale
    assert operator_norm(matrix) == pytest.approx(largest(matrix), rel=2e-6)


def test_a_bfloat16_matrix_is_read_as_it_is() -> None:
    matrix = MATRICES["square"].bfloat16()
    assert operator_norm(matrix) == pytest.approx(largest(matrix), rel=2e-6)


def test_nothing_has_norm_zero_and_what_is_no_number_none() -> None:
    assert operator_norm(torch.zeros(5, 7)) == 0.0
    for bad in (torch.nan, torch.inf):
        assert np.isnan(operator_norm(torch.tensor([[1.0, bad], [0.0, 2.0]])))


@pytest.mark.parametrize("name", TINY)
def test_a_sample_is_the_relative_norm_of_its_change(name: str, tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, name, dtype=torch.float32)
    changes = every_entry(evaluator)[::2]
    found = values(OperatorErrors(changes=changes), evaluator, 0, len(changes))
    for ratio, entry in zip(found, changes, strict=True):
        dense = plain_weight(evaluator.live.model.get_submodule(entry[0]))
        error, size = (largest(torch.from_numpy(matrix)) for matrix in (plain_delta(evaluator, entry), dense))
        assert ratio == pytest.approx(error / size, rel=1e-5)


def test_a_sample_is_the_same_whatever_was_asked_before(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "llama", dtype=torch.float32)
    changes = every_entry(evaluator)[:9]
    statistic = OperatorErrors(changes=changes)
    whole = values(statistic, evaluator, 0, 9)
    evaluator.live.apply(Configuration.of({layer: RTN[2] for layer, _ in changes}))
    np.testing.assert_array_equal(values(statistic, evaluator, 4, 8), whole[4:8])
    assert values(statistic, evaluator, 2, 2).shape == (0,)


def test_a_weight_of_zeros_and_one_that_is_no_number(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "llama", dtype=torch.float32)
    changes = every_entry(evaluator)[:3]
    module = evaluator.live.model.get_submodule(changes[0][0])
    overwrite(module, torch.zeros(64, 64))  # the bank's entries stay: all of each is error
    assert values(OperatorErrors(changes=changes), evaluator, 0, 3).tolist() == [1.0, 1.0, 1.0]
    overwrite(module, torch.full((64, 64), torch.nan))
    with pytest.raises(JobError, match=r"q_proj, dense or as rtn-int4-g32-asym, has values that are NaN .*exclude"):
        OperatorErrors(changes=changes).samples(evaluator, 1, 2)


def test_no_forward_pass() -> None:
    statistic = OperatorErrors(changes=(("a", RTN[4]),))
    assert (statistic.passes(512), statistic.num_sequences(512), statistic.entries()) == (Passes(), 0, (("a", RTN[4]),))
