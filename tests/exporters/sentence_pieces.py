"""Tokenizers made by SentencePiece itself, in a folder as older models have it: without ``tokenizer.json``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluators.checkpoint import load_tokenizer

CALIBRATION = Path(__file__).parents[2] / "examples" / "text" / "calibration.txt"
NUM_PIECES = 600
SETTINGS = {
    "tokenizer_class": "LlamaTokenizer",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "add_bos_token": True,
}


def train(folder: Path, kind: str = "bpe") -> Path:
    """Write ``tokenizer.model`` and its settings into a new folder."""
    pieces = pytest.importorskip("sentencepiece")
    folder.mkdir()
    text = folder / "text.txt"
    text.write_text(CALIBRATION.read_text("utf-8")[:60_000], encoding="utf-8")
    pieces.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=NUM_PIECES,
        model_type=kind,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        num_threads=1,
        minloglevel=2,
    )
    text.unlink()
    (folder / "tokenizer.vocab").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    return folder


def modern(folder: Path, into: Path) -> None:
    """The same tokenizer as transformers saves it today: ``tokenizer.json``."""
    load_tokenizer(folder).save_pretrained(into)
