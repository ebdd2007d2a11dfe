"""Models whose parts add the residual stream themselves, have norms behind them, answer with lists or stack experts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from tiny_models import DECODER, HEAD_SIZE
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma2Config,
    Glm4Config,
    GptOssConfig,
    GraniteMoeConfig,
    MixtralConfig,
    MptConfig,
    Olmo2Config,
    OlmoeConfig,
    OpenAIGPTConfig,
    PreTrainedConfig,
    Qwen3MoeConfig,
)

from compressors.bank import Bank
from evaluators.live import LiveModel
from spaces.discovery import find_anatomy

EXPERTS = DECODER | {"moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2}
HEADED = DECODER | {"head_dim": HEAD_SIZE}
LOCAL = DECODER | {"num_local_experts": 4, "num_experts_per_tok": 2}
CONFIGS: dict[str, Callable[[], PreTrainedConfig]] = {
    "bloom": lambda: BloomConfig(vocab_size=256, hidden_size=64, n_head=4, n_layer=3),
    "bloom, residual behind the norm": lambda: BloomConfig(
        vocab_size=256, hidden_size=64, n_head=4, n_layer=3, apply_residual_connection_post_layernorm=True
    ),
    "mpt": lambda: MptConfig(vocab_size=256, d_model=64, n_heads=4, n_layers=3, max_seq_len=64),
    "openai-gpt": lambda: OpenAIGPTConfig(vocab_size=256, n_positions=64, n_embd=64, n_layer=3, n_head=4),
    "gemma2": lambda: Gemma2Config(**HEADED, num_hidden_layers=3),  # type: ignore[arg-type]
    "olmo2": lambda: Olmo2Config(**DECODER, num_hidden_layers=3),  # type: ignore[arg-type]
    "glm4": lambda: Glm4Config(**HEADED, num_hidden_layers=3),  # type: ignore[arg-type]
    "mixtral": lambda: MixtralConfig(**LOCAL, num_hidden_layers=3),  # type: ignore[arg-type]
    "gpt_oss": lambda: GptOssConfig(**LOCAL, head_dim=HEAD_SIZE, num_hidden_layers=3),  # type: ignore[arg-type]
    "granitemoe": lambda: GraniteMoeConfig(**LOCAL, num_hidden_layers=3),  # type: ignore[arg-type]
    "olmoe": lambda: OlmoeConfig(**EXPERTS, num_hidden_layers=3),  # type: ignore[arg-type]
    "qwen3_moe": lambda: Qwen3MoeConfig(**EXPERTS, head_dim=HEAD_SIZE, num_hidden_layers=3),  # type: ignore[arg-type]
}


def made(name: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: nn.Module = AutoModelForCausalLM.from_config(CONFIGS[name]()).float()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.eval().requires_grad_(False)


def live_model(name: str, root: Path) -> LiveModel:
    """One of ``CONFIGS`` with an empty bank."""
    model = made(name)
    return LiveModel(model, find_anatomy(model), Bank(root, model="w" * 16, calibration="c" * 16, propagate="dense"))
