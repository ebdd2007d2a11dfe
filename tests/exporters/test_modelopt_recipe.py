"""The ModelOpt recipe, read and run by ModelOpt itself where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from twins import Made

from evaluators.checkpoint import load_model
from exporters.modelopt import ModelOpt
from exporters.source import Source

MIXED = {
    "*.self_attn.*": "rtn-int4-g32-sym",
    "*.0.mlp.*": "rtn-int3-channel-sym",
    "*.1.mlp.up_proj": "rtn-int8-g64-sym",
    "*.1.self_attn.k_proj": "keep",
}


def written(source: Source, folder: Path) -> Path:
    assert ModelOpt().refusals(source.anatomy, source.configuration) == []
    ModelOpt().write(source, folder)
    return folder / "modelopt.yaml"


@pytest.mark.filterwarnings("ignore")  # ModelOpt warns of versions it has not seen
def test_modelopt_gives_every_layer_its_bits(made: Made, tmp_path: Path) -> None:
    """The traps: ``*weight_quantizer`` also hits embeddings, and ``layers.1.*`` would hit 10 and 11."""
    quantization = pytest.importorskip("modelopt.torch.quantization")
    recipes = pytest.importorskip("modelopt.recipe")
    source = made("llama", {each.replace(".1.", ".11."): slug for each, slug in MIXED.items()}, num_blocks=12)
    rules = recipes.load_recipe(written(source, tmp_path)).quantize.model_dump()
    ids = torch.zeros(1, 4, dtype=torch.long)
    model = load_model(source.model, dtype=torch.float32)
    model = quantization.quantize(model, rules, forward_loop=lambda each: each(input_ids=ids))
    done = {}
    for name, module in model.named_modules():
        if name.endswith("quantizer") and module.is_enabled:
            group = f"g{module.block_sizes[-1]}" if module.block_sizes else "channel"
            done[name] = f"rtn-int{module.num_bits}-{group}-sym"
    assert done == {
        f"{name}.weight_quantizer": option.slug
        for name, option in source.configuration.options
        if option.slug != "keep"
    }
    layer = model.get_submodule("model.layers.0.mlp.up_proj")
    rounded = layer.weight_quantizer(layer.weight)
    assert all(len(row.unique()) <= 2**3 for row in rounded)
    assert not torch.equal(rounded, layer.weight)


def test_the_recipe_disables_everything_first_and_names_each_layer(made: Made, tmp_path: Path) -> None:
    source = made("llama", MIXED)
    content = yaml.safe_load(written(source, tmp_path).read_text(encoding="utf-8"))
    assert content["metadata"]["recipe_type"] == "ptq"
    first, *rules = content["quantize"]["quant_cfg"]
    assert first == {"quantizer_name": "*", "enable": False}
    by_name = {rule["quantizer_name"].removesuffix(".weight_quantizer"): rule["cfg"] for rule in rules}
    assert sorted(by_name) == [name for name, option in source.configuration.options if option.slug != "keep"]
    assert by_name["model.layers.0.mlp.up_proj"] == {"num_bits": 3, "axis": 0}
    assert by_name["model.layers.1.mlp.up_proj"] == {"num_bits": 8, "block_sizes": {-1: 64, "type": "static"}}


def test_asymmetric_layers_and_drops_are_refused(made: Made) -> None:
    source = made("llama", {"*.0.mlp.up_proj": "rtn-int4-g32-asym", "model.layers.1": "drop"})
    drop, zero = ModelOpt().refusals(source.anatomy, source.configuration)
    assert drop.startswith("model.layers.1: modelopt has no word for drop; export the dropped model as dense")
    assert zero.startswith("model.layers.0.mlp.up_proj: ModelOpt's integer weights are symmetric, got rtn-int4-g32-a")
