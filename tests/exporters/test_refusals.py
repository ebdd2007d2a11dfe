"""What can be known before writing is said by ``refusals``: an export that cannot be whole is not begun."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import twins
from tiny_models import SHARED, TINY
from transformers import GPT2Config

from exporters.export import export
from exporters.formats import EXPORTERS, exporter
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy, find_anatomy
from spaces.errors import InputError
from spaces.option import DROP
from spaces.skeleton import skeleton

CHECKPOINTS = [name for name in EXPORTERS if exporter(name).info.kind == "checkpoint"]
TRANSPOSED = ("compressed-tensors", "mlx", "mlx-predicate", "torchao", "openvino", "llm-compressor", "modelopt")
WITH_CONV1D = ("auto-round", "gptq", "auto-round-config", "gptqmodel-dynamic", "dense", "configuration")


def refused(source: Source, format_: str, match: str, out: Path) -> None:
    """``refusals`` says it, and an export ends there."""
    reasons = exporter(format_).refusals(source.anatomy, source.configuration)
    assert any(re.search(match, reason) for reason in reasons), reasons
    with pytest.raises(InputError, match=f"format {format_}: "):
        export(source, format_, out)
    assert list(out.parent.glob("*out*")) == []  # no draft either


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Source:
    options = {"*.c_fc": "rtn-int4-channel-sym", "*.c_attn": "rtn-int8-channel-sym"}
    return twins.make_source(tmp_path_factory.mktemp("gpt2"), "gpt2", options)


@pytest.mark.parametrize("format_", TRANSPOSED)
def test_conv1d_layers_are_refused_where_they_would_be_taken_for_linear_ones(
    format_: str, gpt2: Source, tmp_path: Path
) -> None:
    match = rf"^transformer\.h\.0\.\w+\.\w+: {format_.removesuffix('-predicate')}.* Conv1D as in GPT-2, got rtn-int"
    refused(gpt2, format_, match, tmp_path / "out")


@pytest.mark.parametrize("format_", WITH_CONV1D)
def test_conv1d_layers_are_no_matter_elsewhere(format_: str, gpt2: Source) -> None:
    assert exporter(format_).refusals(gpt2.anatomy, gpt2.configuration) == []


@pytest.mark.parametrize("architecture", ["gemma3", "mistral", "qwen3"])
def test_a_model_that_gguf_would_mean_otherwise(architecture: str, made: twins.Made, tmp_path: Path) -> None:
    wanted = {"qwen3": "attention_bias must be false .* got True"}.get(architecture, "model_type must be one of llama")
    refused(made(architecture, {"*.q_proj": "rtn-int4-g32-sym"}), "gguf", wanted, tmp_path / "out")


@pytest.mark.parametrize("format_", [name for name in CHECKPOINTS if name != "gguf"])
def test_a_block_that_the_config_cannot_do_without(format_: str, made: twins.Made, tmp_path: Path) -> None:
    """No format but GGUF, which is of other models, has another config than the model's own."""
    config = GPT2Config(**SHARED, n_head=4, n_layer=3, n_positions=64, scale_attn_by_inverse_layer_idx=True)  # type: ignore[arg-type]
    anatomy = find_anatomy(skeleton(config))
    source = replace(made("gpt2", {}, num_blocks=3), anatomy=anatomy, config=config)
    dropped = replace(source, configuration=Configuration.of({"transformer.h.1": DROP}))
    match = (
        r"^transformer\.h\.1 cannot be removed .*scale_attn_by_inverse_layer_idx.* choose a configuration that drops"
    )
    refused(dropped, format_, match, tmp_path / "out")


@pytest.mark.parametrize("format_", [name for name in CHECKPOINTS if name != "gguf"])
def test_a_part_that_no_zeros_silence(format_: str, made: twins.Made, tmp_path: Path) -> None:
    source = made("llama", {})
    dropped = replace(source, anatomy=renamed(source.anatomy), configuration=Configuration.of({DROPPED: DROP}))
    refused(dropped, format_, rf"^{re.escape(DROPPED)} is dropped, but which of .* is not known", tmp_path / "out")


DROPPED = "model.layers.0.mlp"


def renamed(anatomy: Anatomy) -> Anatomy:
    """A model whose MLPs end in a module of a name that nobody knows."""
    changed: dict[str, Any] = {
        "weights": tuple(replace(each, name=each.name.replace("down_proj", "final")) for each in anatomy.weights)
    }
    return replace(anatomy, **changed)


def test_anatomies_know_their_config_without_being_other_anatomies() -> None:
    anatomy = TINY["gemma3"].anatomy()
    assert anatomy.config is not None
    assert anatomy.config.model_type == "gemma3_text"
    assert replace(anatomy, config=None) == anatomy
