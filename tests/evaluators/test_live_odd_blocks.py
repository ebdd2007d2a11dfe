"""Drops in models whose parts add the residual stream themselves, answer with lists, or stack their experts."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from odd_blocks import CONFIGS, live_model, made
from torch import Tensor, nn

from compressors.relay import Relay
from evaluators import resume
from evaluators.live import LiveModel
from spaces.build import build_space
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.option import DROP
from spaces.spec import DropSpec, SpaceSpec

STACKED = ["mixtral", "gpt_oss", "granitemoe", "olmoe", "qwen3_moe"]
LAST = ("dense", "dense_4h_to_h", "out_proj", "o_proj", "c_proj", "down_proj")  # of an attention or MLP
TOKENS = torch.randint(0, 256, (3, 9), generator=torch.Generator().manual_seed(3))


def logits_of(model: nn.Module) -> Tensor:
    with torch.inference_mode():
        found: Tensor = model(input_ids=TOKENS, use_cache=False).logits
    return found


def silenced(model: nn.Module, part: str) -> nn.Module:
    """A copy in which what the part gives last is multiplied by zeros: it adds nothing, whoever does the adding."""
    patched = copy.deepcopy(model)
    found = [
        parameter
        for name, parameter in patched.get_submodule(part).named_parameters()
        if any(f".{last}." in f".{name}." or f".{last}_bias" in f".{name}" for last in LAST)
    ]
    assert found
    for parameter in found:
        parameter.zero_()
    return patched


@pytest.fixture(params=CONFIGS)
def live(request: pytest.FixtureRequest, tmp_path: Path) -> LiveModel:
    return live_model(request.param, tmp_path)


def test_a_dropped_attention_or_mlp_adds_nothing_to_the_residual_stream(live: LiveModel) -> None:
    dense, plain = logits_of(live.model), copy.deepcopy(live.model)
    parts = [part for part in live.anatomy.parts if part.part != "block"]
    assert [part.part for part in parts] == ["attention", "mlp"] * 3
    for part in parts:
        live.apply(Configuration.of({part.name: DROP}))
        dropped = logits_of(live.model)
        torch.testing.assert_close(dropped, logits_of(silenced(plain, part.name)), rtol=1e-5, atol=1e-6)
        assert (dropped - dense).abs().max() > 1e-3
    live.apply(Configuration.of({}))
    assert torch.equal(logits_of(live.model), dense)


def test_a_dropped_block_is_as_good_as_not_there(live: LiveModel) -> None:
    shorter = copy.deepcopy(live.model)
    blocks = live.anatomy.blocks
    parent, _, last = blocks[0].rpartition(".")[0].rpartition(".")
    kept = [shorter.get_submodule(name) for name in blocks if name != blocks[1]]
    setattr(shorter.get_submodule(parent), last, nn.ModuleList(kept))
    live.apply(Configuration.of({blocks[1]: DROP}))
    torch.testing.assert_close(logits_of(live.model), logits_of(shorter), rtol=1e-5, atol=1e-6)


def test_a_pass_goes_on_behind_any_block(live: LiveModel) -> None:
    assert resume.state_bytes(live) == 64 * 4
    whole, states = resume.forward(live, TOKENS, None, 3)
    for number, state in states.items():
        found, _ = resume.forward(live, TOKENS, resume.Start(depth=number + 1, state=state), 0)
        torch.testing.assert_close(found, whole, rtol=1e-5, atol=1e-6)


def test_calibration_runs_leg_by_leg(live: LiveModel) -> None:
    relay = Relay(live.model, live.anatomy.blocks, TOKENS, batch_tokens=18)
    straight: list[Tensor] = []
    legs: list[Tensor] = []
    last = live.model.get_submodule(live.anatomy.blocks[-1])
    with torch.no_grad():
        for found in (straight, legs):
            hook = last.register_forward_pre_hook(lambda _module, inputs, found=found: found.append(inputs[0].clone()))
            relay.run(None, keep=False)
            hook.remove()
            relay.run(2, keep=True)
    torch.testing.assert_close(torch.cat(legs), torch.cat(straight), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", STACKED)
def test_stacked_experts_are_an_mlp_that_takes_its_bytes_along(name: str) -> None:
    model = made(name)
    space = build_space(find_anatomy(model), SpaceSpec(options=(DropSpec(parts=("mlp",)),)))
    [*parts] = space.layers
    assert len(parts) == 3
    levels = [unit.options.index(DROP) for unit in space.units]
    held = sum(parameter.numel() for part in parts for parameter in model.get_submodule(part.name).parameters())
    kept = sum(parameter.numel() for parameter in model.parameters()) - held
    assert space.measure(levels).stored_bits == 32 * kept
