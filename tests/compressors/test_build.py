"""Building a bank: the same entries as plain re-runs give, only what is missing, and a model left as it was."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from toy_model import ToyModel, block_names, layer_names, toy_tokens

from compressors.bank import Bank
from compressors.build import build_bank
from compressors.quantized import QuantizedWeight
from compressors.solvers import solve
from compressors.weights import weight_of, write_weight
from spaces.errors import InputError, JobError
from spaces.option import Quantize


def option(bits: int, group_size: int | None = 32, solver: str = "gptq", symmetric: bool = False) -> Quantize:
    return Quantize(bits_per_code=bits, group_size=group_size, symmetric=symmetric, solver=solver)


def bank_in(folder: Path, propagate: str = "dense") -> Bank:
    return Bank(folder, model="w" * 64, calibration="c" * 64, propagate=propagate)


def plain_solution(model: nn.Module, name: str, tokens: Tensor, batch: int, how: Quantize) -> QuantizedWeight:
    """One layer under one option, calibrated by whole forward passes of the model as it is."""
    rows: list[Tensor] = []
    layer = model.get_submodule(name)
    hook = layer.register_forward_pre_hook(lambda module, inputs: rows.append(inputs[0].flatten(0, -2).clone()))
    with torch.no_grad():
        for part in tokens.split(batch):
            model(input_ids=part, use_cache=False)
    hook.remove()
    hessian = torch.zeros(rows[0].shape[1], rows[0].shape[1])
    for part in rows:  # float32 and in the order of the batches, so that codes are equal and not nearly so
        hessian.addmm_(part.T, part)
    return solve([weight_of(layer)], hessian / sum(map(len, rows)), [how])[0][0]


def assert_same(found: QuantizedWeight, expected: QuantizedWeight, what: str) -> None:
    assert all(torch.equal(tensor, expected.tensors()[name]) for name, tensor in found.tensors().items()), what


def quantized_oracle(
    model: nn.Module, blocks: list[list[str]], tokens: Tensor, batch: int, how: Quantize, wanted: Quantize
) -> dict[str, QuantizedWeight]:
    """Every block's layers for ``wanted``, calibrated behind blocks that were replaced for good by ``how``."""
    scratch, found = copy.deepcopy(model), {}
    for names in blocks:
        replacing = {name: plain_solution(scratch, name, tokens, batch, how) for name in names}
        found |= {name: plain_solution(scratch, name, tokens, batch, wanted) for name in names}
        for name, form in replacing.items():
            write_weight(scratch.get_submodule(name), form.dequantize(torch.float32))
    return found


@pytest.mark.parametrize("memory", [1 << 30, 0], ids=["one leg", "a leg a block"])
@pytest.mark.parametrize("answers_tuple", [False, True])
def test_dense_entries_equal_plain_calibration(tmp_path: Path, answers_tuple: bool, memory: int) -> None:
    model = ToyModel(answers_tuple=answers_tuple).eval()
    asked = [option(2), option(3, None), option(4, solver="rtn"), option(4)]
    names = [*layer_names(model), "head"]
    bank, seen = bank_in(tmp_path), []
    build_bank(
        model,
        blocks=block_names(model),
        layers=dict.fromkeys(names, asked),
        tokens=toy_tokens(),
        bank=bank,
        propagate=None,
        batch_tokens=32,
        hessian_memory_bytes=memory,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    for name in names:
        for how in asked:
            expected = plain_solution(model, name, toy_tokens(), 2, how)
            assert_same(bank.read(name, how), expected, f"{name} {how.slug}")
    assert seen == [(done, 40) for done in range(1, 41)]


@pytest.mark.parametrize("answers_tuple", [False, True])
def test_quantized_entries_equal_plain_reruns(tmp_path: Path, answers_tuple: bool) -> None:
    model = ToyModel(num_blocks=4, answers_tuple=answers_tuple).eval()
    bank = bank_in(tmp_path, "quantized:gptq-int2-g32-asym")
    blocks = [[f"{block}.{part}" for part in ("left", "right", "out")] for block in block_names(model)]
    build_bank(
        model,
        blocks=block_names(model),
        layers={name: [option(4)] for name in [*layer_names(model), "head"]},
        tokens=toy_tokens(),
        bank=bank,
        propagate=option(2),
        batch_tokens=32,
    )
    oracle = quantized_oracle(model, [*blocks, ["head"]], toy_tokens(), 2, option(2), option(4))
    for name, expected in oracle.items():
        assert_same(bank.read(name, option(4)), expected, name)
    assert bank.missing([(name, option(2)) for name in layer_names(model)]) == []
    assert bank.missing([("head", option(2))]) == [("head", option(2))]


def test_a_quantized_build_resumes_where_it_was(tmp_path: Path) -> None:
    model = ToyModel(num_blocks=4).eval()
    whole, resumed = bank_in(tmp_path / "whole", "quantized"), bank_in(tmp_path / "resumed", "quantized")
    layers = {name: [option(4)] for name in layer_names(model)}
    for bank in (whole, resumed):
        build_bank(model, blocks=block_names(model), layers=layers, tokens=toy_tokens(), bank=bank, propagate=option(2))
    for name in ("blocks.0.left", "blocks.3.out"):
        resumed.path(name, option(4)).unlink()
    resumed.path("blocks.2.out", option(2)).write_bytes(b"cut short")
    build_bank(model, blocks=block_names(model), layers=layers, tokens=toy_tokens(), bank=resumed, propagate=option(2))
    for name in layer_names(model):
        for how in (option(2), option(4)):
            assert_same(resumed.read(name, how), whole.read(name, how), name)


@pytest.mark.parametrize("propagate", [None, option(3)])
def test_the_model_is_left_as_it_was_even_by_an_error(tmp_path: Path, propagate: Quantize | None) -> None:
    model = ToyModel().train()
    before = copy.deepcopy(model.state_dict())

    def interrupt(done: int, total: int) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_bank(
            model,
            blocks=block_names(model),
            layers={name: [option(2)] for name in layer_names(model)},
            tokens=toy_tokens(),
            bank=bank_in(tmp_path),
            propagate=propagate,
            on_progress=interrupt,
        )
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training
    assert not any("forward" in vars(module) or module._forward_pre_hooks for module in model.modules())


def test_another_option_builds_only_itself(tmp_path: Path) -> None:
    model, bank = ToyModel().eval(), bank_in(tmp_path)

    def build(asked: list[Quantize]) -> list[int]:
        totals: list[int] = []
        build_bank(
            model,
            blocks=block_names(model),
            layers=dict.fromkeys(layer_names(model), asked),
            tokens=toy_tokens(),
            bank=bank,
            propagate=None,
            on_progress=lambda done, total: totals.append(total),
        )
        return totals

    build([option(3)])
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert build([option(3), option(4)]) == [9] * 9
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert len(list(tmp_path.rglob("*.safetensors"))) == 18
    calls = [block.calls for block in model.blocks]
    assert build([option(3), option(4)]) == []
    assert [block.calls for block in model.blocks] == calls


def test_early_layers_do_not_pay_for_late_blocks(tmp_path: Path) -> None:
    model = ToyModel(num_blocks=4).eval()
    build_bank(
        model,
        blocks=block_names(model),
        layers={"blocks.1.out": [option(3)]},
        tokens=toy_tokens(),
        bank=bank_in(tmp_path),
        propagate=None,
    )
    probe = 1
    assert [block.calls for block in model.blocks] == [1 + probe, 1 + probe, probe, probe]


def test_an_embedding_is_rounded_without_calibration(tmp_path: Path) -> None:
    model, bank = ToyModel().eval(), bank_in(tmp_path)

    def build(how: Quantize) -> None:
        build_bank(
            model,
            blocks=block_names(model),
            layers={"embed": [how]},
            tokens=toy_tokens(),
            bank=bank,
            propagate=None,
        )

    build(option(4, solver="rtn"))
    expected = solve([weight_of(model.embed)], None, [option(4, solver="rtn")])[0][0]
    assert_same(bank.read("embed", option(4, solver="rtn")), expected, "embed")
    with pytest.raises(InputError, match="which gptq-int4-g32-asym needs: layer embed must use rtn"):
        build(option(4))


def test_gpt2_layers_are_built_as_out_by_in(tmp_path: Path, gpt2: nn.Module) -> None:
    names = ["transformer.h.1.attn.c_attn", "transformer.h.2.mlp.c_proj"]
    tokens = torch.arange(96).reshape(4, 24)
    bank = bank_in(tmp_path)
    blocks = [f"transformer.h.{index}" for index in range(3)]
    build_bank(
        gpt2,
        blocks=blocks,
        layers={name: [option(3)] for name in names},
        tokens=tokens,
        bank=bank,
        propagate=option(2),
        batch_tokens=48,
    )
    oracle = quantized_oracle(gpt2, [names[:1], names[1:]], tokens, 2, option(2), option(3))
    for name, expected in oracle.items():
        assert_same(bank.read(name, option(3)), expected, name)
    assert bank.read(names[0], option(3)).shape == (192, 64)


def test_bad_input_is_named_before_any_work(tmp_path: Path) -> None:
    model = ToyModel().eval()

    def build(layers: dict[str, list[Quantize]], propagate: Quantize | None = None) -> None:
        build_bank(
            model,
            blocks=block_names(model),
            layers=layers,
            tokens=toy_tokens(),
            bank=bank_in(tmp_path),
            propagate=propagate,
        )

    with pytest.raises(InputError, match="group_size 64 of gptq-int4-g64-asym does not divide the 96 inputs"):
        build({"blocks.0.left": [option(4, 64)], "blocks.1.out": [option(4, 64)]})
    with pytest.raises(InputError, match=r"group_size 64 .* inputs of layer blocks\.1\.out"):
        build({"blocks.1.out": [option(4)]}, option(2, 64))
    with pytest.raises(InputError, match=r"no module 'blocks\.9\.out'"):
        build({"blocks.9.out": [option(4)]})
    model.blocks[2].out.weight.data[4, 2] = float("nan")
    with pytest.raises(
        InputError, match=r"the weight of layer blocks.2.out must hold finite numbers, got nan at \(4, 2\)"
    ):
        build({"blocks.0.left": [option(4)], "blocks.2.out": [option(4)]})
    assert [block.calls for block in model.blocks] == [0, 0, 0]
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_never_runs_is_named(tmp_path: Path) -> None:
    model = ToyModel().eval()
    with pytest.raises(JobError, match="layer unused was fed 0 calibration tokens"):
        build_bank(
            model,
            blocks=block_names(model),
            layers={"unused": [option(4)]},
            tokens=toy_tokens(),
            bank=bank_in(tmp_path),
            propagate=None,
        )
