"""Calibration and validation text: from a file, a folder, JSON lines or the hub to sequences of token ids."""

from __future__ import annotations

import difflib
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from spaces.errors import InputError

SHUFFLE_SEED = 20_240_814  # never the job's: jobs with other seeds are compared on the same text
READ_FACTOR = 16  # tokens read for each one used: enough to mix, without reading a whole web crawl
PIECE_CHARACTERS = 2**16  # tokenised at once: a tokenizer takes some thirty times the memory of its text
TEXT_SUFFIXES = (".txt", ".md")
JSON_SUFFIXES = (".json", ".jsonl")
PATH_SUFFIXES = (*TEXT_SUFFIXES, *JSON_SUFFIXES, ".gz", ".csv", ".parquet")

# Where the splitting rules of byte-level tokenizers always part: so pieces give the tokens of the whole.
BREAK = re.compile(r"(?<=\S\n)(?=\S)|(?<=\S)(?= \S)")

Document = Iterator[str]  # the text of one document, in blocks to be read one after the other
Ids = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TextSource:
    """Which text to read and how many tokens of it to use.

    ``source`` is a text file, a folder of them, JSON lines or the id of a Hugging Face dataset;
    ``field`` holds the text in the last two, ``split`` and ``config_name`` choose within the last.
    """

    source: str
    tokens: int
    sequence_length: int
    field: str = "text"
    split: str = "train"
    config_name: str | None = None

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise InputError(f"source must name a file, a folder or a dataset, got {self.source!r}")
        if self.sequence_length < 2:
            raise InputError(
                f"sequence_length must be at least 2, a token and the one it predicts, got {self.sequence_length}"
            )
        if self.tokens < self.sequence_length:
            raise InputError(
                f"tokens must be at least sequence_length, {self.sequence_length}, got {self.tokens}; "
                f"ask for more tokens or shorter sequences"
            )

    @property
    def num_sequences(self) -> int:
        return self.tokens // self.sequence_length


def sequences(
    source: TextSource, tokenizer: PreTrainedTokenizerBase
) -> Tensor:  # int64 (num_sequences, sequence_length)
    """Join the documents, cut them in sequences, and take the first of these in one fixed shuffled order.

    Every document starts with the tokenizer's beginning-of-text token (its end-of-text token where it
    has no other).  The order depends on the text alone, never on a seed.

    Raises:
        InputError: the source cannot be read, or its text is too short.
    """
    length = source.sequence_length
    ids = _read_ids(source, tokenizer)
    found = len(ids) // length
    if found < source.num_sequences:
        raise InputError(
            f"{source.source} holds {len(ids)} tokens, {found} whole sequences of {length}, "
            f"but tokens asks for {source.tokens}; give more text or ask for at most {found * length}"
        )
    order = np.random.default_rng(SHUFFLE_SEED).permutation(found)[: source.num_sequences]
    return torch.from_numpy(ids[: found * length].reshape(found, length)[order])


def read_documents(source: TextSource) -> Iterator[Document]:
    """Open the documents of a source one after the other; take each to its end before the next.

    Raises:
        InputError: there is nothing to read under that name, or what is there is not such text.
    """
    path = Path(source.source).expanduser()
    if path.is_file():
        is_json = path.name.removesuffix(".gz").endswith(JSON_SUFFIXES)
        return _json_documents(path, source.field) if is_json else iter([_file_blocks(path)])
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in TEXT_SUFFIXES and file.is_file())
        return (_file_blocks(file) for file in files) if files else _dataset_documents(source, str(path))
    if source.source[0] in "./~\\" or path.suffix in PATH_SUFFIXES or source.source.count("/") > 1:
        raise InputError(f"no such file or folder: {source.source}; {_nearest(path)}")
    return _dataset_documents(source, source.source)


def _nearest(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either"
    near = difflib.get_close_matches(path.name, [file.name for file in path.parent.iterdir()], n=1, cutoff=0.5)
    return f"did you mean {path.parent / near[0]}?" if near else f"nothing in {path.parent} has a similar name"


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _file_blocks(path: Path) -> Document:
    try:
        with io.TextIOWrapper(_open(path), encoding="utf-8-sig") as file:
            while block := file.read(PIECE_CHARACTERS):
                yield block
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise InputError(f"{path} is not UTF-8 text: byte 0x{byte:02x}, {error.reason}; convert it to UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}; check the file and its permissions") from error


def _json_documents(path: Path, field: str) -> Iterator[Document]:
    try:
        with _open(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _blocks(_json_text(line, field, where=f"{path}, line {number}"))
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}; check the file and its permissions") from error


def _json_text(line: bytes, field: str, *, where: str) -> str:
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise InputError(f"{where}: byte 0x{byte:02x} is not UTF-8; convert the file to UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON, {error}; write one object on each line") from error
    return _text_of(record, field, where=where)


def _dataset_documents(source: TextSource, name: str) -> Iterator[Document]:
    from datasets import load_dataset  # slow to import, and only this kind of source needs it
    from datasets.exceptions import DatasetsError

    try:
        rows = load_dataset(name, source.config_name, split=source.split, streaming=True)
        for number, row in enumerate(rows, start=1):
            yield _blocks(_text_of(row, source.field, where=f"{name}, row {number}"))
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        where = "the folder has no .txt or .md file and" if Path(name).is_dir() else "there is no such file and"
        raise InputError(
            f"cannot read {name!r}: {where} it cannot be read as a dataset (split {source.split!r}, configuration "
            f"{source.config_name or 'default'!r}): {error}; check its name and the network, or give a text file"
        ) from error


def _text_of(record: object, field: str, *, where: str) -> str:
    if not isinstance(record, Mapping):
        raise InputError(f"{where}: must be an object with a field {field!r}, got {type(record).__name__}")
    text = record.get(field)
    if not isinstance(text, str):
        found = f"holds {type(text).__name__}" if field in record else "is missing"
        raise InputError(
            f"{where}: field {field!r} {found}, and must be text; fields present: {', '.join(map(str, record))}; "
            f"name another with field"
        )
    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        raise InputError(f"{where}: field {field!r} holds half of a surrogate pair, which no UTF-8 text can; mend it")
    return text


def _blocks(text: str) -> Document:
    return (text[start : start + PIECE_CHARACTERS] for start in range(0, len(text), PIECE_CHARACTERS))


def _pieces(document: Document) -> Iterator[str]:
    """Cut a document, if long, where its tokens part as well; anywhere if 4,096 characters show no such place."""
    held = ""
    for block in document:
        held += block
        if len(held) < PIECE_CHARACTERS:
            continue
        places = [match.start() for match in BREAK.finditer(held, len(held) - 4096)]
        end = places[-1] if places else len(held)
        yield held[:end]
        held = held[end:]
    if held:
        yield held


def _read_ids(source: TextSource, tokenizer: PreTrainedTokenizerBase) -> Ids:  # (found,)
    """The tokens of all documents, or the first ``READ_FACTOR`` times those asked for."""
    limit = READ_FACTOR * source.tokens
    before, after = _frame(tokenizer)
    parts: list[Ids] = []
    num_tokens = 0
    for document in read_documents(source):
        for part in _document_ids(document, tokenizer, before, after):
            parts.append(part)
            num_tokens += len(part)
            if num_tokens >= limit:
                return np.concatenate(parts)[:limit]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _document_ids(document: Document, tokenizer: PreTrainedTokenizerBase, before: Ids, after: Ids) -> Iterator[Ids]:
    """One document's tokens, piece by piece, between the special ones; nothing for an empty document."""
    is_open = False
    for piece in _pieces(document):
        ids = _encode(tokenizer, piece)
        if not is_open and not np.array_equal(ids[: len(before)], before):
            yield before
        is_open = True
        yield ids
    if is_open:
        yield after


def _frame(tokenizer: PreTrainedTokenizerBase) -> tuple[Ids, Ids]:
    """The special tokens before and after a document: the tokenizer's own, and a beginning of text in any case."""
    probe = tokenizer("a", return_special_tokens_mask=True)
    ids = np.asarray(probe["input_ids"], dtype=np.int64)
    inner = np.flatnonzero(np.asarray(probe["special_tokens_mask"]) == 0)
    before, after = ids[: inner[0]], ids[inner[-1] + 1 :]
    start = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    if start is None or start in before[:1]:
        return before, after
    return np.concatenate([np.asarray([start], dtype=np.int64), before]), after


def _encode(tokenizer: PreTrainedTokenizerBase, text: str) -> Ids:
    # verbose=False: a document longer than the model's context is no mistake, it is cut in sequences
    encoded = tokenizer(text, add_special_tokens=False, return_attention_mask=False, verbose=False)
    return np.asarray(encoded["input_ids"], dtype=np.int64)
