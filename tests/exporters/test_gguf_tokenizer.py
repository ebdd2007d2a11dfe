"""The vocabulary in a GGUF file, read back by transformers, and those that are not written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import twins
from gguf_models import TOKENIZER_FILES, setting, small_model, write
from transformers import AutoTokenizer

from evaluators.checkpoint import load_tokenizer
from evaluators.gguf_vocabulary import CONTROL, NORMAL, SPLITS, UNUSED
from exporters.export import export
from exporters.gguf import Gguf
from spaces.errors import InputError

pytest.importorskip("gguf")

TEXT = "It was a dark night; don't you think so?\n\n  “Yes,” said he -- 1,234 times.\tÜnïcode 中文 🙂 <|endoftext|>"


def changed(folder: Path, change: dict[str, Any], file: str = "tokenizer.json") -> Path:
    """The model's folder with other entries in one of its tokenizer's files."""
    content = json.loads((folder / file).read_text("utf-8"))
    (folder / file).write_text(json.dumps(content | change), encoding="utf-8")
    return folder


def exported(folder: Path, tmp_path: Path) -> Path:
    return write(twins.source_of(tmp_path, folder, {"*.q_proj": "rtn-int4-g32-sym"}), tmp_path / "out")


def test_transformers_reads_the_same_tokenizer_back(tmp_path: Path) -> None:
    file = exported(twins.REFERENCE, tmp_path)
    found = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    own = load_tokenizer(twins.REFERENCE)
    assert found(TEXT)["input_ids"] == own(TEXT)["input_ids"]
    assert (found.bos_token, found.eos_token) == (own.bos_token, own.eos_token)
    assert setting(file, "tokenizer.ggml.pre") == "gpt-2"
    assert setting(file, "tokenizer.ggml.add_bos_token") is False
    assert setting(file, "tokenizer.ggml.token_type")[:2] == [CONTROL, NORMAL]


def test_rows_beyond_the_vocabulary_are_named_and_a_template_goes_along(tmp_path: Path) -> None:
    folder = small_model(tmp_path, "llama", vocab_size=4160)
    changed(folder, {"chat_template": "{{ messages }}"}, "tokenizer_config.json")
    file = exported(folder, tmp_path)
    tokens = setting(file, "tokenizer.ggml.tokens")
    assert (len(tokens), tokens[4100]) == (4160, "[PAD4100]")
    assert setting(file, "tokenizer.ggml.token_type")[4100] == UNUSED
    assert setting(file, "tokenizer.chat_template") == "{{ messages }}"


@pytest.mark.parametrize(("regex", "name"), SPLITS.items())
def test_llama_3_and_qwen_2_cut_text_in_ways_that_llama_cpp_knows_by_name(
    regex: str, name: str, tmp_path: Path
) -> None:
    cutter = [{"type": "Split", "pattern": {"Regex": regex}}, {"type": "ByteLevel", "use_regex": False}]
    begins = [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    change = {
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": cutter},
        "post_processor": {"type": "TemplateProcessing", "single": begins},
    }
    file = exported(changed(small_model(tmp_path, "llama"), change), tmp_path)
    assert setting(file, "tokenizer.ggml.pre") == name
    assert setting(file, "tokenizer.ggml.add_bos_token") is True


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pre_tokenizer": {"type": "Metaspace"}}, r"tokenizer of .* \(BPE, cut by Metaspace\) is not one"),
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}, "is not one that is written to GGUF"),
        ({"normalizer": {"type": "Lowercase"}}, "is not one that is written to GGUF"),
        ({"model": {"type": "Unigram", "vocab": [["<unk>", 0.0]]}}, r"\(Unigram, cut by ByteLevel\) is not one"),
        ({"added_tokens": [{"id": 5000, "content": "<x>", "special": True}]}, "'<x>' .* has number 5000, .* 4096 rows"),
    ],
)
def test_other_tokenizers_are_refused_before_anything_is_written(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = changed(small_model(tmp_path, "llama"), change)
    source = twins.source_of(tmp_path, folder, {"*.q_proj": "rtn-int4-g32-sym"})
    [reason] = Gguf().refusals(source.anatomy, source.configuration)
    assert re.search(message, reason)
    with pytest.raises(InputError, match=message):
        export(source, "gguf", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_without_a_tokenizer_is_written_without(tmp_path: Path) -> None:
    folder = small_model(tmp_path, "llama")
    for name in TOKENIZER_FILES:
        (folder / name).unlink()
    assert setting(exported(folder, tmp_path), "tokenizer.ggml.model") == "none"
