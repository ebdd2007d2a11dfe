"""MLX checkpoints and predicates, loaded and converted with mlx-lm on the CPU."""

from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import twins
from safetensors import safe_open
from tiny_models import HIDDEN, TINY
from torch import Tensor

from exporters.export import export
from exporters.mlx import Mlx
from exporters.mlx_predicate import MlxPredicate
from exporters.source import Source
from spaces.errors import InputError
from spaces.option import Quantize

MIXED = {
    "*.self_attn.*": "rtn-int4-g32-sym",
    "*.0.mlp.*": "rtn-int3-g32-asym",
    "*.1.mlp.up_proj": "rtn-int5-g64-asym",
    "*.1.mlp.gate_proj": "rtn-int8-g64-sym",
    "*.1.mlp.down_proj": "rtn-int6-g32-asym",
    "*.1.self_attn.o_proj": "rtn-int2-g32-asym",
    "*.0.self_attn.k_proj": "keep",
}
TIED = MIXED | {"lm_head": "rtn-int8-g32-sym"}
UNTIED = TIED | {"model.embed_tokens": "rtn-int6-g32-asym"}


def written(source: Source, folder: Path) -> Path:
    folder.mkdir()
    assert Mlx().refusals(source.anatomy, source.configuration) == []
    Mlx().write(source, folder)
    return folder


def mlx_logits(folder: Path, ids: Tensor) -> Tensor:
    mx = pytest.importorskip("mlx.core")
    utils = pytest.importorskip("mlx_lm.utils")
    mx.set_default_device(mx.cpu)
    model, _ = utils.load_model(folder)
    return torch.from_numpy(np.array(model(mx.array(ids.numpy())).astype(mx.float32)))


def some_ids() -> Tensor:
    return torch.randint(0, 256, (4, 24), generator=torch.Generator().manual_seed(1))


@pytest.mark.filterwarnings("ignore:::(mlx|mlx_lm|transformers|torch|torchao)")
@pytest.mark.parametrize(
    ("architecture", "num_blocks", "options"),
    [
        ("llama", 2, MIXED),
        ("llama", 3, UNTIED | {"model.layers.0": "drop"}),
        ("mistral", 2, MIXED),
        ("phi3", 2, {"*_proj": "rtn-int4-g32-asym", "*.1.mlp.down_proj": "rtn-int6-g32-sym"}),
        ("gemma3", 6, TIED | {"*.0.self_attn": "drop"}),  # five sliding blocks and a full one, as mlx-lm expects
    ],
)
def test_mlx_lm_answers_as_the_searched_candidate(
    made: twins.Made,
    dense_twin: twins.DenseTwin,
    logits: twins.Logits,
    tmp_path: Path,
    architecture: str,
    num_blocks: int,
    options: dict[str, str],
) -> None:
    source = made(architecture, options, num_blocks=num_blocks)
    folder = written(source, tmp_path / "export")
    size = Mlx().size_bytes(source.anatomy, source.configuration)
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        assert sum(file.get_tensor(name).nbytes for name in file.keys()) == size  # noqa: SIM118
        assert file.metadata() == {"format": "mlx"}
    ids = some_ids()
    ours, theirs = logits(dense_twin(source), ids), mlx_logits(folder, ids)
    assert float((ours - theirs).abs().max()) < 0.05 * float(ours.std())
    assert float((ours.argmax(-1) == theirs.argmax(-1)).float().mean()) >= 0.95


LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}


@pytest.mark.filterwarnings("ignore:::(mlx|mlx_lm|transformers|torch|torchao)")
@pytest.mark.parametrize(
    ("architecture", "rope"),
    [
        ("llama", {"rope_type": "default", "rope_theta": 20.0}),
        ("llama", {"rope_theta": 20.0} | LLAMA3),
        ("mistral", {"rope_type": "default", "rope_theta": 20.0}),
        ("qwen3", {"rope_type": "linear", "factor": 4.0, "rope_theta": 20.0}),
        ("phi3", {"rope_type": "default", "rope_theta": 20.0, "partial_rotary_factor": 0.5}),
        ("gpt_neox", {"rope_type": "default", "rope_theta": 20.0, "partial_rotary_factor": 0.5}),
        (
            "gemma3",
            {
                "sliding_attention": {"rope_type": "default", "rope_theta": 20.0},
                "full_attention": {"rope_type": "default", "rope_theta": 90.0},
            },
        ),
    ],
)
def test_positions_turn_as_they_do_in_the_model(
    logits: twins.Logits, dense_twin: twins.DenseTwin, tmp_path: Path, architecture: str, rope: dict[str, object]
) -> None:
    """The trap: mlx-lm reads the keys of before transformers 5, which a model saved today has no more."""
    tiny = TINY[architecture]
    settings = dict(tiny.settings) | {"rope_parameters": rope}
    settings.pop("attention_bias", None)  # mlx-lm's Qwen3 has no biases
    settings |= {"intermediate_size": 4 * HIDDEN} if architecture == "gpt_neox" else {}  # the one that mlx-lm knows
    model = replace(tiny, settings=settings).model(6)
    for block in model.get_submodule(tiny.blocks).children():
        for name, parameter in block.named_parameters():  # so large that attention sees positions
            if any(word in name for word in ("q_proj", "k_proj", "qkv", "query_key_value")):
                parameter.mul_(8)
    model.save_pretrained(tmp_path / "model")  # type: ignore[operator]
    assert "rope_theta" not in json.loads((tmp_path / "model" / "config.json").read_text())
    source = twins.source_of(tmp_path, tmp_path / "model", {})
    folder = written(source, tmp_path / "export")
    ids = some_ids()
    ours = logits(dense_twin(source), ids)
    assert float((ours - mlx_logits(folder, ids)).abs().max()) < 0.01 * float(ours.std())
    config = json.loads((folder / "config.json").read_text())
    for key in ("rope_theta", "rope_scaling", "partial_rotary_factor", "rope_local_base_freq", "rotary_pct"):
        config.pop(key, None)
    config |= {"rotary_emb_base": 10_000.0, "rotary_pct": 0.25} if architecture == "gpt_neox" else {}
    if architecture != "qwen3":  # which reads the new ones
        (folder / "config.json").write_text(json.dumps(config))
        assert float((ours - mlx_logits(folder, ids)).abs().max()) > 0.2 * float(ours.std())  # positions matter here


@pytest.mark.filterwarnings("ignore:::(mlx|mlx_lm|transformers|torch|torchao)")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_weight_is_ours_up_to_the_rounding_of_its_scale(
    made: twins.Made, tmp_path: Path, dtype: torch.dtype
) -> None:
    mx = pytest.importorskip("mlx.core")
    source = made("llama", MIXED, dtype=dtype)
    folder = written(source, tmp_path / "export")
    unit = 2**-8 if dtype == torch.bfloat16 else 2**-11  # half a unit in the last place of the 16 bits
    tensors = mx.load(str(folder / "model.safetensors"))
    config = json.loads((folder / "config.json").read_text())["quantization"]
    checked = 0
    for name, option in source.configuration.options:
        if not isinstance(option, Quantize):
            assert config[name] is False
            continue
        parts = [tensors[f"{name}.{last}"] for last in ("weight", "scales", "biases")]
        decoded = mx.dequantize(parts[0], parts[1].astype(mx.float32), parts[2].astype(mx.float32), **config[name])
        quantized = source.quantized(name)
        wanted = quantized.dequantize(torch.float32)
        reach = quantized.scales.float().repeat_interleave(config[name]["group_size"], 1) * 2**option.bits_per_code
        error = (torch.from_numpy(np.array(decoded)) - wanted).abs()
        assert bool((error <= 2 * unit * reach).all()), name
        checked += 1
    assert checked == 13


def test_removed_blocks_of_a_model_with_two_kinds_of_blocks_are_refused(made: twins.Made, tmp_path: Path) -> None:
    """The trap: mlx-lm counts which block of Gemma is full attention, and does not read ``layer_types``."""
    source = made("gemma3", {"model.layers.1": "drop"}, num_blocks=6)
    [reason] = Mlx().refusals(source.anatomy, source.configuration)
    assert reason.startswith("mlx-lm counts which blocks of gemma3_text are of full_attention, sliding_attention")
    with pytest.raises(InputError, match=r"got 1 removed of 6; drop attentions or MLPs, or export gguf"):
        export(source, "mlx", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_mlx_has_no_room_for_is_refused(made: twins.Made) -> None:
    source = made("llama", {"*.0.mlp.up_proj": "rtn-int7-g32-sym", "*.1.mlp.up_proj": "rtn-int4-channel-sym"})
    refusals = Mlx().refusals(source.anatomy, source.configuration)
    assert [sentence.split(";")[0] for sentence in refusals] == [
        "model.layers.0.mlp.up_proj: MLX holds 2, 3, 4, 5, 6 and 8 bits, got rtn-int7-g32-sym",
        "model.layers.1.mlp.up_proj: MLX holds groups of 32, 64 and 128 alone, got rtn-int4-channel-sym",
    ]


@pytest.mark.filterwarnings("ignore:::(mlx|mlx_lm|transformers|torch|torchao)")
@pytest.mark.parametrize(("architecture", "options"), [("llama", UNTIED), ("phi3", {"*_proj": "rtn-int4-g32-asym"})])
def test_a_conversion_by_the_predicate_gives_every_layer_its_bits(
    made: twins.Made, tmp_path: Path, architecture: str, options: dict[str, str]
) -> None:
    pytest.importorskip("mlx.core")
    utils = pytest.importorskip("mlx_lm.utils")
    """The trap: a layer whose inputs the *general* group size does not divide is left dense, without a word."""
    source = made(architecture, options)
    assert MlxPredicate().refusals(source.anatomy, source.configuration) == []
    MlxPredicate().write(source, tmp_path)
    made_file = runpy.run_path(str(tmp_path / "quant_predicate.py"))
    predicate, group_size = made_file["quant_predicate"], made_file["GROUP_SIZE"]
    model, config = utils.load_model(source.model)
    model, config = utils.quantize_model(model, config, group_size, 4, quant_predicate=predicate)
    asked = written(source, tmp_path / "export")
    ours = json.loads((asked / "config.json").read_text())["quantization"]
    theirs = {name: choice for name, choice in config["quantization"].items() if isinstance(choice, dict)}
    assert {name: {"bits": c["bits"], "group_size": c["group_size"]} for name, c in theirs.items()} == {
        name: choice for name, choice in ours.items() if isinstance(choice, dict)
    }


def test_a_predicate_has_no_word_for_drops(made: twins.Made) -> None:
    source = made("llama", MIXED | {"*.1.mlp": "drop"})
    [sentence] = MlxPredicate().refusals(source.anatomy, source.configuration)
    assert sentence.startswith("model.layers.1.mlp: mlx-predicate has no word for drop; export the dropped model as")
