"""A block that lost attention and MLP by two drops is left out as one that was dropped whole, where nothing is left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tiny_models import DECODER, HEAD_SIZE, SHARED, TINY, Tiny
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    CohereConfig,
    Gemma2Config,
    GPT2Config,
    MiniMaxConfig,
    Olmo2Config,
    OPTConfig,
    PreTrainedConfig,
    Qwen3Config,
)
from twins import DenseTwin, Logits, Made, make_source, source_of

from evaluators.checkpoint import load_model
from exporters.export import export
from exporters.formats import EXPORTERS, exporter
from exporters.hollow_blocks import hollow_blocks
from exporters.mlx import Mlx
from exporters.removal import Removal
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.option import DROP
from spaces.skeleton import skeleton
from spaces.weight_files import WHOLE

MORE: dict[str, PreTrainedConfig] = {
    "gemma2": Gemma2Config(**DECODER, num_hidden_layers=4, head_dim=HEAD_SIZE, query_pre_attn_scalar=HEAD_SIZE),  # type: ignore[arg-type]
    "olmo2": Olmo2Config(**DECODER, num_hidden_layers=4),  # type: ignore[arg-type]
    "cohere": CohereConfig(**DECODER, num_hidden_layers=4),  # type: ignore[arg-type]
}
# what is normed or scaled after its sum, and attentions that add their own input
OTHERS: dict[str, PreTrainedConfig] = {
    "opt": OPTConfig(
        **SHARED,  # type: ignore[arg-type]
        word_embed_proj_dim=64,
        ffn_dim=96,
        num_attention_heads=4,
        num_hidden_layers=2,
        do_layer_norm_before=False,
        max_position_embeddings=64,
    ),
    "bloom": BloomConfig(**SHARED, n_layer=2, n_head=4),  # type: ignore[arg-type]
    "minimax": MiniMaxConfig(**DECODER, num_hidden_layers=2, num_local_experts=2),  # type: ignore[arg-type]
}


def parts_of(source: Tiny, number: int) -> dict[str, str]:
    """The drops of both parts of a block."""
    anatomy = source.anatomy(number + 1)
    return {part.name: "drop" for part in anatomy.parts if part.block == number and part.part != "block"}


def saved(config: PreTrainedConfig, folder: Path) -> Path:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(folder)
    return folder


def check(source: Source, out: Path, twin: Any, logits: Logits) -> dict[str, Any]:
    """The dense export loads as the candidate, without the blocks; gives its config."""
    found = export(source, "dense", out)
    loaded = load_model(out, dtype=source.dtype)
    assert torch.equal(logits(loaded), logits(twin))
    assert len(find_anatomy(loaded).blocks) == len(source.removal.blocks)
    tensors = sum(parameter.nbytes for parameter in loaded.parameters())
    assert found.predicted_bytes == tensors
    content: dict[str, Any] = json.loads((out / "config.json").read_text("utf-8"))
    return content


@pytest.mark.parametrize("architecture", list(TINY))
def test_every_architecture_is_the_searched_candidate_without_the_block(
    architecture: str, made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path
) -> None:
    """Parallel parts (Falcon, GPT-NeoX), norms behind parts (Gemma), parts of no module (OPT), Conv1D (GPT-2)."""
    tiny = TINY[architecture]
    last = tiny.anatomy(4).parts[-3]  # the attention of the last block, or its MLP
    source = made(architecture, {"*": "rtn-int4-channel-sym", **parts_of(tiny, 1), last.name: "drop"}, num_blocks=4)
    assert source.removal.blocks == (0, 2, 3)
    assert [part.name for part in source.removal.zeroed] == [last.name]
    assert check(source, tmp_path / "out", dense_twin(source), logits)[tiny.depth] == 3


@pytest.mark.parametrize("architecture", list(MORE))
def test_norms_behind_the_parts_and_parallel_parts_make_no_difference(
    architecture: str, dense_twin: DenseTwin, logits: Logits, tmp_path: Path
) -> None:
    folder = saved(MORE[architecture], tmp_path / "model")
    drops = {f"model.layers.{number}.{part}": "drop" for number in (0, 2) for part in ("self_attn", "mlp")}
    source = source_of(tmp_path, folder, drops)
    assert source.removal.hollow == (0, 2)
    content = check(source, tmp_path / "out", dense_twin(source), logits)
    kinds = getattr(MORE[architecture], "layer_types", None)
    assert content.get("layer_types") == (None if kinds is None else [kinds[1], kinds[3]])


def test_lists_with_an_entry_for_each_block_are_shortened(
    dense_twin: DenseTwin, logits: Logits, tmp_path: Path
) -> None:
    kinds = ["full_attention", "sliding_attention", "sliding_attention", "full_attention"]
    config = Qwen3Config(
        **DECODER | {"head_dim": HEAD_SIZE},  # type: ignore[arg-type]
        num_hidden_layers=4,
        layer_types=kinds,
        use_sliding_window=True,
        sliding_window=4,
        max_window_layers=1,
    )
    drops = {"model.layers.0.self_attn": "drop", "model.layers.0.mlp": "drop", "model.layers.2": "drop"}
    source = source_of(tmp_path, saved(config, tmp_path / "model"), drops)
    content = check(source, tmp_path / "out", dense_twin(source), logits)
    assert content["layer_types"] == [kinds[1], kinds[3]]
    assert (content["num_hidden_layers"], content["max_window_layers"]) == (2, 0)


@pytest.mark.parametrize("architecture", list(OTHERS))
def test_a_block_of_which_something_is_left_stays(architecture: str) -> None:
    anatomy = find_anatomy(skeleton(OTHERS[architecture]))
    assert hollow_blocks(anatomy) == frozenset()
    parts = [part for part in anatomy.parts if part.block == 0 and part.part != "block"]
    removal = Removal.of(anatomy, Configuration.of({part.name: DROP for part in parts}))
    assert removal.blocks == (0, 1)
    assert removal.zeroed == tuple(parts)


def test_a_block_that_the_config_cannot_do_without_is_zeroed_as_before(
    dense_twin: DenseTwin, logits: Logits, tmp_path: Path
) -> None:
    config = GPT2Config(**SHARED, n_head=4, n_layer=3, n_positions=64, scale_attn_by_inverse_layer_idx=True)  # type: ignore[arg-type]
    folder = saved(config, tmp_path / "model")
    source = source_of(tmp_path, folder, {"transformer.h.1.attn": "drop", "transformer.h.1.mlp": "drop"})
    assert len(source.removal.zeroed) == 2
    check(source, tmp_path / "out", dense_twin(source), logits)
    whole = source_of(tmp_path, folder, {"transformer.h.1": "drop"})
    assert "cannot be removed" in exporter("dense").refusals(whole.anatomy, whole.configuration)[0]


def test_one_block_stays_whatever_is_dropped(made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path) -> None:
    source = made("llama", {**parts_of(TINY["llama"], 0), **parts_of(TINY["llama"], 1)})
    assert source.removal.blocks == (0, 1)
    check(source, tmp_path / "out", dense_twin(source), logits)


CHECKPOINTS = [name for name in EXPORTERS if exporter(name).info.kind == "checkpoint"]


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Source]:
    """One model with a block that lost its parts, and with that block dropped."""
    root = tmp_path_factory.mktemp("alike")
    rest = {"*_proj": "rtn-int4-g32-sym", "*.k_proj": "rtn-int8-g32-sym", "model.layers.3.mlp": "drop"}
    parts = make_source(root, "llama", rest | parts_of(TINY["llama"], 1), num_blocks=4)
    return parts, replace(parts, configuration=whole_block(parts.configuration))


def whole_block(configuration: Configuration) -> Configuration:
    return Configuration.of({**dict(configuration.options), "model.layers.1": DROP})


@pytest.mark.parametrize("format_", CHECKPOINTS)
def test_every_format_writes_the_files_of_a_dropped_block(
    format_: str, alike: tuple[Source, Source], tmp_path: Path
) -> None:
    if format_ == "gguf":
        pytest.importorskip("gguf")
    exported = [export(source, format_, tmp_path / str(number)) for number, source in enumerate(alike)]
    parts, whole = exported
    own = {"compression.json", "README.md", "SHA256SUMS"}
    names = [name for name in whole.files if name not in own]
    assert names == [name for name in parts.files if name not in own]
    for name in names:
        assert content_of(parts.folder / name) == content_of(whole.folder / name)
    assert parts.predicted_bytes == whole.predicted_bytes
    assert parts.savings[0] == whole.savings[0]
    assert "1 of 4 blocks are removed (model.layers.1)" in parts.savings[0]
    assert parts.savings[1] == "Of these, model.layers.1 had lost both attention and MLP by drops of their own."


def content_of(path: Path) -> object:
    """Of a safetensors file what is in it: its header has no order of its own."""
    if path.suffix != ".safetensors":
        return path.read_bytes()
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        described = {name: (tensor.dtype, tensor.shape, tensor.tobytes()) for name, tensor in tensors.items()}
        return file.metadata(), described


def test_llama_quantize_prunes_it(alike: tuple[Source, Source], tmp_path: Path) -> None:
    found = []
    for number, source in enumerate(alike):
        kept = Configuration.of({n: o for n, o in source.configuration.options if n != "model.layers.3.mlp"})
        kept = Configuration.of({n: o for n, o in kept.options if "layers.3.mlp" not in n})
        exported = export(replace(source, configuration=kept), "llama-quantize", tmp_path / str(number))
        found.append((exported.folder / "tensor-types.txt").read_text("utf-8"))
    assert found[0] == found[1]
    assert "^needs:--prune-layers:1$" in found[0]


def test_mlx_keeps_it_where_a_block_less_would_shift_the_kinds_of_others(made: Made, tmp_path: Path) -> None:
    drops = {"model.layers.1.self_attn": "drop", "model.layers.1.mlp": "drop"}
    source = made("gemma3", drops, num_blocks=6)
    assert source.removal.blocks == (0, 2, 3, 4, 5)
    assert Mlx().refusals(source.anatomy, source.configuration) == []
    exported = export(source, "mlx", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))["num_hidden_layers"] == 6
    stored = load_file(tmp_path / "out" / WHOLE)
    assert exported.predicted_bytes == sum(tensor.nbytes for tensor in stored.values())
    assert not stored["model.layers.1.mlp.down_proj.weight"].any()
    assert ["2 parts are zeroed" in sentence for sentence in exported.savings] == [True]
