"""GGUF files as llama.cpp itself runs them: KL to the searched candidate, and top-1; it rounds activations as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import llama_cpp
import pytest
import torch
import twins
from gguf_models import setting, small_model, write

from evaluators.checkpoint import load_tokenizer

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")

LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}


@pytest.mark.parametrize(
    ("options", "architecture", "most"),
    [
        ({}, "llama", 1e-5),
        ({"*.mlp.*": "ggml-q4_k", "*.q_proj": "rtn-int4-g32-sym", "*.k_proj": "ggml-iq3_s"}, "llama", 1e-3),
        ({"model.layers.0": "drop", "model.layers.5": "drop"}, "llama", 1e-4),
        ({"model.layers.5.self_attn": "drop", "model.layers.0.self_attn": "drop"}, "deci", 1e-5),
        (dict.fromkeys(("model.layers.7.mlp", "model.layers.9.self_attn", "model.layers.9.mlp"), "drop"), "deci", 1e-5),
    ],
)
def test_the_reference_model_predicts_what_was_searched(
    options: dict[str, str], architecture: str, most: float, tmp_path: Path
) -> None:
    source = twins.source_of(tmp_path, twins.REFERENCE, options)
    file = write(source, tmp_path / "out")
    assert setting(file, "general.architecture") == architecture
    twin = twins.dense_twin(source, torch.float32)
    divergence, agreement = llama_cpp.compare(twin, file, source.model)
    assert divergence < most
    assert agreement >= 0.9


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("qwen2", {}), ("qwen3", {}), ("llama", {"rope_parameters": LLAMA_3}), ("llama", {"rope_parameters": LINEAR})],
)
def test_other_models_and_scaled_positions(kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    source = twins.source_of(tmp_path, small_model(tmp_path, kind, **settings), {"*.q_proj": "rtn-int8-g32-sym"})
    file = write(source, tmp_path / "out")
    divergence, agreement = llama_cpp.compare(twins.dense_twin(source, torch.float32), file, source.model)
    assert divergence < 1e-4
    assert agreement >= 0.9


def test_text_is_cut_as_by_the_models_own_tokenizer(tmp_path: Path) -> None:
    source = twins.source_of(tmp_path, twins.REFERENCE, {"*_proj": "rtn-int4-g32-sym"})
    runtime = llama_cpp.LlamaCpp(write(source, tmp_path / "out"))
    tokenizer = load_tokenizer(twins.REFERENCE)
    text = llama_cpp.TEXT.read_text("utf-8")[:2000] + "  don't you?\n\n\t1,234 “Ünïcode” 中文 🙂<br>"
    assert runtime.tokens(text) == tokenizer(text)["input_ids"]
