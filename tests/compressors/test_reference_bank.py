"""The bank of the reference model: GPTQ beats rounding on real layers, and joint building changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from compressors.bank import Bank
from compressors.build import build_bank
from spaces.option import Quantize

BLOCKS = [f"model.layers.{index}" for index in range(12)]
PARTS = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"]
PARTS += ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
ALL_LAYERS = [f"{block}.{part}" for block in BLOCKS for part in PARTS]
BLOCK_1 = [f"model.layers.1.{part}" for part in PARTS]


def option(bits: int, solver: str = "gptq") -> Quantize:
    return Quantize(bits_per_code=bits, group_size=128, symmetric=False, solver=solver)


def build(
    model: nn.Module, tokens: Tensor, folder: Path, names: list[str], asked: list[Quantize], **more: Quantize
) -> Bank:
    propagate = more.get("propagate")
    bank = Bank(folder, model="w", calibration="c", propagate=propagate.slug if propagate else "dense")
    layers = dict.fromkeys(names, asked)
    build_bank(model, blocks=BLOCKS, layers=layers, tokens=tokens, bank=bank, propagate=propagate)
    return bank


def losses_to_rounding(bank: Bank, names: list[str], bits: int) -> list[str]:
    """The layers on which GPTQ's output error is not below that of rounding."""
    return [
        name
        for name in names
        if bank.errors(name, option(bits)).output >= bank.errors(name, option(bits, "rtn")).output
    ]


@pytest.fixture(scope="module")
def block_1(reference: nn.Module, calibration: Tensor, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    asked = [option(bits, solver) for bits in range(2, 9) for solver in ("gptq", "rtn")]
    return build(reference, calibration, tmp_path_factory.mktemp("bank"), BLOCK_1, asked)


@pytest.mark.parametrize("bits", range(2, 9))
def test_gptq_beats_rounding_on_every_layer_of_a_block(block_1: Bank, bits: int) -> None:
    assert losses_to_rounding(block_1, BLOCK_1, bits) == []


def test_every_bit_more_loses_less(block_1: Bank) -> None:
    for name in BLOCK_1:
        losses = [block_1.errors(name, option(bits)).output for bits in range(2, 9)]
        assert losses == sorted(losses, reverse=True)
        assert losses[0] < 0.5


def test_building_jointly_equals_building_each_alone(
    block_1: Bank, reference: nn.Module, calibration: Tensor, tmp_path: Path
) -> None:
    for bits in (2, 5):
        for name in ("model.layers.1.self_attn.k_proj", "model.layers.1.mlp.down_proj"):
            alone = build(reference, calibration, tmp_path / str(bits), [name], [option(bits)])
            assert torch.equal(block_1.read(name, option(bits)).codes, alone.read(name, option(bits)).codes)


@pytest.mark.slow
def test_the_whole_bank_is_small_and_better_than_rounding(
    reference: nn.Module, calibration: Tensor, tmp_path: Path
) -> None:
    asked = [option(bits, solver) for bits in (2, 3, 4, 5, 6, 8) for solver in ("gptq", "rtn")]
    bank = build(reference, calibration, tmp_path, ALL_LAYERS, asked)
    pairs = [(name, how) for name in ALL_LAYERS for how in asked]
    shapes = {name: bank.read(name, option(2)).shape for name in ALL_LAYERS}
    assert bank.size_bytes(pairs) * 8 == sum(how.bits(*shapes[name], 16).stored for name, how in pairs)
    assert bank.file_bytes(pairs) <= 1.02 * bank.size_bytes(pairs)
    for bits in (2, 3, 4, 5, 6, 8):
        assert losses_to_rounding(bank, ALL_LAYERS, bits) == []


@pytest.mark.slow
def test_propagation_changes_what_later_blocks_are_fed(
    reference: nn.Module, calibration: Tensor, tmp_path: Path
) -> None:
    names = ALL_LAYERS[:21]  # three blocks
    behind = build(reference, calibration, tmp_path / "quantized", names, [option(3)], propagate=option(2))
    dense = build(reference, calibration, tmp_path / "dense", names, [option(3)])
    changed = [not torch.equal(behind.read(n, option(3)).codes, dense.read(n, option(3)).codes) for n in names]
    assert changed == [False] * 7 + [True] * 14
