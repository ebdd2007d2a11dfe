"""What GGUF calls the tensors of Llama-shaped models, and in which order it holds the rows of queries and keys."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spaces.discovery import Anatomy

MODULES = {  # within a block
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OUTSIDE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
BLOCK = re.compile(r"model\.layers\.(\d+)\.(.+)")


def gguf_name(module: str) -> str | None:
    """GGUF's name of a module, without ``.weight``; None where it has none."""
    match = BLOCK.fullmatch(module)
    if match is None:
        return OUTSIDE.get(module)
    inner = MODULES.get(match[2])
    return None if inner is None else f"blk.{match[1]}.{inner}"


def strangers(anatomy: Anatomy) -> list[str]:
    """Layers of a model that GGUF's Llama-shaped architectures have no tensor for."""
    return [layer.name for layer in (*anatomy.weights, *anatomy.outside) if gguf_name(layer.name) is None]


def refuse_strangers(anatomy: Anatomy, architectures: Iterable[str]) -> list[str]:
    """The sentence about them, or none."""
    unknown = strangers(anatomy)
    if not unknown:
        return []
    return [
        f"GGUF is written for models of type {', '.join(architectures)}, which have no layer like {unknown[0]}; "
        f"export dense, and convert that with llama.cpp's convert_hf_to_gguf.py"
    ]


def refuse_wide(anatomy: Anatomy) -> list[str]:
    """The sentence about a checkpoint of float64, or none."""
    if anatomy.dense_bits <= 32:
        return []
    return [
        f"GGUF is written of weights in float32, float16 or bfloat16, got {anatomy.dense_bits} bits; save the model "
        f"again in one of them"
    ]


def row_order(rows: int, heads: int) -> list[int]:
    """For each row of GGUF's query or key weight, the row of transformers' that it is.

    llama.cpp rotates neighbouring rows of a head with each other in its ``llama`` architecture, transformers the first
    half of a head with its second: row ``2 i + j`` of a head is row ``i + j * half`` there. A file in the wrong order
    loads all the same and computes something else.
    """
    half = rows // heads // 2
    return [head * 2 * half + i + j * half for head in range(heads) for i in range(half) for j in range(2)]
