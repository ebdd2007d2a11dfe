"""The live model: after any step it computes what a model patched by hand does, to the last bit."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from live_oracle import RTN, built_bank, expected_logits, logits_of, multiplied_alike
from tiny_models import TINY, VOCABULARY, Tiny
from torch import Tensor, nn

from compressors.bank import Bank
from evaluators.live import LiveModel
from spaces.build import build_space
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.errors import InputError, JobError
from spaces.option import DROP, KEEP, Option, Quantize
from spaces.space import Space
from spaces.spec import DropSpec, QuantizeSpec, SpaceSpec

TOKENS = torch.randint(0, VOCABULARY, (3, 9), generator=torch.Generator().manual_seed(3))
DENSE = Configuration.of({})


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One architecture with its bank: ``model`` stays dense."""

    tiny: Tiny
    model: nn.Module
    bank: Bank
    space: Space

    def live(self) -> LiveModel:
        model = copy.deepcopy(self.model)
        return LiveModel(model, find_anatomy(model), self.bank)

    def expected(self, configuration: Configuration) -> Tensor:
        return expected_logits(self.tiny, self.model, self.bank, configuration, TOKENS)

    def block(self, number: int) -> str:
        return f"{self.tiny.blocks}.{number}"

    def weight(self, number: int) -> str:
        """The first weight of a block's attention."""
        inside = f"{self.block(number)}.{self.tiny.attention}."
        return next(layer.name for layer in self.space.layers if layer.name.startswith(inside))


def stage_of(name: str, root: Path) -> Stage:
    tiny = TINY[name]
    model = multiplied_alike(tiny.model())
    asym = QuantizeSpec(bits=(2, 4), group_sizes=(32,), solver="rtn")
    sym = QuantizeSpec(bits=(8,), group_sizes=(32,), symmetric=(True,), solver="rtn")
    spec = SpaceSpec(options=(asym, sym, DropSpec(parts=("attention", "mlp", "block"))))
    return Stage(tiny=tiny, model=model, bank=built_bank(root, model), space=build_space(tiny.anatomy(), spec))


@pytest.fixture(scope="module", params=TINY)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return stage_of(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return stage_of("llama", tmp_path_factory.mktemp("llama"))


def configurations(space: Space, count: int) -> list[Configuration]:
    """Random ones, a third of them with few parts dropped, so that quantized weights are seen too."""
    source = random.Random(7)
    found = []
    for number in range(count):
        levels = [source.randrange(len(unit.options)) for unit in space.units]
        for index, unit in enumerate(space.units):
            if DROP in unit.options and source.random() < number % 3 / 2:
                levels[index] = unit.options.index(KEEP)
        found.append(space.configure(levels))
    return found


def test_a_fresh_live_model_computes_the_dense_logits(stage: Stage) -> None:
    assert torch.equal(logits_of(stage.live().model, TOKENS), logits_of(stage.model, TOKENS))


def test_every_step_of_a_random_walk_computes_what_a_patched_copy_does(stage: Stage) -> None:
    live = stage.live()
    for configuration in configurations(stage.space, 12):
        live.apply(configuration)
        assert torch.equal(logits_of(live.model, TOKENS), stage.expected(configuration))
    live.apply(DENSE)
    assert torch.equal(logits_of(live.model, TOKENS), logits_of(stage.model, TOKENS))


@pytest.mark.parametrize("part", ["attention", "mlp", "block"])
def test_each_kind_of_part_drops_and_comes_back(stage: Stage, part: str) -> None:
    live = stage.live()
    dense = logits_of(live.model, TOKENS)
    for layer in (layer for layer in stage.space.layers if layer.part == part):
        configuration = Configuration.of({layer.name: DROP})
        assert live.apply(configuration) == 1
        dropped = logits_of(live.model, TOKENS)
        assert torch.equal(dropped, stage.expected(configuration))
        assert not torch.equal(dropped, dense)
        assert live.apply(DENSE) == 1
    assert torch.equal(logits_of(live.model, TOKENS), dense)


def test_a_model_with_all_blocks_dropped_still_computes(stage: Stage) -> None:
    live = stage.live()
    configuration = stage.space.configure((0,) * len(stage.space.units))
    live.apply(configuration)
    assert torch.equal(logits_of(live.model, TOKENS), stage.expected(configuration))


def test_every_weight_comes_back_to_the_last_bit(stage: Stage) -> None:
    live = stage.live()
    for configuration in [*configurations(stage.space, 4), DENSE]:
        live.apply(configuration)
    before, after = stage.model.state_dict(), live.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any("forward" in vars(module) for module in live.model.modules())


def versions(live: LiveModel) -> dict[str, int]:
    return {name: parameter._version for name, parameter in live.model.named_parameters()}


def touched(live: LiveModel, configuration: Configuration) -> tuple[int, set[str]]:
    """The number that apply returns, and the weights that it really wrote to."""
    before = versions(live)
    count = live.apply(configuration)
    return count, {name.removesuffix(".weight") for name, version in versions(live).items() if version != before[name]}


def test_only_layers_that_differ_are_written(llama: Stage) -> None:
    live = llama.live()
    first, second = llama.weight(0), llama.weight(1)
    assert touched(live, Configuration.of({first: RTN[4], second: RTN[2]})) == (2, {first, second})
    assert touched(live, Configuration.of({first: RTN[4], second: RTN[2]})) == (0, set())
    assert touched(live, Configuration.of({first: RTN[8], second: RTN[2]})) == (1, {first})
    assert touched(live, Configuration.of({first: RTN[8], second: KEEP})) == (1, {second})
    assert touched(live, DENSE) == (1, {first})


def test_weights_inside_a_dropped_part_wait_for_its_return(llama: Stage) -> None:
    live = llama.live()
    weight, attention = llama.weight(0), f"{llama.block(0)}.self_attn"
    quantized = Configuration.of({weight: RTN[4]})
    dropped = Configuration.of({attention: DROP, weight: DROP})
    assert touched(live, quantized) == (1, {weight})
    assert touched(live, dropped) == (1, set())
    assert touched(live, quantized) == (1, set())
    assert torch.equal(logits_of(live.model, TOKENS), llama.expected(quantized))
    live.apply(dropped)
    assert touched(live, DENSE) == (2, {weight})
    assert torch.equal(logits_of(live.model, TOKENS), logits_of(llama.model, TOKENS))


def test_a_block_and_its_parts_drop_and_return_in_any_order(llama: Stage) -> None:
    live = llama.live()
    block = llama.block(1)
    whole: dict[str, Option] = {block: DROP, f"{block}.self_attn": DROP, f"{block}.mlp": DROP}
    some: dict[str, Option] = {f"{block}.mlp": DROP, llama.weight(1): RTN[2]}
    alone: dict[str, Option] = {block: DROP}
    for options in (whole, some, whole, alone, some, {f"{block}.self_attn": DROP}):
        live.apply(Configuration.of(options))
        assert torch.equal(logits_of(live.model, TOKENS), llama.expected(Configuration.of(options)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_return_exactly_whatever_dtype_holds_them(llama: Stage, dtype: torch.dtype) -> None:
    """A float32 model whose weights fit 16 bits is set aside in 16."""
    model = copy.deepcopy(llama.model)
    weight = model.get_parameter(f"{llama.weight(0)}.weight")
    weight.data = weight.data.to(dtype).float()
    dense = weight.detach().clone()
    live = LiveModel(model, find_anatomy(model), llama.bank)
    live.apply(Configuration.of({llama.weight(0): RTN[2]}))
    assert not torch.equal(weight, dense)
    live.apply(DENSE)
    assert torch.equal(weight, dense)
    assert live._dense[llama.weight(0)].dtype == dtype


@pytest.mark.parametrize("name", ["gemma3", "mistral"])
def test_a_head_is_quantized_and_with_it_the_embedding_that_it_shares(name: str, tmp_path: Path) -> None:
    model = TINY[name].model()
    bank = built_bank(tmp_path, model, beside=("lm_head",))
    dense = logits_of(model, TOKENS)
    embedding = model.get_input_embeddings().weight  # type: ignore[operator]
    before = embedding.clone()
    live = LiveModel(model, find_anatomy(model), bank)
    assert live.apply(Configuration.of({"lm_head": RTN[8]})) == 1
    head = bank.read("lm_head", RTN[8]).dequantize(torch.float32)
    assert torch.equal(model.get_submodule("lm_head").weight, head)  # type: ignore[arg-type]
    assert torch.equal(embedding, head if name == "gemma3" else before)
    live.apply(DENSE)
    assert torch.equal(logits_of(model, TOKENS), dense)


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("model.layers.9.mlp.up_proj", RTN[4], "the model has no layer 'model.layers.9.mlp.up_proj'"),
        ("model.layers.0.mlp", RTN[4], "model.layers.0.mlp cannot take on option rtn-int4-g32-asym"),
        ("model.layers.0.mlp.up_proj", DROP, "model.layers.0.mlp.up_proj cannot take on option drop"),
    ],
)
def test_what_a_layer_cannot_take_on_is_refused_before_anything_changes(
    llama: Stage, name: str, option: Option, message: str
) -> None:
    live = llama.live()
    before = versions(live)
    with pytest.raises(InputError, match=message):
        live.apply(Configuration.of({llama.weight(0): RTN[2], name: option}))
    assert versions(live) == before


def test_after_an_entry_that_the_bank_lacks_the_next_configuration_is_whole(llama: Stage) -> None:
    live = llama.live()
    missing = Quantize(bits_per_code=7, group_size=32, symmetric=True, solver="rtn")
    with pytest.raises(JobError, match=r"the bank has no entry .*rtn-int7-g32-sym"):
        live.apply(Configuration.of({llama.weight(0): RTN[2], llama.weight(1): missing, llama.block(0): DROP}))
    configuration = Configuration.of({llama.weight(1): RTN[4]})
    live.apply(configuration)
    assert torch.equal(logits_of(live.model, TOKENS), llama.expected(configuration))


def test_a_live_model_says_where_it_is(llama: Stage) -> None:
    assert llama.live().device == torch.device("cpu")


def test_an_entry_is_read_once_as_far_as_its_memory_goes(llama: Stage, tmp_path: Path) -> None:
    """What is in memory needs no file: with the files gone, applying tells which entries are."""
    names = [llama.weight(0), llama.weight(1)]
    size = llama.bank.read(names[0], RTN[4]).size_bytes
    bank = built_bank(tmp_path, llama.model)
    live = LiveModel(copy.deepcopy(llama.model), llama.live().anatomy, bank, bank_bytes=size)
    for name in names:
        live.apply(Configuration.of({name: RTN[4]}))
        bank.path(name, RTN[4]).unlink()
    live.apply(DENSE)
    configuration = Configuration.of({names[1]: RTN[4]})
    live.apply(configuration)
    assert torch.equal(logits_of(live.model, TOKENS), llama.expected(configuration))
    with pytest.raises(JobError, match=rf"the bank has no entry .*{names[0]}"):
        live.apply(Configuration.of({names[0]: RTN[4]}))


def test_writes_by_others_are_counted_and_its_own_are_not(stage: Stage) -> None:
    live = stage.live()
    before = live.foreign_writes
    for configuration in [*configurations(stage.space, 3), DENSE]:
        live.apply(configuration)
        assert live.foreign_writes == before
    with torch.inference_mode():
        next(live.model.parameters()).mul_(2)
    assert live.foreign_writes == before + 1
