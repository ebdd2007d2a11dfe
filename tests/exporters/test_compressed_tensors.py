"""compressed-tensors checkpoints, loaded with transformers and the library's own decoder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import twins
from safetensors import safe_open
from torch import nn
from transformers import AutoModelForCausalLM

from exporters.compressed_tensors import CompressedTensors, quantization_config
from exporters.export import export
from exporters.linter import lint_folder
from exporters.plan import Plan
from exporters.source import Source
from spaces.option import Quantize

MIXED = {
    "*.self_attn.*": "rtn-int4-g32-sym",
    "*.0.mlp.*": "rtn-int3-channel-sym",
    "*.1.mlp.up_proj": "rtn-int5-g64-sym",
    "*.1.mlp.gate_proj": "rtn-int8-g64-sym",
    "*.1.mlp.down_proj": "rtn-int6-g32-sym",
    "*.1.self_attn.o_proj": "rtn-int2-g32-sym",
    "*.0.self_attn.o_proj": "rtn-int7-g32-sym",
    "*.0.self_attn.k_proj": "keep",
}
PHI = {"*.qkv_proj": "rtn-int4-g32-sym", "*.gate_up_proj": "rtn-int3-g64-sym", "*.1.mlp.down_proj": "rtn-int6-g32-sym"}
OPT = {"*.q_proj": "rtn-int4-g32-sym", "*.fc1": "rtn-int3-g64-sym", "*.1.fc2": "rtn-int8-channel-sym"}

pytestmark = pytest.mark.filterwarnings("ignore:::(torch|torchao|compressed_tensors|transformers)")


def written(source: Source, tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    folder.mkdir()
    assert CompressedTensors().refusals(source.anatomy, source.configuration) == []
    CompressedTensors().write(source, folder)
    return folder


def loaded(folder: Path, dtype: torch.dtype) -> nn.Module:
    pytest.importorskip("compressed_tensors")
    model: nn.Module = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    return model.eval()


def tensor_bytes(folder: Path) -> int:
    total = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            total += sum(file.get_tensor(name).nbytes for name in file.keys())  # noqa: SIM118
    return total


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("llama", MIXED),
        ("llama", MIXED | {"lm_head": "rtn-int8-g32-sym"}),
        ("llama", MIXED | {"model.layers.0": "drop"}),
        ("llama", MIXED | {"*.0.self_attn": "drop", "*.1.mlp": "drop"}),
        ("qwen3", MIXED),
        ("mistral", {"*.mlp.*": "rtn-int4-g32-sym"}),
        ("gemma3", MIXED),
        ("phi3", PHI),
        ("opt", OPT),
        ("gpt_neox", {"*.dense*": "rtn-int3-g32-sym", "*.query_key_value": "rtn-int5-channel-sym"}),
    ],
)
def test_it_loads_as_the_searched_candidate(
    made: twins.Made,
    dense_twin: twins.DenseTwin,
    logits: twins.Logits,
    tmp_path: Path,
    architecture: str,
    options: dict[str, str],
) -> None:
    source = made(architecture, options)
    folder = written(source, tmp_path)
    assert tensor_bytes(folder) == CompressedTensors().size_bytes(source.anatomy, source.configuration)
    assert torch.equal(logits(loaded(folder, torch.float32)), logits(dense_twin(source)))


def test_bfloat16_moves_weights_by_less_than_a_128th_and_float32_by_nothing(made: twins.Made, tmp_path: Path) -> None:
    """The trap: loaders cast scales to the model's dtype before they multiply."""
    source = made("llama", MIXED, dtype=torch.bfloat16)
    folder = written(source, tmp_path)
    exact, rounded = loaded(folder, torch.float32), loaded(folder, torch.bfloat16)
    ids = torch.zeros(1, 1, dtype=torch.int64)
    exact(ids)  # the first pass unpacks
    rounded(ids)
    largest = 0.0
    for name, option in source.configuration.options:
        if isinstance(option, Quantize):
            wanted = source.quantized(name).dequantize(torch.float32)
            assert torch.equal(exact.get_submodule(name).weight, wanted)
            error = (rounded.get_submodule(name).weight.float() - wanted).abs() / wanted.abs().clamp(min=1e-20)
            largest = max(largest, float(error.max()))
    assert 2**-8 < largest <= 2**-7 * (1 + 2**-7)


def test_the_librarys_other_decoder_gives_the_same_weights(made: twins.Made, tmp_path: Path) -> None:
    pytest.importorskip("compressed_tensors")
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationScheme

    source = made(
        "llama", MIXED | {"*.1.self_attn.o_proj": "rtn-int5-g32-asym", "*.0.self_attn.o_proj": "rtn-int3-channel-asym"}
    )
    folder = written(source, tmp_path)
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    decoder = BaseCompressor.get_value_from_registry("pack-quantized")
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        for group in config["config_groups"].values():
            for target in group["targets"]:
                scheme = QuantizationScheme(**group)
                names = [name for name in file.keys() if name.startswith(f"{target}.weight")]  # noqa: SIM118
                tensors = {name.removeprefix(f"{target}."): file.get_tensor(name) for name in names}
                tensors["weight_scale"] = tensors["weight_scale"].float()
                decoded = decoder.decompress(tensors, scheme)["weight"]
                assert torch.equal(decoded, source.quantized(target).dequantize(torch.float32)), target


def test_transformers_alone_refuses_asymmetric_layers_and_the_notes_say_so(made: twins.Made, tmp_path: Path) -> None:
    """The trap: compressed-tensors 0.18 to 0.20 expects a zero point of another shape. Fails when they mend it."""
    source = made("llama", {"*.mlp.*": "rtn-int4-g32-asym"})
    notes = CompressedTensors().notes(source.anatomy, source.configuration)
    assert "6 layers are asymmetric" in notes[0]
    folder = export(source, "compressed-tensors", tmp_path / "asymmetric").folder
    assert json.loads((folder / "compression.json").read_text("utf-8"))["notes"] == notes
    assert notes[0] in (folder / "README.md").read_text("utf-8")
    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        loaded(folder, torch.float32)


def test_falcon_fails_in_transformers_which_the_limits_say(made: twins.Made, tmp_path: Path) -> None:
    """Its initialisation reads weights that codes replace. Fails when they mend it."""
    source = made("falcon", {"*.dense*": "rtn-int4-g64-sym"})
    with pytest.raises(AttributeError, match="'FalconLinear' object has no attribute 'weight'"):
        loaded(written(source, tmp_path), torch.float32)
    assert any("Falcon" in sentence for sentence in CompressedTensors.info.limits)


def test_dequantize_at_loading_is_wrong_for_mixed_bits_which_the_limits_say(
    made: twins.Made, dense_twin: twins.DenseTwin, logits: twins.Logits, tmp_path: Path
) -> None:
    """The trap: every layer is decoded by the first group's scheme, without an error. Fails when they mend it."""
    pytest.importorskip("compressed_tensors")
    from transformers import CompressedTensorsConfig

    source = made("llama", {"*.up_proj": "rtn-int4-g32-sym", "*.gate_proj": "rtn-int8-g32-sym"})
    folder = written(source, tmp_path)
    wrong = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, quantization_config=CompressedTensorsConfig(dequantize=True)
    )
    right = logits(dense_twin(source))
    assert torch.equal(logits(loaded(folder, torch.float32)), right)
    assert float((logits(wrong.eval()) - right).abs().max()) > 0.01
    assert any("dequantize=True" in sentence for sentence in CompressedTensors.info.limits)


def test_a_symmetric_layer_has_no_zero_point_and_no_dense_weight(made: twins.Made, tmp_path: Path) -> None:
    source = made("qwen3", {"*.up_proj": "rtn-int4-g32-sym"})
    folder = written(source, tmp_path)
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        names = {name for name in file.keys() if ".0.mlp.up_proj." in name}  # noqa: SIM118
    assert {name.rpartition(".")[2] for name in names} == {"weight_packed", "weight_scale", "weight_shape"}


def test_every_linear_layer_is_a_target_or_ignored_by_its_exact_name(made: twins.Made, tmp_path: Path) -> None:
    """The trap: patterns are anchored at their start alone, and take precedence differently in vLLM."""
    source = made("llama", MIXED, num_blocks=12)
    config = quantization_config(Plan.of(source.anatomy, source.configuration))
    named = [*config["ignore"], *(name for group in config["config_groups"].values() for name in group["targets"])]
    layers = [layer.name for layer in (*source.anatomy.weights, *source.anatomy.outside) if not layer.is_lookup]
    assert sorted(named) == sorted(layers)
    assert "sparsity_config" not in config
    assert lint_folder(written(source, tmp_path)).errors[0].startswith("model.layers.0.self_attn.k_proj: dense, ")


def test_what_has_no_place_is_refused(made: twins.Made) -> None:
    untied = made("llama", {"model.embed_tokens": "rtn-int8-g32-sym"})
    refusals = CompressedTensors().refusals(untied.anatomy, untied.configuration)
    assert len(refusals) == 1
    assert refusals[0].startswith(
        "model.embed_tokens: compressed-tensors keeps embeddings dense, got rtn-int8-g32-sym; "
    )
    tied = made("qwen3", {"lm_head": "rtn-int8-g32-sym"})
    assert len(CompressedTensors().refusals(tied.anatomy, tied.configuration)) == 1
