"""The relay: legs through a model equal one straight run, and no block runs twice."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from toy_model import ToyModel, block_names, toy_tokens

from compressors.relay import Relay, evaluating
from spaces.errors import InputError


def inputs_of(module: nn.Module, relay: Relay, stop: int | None) -> Tensor:
    """What a module is fed in the relay's next leg."""
    caught: list[Tensor] = []
    hook = module.register_forward_pre_hook(lambda module, inputs: caught.append(inputs[0].clone()))
    relay.run(stop, keep=False)
    hook.remove()
    return torch.cat(caught)


@pytest.mark.parametrize("name", ["reference", "gpt2"])
@torch.no_grad()
def test_legs_end_where_a_straight_run_does(name: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(name)
    prefix, head = ("model.layers", "lm_head") if name == "reference" else ("transformer.h", "lm_head")
    blocks = [f"{prefix}.{index}" for index in range(len(model.get_submodule(prefix)))]
    tokens = torch.arange(96).reshape(4, 24)
    straight = inputs_of(model.get_submodule(head), Relay(model, blocks, tokens, batch_tokens=48), None)
    relay = Relay(model, blocks, tokens, batch_tokens=48)
    relay.run(1, keep=True)
    relay.run(3, keep=True)
    assert relay.start == 3
    assert torch.equal(inputs_of(model.get_submodule(head), relay, None), straight)


@pytest.mark.parametrize("answers_tuple", [False, True])
@torch.no_grad()
def test_blocks_run_once_and_a_leg_may_be_repeated(answers_tuple: bool) -> None:
    model = ToyModel(num_blocks=4, answers_tuple=answers_tuple).eval()
    straight = model(toy_tokens(), use_cache=False)
    for block in model.blocks:
        block.calls = 0
    relay = Relay(model, block_names(model), toy_tokens(), batch_tokens=1)  # a batch for each sequence
    relay.run(2, keep=True)
    relay.run(3, keep=False)
    relay.run(3, keep=True)  # the toy's blocks write to their input: the kept states must not have changed
    assert [block.calls for block in model.blocks] == [6, 6, 12, 0]
    assert torch.allclose(model.head(last_states(model, relay)), straight, atol=1e-6)


def last_states(model: ToyModel, relay: Relay) -> Tensor:
    return inputs_of(model.head, relay, None)


@torch.no_grad()
def test_forward_methods_come_back_after_an_error() -> None:
    model = ToyModel().eval()
    relay = Relay(model, block_names(model), toy_tokens(), batch_tokens=64)
    relay.run(2, keep=True)
    own = model.blocks[1].forward
    model.blocks[1].forward = own  # as hooks of other libraries set it
    model.head.weight = None
    with pytest.raises(TypeError, match="NoneType"):
        relay.run(None, keep=False)
    assert "forward" not in vars(model.blocks[0])
    assert vars(model.blocks[1])["forward"] == own
    assert not any(block._forward_hooks for block in model.blocks)


def test_evaluating_switches_dropout_off_and_back() -> None:
    model = ToyModel().train()
    with evaluating(model):
        assert not torch.is_grad_enabled()
        assert torch.equal(model(toy_tokens(), use_cache=False), model(toy_tokens(), use_cache=False))
    assert model.drop.training


def test_tokens_must_be_rows() -> None:
    model = ToyModel()
    with pytest.raises(InputError, match=r"\(sequences, length\), got shape \(96,\)"):
        Relay(model, block_names(model), toy_tokens().flatten(), batch_tokens=64)
