"""A model of seconds: a tiny random Llama with the reference model's tokenizer, for tests and for chaos."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

REFERENCE = Path(__file__).parents[1] / "examples" / "reference-model"  # its tokenizer


def save_tiny_model(folder: Path) -> None:
    """A Llama of 21 linear layers; its random weights are large enough for compression to show."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=4096,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=256,
            initializer_range=0.15,
            bos_token_id=0,
            eos_token_id=0,
            tie_word_embeddings=True,
            dtype="bfloat16",
        )
        model = LlamaForCausalLM(config)
        model.bfloat16()
        model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((REFERENCE / name).read_bytes())
