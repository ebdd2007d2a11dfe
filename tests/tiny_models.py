"""Nine architectures as tiny random models, with the layers that a person would count in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    FalconConfig,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    Phi3Config,
    PreTrainedConfig,
    Qwen3Config,
)

from spaces.discovery import Anatomy, find_anatomy
from spaces.skeleton import skeleton

HIDDEN, INNER, VOCABULARY, NUM_BLOCKS = 64, 96, 256, 2
HEADS, KEY_HEADS, HEAD_SIZE = 4, 2, 16
Shape = tuple[int, int]  # (out, in)

SHARED: dict[str, object] = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
DECODER: dict[str, object] = SHARED | {
    "intermediate_size": INNER,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KEY_HEADS,
    "max_position_embeddings": 64,
}
SPLIT_QKV: dict[str, Shape] = {
    "self_attn.q_proj": (64, 64),
    "self_attn.k_proj": (32, 64),
    "self_attn.v_proj": (32, 64),
    "self_attn.o_proj": (64, 64),
}
GATED_MLP: dict[str, Shape] = {"mlp.gate_proj": (96, 64), "mlp.up_proj": (96, 64), "mlp.down_proj": (64, 96)}


@dataclass(frozen=True, kw_only=True, eq=False)  # hashed by identity, so that what is made of it can be cached
class Tiny:
    """One architecture, and what a person reads off its source."""

    config_class: type[PreTrainedConfig]
    settings: Mapping[str, object]
    blocks: str  # dotted name of the list of blocks
    linears: Mapping[str, Shape]  # in one block, by name within it
    attention: str
    attention_others: int  # parameters of a block's attention beside its linear weights: biases and norms
    mlp: str
    mlp_others: int
    block_others: int  # parameters of a block outside both
    outside: Mapping[str, Shape]
    depth: str = "num_hidden_layers"

    def config(self, num_blocks: int = NUM_BLOCKS) -> PreTrainedConfig:
        settings: dict[str, Any] = {**self.settings, self.depth: num_blocks}
        return self.config_class(**settings)

    def model(self, num_blocks: int = NUM_BLOCKS) -> nn.Module:
        """With weights, biases and norms all random, so that none of them can hide at 0 or 1."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model: nn.Module = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                self.config(num_blocks), dtype=torch.float32
            )
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(torch.randn_like(parameter) * 0.05)
        return model.eval().requires_grad_(False)

    def skeleton(self, num_blocks: int = NUM_BLOCKS) -> nn.Module:
        return skeleton(self.config(num_blocks))

    def anatomy(self, num_blocks: int = NUM_BLOCKS) -> Anatomy:
        return find_anatomy(self.skeleton(num_blocks))


TINY = {
    "llama": Tiny(
        config_class=LlamaConfig,
        settings=DECODER | {"tie_word_embeddings": False},
        blocks="model.layers",
        linears=SPLIT_QKV | GATED_MLP,
        attention="self_attn",
        attention_others=0,
        mlp="mlp",
        mlp_others=0,
        block_others=2 * HIDDEN,  # two norms
        outside={"model.embed_tokens": (256, 64), "lm_head": (256, 64)},
    ),
    "qwen3": Tiny(
        config_class=Qwen3Config,
        settings=DECODER | {"head_dim": HEAD_SIZE, "tie_word_embeddings": True, "attention_bias": True},
        blocks="model.layers",
        linears=SPLIT_QKV | GATED_MLP,
        attention="self_attn",
        attention_others=(64 + 32 + 32 + 64) + 2 * HEAD_SIZE,  # biases, and norms of queries and keys
        mlp="mlp",
        mlp_others=0,
        block_others=2 * HIDDEN,
        outside={"lm_head": (256, 64)},  # the embedding is the same matrix
    ),
    "mistral": Tiny(
        config_class=MistralConfig,
        settings=DECODER | {"head_dim": HEAD_SIZE, "tie_word_embeddings": False},
        blocks="model.layers",
        linears=SPLIT_QKV | GATED_MLP,
        attention="self_attn",
        attention_others=0,
        mlp="mlp",
        mlp_others=0,
        block_others=2 * HIDDEN,
        outside={"model.embed_tokens": (256, 64), "lm_head": (256, 64)},
    ),
    "phi3": Tiny(
        config_class=Phi3Config,
        settings=DECODER | {"tie_word_embeddings": False},
        blocks="model.layers",
        linears={
            "self_attn.o_proj": (64, 64),
            "self_attn.qkv_proj": (128, 64),
            "mlp.gate_up_proj": (192, 64),
            "mlp.down_proj": (64, 96),
        },
        attention="self_attn",
        attention_others=0,
        mlp="mlp",
        mlp_others=0,
        block_others=2 * HIDDEN,
        outside={"model.embed_tokens": (256, 64), "lm_head": (256, 64)},
    ),
    "gemma3": Tiny(
        config_class=Gemma3TextConfig,
        settings=DECODER | {"head_dim": HEAD_SIZE, "query_pre_attn_scalar": HEAD_SIZE},
        blocks="model.layers",
        linears=SPLIT_QKV | GATED_MLP,
        attention="self_attn",
        attention_others=2 * HEAD_SIZE,
        mlp="mlp",
        mlp_others=0,
        block_others=4 * HIDDEN,  # norms before and after both
        outside={"lm_head": (256, 64)},
    ),
    "opt": Tiny(
        config_class=OPTConfig,
        settings=SHARED
        | {
            "word_embed_proj_dim": HIDDEN,
            "ffn_dim": INNER,
            "num_attention_heads": HEADS,
            "max_position_embeddings": 64,
        },
        blocks="model.decoder.layers",
        linears={
            "self_attn.k_proj": (64, 64),
            "self_attn.v_proj": (64, 64),
            "self_attn.q_proj": (64, 64),
            "self_attn.out_proj": (64, 64),
            "fc1": (96, 64),
            "fc2": (64, 96),
        },
        attention="self_attn",
        attention_others=4 * HIDDEN,
        mlp="mlp",  # loose in the block, under no module of that name
        mlp_others=INNER + HIDDEN,
        block_others=4 * HIDDEN,  # two layer norms
        outside={"lm_head": (256, 64)},
    ),
    "gpt2": Tiny(
        config_class=GPT2Config,
        settings=SHARED | {"n_head": HEADS, "n_positions": 64},
        blocks="transformer.h",
        linears={"attn.c_attn": (192, 64), "attn.c_proj": (64, 64), "mlp.c_fc": (256, 64), "mlp.c_proj": (64, 256)},
        attention="attn",
        attention_others=192 + 64,
        mlp="mlp",
        mlp_others=256 + 64,
        block_others=4 * HIDDEN,
        outside={"lm_head": (256, 64)},
        depth="n_layer",
    ),
    "gpt_neox": Tiny(
        config_class=GPTNeoXConfig,
        settings=SHARED | {"intermediate_size": INNER, "num_attention_heads": HEADS, "max_position_embeddings": 64},
        blocks="gpt_neox.layers",
        linears={
            "attention.query_key_value": (192, 64),
            "attention.dense": (64, 64),
            "mlp.dense_h_to_4h": (96, 64),
            "mlp.dense_4h_to_h": (64, 96),
        },
        attention="attention",
        attention_others=192 + 64,
        mlp="mlp",
        mlp_others=96 + 64,
        block_others=4 * HIDDEN,
        outside={"gpt_neox.embed_in": (256, 64), "lm_head": (256, 64)},
    ),
    "falcon": Tiny(
        config_class=FalconConfig,
        settings=SHARED | {"num_attention_heads": HEADS, "bias": True, "max_position_embeddings": 64},
        blocks="transformer.h",
        linears={
            "self_attention.query_key_value": (96, 64),  # one key and one value head for all queries
            "self_attention.dense": (64, 64),
            "mlp.dense_h_to_4h": (256, 64),
            "mlp.dense_4h_to_h": (64, 256),
        },
        attention="self_attention",
        attention_others=96 + 64,
        mlp="mlp",
        mlp_others=256 + 64,
        block_others=2 * HIDDEN,  # both branches share one layer norm
        outside={"lm_head": (256, 64)},
    ),
}
