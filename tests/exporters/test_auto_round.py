"""AutoRound checkpoints and layer configs, loaded with auto-round where it is installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import twins
from safetensors import safe_open
from tokenizers import Tokenizer, models
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from compressors.packing import unpack
from exporters.auto_round import AutoRound
from exporters.auto_round_config import AutoRoundConfig
from exporters.source import Source
from spaces.option import Quantize

SYMMETRIC = {
    "*.self_attn.*": "rtn-int4-g32-sym",
    "*.0.mlp.*": "rtn-int3-g32-sym",
    "*.1.mlp.up_proj": "rtn-int5-g64-sym",
    "*.1.mlp.gate_proj": "rtn-int8-channel-sym",
    "*.1.mlp.down_proj": "rtn-int6-g32-sym",
    "*.1.self_attn.o_proj": "rtn-int2-g32-sym",
    "*.0.self_attn.k_proj": "keep",
}
ASYMMETRIC = SYMMETRIC | {
    "*.0.mlp.*": "rtn-int3-g32-asym",
    "*.1.mlp.up_proj": "rtn-int8-g64-asym",
    "*.1.mlp.down_proj": "rtn-int4-channel-asym",
    "*.0.self_attn.q_proj": "rtn-int2-g32-asym",
}
FORMS = [pytest.param(SYMMETRIC, id="symmetric"), pytest.param(ASYMMETRIC, id="mixed-symmetry")]


def written(source: Source, folder: Path) -> Path:
    folder.mkdir()
    assert AutoRound().refusals(source.anatomy, source.configuration) == []
    AutoRound().write(source, folder)
    return folder


def by_hand(tensors: dict[str, Tensor], bits: int, shape: tuple[int, int], zero_shift: int) -> Tensor:
    """The container decoded in float64, element after element's group: `scale * (code - zero)`."""
    rows, columns = shape
    codes = unpack(tensors["qweight"].T.contiguous(), bits, columns).double()
    zeros = unpack(tensors["qzeros"], bits, rows).double() + zero_shift  # (groups, out)
    scales, group = tensors["scales"].double(), tensors["g_idx"].long()
    return (codes - zeros[group].T) * scales[group].T


@pytest.mark.parametrize("options", FORMS)
def test_the_tensors_decode_to_our_weights(made: twins.Made, tmp_path: Path, options: dict[str, str]) -> None:
    source = made("llama", options)
    folder = written(source, tmp_path / "export")
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    shift = 1 if config["packing_format"] == "auto_round:auto_gptq" else 0
    assert shift == (1 if options is SYMMETRIC else 0)
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert sum(t.nbytes for t in held.values()) == AutoRound().size_bytes(source.anatomy, source.configuration)
    for name, option in source.configuration.options:
        said = {**config, **config["extra_config"].get(name, {})}
        if not isinstance(option, Quantize):
            assert said["bits"] == 16
            continue
        assert (said["bits"], said["sym"]) == (option.bits_per_code, option.symmetric)
        assert said["group_size"] == (option.group_size or -1)
        tensors = {last: held[f"{name}.{last}"] for last in ("qweight", "qzeros", "scales", "g_idx")}
        quantized = source.quantized(name)
        decoded = by_hand(tensors, option.bits_per_code, quantized.shape, shift)
        assert torch.equal(decoded, quantized.dequantize(torch.float64)), name


@pytest.mark.filterwarnings("ignore")  # of auto-round's many dependencies
@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        pytest.param("llama", SYMMETRIC, id="symmetric"),
        pytest.param("qwen3", ASYMMETRIC, id="mixed-symmetry"),
        pytest.param("llama", ASYMMETRIC | {"model.layers.0": "drop"}, id="block-drop"),
        pytest.param("phi3", {"*_proj": "rtn-int4-g32-asym", "*.1.mlp.down_proj": "rtn-int8-g32-asym"}, id="phi3"),
        pytest.param("gpt2", {"*.c_fc": "rtn-int4-g32-sym", "*.1.attn.c_attn": "rtn-int8-channel-sym"}, id="gpt2"),
        pytest.param("opt", {"*.fc1": "rtn-int4-g32-sym", "*.1.fc2": "rtn-int6-channel-sym"}, id="opt"),
    ],
)
def test_auto_round_answers_as_the_searched_candidate(
    made: twins.Made,
    dense_twin: twins.DenseTwin,
    logits: twins.Logits,
    tmp_path: Path,
    architecture: str,
    options: dict[str, str],
) -> None:
    pytest.importorskip("auto_round")
    source = made(architecture, options, num_blocks=3)
    folder = written(source, tmp_path / "export")
    model = AutoModelForCausalLM.from_pretrained(folder, device_map="cpu").eval()
    ours, theirs = logits(dense_twin(source)), logits(model)
    assert float((ours - theirs).abs().max()) < 0.02 * float(ours.std())
    assert float((ours.argmax(-1) == theirs.argmax(-1)).float().mean()) >= 0.95


def test_names_that_changed_behind_a_removed_block_are_the_new_ones(made: twins.Made, tmp_path: Path) -> None:
    """The trap: auto-round reads a name that is no layer's as a pattern, and searches for it."""
    source = made("llama", SYMMETRIC | {"model.layers.0": "drop"})
    config = json.loads((written(source, tmp_path / "export") / "config.json").read_text())
    assert config["num_hidden_layers"] == 1
    assert {name.split(".")[2] for name in config["quantization_config"]["extra_config"] if "." in name} == {"0"}


def test_odd_widths_are_refused_beside_asymmetric_layers(made: twins.Made) -> None:
    source = made("llama", {"*.0.mlp.*": "rtn-int4-g32-asym", "*.1.mlp.up_proj": "rtn-int5-g32-sym"})
    [sentence] = AutoRound().refusals(source.anatomy, source.configuration)
    assert sentence.startswith(
        "model.layers.1.mlp.up_proj: an AutoRound file with asymmetric layers holds 2, 3, 4 and 8 bits, "
        "got rtn-int5-g32-sym; "
    )


NARROW = ASYMMETRIC | {"*.1.mlp.up_proj": "rtn-int5-g64-asym"}


def test_the_layer_config_names_every_layer(made: twins.Made, tmp_path: Path) -> None:
    source = made("llama", NARROW)
    assert AutoRoundConfig().refusals(source.anatomy, source.configuration) == []
    AutoRoundConfig().write(source, tmp_path)
    config = json.loads((tmp_path / "layer_config.json").read_text())
    assert config["model.layers.0.mlp.up_proj"] == {"bits": 3, "group_size": 32, "sym": False, "data_type": "int"}
    assert config["model.layers.0.self_attn.k_proj"] == {"bits": 16, "data_type": "float"}
    names = {layer.name for layer in (*source.anatomy.weights, *source.anatomy.outside) if not layer.is_lookup}
    assert set(config) == names


def test_the_layer_config_refuses_what_auto_round_refuses(made: twins.Made) -> None:
    source = made("llama", ASYMMETRIC)
    [sentence] = AutoRoundConfig().refusals(source.anatomy, source.configuration)
    assert sentence.startswith("model.layers.1.mlp.up_proj: AutoRound quantizes to 8 bits symmetrically alone, got ")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_auto_round_quantizes_by_the_layer_config(
    made: twins.Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto_round = pytest.importorskip("auto_round")
    monkeypatch.chdir(tmp_path)  # it leaves a folder where it runs
    source = made("llama", NARROW)
    AutoRoundConfig().write(source, tmp_path)
    config = json.loads((tmp_path / "layer_config.json").read_text())
    words = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
    model = AutoModelForCausalLM.from_pretrained(source.model)
    settings = {"scheme": "W4A16", "iters": 0, "disable_opt_rtn": True, "device_map": "cpu"}
    made_by_it, _ = auto_round.AutoRound(model, words, layer_config=config, **settings).quantize()
    for name, option in source.configuration.options:
        module = made_by_it.get_submodule(name)
        if isinstance(option, Quantize):
            found = (module.bits, module.group_size, module.sym)
            assert found == (option.bits_per_code, option.group_size or -1, option.symmetric), name
        else:
            assert getattr(module, "bits", 16) == 16, name
