"""torchao checkpoints, loaded with transformers and torchao."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, TorchAoConfig
from twins import DenseTwin, Logits, Made

from evaluators.export_folder import load_export
from exporters.export import export
from exporters.source import Source
from exporters.torchao import TorchAo
from spaces.option import Quantize
from spaces.weight_files import weight_files

pytestmark = pytest.mark.filterwarnings("ignore:::(torchao|torch|transformers)")
MIXED = {
    "*.self_attn.*": "rtn-int4-g32-sym",
    "*.0.mlp.*": "rtn-int3-g32-asym",
    "*.1.mlp.up_proj": "rtn-int5-g64-asym",
    "*.1.mlp.gate_proj": "rtn-int8-channel-asym",
    "*.1.mlp.down_proj": "rtn-int6-channel-sym",
    "*.1.self_attn.o_proj": "rtn-int2-g32-sym",
    "*.1.self_attn.v_proj": "rtn-int7-g32-asym",
    "*.0.self_attn.k_proj": "keep",
}
UNTIED = MIXED | {"lm_head": "rtn-int8-g32-sym"}


def written(source: Source, folder: Path) -> Path:
    folder.mkdir()
    assert TorchAo().refusals(source.anatomy, source.configuration) == []
    TorchAo().write(source, folder)
    return folder


def loaded(folder: Path, **settings: Any) -> Any:
    pytest.importorskip("torchao")
    return AutoModelForCausalLM.from_pretrained(folder, **settings)


def header(folder: Path) -> tuple[dict[str, tuple[str, list[int]]], dict[str, object]]:
    """Types and shapes of all tensors by name, and what the header says of them."""
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        says = {key: json.loads(value) for key, value in file.metadata().items() if key != "format"}
        return {name: (each.get_dtype(), each.get_shape()) for name, each in slices.items()}, says


@pytest.mark.parametrize(
    ("architecture", "options", "dtype"),
    [
        ("llama", UNTIED, torch.float32),
        ("llama", UNTIED, torch.float16),
        ("qwen3", MIXED, torch.bfloat16),
        ("llama", UNTIED | {"model.layers.0": "drop"}, torch.float32),
        ("llama", MIXED | {"*.0.self_attn": "drop"}, torch.float32),
        ("phi3", {"*_proj": "rtn-int4-g32-asym", "*.1.mlp.down_proj": "rtn-int6-g32-sym"}, torch.float32),
        ("opt", {"*_proj": "rtn-int3-g32-sym", "*.fc1": "rtn-int8-channel-asym"}, torch.float32),
        ("gpt_neox", {"*.mlp.*": "rtn-int4-g32-sym", "lm_head": "rtn-int8-g32-sym"}, torch.float32),
    ],
)
def test_the_loaded_model_is_the_searched_candidate(
    made: Made,
    dense_twin: DenseTwin,
    logits: Logits,
    tmp_path: Path,
    architecture: str,
    options: dict[str, str],
    dtype: torch.dtype,
) -> None:
    source = made(architecture, options, dtype=dtype, num_blocks=3 if "model.layers.0" in options else 2)
    model = loaded(written(source, tmp_path / "export"))
    packed = [name for name, weight in model.named_parameters() if type(weight).__name__ == "IntxUnpackedToInt8Tensor"]
    wanted = [name for name, option in source.configuration.options if isinstance(option, Quantize)]
    assert len(packed) == sum(not source.removal.is_idle(name) for name in wanted)
    assert torch.equal(logits(model), logits(dense_twin(source)))


def test_shards_and_an_untouched_model_load_as_well(
    made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path
) -> None:
    source = made("reference", {"*.mlp.*": "rtn-int4-g64-asym", "*.self_attn.*": "rtn-int3-g32-sym"})
    done = export(source, "torchao", tmp_path / "out")
    assert done.is_as_predicted, done.deviation
    with safe_open(weight_files(done.folder)[0], framework="pt") as file:
        nbytes = sum(file.get_tensor(name).nbytes for name in file.keys())  # noqa: SIM118 (no mapping)
    assert nbytes == done.predicted_bytes
    assert torch.equal(logits(loaded(done.folder)), logits(dense_twin(source)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_moving_it_rounds_its_scales_which_the_limits_say(made: Made, tmp_path: Path, dtype: torch.dtype) -> None:
    """The trap, and how `load_export` avoids it: torchao's ``.to`` casts scales too, even where nothing is moved."""
    name = "model.layers.0.mlp.up_proj"
    source = made("llama", MIXED, dtype=torch.bfloat16)
    folder = written(source, tmp_path / "export")
    model = loaded(folder)
    assert model.get_submodule(name).weight.scale.dtype == torch.float16
    assert model.to("cpu").get_submodule(name).weight.scale.dtype == torch.bfloat16
    assert any(".to rounds" in sentence for sentence in TorchAo.info.limits)
    measured = load_export(folder, dtype=dtype).get_submodule(name).weight
    assert torch.equal(measured, source.quantized(name).dequantize(dtype))


def test_the_file_is_as_torchao_itself_saves_one(made: Made, tmp_path: Path) -> None:
    """By our ``quant_type`` as a recipe: the dense model, quantized and saved by transformers and torchao."""
    pytest.importorskip("torchao")
    source = made("llama", MIXED)  # without a head: torchao's ``save_pretrained`` is asked for blocks alone
    folder = written(source, tmp_path / "export")
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    assert config.pop("quant_method") == "torchao"
    recipe = TorchAoConfig.from_dict(config)
    assert recipe.to_dict()["quant_type"] == config["quant_type"]
    loaded(source.model, quantization_config=recipe).save_pretrained(tmp_path / "theirs")
    ours, our_words = header(folder)
    theirs, their_words = header(tmp_path / "theirs")
    assert sorted(our_words.pop("tensor_names")) == sorted(their_words.pop("tensor_names"))  # type: ignore[call-overload]
    assert our_words == their_words
    scales = {name for name in ours if name.endswith("_scale")}  # ours have 16 bits, theirs those of the model
    assert {name: each for name, each in ours.items() if name not in scales} == {
        name: each for name, each in theirs.items() if name not in scales
    }
    assert {name: ours[name][1] for name in scales} == {name: theirs[name][1] for name in scales}


def test_every_name_is_exact(made: Made, tmp_path: Path) -> None:
    """The trap: regexes are sorted on saving, and one that hits a norm raises; names do neither."""
    source = made("llama", MIXED, num_blocks=12)
    content = json.loads((written(source, tmp_path / "export") / "config.json").read_text())
    kinds = content["quantization_config"]["quant_type"]["default"]["_data"]["fqn_to_config"]
    options = dict(source.configuration.options)
    assert set(kinds) == {*options, "lm_head"}
    assert {name for name, kind in kinds.items() if kind is not None} == {
        name for name, option in options.items() if isinstance(option, Quantize)
    }


def test_what_torchao_has_no_room_for_is_refused(made: Made) -> None:
    source = made("llama", {"model.embed_tokens": "rtn-int8-g32-sym"})
    [sentence] = TorchAo().refusals(source.anatomy, source.configuration)
    assert sentence.startswith("model.embed_tokens: torchao keeps embeddings dense, got rtn-int8-g32-sym")
