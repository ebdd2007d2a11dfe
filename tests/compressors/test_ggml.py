"""Weights in ggml's types: sizes as ggml counts them, values as its readers decode them, importance as it weighs."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from compressors.bank import Bank
from compressors.ggml import GgmlWeight, code_version, ggml
from compressors.measure import measure_errors
from compressors.solvers import solve
from spaces.errors import InputError
from spaces.ggml import TYPES, Ggml
from spaces.option import Quantize

gguf = pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")

every_type = pytest.mark.parametrize("name", TYPES)


def random_weight(rows: int = 6, columns: int = 512, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * 0.02


def hessian_of(squares: torch.Tensor) -> torch.Tensor:
    return torch.diag(squares) + 0.1 * squares.min()  # what is off the diagonal must not matter


@every_type
def test_sizes_are_those_that_ggml_counts(name: str) -> None:
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name.upper()]]
    assert (TYPES[name].block_size, TYPES[name].block_bytes) == (block, size)


@every_type
def test_a_weight_comes_back_near_and_as_large_as_its_option_says(name: str, tmp_path: Path) -> None:
    option, weight = Ggml.named(name), random_weight()
    [[found]] = ggml([weight], hessian_of(torch.rand(512) + 0.5), [option])
    assert found.size_bytes * 8 == option.bits(6, 512, 32).stored
    [errors] = measure_errors(weight, [found], None)
    assert 0 < errors.weight < {2: 0.15, 3: 0.04, 4: 0.01, 5: 0.003, 6: 0.001, 8: 1e-4}[option.bits_per_code]
    bank = Bank(tmp_path, model="w", calibration="c", propagate="dense")
    bank.write("layer", option, found, errors)
    again = bank.read("layer", option)
    assert isinstance(again, GgmlWeight)
    assert torch.equal(again.blocks, found.blocks)
    assert bank.missing([("layer", option), ("layer", Ggml.named("q8_0"))]) == (
        [("layer", Ggml.named("q8_0"))] if name != "q8_0" else []
    )


@pytest.mark.parametrize("name", ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0"])
def test_without_importance_the_blocks_are_those_of_the_reference(name: str) -> None:
    """gguf's own Python quantizer is a second implementation of these types."""
    weight = random_weight()
    [[found]] = ggml([weight], None, [Ggml.named(name)])
    kind = gguf.GGMLQuantizationType[name.upper()]
    assert np.array_equal(found.blocks.numpy(), gguf.quants.quantize(weight.numpy(), kind))


@pytest.mark.parametrize("name", ["q2_k", "q3_k", "q4_k", "iq3_s", "iq4_xs", "q4_0"])
def test_importance_lowers_the_weighted_error(name: str) -> None:
    option, weight = Ggml.named(name), random_weight(rows=32)
    squares = torch.rand(512, generator=torch.Generator().manual_seed(1)) ** 4 + 1e-3
    hessian = torch.diag(squares)
    [[plain]] = ggml([weight], None, [option])
    [[weighted]] = ggml([weight], hessian, [option])
    before, after = measure_errors(weight, [plain, weighted], hessian)
    assert after.output < 0.97 * before.output


@every_type
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0])
def test_extremes_and_inputs_that_are_never_fed_stay_finite(name: str, scale: float) -> None:
    squares = torch.zeros(512)
    squares[:8] = 1.0
    [[found]] = ggml([random_weight() * scale], torch.diag(squares), [Ggml.named(name)])
    values = found.dequantize(torch.float32)
    assert bool(torch.isfinite(values).all())
    if scale == 0:
        assert not values.any()
    [[silent]] = ggml([random_weight()], torch.zeros(512, 512), [Ggml.named(name)])
    assert bool(torch.isfinite(silent.dequantize(torch.float32)).all())


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    option, weight = Ggml.named("q4_k"), random_weight(rows=13)
    found = []
    for count in (1, 5):
        monkeypatch.setattr(torch, "get_num_threads", lambda count=count: count)
        [[one]] = ggml([weight], None, [option])
        found.append(one.blocks)
    assert torch.equal(*found)


def test_one_solve_mixes_kinds() -> None:
    weights = [random_weight(), random_weight(rows=3, seed=2)]
    options = [Ggml.named("q6_k"), Quantize(bits_per_code=4, group_size=32, symmetric=True, solver="rtn")]
    solved = solve(weights, torch.eye(512), options)
    for weight, results in zip(weights, solved, strict=True):
        assert [result.shape for result in results] == [tuple(weight.shape)] * 2
        assert isinstance(results[0], GgmlWeight)
        assert torch.allclose(results[0].dequantize(torch.float32), weight, atol=0.003)


def test_what_ggml_cannot_make_is_refused() -> None:
    with pytest.raises(InputError, match="importance of every input for iq2_xs"):
        ggml([random_weight()], None, [Ggml.named("iq2_xs")])
    with pytest.raises(InputError, match="the block of 256 of ggml-q4_k does not divide the 96 inputs of the weight"):
        ggml([random_weight(columns=96)], None, [Ggml.named("q4_k")])
    with pytest.raises(InputError, match=r"q4_0 holds its scales in float16, too narrow for weights up to \d"):
        ggml([random_weight() * 1e30], None, [Ggml.named("q4_0")])
    with pytest.raises(InputError, match=r"blocks of a 2x64 weight of type q4_0 must be torch.uint8 \(2, 36\)"):
        GgmlWeight(blocks=torch.zeros(2, 35, dtype=torch.uint8), option=Ggml.named("q4_0"), shape=(2, 64))


def test_the_release_of_ggmls_code_is_known_and_part_of_the_banks_keys(tmp_path: Path) -> None:
    assert code_version() == f"xllamacpp {version('xllamacpp')}"
    bank = Bank(tmp_path, model="w", calibration="c", propagate="dense")
    assert bank.codes == (("ggml", code_version()),)
