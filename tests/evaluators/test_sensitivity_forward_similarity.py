"""How far parts turn the residual stream: against float64 loops over hidden states, and over streams built by hand."""

from __future__ import annotations

import copy
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from first_order_oracle import LENGTH, evaluator_of, values
from live_oracle import logits_of
from tiny_models import TINY
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, FalconConfig, GPTNeoXConfig

from evaluators.evaluator import Evaluator
from evaluators.live import LiveModel
from evaluators.sensitivity.similarity import ResidualTurns
from evaluators.statistic import Passes
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.errors import JobError
from spaces.option import DROP

PARALLEL = ("gpt_neox", "falcon")
POST_NORMS = {"gemma3": ("post_attention_layernorm", "post_feedforward_layernorm")}


def parts_of(evaluator: Evaluator) -> tuple[str, ...]:
    return tuple(part.name for part in evaluator.live.anatomy.parts)


def turn(entering: np.ndarray, leaving: np.ndarray) -> float:  # each (length, width)
    """Token by token."""
    cosines = [
        math.fsum(x * y) / math.sqrt(math.fsum(x * x) * math.fsum(y * y))
        for x, y in zip(entering, leaving, strict=True)
    ]
    return 1 - math.fsum(cosines) / len(cosines)


def seen(model: nn.Module, tokens: Tensor, names: list[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What each module is given and gives back in one forward pass, copied before anything can change it."""
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def first(values: Any) -> np.ndarray:
        tensor: Tensor = values[0] if isinstance(values, tuple) else values
        return np.asarray(tensor.detach().double().reshape(LENGTH, -1).numpy().copy())

    hooks = []
    for name in names:

        def see(_module: nn.Module, inputs: Any, named: Any, output: Any, name: str = name) -> None:
            found[name] = (first(inputs or named["hidden_states"]), first(output))

        hooks.append(model.get_submodule(name).register_forward_hook(see, with_kwargs=True))
    logits_of(model, tokens)
    for hook in hooks:
        hook.remove()
    return found


def branch_turns(evaluator: Evaluator, name: str, block: str, number: int) -> tuple[float, float]:
    """Of the attention and the MLP: the stream is the block's input plus what each puts out, after gemma's norm."""
    tiny = TINY[name]
    attention = f"{block}.{tiny.attention}"
    mlp = f"{block}.fc2" if name == "opt" else f"{block}.{tiny.mlp}"
    if name in POST_NORMS:
        attention, mlp = (f"{block}.{norm}" for norm in POST_NORMS[name])
    tokens = evaluator.stream.tokens[number : number + 1]
    found = seen(evaluator.live.model, tokens, [block, attention, mlp])
    entering = found[block][0]
    middle = entering if name in PARALLEL else entering + found[attention][1]
    return turn(entering, entering + found[attention][1]), turn(middle, middle + found[mlp][1])


@pytest.mark.parametrize("name", TINY)
def test_each_part_turns_the_stream_as_a_float64_loop_says(name: str, tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, name)
    parts = parts_of(evaluator)
    found = dict(zip(parts, values(ResidualTurns(parts=parts, sequences=6), evaluator, 4, 5)[0], strict=True))
    for block in evaluator.live.anatomy.blocks:
        held = {part.part: part.name for part in evaluator.live.anatomy.parts if part.name.startswith(f"{block}.")}
        attention, mlp = branch_turns(evaluator, name, block, 4)
        assert found[held["attention"]] == pytest.approx(attention, rel=1e-9)
        assert found[held["mlp"]] == pytest.approx(mlp, rel=1e-9)
    assert min(found.values()) > 1e-6


@pytest.mark.parametrize("name", TINY)
def test_a_block_turns_the_stream_from_one_hidden_state_to_the_next(name: str, tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, name)
    blocks = evaluator.live.anatomy.blocks
    found = values(ResidualTurns(parts=blocks, sequences=6), evaluator, 0, 6)
    for number, row in enumerate(found):
        tokens = evaluator.stream.tokens[number : number + 1]
        states = evaluator.live.model(input_ids=tokens, use_cache=False, output_hidden_states=True).hidden_states
        streams = [state[0].numpy() for state in states[: len(blocks)]]  # the last one is after the final norm
        streams.append(seen(evaluator.live.model, tokens, [blocks[-1]])[blocks[-1]][1])
        expected = [turn(*around) for around in itertools.pairwise(streams)]
        assert row.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "config",
    [
        GPTNeoXConfig(**TINY["gpt_neox"].settings, num_hidden_layers=2, use_parallel_residual=False),  # type: ignore[arg-type]
        FalconConfig(**TINY["falcon"].settings, num_hidden_layers=2, parallel_attn=False),  # type: ignore[arg-type]
    ],
    ids=PARALLEL,
)
def test_whether_branches_are_parallel_is_seen_and_not_guessed_from_the_architecture(
    config: Any, tmp_path: Path
) -> None:
    """The same two architectures with one branch after the other."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).double().eval().requires_grad_(False)
    donor = evaluator_of(tmp_path, "llama")
    evaluator = Evaluator(LiveModel(model, find_anatomy(model), donor.live.bank), donor.stream, donor.dense)
    block = evaluator.live.anatomy.blocks[0]
    mlp = f"{block}.mlp"
    tokens = evaluator.stream.tokens[:1]
    found = values(ResidualTurns(parts=(mlp,), sequences=6), evaluator, 0, 1)
    streams = seen(model, tokens, [block, mlp])
    leaving = streams[block][1]
    assert found[0, 0] == pytest.approx(turn(leaving - streams[mlp][1], leaving), rel=1e-9)


def test_a_part_that_adds_nothing_turns_nothing(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "llama")
    with torch.no_grad():
        evaluator.live.model.get_submodule("model.layers.1.mlp.down_proj").weight.zero_()  # type: ignore[operator, union-attr]
    parts = parts_of(evaluator)
    found = dict(zip(parts, values(ResidualTurns(parts=parts, sequences=6), evaluator, 0, 1)[0], strict=True))
    assert found["model.layers.1.mlp"] == pytest.approx(0.0, abs=1e-15)
    assert found["model.layers.1"] == pytest.approx(found["model.layers.1.self_attn"], rel=1e-9)


@pytest.mark.parametrize("name", ["llama", "opt", "falcon"])
def test_the_model_is_left_dense_and_without_hooks(name: str, tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, name)
    live, tokens = evaluator.live, evaluator.stream.tokens
    before = logits_of(copy.deepcopy(live.model), tokens)
    parts = parts_of(evaluator)
    live.apply(Configuration.of({parts[0]: DROP}))
    ResidualTurns(parts=parts, sequences=6).samples(evaluator, 0, 2)
    assert torch.equal(logits_of(live.model, tokens), before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in live.model.modules())
    assert live.apply(Configuration.of({parts[0]: DROP})) == 1


def test_a_sample_is_the_same_whatever_was_asked_before(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "llama", dtype=torch.float32)
    parts = parts_of(evaluator)
    statistic = ResidualTurns(parts=parts, sequences=6)
    whole = values(statistic, evaluator, 0, 6)
    np.testing.assert_array_equal(values(statistic, evaluator, 3, 5), whole[3:5])
    assert values(statistic, evaluator, 2, 2).shape == (0, len(parts))


def test_a_stream_that_is_no_number_ends_the_job(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "llama")
    with torch.no_grad():
        evaluator.live.model.get_submodule("model.layers.0.mlp.up_proj").weight[0, 0] = torch.nan  # type: ignore[index]
    with pytest.raises(JobError, match=r"residual stream on sequence 2 is NaN or infinite; evaluate in float32"):
        ResidualTurns(parts=("model.layers.1",), sequences=6).samples(evaluator, 2, 3)


def test_two_forward_passes_for_each_sequence() -> None:
    statistic = ResidualTurns(parts=("a", "b"), sequences=9)
    assert statistic.passes(LENGTH) == Passes(forward_tokens=2 * LENGTH)
    assert (statistic.num_sequences(LENGTH), statistic.entries()) == (9, ())
