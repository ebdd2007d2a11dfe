"""Input Hessians: equal to float64 sums over captured inputs, one for the layers that share an input."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from toy_model import ToyModel, layer_names, toy_tokens

from compressors.hessian import hessian_bytes, input_hessians, shared_inputs, within_memory
from spaces.errors import InputError, JobError


def captured_hessian(model: nn.Module, name: str, tokens: Tensor) -> Tensor:
    """X^T X / tokens in float64, from inputs caught by a plain hook."""
    caught: list[Tensor] = []
    layer = model.get_submodule(name)
    hook = layer.register_forward_pre_hook(lambda module, inputs: caught.append(inputs[0].detach().double()))
    with torch.no_grad():
        model(input_ids=tokens, use_cache=False)
    hook.remove()
    rows = torch.cat([inputs.reshape(-1, inputs.shape[-1]) for inputs in caught])
    return rows.T @ rows / len(rows)


@torch.no_grad()
def hessians_of(model: nn.Module, names: list[str], batches: list[Tensor]) -> dict[str, Tensor]:
    def forward() -> None:
        for batch in batches:
            model(input_ids=batch, use_cache=False)

    return input_hessians({name: model.get_submodule(name) for name in names}, forward)


@torch.no_grad()
def groups_of(model: nn.Module, names: list[str], tokens: Tensor) -> list[tuple[str, ...]]:
    def forward() -> None:
        model(input_ids=tokens, use_cache=False)

    return shared_inputs({name: model.get_submodule(name) for name in names}, forward)


@pytest.mark.parametrize("layer", ["self_attn.q_proj", "self_attn.o_proj", "mlp.down_proj"])
def test_hessians_equal_float64_sums(reference: nn.Module, calibration: Tensor, layer: str) -> None:
    name = f"model.layers.1.{layer}"
    found = hessians_of(reference, [name], list(calibration[:4].split(2)))[name]
    expected = captured_hessian(reference, name, calibration[:4])
    assert found.dtype == torch.float32
    assert (found - expected).norm() <= 1e-5 * expected.norm()


def test_hessians_of_conv1d_are_over_its_inputs(gpt2: nn.Module) -> None:
    name = "transformer.h.1.mlp.c_fc"
    tokens = torch.arange(64).reshape(2, 32)
    found = hessians_of(gpt2, [name], [tokens])[name]
    expected = captured_hessian(gpt2, name, tokens)
    assert found.shape == (64, 64)
    assert (found - expected).norm() <= 1e-5 * expected.norm()


def test_q_k_v_share_and_gate_up_share(reference: nn.Module, calibration: Tensor) -> None:
    parts = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"]
    parts += ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
    names = [f"model.layers.{block}.{part}" for block in (0, 1) for part in parts]
    groups = groups_of(reference, names, calibration[:1, :8])
    sizes = [3, 1, 2, 1, 3, 1, 2, 1]
    assert [len(group) for group in groups] == sizes
    assert [name for group in groups for name in group] == names


def test_an_input_changed_in_place_is_another_input() -> None:
    class Changing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.third = (nn.Linear(4, 4) for _ in range(3))

        def forward(self, hidden: Tensor) -> None:
            self.first(hidden)
            hidden += 1
            self.second(hidden)
            self.third(hidden)

    model = Changing()
    modules = dict(model.named_children())
    with torch.no_grad():
        assert shared_inputs(modules, lambda: model(torch.zeros(2, 4))) == [("first",), ("second", "third")]


def test_layers_of_different_blocks_do_not_share() -> None:
    model = ToyModel().eval()
    groups = groups_of(model, layer_names(model), toy_tokens())
    assert groups == [
        group for i in range(3) for group in ((f"blocks.{i}.left", f"blocks.{i}.right"), (f"blocks.{i}.out",))
    ]


def test_a_layer_that_is_fed_nothing_is_named() -> None:
    with pytest.raises(JobError, match="layer unused was fed 0 calibration tokens"):
        hessians_of(ToyModel().eval(), ["unused"], [toy_tokens()])


def test_inputs_that_are_not_finite_are_named() -> None:
    model = ToyModel().eval()
    model.embed.weight.data[toy_tokens()[0, 0], 3] = float("inf")
    with pytest.raises(InputError, match=r"inputs of layer blocks.0.left hold NaN or infinity"):
        hessians_of(model, ["blocks.0.left"], [toy_tokens()])


def test_no_hook_is_left_behind_by_an_error() -> None:
    model = ToyModel().eval()

    def fail() -> None:
        raise RuntimeError("stopped by the test")

    with pytest.raises(RuntimeError, match="stopped by the test"):
        input_hessians({"head": model.head}, fail)
    assert not model.head._forward_pre_hooks


def test_hessian_bytes_are_those_of_the_matrix() -> None:
    assert hessian_bytes(nn.Linear(48, 5)) == torch.zeros(48, 48).nbytes


@pytest.mark.parametrize(
    ("sizes", "limit", "expected"),
    [
        ([], 5, []),
        ([3, 3, 3], 6, [[0, 1], [2]]),
        ([3, 3, 3], 0, [[0], [1], [2]]),
        ([1, 9, 1, 1], 5, [[0], [1], [2, 3]]),
        ([2, 2], 4, [[0, 1]]),
    ],
)
def test_runs_stay_within_the_memory(sizes: list[int], limit: int, expected: list[list[int]]) -> None:
    assert [list(run) for run in within_memory(sizes, limit)] == expected
