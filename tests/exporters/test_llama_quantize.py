"""llama-quantize's file, held against the tensors of the GGUF export of the same configuration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import twins
from gguf_models import types, write

from exporters.gguf import Gguf
from exporters.llama_quantize import FILE, LlamaQuantize


def lines_of(source: twins.Source, folder: Path) -> list[tuple[str, str]]:
    assert LlamaQuantize().refusals(source.anatomy, source.configuration) == []
    folder.mkdir()
    LlamaQuantize().write(source, folder)
    lines = (folder / FILE).read_text("utf-8").splitlines()
    assert not any(re.search(r"\s", line) for line in lines)  # llama-quantize reads words
    return [(line.rpartition("=")[0], line.rpartition("=")[2]) for line in lines]


@pytest.mark.parametrize("dropped", [{}, {"model.layers.0": "drop", "model.layers.3": "drop"}])
def test_every_tensor_gets_the_type_of_the_gguf_export(dropped: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    pytest.importorskip("xllamacpp")
    options = {"*_proj": "ggml-q4_k", "*.1.*_proj": "ggml-q6_k", "*.11.*_proj": "ggml-q3_k", "*.2.mlp.up_proj": "keep"}
    source = twins.source_of(tmp_path, twins.REFERENCE, options | {"lm_head": "ggml-q8_0"} | dropped)
    lines = lines_of(source, tmp_path / "recipe")
    matrices = {name: kind for name, kind in types(write(source, tmp_path / "out")).items() if "norm" not in name}
    for name, kind in matrices.items():
        # a search, and the first match wins
        assert next(chosen for pattern, chosen in lines if re.search(pattern, name)) == kind, name
    hits = [pattern for pattern, _ in lines if not any(re.search(pattern, name) for name in matrices)]
    assert hits == ["^base-type:q8_0$", *(["^needs:--prune-layers:0,3$"] if dropped else [])]


def test_other_options_ask_for_the_nearest_type_and_fall_back_as_llama_quantize_does(
    made: twins.Made, tmp_path: Path
) -> None:
    asked = {"*.q_proj": "rtn-int4-g32-sym", "*.mlp.*": "rtn-int2-g32-asym", "*.v_proj": "rtn-int6-g64-sym"}
    lines = dict(lines_of(made("llama", asked), tmp_path / "recipe"))
    found = [lines[rf"^blk\.1\.{name}\.weight$"] for name in ("attn_q", "ffn_down", "attn_v", "attn_k")]
    assert found == ["q5_0", "q4_0", "q8_0", "f32"]


@pytest.mark.parametrize(("dtype", "kind"), [(torch.float16, "f16"), (torch.bfloat16, "bf16"), (torch.float32, "f32")])
def test_a_kept_layer_keeps_its_type(made: twins.Made, tmp_path: Path, dtype: torch.dtype, kind: str) -> None:
    lines = dict(lines_of(made("llama", {"*.mlp.*": "rtn-int4-g32-sym"}, dtype=dtype), tmp_path / "recipe"))
    assert {lines[rf"^blk\.1\.attn_{which}\.weight$"] for which in "qkv"} == {kind}


def test_wider_floats_are_refused(made: twins.Made) -> None:
    source = made("llama", {"*.mlp.*": "rtn-int4-g32-sym"}, dtype=torch.float64)
    for chosen in (LlamaQuantize(), Gguf()):
        [reason] = chosen.refusals(source.anatomy, source.configuration)
        assert reason.startswith("GGUF is written of weights in float32, float16 or bfloat16, got 64 bits")


def test_parts_cannot_be_dropped(made: twins.Made) -> None:
    source = made("llama", {"model.layers.1.mlp": "drop"})
    assert LlamaQuantize().refusals(source.anatomy, source.configuration) == [
        "model.layers.1.mlp: llama-quantize cannot drop an mlp, got drop; export gguf"
    ]
    other = made("gpt2", {})
    assert "llama, qwen2, qwen3" in LlamaQuantize().refusals(other.anatomy, other.configuration)[0]
