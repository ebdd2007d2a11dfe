"""GPTQ checkpoints and rules, loaded with GPTQModel where it is installed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import twins
from safetensors import safe_open
from tokenizers import Tokenizer, models
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from compressors.packing import unpack
from compressors.rtn import rtn
from evaluators.divergence import kl_full
from exporters import packed
from exporters.gptq import Gptq, base_and_rules
from exporters.gptqmodel_dynamic import GptqModelDynamic
from exporters.plan import Plan
from exporters.source import Source
from spaces.errors import InputError
from spaces.option import Quantize

SYMMETRIC = {
    "*.self_attn.*": "rtn-int4-g32-sym",
    "*.0.mlp.*": "rtn-int3-g32-sym",
    "*.0.mlp.down_proj": "keep",
    "*.1.mlp.*": "rtn-int8-channel-sym",
    "*.1.self_attn.o_proj": "rtn-int2-g32-sym",
}
ASYMMETRIC = SYMMETRIC | {"*.0.mlp.up_proj": "rtn-int4-g64-asym", "*.1.self_attn.o_proj": "rtn-int2-g32-asym"}
FORMS = [pytest.param(SYMMETRIC, id="symmetric"), pytest.param(ASYMMETRIC, id="asymmetric")]


def written(source: Source, folder: Path) -> Path:
    folder.mkdir()
    assert Gptq().refusals(source.anatomy, source.configuration) == []
    Gptq().write(source, folder)
    return folder


def rule_for(rules: dict[str, dict[str, object]], name: str) -> tuple[str, dict[str, object]] | None:
    """The first rule that matches a name, by its sign: as GPTQModel and vLLM look it up."""
    for pattern, override in rules.items():
        if re.match(pattern[2:], name):
            return pattern[0], override
    return None


def check_rules(config: dict[str, object], source: Source) -> None:
    rules = config["dynamic"]
    assert isinstance(rules, dict)
    for name, option in source.configuration.options:
        found = rule_for(rules, name)
        if not isinstance(option, Quantize):
            assert found == ("-", {}), name
            continue
        sign, override = found or ("+", {})
        said = {**config, **override}
        assert sign == "+"
        assert (said["bits"], said["group_size"]) == (option.bits_per_code, option.group_size or -1), name


@pytest.mark.parametrize("options", FORMS)
def test_the_tensors_decode_to_our_weights(made: twins.Made, tmp_path: Path, options: dict[str, str]) -> None:
    source = made("llama", options, num_blocks=12)
    folder = written(source, tmp_path / "export")
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    assert config == json.loads((folder / "quantize_config.json").read_text())
    shift = {"gptq": 1, "gptq_v2": 0}[config["checkpoint_format"]]
    check_rules(config, source)
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert sum(tensor.nbytes for tensor in held.values()) == Gptq().size_bytes(source.anatomy, source.configuration)
    for name, option in source.configuration.options:
        if isinstance(option, Quantize):
            quantized = source.quantized(name)
            decoded = by_hand(held, name, option.bits_per_code, quantized.shape, shift)
            assert torch.equal(decoded, quantized.dequantize(torch.float64)), name


def by_hand(held: dict[str, Tensor], name: str, bits: int, shape: tuple[int, int], shift: int) -> Tensor:
    """The container decoded in float64: ``scale * (code - zero)``."""
    codes = unpack(held[f"{name}.qweight"].T.contiguous(), bits, shape[1]).double()
    zeros = unpack(held[f"{name}.qzeros"], bits, shape[0]).double() + shift
    group = held[f"{name}.g_idx"].long()
    return (codes - zeros[group].T) * held[f"{name}.scales"].double()[group].T


@pytest.mark.filterwarnings("ignore")  # of GPTQModel's many dependencies
@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        pytest.param("llama", SYMMETRIC, id="symmetric"),
        pytest.param("llama", ASYMMETRIC, id="asymmetric"),
        pytest.param("llama", ASYMMETRIC | {"model.layers.0": "drop"}, id="block-drop"),
        pytest.param("gpt2", {"*.c_fc": "rtn-int4-g32-sym", "*.1.attn.c_attn": "rtn-int8-channel-sym"}, id="gpt2"),
        pytest.param("opt", {"*.fc1": "rtn-int4-g32-sym", "*.1.fc2": "rtn-int8-channel-sym"}, id="opt"),
    ],
)
def test_gptqmodel_answers_as_the_searched_candidate(
    made: twins.Made,
    dense_twin: twins.DenseTwin,
    logits: twins.Logits,
    tmp_path: Path,
    architecture: str,
    options: dict[str, str],
) -> None:
    source = made(architecture, options)
    # float16 weights make the bound tight: GPTQModel chooses bfloat16 for itself
    model = loaded(written(source, tmp_path / "export"), torch.float16)
    ours, theirs = logits(dense_twin(source)), logits(model)
    assert float((ours - theirs).abs().max()) < 0.02 * float(ours.std())
    assert float((ours.argmax(-1) == theirs.argmax(-1)).float().mean()) >= 0.95


@pytest.mark.filterwarnings("ignore")
def test_a_bfloat16_model_stays_near_the_searched_candidate(
    made: twins.Made, dense_twin: twins.DenseTwin, logits: twins.Logits, tmp_path: Path
) -> None:
    """As near as the candidate computed in bfloat16 is to itself in float32; see `test_bfloat16` for other formats."""
    source = made("llama", ASYMMETRIC, dtype=torch.bfloat16)
    ours, theirs = logits(dense_twin(source)), logits(loaded(written(source, tmp_path / "export"), torch.bfloat16))
    assert float((ours - theirs).abs().max()) < 0.06 * float(ours.std())
    assert float(kl_full(ours.flatten(0, 1), theirs.flatten(0, 1)).mean()) < 2e-5


def loaded(folder: Path, dtype: torch.dtype) -> nn.Module:
    """By GPTQModel's torch kernel, which wants a tokenizer beside the weights."""
    gptqmodel = pytest.importorskip("gptqmodel", reason="make check-loaders runs it")
    words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="a", pad_token="a").save_pretrained(folder)
    settings = {"device": "cpu", "backend": gptqmodel.BACKEND.TORCH, "dtype": dtype}
    model: nn.Module = gptqmodel.GPTQModel.load(str(folder), **settings).model.eval()
    return model


def rounded(source: Source, weight: Tensor) -> Source:
    """The same source, every entry of which is ``weight``."""
    option = source.option("model.layers.0.mlp.up_proj")
    assert isinstance(option, Quantize)
    [[quantized]] = rtn([weight], None, [option])
    return replace(source, entry=lambda layer, option: quantized)


def test_a_zero_point_of_zero_is_never_stored_less_one(made: twins.Made, tmp_path: Path) -> None:
    """The trap: it would wrap to the largest code, and carry into its neighbour when a reader adds one."""
    name = "model.layers.0.mlp.up_proj"
    source = made("llama", {"*.up_proj": "rtn-int2-g32-asym"})
    positive = rounded(source, source.quantized(name).dequantize(torch.float32).abs())
    assert int(positive.quantized(name).unpacked_zeros().max()) == 0
    folder = written(positive, tmp_path / "export")
    config = json.loads((folder / "quantize_config.json").read_text())
    assert (config["checkpoint_format"], config["sym"]) == ("gptq_v2", False)
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        assert not file.get_tensor(f"{name}.qzeros").any()
    with pytest.raises(InputError, match=f"{name}: GPTQ's first form stores zero points less one and has no place"):
        packed.gptq(positive.quantized(name), packed.LESS_ONE, name)


def test_scales_beyond_float16_are_refused(made: twins.Made, tmp_path: Path) -> None:
    source = made("llama", {"*.up_proj": "rtn-int4-g32-sym"})
    tiny = rounded(source, source.quantized("model.layers.0.mlp.up_proj").dequantize(torch.float32) * 1e-20)
    with pytest.raises(
        InputError, match=r"up_proj: the scales must fit float16, got .*; keep the layer, or export as torchao"
    ):
        Gptq().write(tiny, tmp_path)


def test_rules_name_what_vllm_merges_where_it_agrees(made: twins.Made) -> None:
    source = made("llama", {"*": "rtn-int4-g32-sym", "*.0.mlp.*": "rtn-int8-g32-sym", "*.1.mlp.up_proj": "keep"} | KEPT)
    rules = base_and_rules(Plan.of(source.anatomy, source.configuration))["dynamic"]
    assert rule_for(rules, "model.layers.0.mlp.gate_up_proj") == ("+", {"bits": 8, "group_size": 32, "sym": True})
    assert rule_for(rules, "model.layers.1.mlp.gate_up_proj") is None
    assert rule_for(rules, "model.layers.1.mlp.up_proj") == ("-", {})
    assert rule_for(rules, "model.layers.1.mlp.gate_proj") is None  # the usual scheme
    assert rule_for(rules, "model.layers.01.mlp.up_proj") is None


KEPT = {"lm_head": "keep", "model.embed_tokens": "keep"}


def test_rules_for_a_layer_that_gptqmodel_splits_name_its_parts(made: twins.Made) -> None:
    """The trap: GPTQModel asks for Phi-3's gate_proj and up_proj, and would give them the usual bits."""
    source = made("phi3", {"*_proj": "rtn-int4-g32-sym", "*.0.mlp.gate_up_proj": "rtn-int8-g32-sym"})
    rules = base_and_rules(Plan.of(source.anatomy, source.configuration))["dynamic"]
    assert rule_for(rules, "model.layers.0.mlp.up_proj") == ("+", {"bits": 8, "group_size": 32, "sym": True})
    refusals = Gptq().refusals(source.anatomy, source.configuration)
    assert refusals[0].startswith("model.layers.0.mlp.gate_up_proj: GPTQModel takes gate_up_proj for two layers")


def test_what_has_no_place_is_refused(made: twins.Made) -> None:
    source = made("llama", {"*.0.mlp.up_proj": "rtn-int5-g32-sym", "lm_head": "rtn-int4-g32-sym"})
    refusals = Gptq().refusals(source.anatomy, source.configuration)
    assert [sentence.split(";")[0] for sentence in refusals] == [
        "model.layers.0.mlp.up_proj: gptq holds 2, 3, 4 and 8 bits, got rtn-int5-g32-sym",
        "lm_head: gptq keeps embeddings and the output head dense, got rtn-int4-g32-sym",
    ]


@pytest.mark.filterwarnings("ignore")
def test_gptqmodel_resolves_the_recipe_layer_by_layer(made: twins.Made, tmp_path: Path) -> None:
    source = made("llama", ASYMMETRIC, num_blocks=12)
    assert GptqModelDynamic().refusals(source.anatomy, source.configuration) == []
    GptqModelDynamic().write(source, tmp_path)
    content = json.loads((tmp_path / "quantize_config.json").read_text())
    check_rules(content, source)
    gptqmodel = pytest.importorskip("gptqmodel", reason="make check-loaders runs it")
    settings = gptqmodel.QuantizeConfig(**content)
    for name, option in source.configuration.options:
        override = settings.dynamic_get(name)
        if not isinstance(option, Quantize):
            assert override is False, name
        else:
            assert settings.dynamic_get(name, "bits", settings.bits) == option.bits_per_code
            assert settings.dynamic_get(name, "group_size", settings.group_size) == (option.group_size or -1)
            assert settings.dynamic_get(name, "sym", settings.sym) == option.symmetric
