"""Shards are written as tensors come, and an export holds no more of a model than one of them."""

from __future__ import annotations

import ctypes
import json
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from safetensors import safe_open
from transformers import LlamaConfig, LlamaForCausalLM
from twins import DenseTwin, Logits, Made, source_of

from evaluators.checkpoint import load_model
from exporters.dense import Dense
from exporters.shards import ShardWriter
from spaces.errors import InputError
from spaces.weight_files import INDEX, WHOLE, weight_files

MIB = 1 << 20


def test_one_shard_is_one_whole_file(tmp_path: Path) -> None:
    with ShardWriter(tmp_path) as shards:
        shards.add("a", torch.arange(4))
        shards.add("b", torch.ones(2, 3).T)
    assert [path.name for path in tmp_path.iterdir()] == [WHOLE]
    with safe_open(tmp_path / WHOLE, framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert torch.equal(file.get_tensor("a"), torch.arange(4))
        assert file.get_tensor("b").shape == (3, 2)
    assert shards.tensor_bytes == 4 * 8 + 6 * 4


def test_several_shards_have_an_index_that_transformers_reads(tmp_path: Path) -> None:
    tensors = {f"layer.{number}": torch.full((100,), float(number)) for number in range(7)}
    with ShardWriter(tmp_path, max_shard_bytes=800) as shards:
        for name, tensor in tensors.items():
            shards.add(name, tensor)
    index = json.loads((tmp_path / INDEX).read_text("utf-8"))
    assert index["metadata"] == {"total_size": 7 * 400}
    files = weight_files(tmp_path)
    assert [path.name for path in files] == [f"model-0000{number}-of-00004.safetensors" for number in range(1, 5)]
    assert {path.name for path in tmp_path.iterdir()} == {INDEX, *(path.name for path in files)}
    for name, tensor in tensors.items():
        with safe_open(tmp_path / index["weight_map"][name], framework="pt") as file:
            assert torch.equal(file.get_tensor(name), tensor)


def test_files_may_be_read_by_whoever_may_read_the_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with ShardWriter(tmp_path) as shards:
        shards.add("a", torch.zeros(1))
    assert (tmp_path / WHOLE).stat().st_mode & 0o777 == 0o644


def test_two_tensors_cannot_share_a_name(tmp_path: Path) -> None:
    with ShardWriter(tmp_path) as shards:
        shards.add("a", torch.zeros(1))
        with pytest.raises(InputError, match="tensor a was written before"):
            shards.add("a", torch.ones(1))


def test_an_error_leaves_no_file_under_a_final_name(tmp_path: Path) -> None:
    def write() -> None:
        with ShardWriter(tmp_path, max_shard_bytes=4) as shards:
            for name in ("a", "b", "a"):
                shards.add(name, torch.zeros(1))

    with pytest.raises(InputError, match="tensor a was written before"):
        write()
    assert not list(tmp_path.glob("*.safetensors*"))


def test_a_sharded_model_is_exported_in_shards(
    made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path
) -> None:
    source = made("llama", {"*.mlp.*": "rtn-int4-g32-asym"}, max_shard_size=60_000)
    assert len(weight_files(source.model)) > 3
    out = tmp_path / "out"
    out.mkdir()
    Dense(max_shard_bytes=50_000).write(source, out)
    assert len(weight_files(out)) > 3
    assert max(path.stat().st_size for path in weight_files(out)) < 80_000  # its largest tensor alone has 64 KiB
    assert torch.equal(logits(load_model(out, dtype=source.dtype)), logits(dense_twin(source)))


def memory_in_use() -> int:
    """Bytes of this process alone, not those of mapped files, once the C library has given back what it kept."""
    ctypes.CDLL(None).malloc_trim(0)
    uss: int = psutil.Process().memory_full_info().uss
    return uss


def test_memory_holds_one_shard_and_not_the_model(tmp_path: Path) -> None:
    """Of a model of 100 MiB, nearly all of it in layers whose values are made anew, with shards of 8 MiB."""
    config = LlamaConfig(
        vocab_size=64, hidden_size=256, intermediate_size=4096, num_hidden_layers=8, num_attention_heads=4
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.02)
    model.save_pretrained(tmp_path / "model")
    del model
    source = source_of(tmp_path, tmp_path / "model", {"*.mlp.*": "rtn-int4-g32-sym"})
    out = tmp_path / "out"
    out.mkdir()
    peak = 0

    def see(_done: int, _total: int) -> None:
        nonlocal peak
        peak = max(peak, memory_in_use())

    before = memory_in_use()
    Dense(max_shard_bytes=8 * MIB).write(replace(source, on_tensor=see), out)
    size = sum(path.stat().st_size for path in weight_files(out))
    assert size > 100 * MIB
    # a shard: 8.1 MiB are seen, with 16 or 32 layers too
    assert peak - before < 3 * 8 * MIB
