"""The tokenizer beside a model as GGUF holds it: byte-level BPE, or SentencePiece's BPE that falls back on bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from evaluators.checkpoint import load_tokenizer
from evaluators.merges import is_by_token, pairs
from spaces.errors import InputError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # llama.cpp's types of tokens
BYTES = frozenset(f"<0x{byte:02X}>" for byte in range(256))
BYTE_LEVEL, SENTENCE_PIECE = "gpt2", "llama"  # llama.cpp's words for both kinds
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = {  # how text is cut into words -> what llama.cpp calls it
    _WORDS + r"\p{N}{1,3}" + _REST: "llama-bpe",
    _WORDS + r"\p{N}" + _REST: "qwen2",
}
SPECIAL = ("bos", "eos", "pad", "unk")
SPACE = "▁"  # SentencePiece's word for a space
SPACED = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
PREFIXED = {"type": "Prepend", "prepend": SPACE}
FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")  # a tokenizer has one of them
UNUSED_SCORE = -1e4


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """All that GGUF says of a tokenizer."""

    kind: str
    splitting: str  # llama.cpp's name for the way in which text is cut into words
    tokens: Sequence[str]  # for each row of the embedding, those that nothing is written to as well
    types: Sequence[int]
    merges: Sequence[str] = ()  # of byte-level BPE
    scores: Sequence[float] = ()  # of SentencePiece
    begins_with_space: bool = False  # whether a space is put in front of every text
    special: Mapping[str, int] = field(default_factory=dict)  # bos, eos, pad and unk, where there are
    begins_with_bos: bool = False
    template: str | None = None  # of chats


def vocabulary_fault(config: PreTrainedConfig) -> str:
    """Why the tokenizer beside the model cannot be said in GGUF; "" where it can, where the folder has none, and
    where the model is not in a folder yet.
    """
    if not config.name_or_path:
        return ""
    folder = Path(config.name_or_path)
    stamps = [(name, path.stat().st_mtime_ns) for name in FILES if (path := folder / name).is_file()]
    return _fault(folder, config.get_text_config().vocab_size, tuple(stamps)) if stamps else ""


@lru_cache(maxsize=8)
def _fault(folder: Path, num_tokens: int, _stamps: tuple[tuple[str, int], ...]) -> str:
    try:
        read_vocabulary(folder, num_tokens)
    except InputError as error:
        return str(error)
    return ""


def read_vocabulary(folder: Path, num_tokens: int) -> Vocabulary | None:
    """The tokenizer of a model with ``num_tokens`` rows; None where its folder has none.

    Raises:
        InputError: it is of a kind that llama.cpp does not know, or of another model.
    """
    if not any((folder / name).is_file() for name in FILES):
        return None
    content, settings = _tokenizer(folder), _read(folder / "tokenizer_config.json")
    bpe, splitting = content["model"], _splitting(content)
    is_byte_level = splitting is not None
    prefix = None if is_byte_level else _space_prefix(content)
    if not is_byte_level and (prefix is None or not is_by_token(bpe)):
        raise _refusal(content, folder)
    tokens, types = _tokens(content, num_tokens, folder)
    ids = {token: number for number, token in enumerate(tokens)}
    said = {name: _text(settings.get(f"{name}_token")) for name in SPECIAL}
    return Vocabulary(
        kind=BYTE_LEVEL if is_byte_level else SENTENCE_PIECE,
        splitting=splitting or "default",
        tokens=tokens,
        types=types,
        merges=[" ".join(pair) for pair in pairs(bpe)] if is_byte_level else (),
        scores=() if is_byte_level else _scores(bpe, tokens, types),
        begins_with_space=bool(prefix),
        special={name: ids[text] for name, text in said.items() if text in ids},
        begins_with_bos=_begins(content, said["bos"]),
        template=_template(folder, settings),
    )


def _tokenizer(folder: Path) -> dict[str, Any]:
    """What ``tokenizer.json`` says, or would say of a tokenizer that has older files alone."""
    if (folder / FILES[0]).is_file():
        return _read(folder / FILES[0])
    backend = getattr(load_tokenizer(folder), "backend_tokenizer", None)
    if backend is None:
        raise InputError(f"the tokenizer of {folder} has no tokenizer.json, and transformers makes none of it; add one")
    content: dict[str, Any] = json.loads(backend.to_str())
    return content


def _splitting(content: Mapping[str, Any]) -> str | None:
    """llama.cpp's name for the way in which byte-level BPE cuts text into words; None of any other tokenizer."""
    bpe, cutter = content["model"], content.get("pre_tokenizer") or {}
    steps = cutter.get("pretokenizers", [cutter])
    kinds = [step.get("type") for step in steps]
    if bpe.get("type") != "BPE" or bpe.get("byte_fallback") or kinds[-1] != "ByteLevel":
        return None
    if (content.get("normalizer") or {}).get("type") not in (None, "NFC"):  # Qwen2's; most text is in that form
        return None
    if kinds == ["ByteLevel"] and steps[0].get("use_regex", True) and not steps[0].get("add_prefix_space"):
        return "gpt-2"
    return SPLITS.get(steps[0].get("pattern", {}).get("Regex", "")) if kinds == ["Split", "ByteLevel"] else None


def _space_prefix(content: Mapping[str, Any]) -> bool | None:
    """Whether SentencePiece's BPE puts a space in front of a text; None of any other tokenizer."""
    bpe, cutter, normalizer = content["model"], content.get("pre_tokenizer"), content.get("normalizer")
    if bpe.get("type") != "BPE" or not bpe.get("byte_fallback"):
        return None
    if cutter is None and normalizer is not None:
        steps = normalizer.get("normalizers", [normalizer])
        return {1: False, 2: True}[len(steps)] if steps in ([SPACED], [PREFIXED, SPACED]) else None
    if cutter is None or normalizer is not None or cutter.get("type") != "Metaspace":
        return None
    if cutter.get("replacement") == SPACE and not cutter.get("split", True):
        return bool(cutter.get("prepend_scheme", "always") != "never")
    return None


def _scores(bpe: Mapping[str, Any], tokens: Sequence[str], types: Sequence[int]) -> list[float]:
    """The earlier a token is merged, the higher: what SentencePiece's own file says, up to a constant."""
    order = {token: -float(number) for number, token in enumerate(dict.fromkeys(map("".join, pairs(bpe))))}
    spare = {NORMAL: -float(len(order)), UNUSED: UNUSED_SCORE}
    return [order.get(token, spare.get(kind, 0.0)) for token, kind in zip(tokens, types, strict=True)]


def _tokens(content: Mapping[str, Any], num_tokens: int, folder: Path) -> tuple[list[str], list[int]]:
    tokens = [f"[PAD{number}]" for number in range(num_tokens)]
    types = [UNUSED] * num_tokens
    bpe, added = content["model"], content.get("added_tokens", [])
    has_bytes = bool(bpe.get("byte_fallback"))
    placed = [(text, number, BYTE if has_bytes and text in BYTES else NORMAL) for text, number in bpe["vocab"].items()]
    placed += [(each["content"], each["id"], CONTROL if each["special"] else USER_DEFINED) for each in added]
    for text, number, kind in placed:
        if number >= num_tokens:
            raise InputError(
                f"token {text!r} of {folder} has number {number}, and the model has {num_tokens} rows; "
                f"tokenizer and weights are of different models: copy both again"
            )
        tokens[number], types[number] = text, UNKNOWN if has_bytes and text == "<unk>" else kind
    return tokens, types


def _begins(content: Mapping[str, Any], bos: str | None) -> bool:
    """Whether every text begins with the token ``bos``."""
    processor = content.get("post_processor") or {}
    steps = processor.get("processors", [processor])
    singles = [step["single"] for step in steps if step.get("type") == "TemplateProcessing"]
    return any("SpecialToken" in single[0] and single[0]["SpecialToken"]["id"] == bos for single in singles if single)


def _template(folder: Path, settings: Mapping[str, Any]) -> str | None:
    own = folder / "chat_template.jinja"
    found = own.read_text("utf-8") if own.is_file() else settings.get("chat_template")
    return found if isinstance(found, str) else None


def _text(token: object) -> str | None:
    """Of a special token, which may be written with its settings."""
    found = token.get("content") if isinstance(token, Mapping) else token
    return found if isinstance(found, str) else None


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); copy it again") from error
    return content


def _refusal(content: Mapping[str, Any], folder: Path) -> InputError:
    cutter = content.get("pre_tokenizer") or {}
    kinds = [step.get("type") for step in cutter.get("pretokenizers", [cutter])]
    return InputError(
        f"the tokenizer of {folder} ({content['model'].get('type')}, cut by {', '.join(map(str, kinds))}) is not one "
        f"that is written to GGUF here, which are those of GPT-2, Llama 3 and Qwen2, and SentencePiece's BPE with "
        f"bytes to fall back on; export dense, convert that with llama.cpp's convert_hf_to_gguf.py, and quantize it by "
        f"the llama-quantize recipe"
    )
