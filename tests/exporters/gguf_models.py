"""Small models with the reference model's vocabulary, and what a GGUF file says of itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, Qwen2Config, Qwen3Config
from twins import REFERENCE

from exporters.gguf import Gguf
from exporters.source import Source

CONFIGS: dict[str, type[PreTrainedConfig]] = {"llama": LlamaConfig, "qwen2": Qwen2Config, "qwen3": Qwen3Config}
SETTINGS: dict[str, Any] = {
    "vocab_size": 4096,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 128,  # what transformers takes every qwen3 in GGUF to have
    "max_position_embeddings": 256,
    "tie_word_embeddings": False,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def settings_of(kind: str) -> dict[str, Any]:
    """Qwen2 has no head size of its own."""
    return {key: value for key, value in SETTINGS.items() if (kind, key) != ("qwen2", "head_dim")}


def small_model(root: Path, kind: str, **settings: Any) -> Path:
    """The folder of a random model that llama.cpp can load, every parameter of it random."""
    torch.manual_seed(0)
    config = CONFIGS[kind](**(settings_of(kind) | settings))
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.03)
    folder = root / f"model-{kind}"
    model.save_pretrained(folder)
    for name in TOKENIZER_FILES:
        shutil.copy(REFERENCE / name, folder / name)
    return folder


def write(source: Source, folder: Path) -> Path:
    """The GGUF file of a source that has nothing against it."""
    exporter = Gguf()
    assert exporter.refusals(source.anatomy, source.configuration) == []
    folder.mkdir(parents=True)
    exporter.write(source, folder)
    return folder / "model.gguf"


def tensors(file: Path) -> dict[str, Any]:
    """By name, as the gguf package reads them."""
    import gguf

    return {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}


def types(file: Path) -> dict[str, str]:
    """The ggml type of each tensor, in lower case."""
    return {name: tensor.tensor_type.name.lower() for name, tensor in tensors(file).items()}


def setting(file: Path, key: str) -> Any:
    import gguf

    field = gguf.GGUFReader(file).get_field(key)
    return None if field is None else field.contents()
