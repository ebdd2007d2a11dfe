"""llm-compressor's recipe, read by its own loader and run data-free where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
import twins
import yaml
from torch import nn
from transformers import AutoModelForCausalLM

from exporters.compressed_tensors import quantization_config
from exporters.llm_compressor import LlmCompressor
from exporters.plan import Plan
from exporters.source import Source

MIXED = {
    "*.self_attn.*": "rtn-int4-g32-sym",
    "*.0.mlp.*": "rtn-int3-channel-sym",
    "*.1.mlp.up_proj": "rtn-int5-g64-asym",
    "*.0.self_attn.k_proj": "keep",
}


def written(source: Source, folder: Path) -> Path:
    assert LlmCompressor().refusals(source.anatomy, source.configuration) == []
    LlmCompressor().write(source, folder)
    return folder / "recipe.yaml"


@pytest.mark.parametrize(("architecture", "options"), [("llama", MIXED), ("llama", {"*": "keep"})])
def test_the_recipe_says_what_the_checkpoint_says(
    made: twins.Made, tmp_path: Path, architecture: str, options: dict[str, str]
) -> None:
    source = made(architecture, options)
    recipe = yaml.safe_load(written(source, tmp_path).read_text())
    modifier = recipe["quant_stage"]["quant_modifiers"]["QuantizationModifier"]
    said = quantization_config(Plan.of(source.anatomy, source.configuration))
    assert modifier["ignore"] == said["ignore"]
    assert modifier["config_groups"] == {
        name: {"targets": group["targets"], "weights": group["weights"]}
        for name, group in said["config_groups"].items()
    }


def test_layers_solved_on_text_ask_for_the_modifier_that_reads_text(made: twins.Made, tmp_path: Path) -> None:
    from dataclasses import replace

    from spaces.configuration import Configuration
    from spaces.option import Quantize

    source = made("llama", MIXED)
    options = {
        name: replace(option, solver="gptq") if isinstance(option, Quantize) else option
        for name, option in source.configuration.options
    }
    recipe = yaml.safe_load(written(replace(source, configuration=Configuration.of(options)), tmp_path).read_text())
    assert list(recipe["quant_stage"]["quant_modifiers"]) == ["GPTQModifier"]


@pytest.mark.filterwarnings("ignore")  # of llm-compressor's many dependencies
def test_llm_compressor_gives_every_layer_its_scheme(made: twins.Made, tmp_path: Path) -> None:
    llmcompressor = pytest.importorskip("llmcompressor", reason="make check-loaders runs it")
    source = made("llama", MIXED)
    recipe = written(source, tmp_path)
    model = AutoModelForCausalLM.from_pretrained(source.model)
    llmcompressor.oneshot(model=model, recipe=str(recipe))
    plan = Plan.of(source.anatomy, source.configuration)
    wanted = {each.name: each.scheme for each in plan.quantized}
    found = {name: _scheme(module) for name, module in model.named_modules() if _scheme(module) is not None}
    assert found == wanted


def _scheme(module: nn.Module) -> tuple[int, int, bool] | None:
    scheme = getattr(module, "quantization_scheme", None)
    if scheme is None:
        return None
    return scheme.weights.num_bits, scheme.weights.group_size or -1, scheme.weights.symmetric


def test_drops_have_no_word(made: twins.Made) -> None:
    source = made("llama", MIXED | {"model.layers.1": "drop"})
    [sentence] = LlmCompressor().refusals(source.anatomy, source.configuration)
    assert sentence.startswith("model.layers.1: llm-compressor has no word for drop; export the dropped model as dense")
