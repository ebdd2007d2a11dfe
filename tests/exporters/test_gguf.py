"""GGUF files as transformers reads them: to the bit what was searched, and of the size that was said before."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import twins
from gguf_models import CONFIGS, SETTINGS, setting, settings_of, small_model, tensors, types, write
from tiny_models import TINY
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from exporters.gguf import Gguf
from exporters.gguf_names import row_order
from exporters.gguf_plan import TENSOR_HEADER_BYTES, TOKEN_BYTES
from exporters.gguf_settings import rope_factors
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.ggml import Ggml
from spaces.skeleton import skeleton

pytest.importorskip("gguf")

ALL_WIDTHS = {
    "*.q_proj": "rtn-int4-g32-sym",
    "*.k_proj": "rtn-int2-g64-sym",
    "*.v_proj": "rtn-int6-g32-asym",
    "*.o_proj": "rtn-int8-channel-sym",
    "*.up_proj": "rtn-int3-g128-asym",
    "*.gate_proj": "rtn-int5-g32-sym",
    "*.down_proj": "rtn-int7-g64-sym",
    "*.1.mlp.down_proj": "keep",
    "lm_head": "rtn-int8-g32-sym",
}


def loaded(file: Path) -> nn.Module:
    model: nn.Module = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    return model.eval()


def same_logits(source: Any, file: Path) -> None:
    found, wanted = twins.logits(loaded(file)), twins.logits(twins.dense_twin(source, torch.float32))
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("kind", CONFIGS)
def test_codes_are_stored_without_loss_in_every_width(kind: str, tmp_path: Path) -> None:
    source = twins.source_of(tmp_path, small_model(tmp_path, kind), ALL_WIDTHS)
    file = write(source, tmp_path / "out")
    same_logits(source, file)
    found = types(file)
    names = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_gate", "ffn_down"]
    wanted = ["q4_0", "q4_0", "q8_0", "q8_0", "q4_0", "q5_0", "q8_0"]
    assert [found[f"blk.0.{name}.weight"] for name in names] == wanted
    assert (found["blk.1.ffn_down.weight"], found["token_embd.weight"], found["output.weight"]) == (
        "f32",
        "f32",
        "q8_0",
    )


@pytest.mark.parametrize("dropped", [{}, {"model.layers.0": "drop", "model.layers.7": "drop"}])
def test_ggml_types_of_the_reference_model_at_the_predicted_size(dropped: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    names = ["q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "q8_0", "iq2_s", "iq3_s", "iq4_xs", "iq4_nl", "q5_1", "q4_1"]
    options = {f"model.layers.{number}.*_proj": f"ggml-{name}" for number, name in enumerate(names)}
    source = twins.source_of(tmp_path, twins.REFERENCE, options | {"lm_head": "ggml-q6_k"} | dropped)
    file = write(source, tmp_path / "out")
    same_logits(source, file)
    predicted = Gguf().size_bytes(source.anatomy, source.configuration)
    assert file.stat().st_size == pytest.approx(predicted, rel=0.01)
    kept = [name for number, name in enumerate(names) if f"model.layers.{number}" not in dropped]
    assert setting(file, "llama.block_count") == len(kept)
    assert [types(file)[f"blk.{number}.attn_q.weight"] for number in range(len(kept))] == kept
    matrices = {name: tensor for name, tensor in tensors(file).items() if len(tensor.shape) == 2}
    vectors = sum(int(tensor.n_bytes) for name, tensor in tensors(file).items() if name not in matrices)
    to_the_byte = sum(int(tensor.n_bytes) for tensor in matrices.values()) + vectors
    assert predicted == to_the_byte + TENSOR_HEADER_BYTES * len(matrices) + TOKEN_BYTES * 4096


@pytest.mark.parametrize("bits", [4, 5])
def test_the_minimum_of_asymmetric_codes_is_rounded_within_the_bound_stated(bits: int, tmp_path: Path) -> None:
    options = {"*_proj": f"rtn-int{bits}-g128-asym"}
    source = twins.source_of(tmp_path, small_model(tmp_path, "qwen2"), options)
    model = loaded(write(source, tmp_path / "out"))
    worst = 0.0
    for name, _ in source.configuration.options:
        entry = source.quantized(name)
        moved = model.get_submodule(name).weight.detach() - entry.dequantize(torch.float32)  # type: ignore[operator]
        steps = entry.scales.to(torch.float32).repeat_interleave(128, dim=1)
        worst = max(worst, float((moved.abs() / steps).max()))
    assert 0 < worst < {4: 1 / 130, 5: 1 / 66}[bits]


def test_a_checkpoint_in_bfloat16_and_rows_that_blocks_do_not_fill(made: twins.Made, tmp_path: Path) -> None:
    source = made("llama", {"*.q_proj": "rtn-int4-g32-sym", "*.k_proj": "rtn-int8-g32-asym"}, dtype=torch.bfloat16)
    file = write(source, tmp_path / "out")
    found = types(file)
    assert (found["blk.0.attn_v.weight"], found["blk.0.attn_k.weight"]) == ("bf16", "f16")
    assert found["blk.0.attn_norm.weight"] == "f32"
    difference = twins.logits(loaded(file)) - twins.logits(twins.dense_twin(source, torch.float32))
    assert difference.abs().max() < 0.01  # 8 bits with zero points are rounded to float16
    assert setting(file, "tokenizer.ggml.model") == "none"


def test_queries_and_keys_of_llama_alone_change_their_order(tmp_path: Path) -> None:
    order = row_order(16, 2)
    assert order == [0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15]
    for kind in ("llama", "qwen2"):
        source = twins.source_of(tmp_path / kind, small_model(tmp_path, kind), {"*.v_proj": "rtn-int8-g32-sym"})
        weights = dict(source.weights())
        rows = row_order(512, 4) if kind == "llama" else list(range(256))
        stored = torch.from_numpy(tensors(write(source, tmp_path / kind / "out"))["blk.1.attn_q.weight"].data.copy())
        assert torch.equal(stored, weights["model.layers.1.self_attn.q_proj.weight"][rows])


def test_dropped_parts_of_other_models_are_small_zeros(tmp_path: Path) -> None:
    options = {
        "model.layers.0.self_attn": "drop",
        "model.layers.1.mlp": "drop",
        "model.layers.2.mlp.*": "rtn-int4-g32-sym",
    }
    source = twins.source_of(tmp_path, small_model(tmp_path, "qwen3"), options)
    file = write(source, tmp_path / "out")
    same_logits(source, file)
    assert setting(file, "general.architecture") == "qwen3"
    assert types(file)["blk.0.attn_q.weight"] == types(file)["blk.1.ffn_up.weight"] == "q4_0"
    assert file.stat().st_size == pytest.approx(Gguf().size_bytes(source.anatomy, source.configuration), rel=0.01)


def test_llamas_without_parts_are_of_another_architecture_and_keep_32_inner_channels(tmp_path: Path) -> None:
    dropped = dict.fromkeys(("model.layers.0.self_attn", "model.layers.1.self_attn", "model.layers.2.mlp"), "drop")
    source = twins.source_of(tmp_path, small_model(tmp_path, "llama"), dropped)
    file = write(source, tmp_path / "out")
    found = tensors(file)
    assert setting(file, "general.architecture") == "deci"
    out, left = Gguf().savings(source)
    assert "2 parts are left out (model.layers.1.self_attn, model.layers.2.mlp)" in out
    assert "1 parts are zeros at 4.5 bits a weight (model.layers.0.self_attn)" in left
    # not 0 of an MLP: llama.cpp would then leave out the block's attention as well, without a word
    assert setting(file, "deci.feed_forward_length") == [512, 512, 32]
    assert setting(file, "deci.attention.head_count") == [4, 0, 4]
    assert setting(file, "deci.attention.head_count_kv") == [2, 0, 2]
    assert not [name for name in found if name.startswith("blk.1.attn")]
    assert not found["blk.0.attn_output.weight"].data.any()
    assert list(found["blk.2.ffn_down.weight"].shape) == [32, 256]
    assert file.stat().st_size == pytest.approx(Gguf().size_bytes(source.anatomy, source.configuration), rel=0.01)


def test_llama_3_divides_frequencies_as_transformers_does() -> None:
    scaling = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0}
    scaling |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    config = CONFIGS["llama"](**SETTINGS, rope_parameters=scaling)
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 10000.0 ** (-torch.arange(0, 128, 2) / 128)
    factors = rope_factors(config)
    assert factors is not None
    assert torch.allclose(plain / factors, scaled, rtol=1e-5)
    assert float(factors.min()) == 1
    assert float(factors.max()) == 8


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("llama", {"attention_bias": True}, "attention_bias must be false .* got True"),
        ("llama", {"mlp_bias": True}, "mlp_bias must be false"),
        ("qwen3", {"attention_bias": True}, "attention_bias must be false"),
        ("qwen2", {"head_dim": 128}, "head_dim must be hidden_size / num_attention_heads .* got 128"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act must be silu .* got gelu"),
        (
            "qwen2",
            {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
            "layer_types must be full",
        ),
        (
            "llama",
            {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}},
            "rope_type must be one of default, linear, llama3 .* got dynamic",
        ),
    ],
)
def test_what_llama_cpp_would_compute_otherwise_is_refused(kind: str, settings: dict[str, Any], message: str) -> None:
    anatomy = find_anatomy(skeleton(CONFIGS[kind](**(settings_of(kind) | settings))))
    [reason] = Gguf().refusals(anatomy, Configuration.of({}))
    assert re.match(message, reason)
    assert reason.endswith("export dense, and convert that with llama.cpp's convert_hf_to_gguf.py")


@pytest.mark.parametrize("architecture", ["gpt2", "opt", "phi3", "gpt_neox", "falcon"])
def test_models_of_other_shapes_are_refused(architecture: str) -> None:
    reasons = Gguf().refusals(TINY[architecture].anatomy(), Configuration.of({}))
    assert "llama, qwen2, qwen3, which have no layer like" in reasons[0]


@pytest.mark.parametrize(("architecture", "kind"), [("gemma3", "gemma3_text"), ("mistral", "mistral")])
def test_models_with_the_same_layers_and_another_graph_are_refused(architecture: str, kind: str) -> None:
    """The trap: every tensor has a name in GGUF. Gemma's norms add 1 to their weights, Mistral's windows slide."""
    [reason] = Gguf().refusals(TINY[architecture].anatomy(), Configuration.of({}))
    assert reason.startswith(f"model_type must be one of llama, qwen2, qwen3 to be written as GGUF, got {kind}; export")


def test_a_configuration_edited_by_hand_is_refused_where_blocks_do_not_fill_a_row(made: twins.Made) -> None:
    source = made("llama", {})
    edited = replace(source, configuration=Configuration.of({"model.layers.0.mlp.up_proj": Ggml.named("q4_k")}))
    assert Gguf().refusals(edited.anatomy, edited.configuration) == [
        "model.layers.0.mlp.up_proj: the block of 256 of ggml-q4_k does not divide its 64 inputs; "
        "choose a type with blocks of 32"
    ]
