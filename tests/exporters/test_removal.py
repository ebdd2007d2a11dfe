"""Dropped blocks are really removed, with everything that a config says of single blocks; parts are zeroed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import DECODER, HEAD_SIZE, TINY
from torch import nn
from transformers import AutoModelForCausalLM, GPT2Config, MixtralConfig, Phi3Config, PreTrainedConfig, Qwen3Config
from twins import DenseTwin, Logits, Made, source_of

from evaluators.checkpoint import load_model
from exporters.dense import Dense
from exporters.provenance import Provenance
from exporters.removal import Removal
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.errors import InputError
from spaces.option import DROP, KEEP
from spaces.skeleton import skeleton
from spaces.weight_files import WHOLE


def dropping(*names: str) -> Configuration:
    return Configuration.of(dict.fromkeys(names, DROP))


def saved(config: PreTrainedConfig, folder: Path) -> Path:
    """A random model of ``config``, all of whose weights count."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(folder)
    return folder


def written(source: Source, out: Path) -> nn.Module:
    out.mkdir()
    Dense().write(source, out)
    return load_model(out, dtype=source.dtype)


def test_names_lead_to_the_new_numbers_and_back() -> None:
    anatomy = TINY["llama"].anatomy(12)
    removal = Removal.of(anatomy, dropping("model.layers.0", "model.layers.10"))
    assert removal.blocks == (1, 2, 3, 4, 5, 6, 7, 8, 9, 11)
    assert removal.renamed("model.layers.1.mlp.up_proj.weight") == "model.layers.0.mlp.up_proj.weight"
    assert removal.renamed("model.layers.11") == "model.layers.9"
    assert removal.renamed("model.layers.10.mlp.up_proj") is None
    assert removal.renamed("model.norm.weight") == "model.norm.weight"
    assert removal.renamed("model.layers.1.mlp.experts.10.w1") == "model.layers.0.mlp.experts.10.w1"
    for name in (layer.name for layer in anatomy.weights):
        renamed = removal.renamed(name)
        assert renamed is None or removal.original(renamed) == name


def test_nothing_dropped_changes_nothing(made: Made) -> None:
    source = made("llama", {"*": "rtn-int4-g32-sym"})
    assert source.removal.savings() == []
    assert source.removal.num_removed == 0
    assert {name: source.removal.renamed(name) for name in source.names()} == {name: name for name in source.names()}


@pytest.mark.parametrize("architecture", list(TINY))
@pytest.mark.parametrize("kept", [(0,), (1,), (0, 2), (1, 2)])
def test_parameters_are_counted_as_they_are_stored(architecture: str, kept: tuple[int, ...]) -> None:
    tiny = TINY[architecture]
    anatomy = tiny.anatomy(3)
    removal = Removal.of(anatomy, dropping(*(f"{tiny.blocks}.{n}" for n in range(3) if n not in kept)))
    assert removal.kept_parameters == sum(each.numel() for each in tiny.skeleton(len(kept)).parameters())


def test_sliding_and_full_attention_stay_with_their_blocks(
    dense_twin: DenseTwin, logits: Logits, tmp_path: Path
) -> None:
    kinds = ["full_attention", "sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
    config = Qwen3Config(
        **DECODER | {"head_dim": HEAD_SIZE},  # type: ignore[arg-type]
        num_hidden_layers=5,
        layer_types=kinds,
        use_sliding_window=True,
        sliding_window=4,
        max_window_layers=1,
    )
    folder = saved(config, tmp_path / "model")
    source = source_of(tmp_path, folder, {"model.layers.0": "drop", "model.layers.2": "drop"})
    loaded = written(source, tmp_path / "out")
    content = json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))
    assert content["layer_types"] == [kinds[1], kinds[3], kinds[4]]
    assert (content["num_hidden_layers"], content["max_window_layers"]) == (3, 0)
    assert torch.equal(logits(loaded), logits(dense_twin(source)))


def test_a_window_that_all_blocks_have_stays(dense_twin: DenseTwin, logits: Logits, tmp_path: Path) -> None:
    config = Phi3Config(**DECODER, num_hidden_layers=3, sliding_window=4)  # type: ignore[arg-type]
    source = source_of(tmp_path, saved(config, tmp_path / "model"), {"model.layers.1": "drop"})
    assert torch.equal(logits(written(source, tmp_path / "out")), logits(dense_twin(source)))


def test_a_model_whose_blocks_know_their_place_is_refused(tmp_path: Path) -> None:
    config = GPT2Config(vocab_size=256, n_embd=64, n_head=4, n_layer=3, scale_attn_by_inverse_layer_idx=True)
    folder = saved(config, tmp_path / "model")
    source = source_of(tmp_path, folder, {"transformer.h.1": "drop"})
    with pytest.raises(InputError, match=r"transformer\.h\.1 cannot be removed .*scale_attn_by_inverse_layer_idx"):
        source.exported_config()


def test_a_config_that_would_mean_other_blocks_is_refused(tmp_path: Path) -> None:
    """A pattern by which every so many blocks differ cannot be said of fewer."""
    config = TINY["gemma3"].config_class(
        **dict(TINY["gemma3"].settings), num_hidden_layers=4, layer_types=["sliding_attention"] * 3 + ["full_attention"]
    )
    source = source_of(tmp_path, saved(config, tmp_path / "model"), {"model.layers.0": "drop"})
    assert source.exported_config()["layer_types"] == ["sliding_attention"] * 2 + ["full_attention"]
    again = Source.open(source.model, dropping("model.layers.0"), source.entry, Provenance(model="m"))
    again.config.layer_types = None  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"model\.layers\.0 cannot be removed from this model's checkpoint"):
        again.exported_config()


def test_dropped_experts_that_are_stacked_in_one_tensor_are_refused() -> None:
    config = MixtralConfig(**DECODER, num_local_experts=4, num_hidden_layers=2)  # type: ignore[arg-type]
    removal = Removal.of(find_anatomy(skeleton(config)), dropping("model.layers.0.mlp"))
    with pytest.raises(
        InputError, match=r"layers\.0\.mlp is dropped, but which of its stacked experts' .*whole blocks"
    ):
        removal.check()


def test_every_block_but_one_may_go(made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path) -> None:
    source = made("llama", {"model.layers.[012]": "drop", "model.layers.3.*": "rtn-int4-g32-sym"}, num_blocks=4)
    assert torch.equal(logits(written(source, tmp_path / "out")), logits(dense_twin(source)))


def test_parts_and_blocks_go_together(made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path) -> None:
    options = {
        "*": "rtn-int4-g32-asym",
        "model.layers.1": "drop",
        "model.layers.2.self_attn": "drop",
        "model.layers.3.self_attn": "drop",
        "model.layers.3.mlp": "drop",
        "model.layers.4.mlp": "drop",
    }
    source = made("qwen3", options, num_blocks=6)
    assert source.removal.blocks == (0, 2, 4, 5)
    assert torch.equal(logits(written(source, tmp_path / "out")), logits(dense_twin(source)))
    tensors = load_file(tmp_path / "out" / WHOLE)
    assert not tensors["model.layers.1.self_attn.o_proj.weight"].any()
    assert not tensors["model.layers.1.self_attn.o_proj.bias"].any()
    assert tensors["model.layers.1.self_attn.q_proj.weight"].any()


def test_a_part_that_nothing_makes_silent_is_refused() -> None:
    anatomy = TINY["llama"].anatomy()
    hidden = [layer for layer in anatomy.weights if not layer.name.endswith("down_proj")]
    strange = type(anatomy)(**{**vars(anatomy), "weights": tuple(hidden)})
    with pytest.raises(InputError, match=r"model\.layers\.0\.mlp is dropped, but which of .*gate_proj"):
        Removal.of(strange, dropping("model.layers.0.mlp")).check()


def test_older_names_and_buffers_of_checkpoints_are_understood(
    made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path
) -> None:
    """The hub's GPT-2 writes no prefix, and masks that are no parameters."""
    source = made("gpt2", {"transformer.h.1.*": "rtn-int4-g32-sym", "transformer.h.0": "drop"}, num_blocks=3)
    folder = tmp_path / "old"
    folder.mkdir()
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in load_file(source.model / WHOLE).items()}
    masks = {f"h.{number}.attn.bias": torch.ones(1, 1, 64, 64) for number in range(3)}
    save_file(tensors | masks, folder / WHOLE, {"format": "pt"})
    (folder / "config.json").write_bytes((source.model / "config.json").read_bytes())
    old = Source.open(folder, source.configuration, source.entry, Provenance(model="old"))
    assert old.names() == source.names()
    assert torch.equal(logits(written(old, tmp_path / "out")), logits(dense_twin(source)))


def test_a_head_stored_twice_is_written_once(made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path) -> None:
    source = made("qwen3", {"lm_head": "rtn-int4-g32-sym"})
    tensors = load_file(source.model / WHOLE)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, source.model / WHOLE, {"format": "pt"})
    again = Source.open(source.model, source.configuration, source.entry, Provenance(model="m"))
    assert "lm_head.weight" not in again.names()
    assert again.layer_of("model.embed_tokens.weight") == "lm_head"
    assert torch.equal(logits(written(again, tmp_path / "out")), logits(dense_twin(source)))


def test_a_layer_of_another_model_is_refused(made: Made) -> None:
    source = made("llama", {"*": "rtn-int4-g32-sym"})
    other = Configuration.of({"model.layers.7.mlp.up_proj": KEEP})
    with pytest.raises(InputError, match=r"the model has no layer 'model\.layers\.7\.mlp\.up_proj'"):
        Source.open(source.model, other, source.entry, Provenance(model="m"))
