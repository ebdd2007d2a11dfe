"""SentencePiece's vocabularies in GGUF: cut by llama.cpp and by transformers as by SentencePiece itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import llama_cpp
import pytest
import sentence_pieces
import twins
from gguf_models import TOKENIZER_FILES, setting, small_model, write
from transformers import AutoTokenizer, LlamaConfig

from evaluators.checkpoint import load_tokenizer
from evaluators.gguf_vocabulary import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, read_vocabulary, vocabulary_fault
from spaces.errors import InputError

pytest.importorskip("gguf")
pieces = pytest.importorskip("sentencepiece")

ROWS = sentence_pieces.NUM_PIECES + 8
TEXT = "It was  a dark night; don't you think so?\n\n  “Yes,” said he -- 1,234 times.\tÜnïcode 中文 🙂 "


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``tokenizer.model``."""
    return sentence_pieces.train(tmp_path_factory.mktemp("pieces") / "bpe")


def model_with(trained: Path, tmp_path: Path, *, is_modern: bool) -> Path:
    folder = small_model(tmp_path, "llama", vocab_size=ROWS)
    for name in TOKENIZER_FILES:
        (folder / name).unlink()
    if is_modern:
        sentence_pieces.modern(trained, folder)
    else:
        shutil.copytree(trained, folder, dirs_exist_ok=True)
    return folder


@pytest.mark.parametrize("is_modern", [False, True], ids=["tokenizer.model", "tokenizer.json"])
def test_llama_cpp_and_transformers_cut_text_as_sentencepiece(trained: Path, is_modern: bool, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    folder = model_with(trained, tmp_path, is_modern=is_modern)
    file = write(twins.source_of(tmp_path, folder, {"*.q_proj": "rtn-int4-g32-sym"}), tmp_path / "out")
    unseen = sentence_pieces.CALIBRATION.read_text("utf-8")[80_000:84_000]
    text = TEXT + unseen
    wanted = pieces.SentencePieceProcessor(model_file=str(trained / "tokenizer.model")).encode(text)
    assert len(wanted) > 1000
    assert llama_cpp.LlamaCpp(file).tokens(text) == wanted
    found, own = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name), load_tokenizer(folder)
    assert found(text)["input_ids"] == own(text)["input_ids"] == [1, *wanted]
    # where a text begins with a space, transformers puts none in front, and both others do
    assert found(" " + text)["input_ids"] == own(" " + text)["input_ids"]


def test_types_and_scores_are_those_of_sentencepieces_own_file(trained: Path, tmp_path: Path) -> None:
    folder = model_with(trained, tmp_path, is_modern=False)
    file = write(twins.source_of(tmp_path, folder, {"*.q_proj": "rtn-int4-g32-sym"}), tmp_path / "out")
    own = pieces.SentencePieceProcessor(model_file=str(trained / "tokenizer.model"))
    tokens, types, scores = (setting(file, f"tokenizer.ggml.{key}") for key in ("tokens", "token_type", "scores"))
    assert tokens[: len(own)] == [own.id_to_piece(number) for number in range(len(own))]
    assert types[:4] == [UNKNOWN, CONTROL, CONTROL, BYTE]
    assert [number for number, kind in enumerate(types) if kind == BYTE] == [*range(3, 259)]
    assert set(types[259 : len(own)]) == {NORMAL}
    assert set(types[len(own) :]) == {UNUSED}
    merged = [number for number in range(259, len(own)) if len(tokens[number]) > 1]
    assert [scores[number] for number in merged] == [own.get_score(number) for number in merged]
    assert setting(file, "tokenizer.ggml.model") == "llama"
    assert setting(file, "tokenizer.ggml.add_space_prefix") is True
    assert setting(file, "tokenizer.ggml.add_bos_token") is True
    ids = [setting(file, f"tokenizer.ggml.{name}_token_id") for name in ("unknown", "bos", "eos")]
    assert ids == [0, 1, 2]


def test_older_ways_to_say_the_same_are_read_too(trained: Path, tmp_path: Path) -> None:
    """Llama 2's own ``tokenizer.json`` normalizes where newer ones cut."""
    folder = tmp_path / "old"
    sentence_pieces.modern(trained, folder)
    new = read_vocabulary(folder, ROWS)
    prefix = {"type": "Prepend", "prepend": "▁"}
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    steps = {"type": "Sequence", "normalizers": [prefix, spaces]}
    changed(folder, normalizer=steps, pre_tokenizer=None)
    assert read_vocabulary(folder, ROWS) == new
    changed(folder, normalizer=spaces, pre_tokenizer=None)
    found = read_vocabulary(folder, ROWS)
    assert found is not None
    assert not found.begins_with_space


def test_what_llama_cpp_would_cut_otherwise_is_refused(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    sentence_pieces.modern(trained, folder)
    bpe = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]
    merges = bpe["merges"]
    assert vocabulary_fault(config_in(folder)) == ""
    for other in (merges[:-1], [merges[-1], *merges[:-1], merges[0]]):  # a pair left alone; a token merged at two times
        changed(folder, model=bpe | {"merges": other})
        with pytest.raises(InputError, match=r"\(BPE, cut by Metaspace\) is not one that is written"):
            read_vocabulary(folder, ROWS)
    changed(folder, model=bpe, normalizer={"type": "NFKC"})
    assert "is not one that is written" in vocabulary_fault(config_in(folder))
    unigram = sentence_pieces.train(tmp_path / "unigram", "unigram")
    settings = sentence_pieces.SETTINGS | {"tokenizer_class": "T5Tokenizer"}
    (unigram / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    assert "Unigram" in vocabulary_fault(config_in(unigram))


def config_in(folder: Path) -> LlamaConfig:
    config = LlamaConfig(vocab_size=ROWS)
    config.name_or_path = str(folder)
    return config


def changed(folder: Path, **entries: Any) -> None:
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    (folder / "tokenizer.json").write_text(json.dumps(content | entries), encoding="utf-8")
