"""Reading text of every kind into the same sequences of tokens, and refusing what is not such text."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from evaluators.text import PIECE_CHARACTERS, READ_FACTOR, SHUFFLE_SEED, TextSource, read_documents, sequences
from spaces.errors import InputError

ROOT = Path(__file__).parents[2]
CALIBRATION = ROOT / "examples" / "text" / "calibration.txt"
START = 0  # <|endoftext|> of the reference tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(ROOT / "examples" / "reference-model")


def source(path: Path | str, *, tokens: int = 64, length: int = 8, **others: str) -> TextSource:
    return TextSource(source=str(path), tokens=tokens, sequence_length=length, **others)


def plain_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer(text, verbose=False)["input_ids"]


def shuffled(stream: list[int], num_sequences: int, length: int) -> torch.Tensor:
    """What ``sequences`` promises, from the joined stream."""
    found = len(stream) // length
    order = np.random.default_rng(SHUFFLE_SEED).permutation(found)[:num_sequences]
    return torch.tensor([stream[at * length : (at + 1) * length] for at in order])


def texts(source: TextSource) -> list[str]:
    return ["".join(document) for document in read_documents(source)]


def write_lines(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def test_a_book_becomes_shuffled_sequences_of_its_tokens(
    tokenizer: PreTrainedTokenizerBase, capfd: pytest.CaptureFixture[str]
) -> None:
    """Piece by piece gives the tokens of the whole: this text is 24 pieces long."""
    stream = [START, *plain_ids(tokenizer, CALIBRATION.read_text("utf-8"))]
    assert CALIBRATION.stat().st_size > 20 * PIECE_CHARACTERS
    result = sequences(source(CALIBRATION, tokens=65536, length=512), tokenizer)
    assert result.dtype == torch.int64
    assert torch.equal(result, shuffled(stream, 128, 512))
    assert capfd.readouterr().err == ""  # no word that the book is longer than the model's context


def test_fewer_tokens_are_a_prefix_of_more(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(CALIBRATION.read_text("utf-8")[:20_000], "utf-8")
    few = sequences(source(tmp_path / "a.txt", tokens=1024, length=64), tokenizer)
    many = sequences(source(tmp_path / "a.txt", tokens=2048, length=64), tokenizer)
    assert torch.equal(few, many[:16])


def test_reading_stops_at_a_multiple_of_the_tokens_asked_for(tokenizer: PreTrainedTokenizerBase) -> None:
    stream = [START, *plain_ids(tokenizer, CALIBRATION.read_text("utf-8")[:20_000])][: READ_FACTOR * 100]
    assert torch.equal(sequences(source(CALIBRATION, tokens=100, length=10), tokenizer), shuffled(stream, 10, 10))


def test_every_document_starts_with_the_beginning_of_text(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "a.jsonl", {"text": "One day."}, {"text": ""}, {"text": "Another day came."})
    stream = [START, *plain_ids(tokenizer, "One day."), START, *plain_ids(tokenizer, "Another day came.")]
    result = sequences(source(lines, tokens=len(stream), length=len(stream)), tokenizer)
    assert result.tolist() == [stream]


def test_a_document_that_starts_with_it_gets_no_other(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("<|endoftext|>One day.")
    stream = [START, *plain_ids(tokenizer, "One day.")]
    assert sequences(source(tmp_path / "a.txt", tokens=4, length=4), tokenizer).tolist() == [stream[:4]]


def test_special_tokens_of_the_tokenizer_frame_a_long_document_once(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    framing = copy.deepcopy(tokenizer)
    framing.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|endoftext|> $A <|endoftext|>", special_tokens=[("<|endoftext|>", START)]
    )
    text = "It was a dark night. " * (3 * PIECE_CHARACTERS // 20)
    (tmp_path / "a.txt").write_text(text)
    stream = plain_ids(framing, text)
    assert stream == [START, *plain_ids(tokenizer, text), START]
    result = sequences(source(tmp_path / "a.txt", tokens=len(stream), length=len(stream)), framing)
    assert result.tolist() == [stream]


def test_a_tokenizer_without_special_tokens_adds_none(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    bare = copy.deepcopy(tokenizer)
    bare.bos_token = bare.eos_token = None
    (tmp_path / "a.txt").write_text("One day another day came.")
    stream = plain_ids(tokenizer, "One day another day came.")
    assert sequences(source(tmp_path / "a.txt", tokens=4, length=4), bare).tolist() == [stream[:4]]


@pytest.mark.parametrize("unit", ["a", "\n", " ", "word\n\n", "日本語", "é ", "🙂"])
def test_text_without_places_to_cut_loses_nothing(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path, unit: str
) -> None:
    text = unit * (2 * PIECE_CHARACTERS // len(unit) + 7)
    (tmp_path / "a.txt").write_text(text, "utf-8")
    length = len(plain_ids(tokenizer, text)) - 8  # a cut anywhere may change a few tokens
    result = sequences(source(tmp_path / "a.txt", tokens=length, length=length), tokenizer)
    read = tokenizer.decode(result[0, 1:]).rstrip("\ufffd")
    assert text.startswith(read)
    assert len(read) > 0.99 * len(text)


def test_a_folder_is_its_text_files_by_name(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.txt", "a.md", "sub/c.txt", "image.png"):
        (tmp_path / name).write_text(name)
    assert texts(source(tmp_path)) == ["a.md", "b.txt", "sub/c.txt"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.jsonl.gz", "a.json.gz"])
def test_json_lines_are_one_document_each(tmp_path: Path, name: str) -> None:
    content = b'{"body": "One\\nday"}\n\n{"body": "Caf\xc3\xa9", "id": 7}'
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert texts(source(tmp_path / name, field="body")) == ["One\nday", "Café"]


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfOne\r\nday", b"One\nday", b"One\rday"])
def test_marks_and_line_ends_of_other_systems_do_not_change_the_text(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(content))
    assert texts(source(tmp_path / "a.txt")) == texts(source(tmp_path / "b.txt.gz")) == ["One\nday"]


def test_a_dataset_is_read_by_its_split_and_field(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    """A folder without text files is loaded as a dataset, as a hub id is."""
    write_lines(tmp_path / "train.jsonl", {"body": "One day."}, {"body": "Another day came."})
    write_lines(tmp_path / "test.jsonl", {"body": "Never read."})
    assert texts(source(tmp_path, field="body")) == ["One day.", "Another day came."]
    assert texts(source(tmp_path, field="body", split="test")) == ["Never read."]


def test_a_dataset_without_the_field_or_split_is_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", {"body": "One day."})
    with pytest.raises(InputError, match=r"row 1: field 'text' is missing.*fields present: body"):
        texts(source(tmp_path))
    with pytest.raises(InputError, match=r"split 'dev'.*Available splits: \['train'\]"):
        texts(source(tmp_path, split="dev"))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the folder has no \.txt or \.md file and it cannot be read as a dataset"):
        texts(source(tmp_path))


def test_a_hub_that_cannot_be_reached_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"cannot read 'nobody/no-such-text': there is no such file .* the network"):
        texts(source("nobody/no-such-text"))


@pytest.mark.parametrize(
    ("written", "hint"), [("calibratoin.txt", "did you mean .*calibration.txt"), ("x.md", "nothing in")]
)
def test_a_missing_file_names_its_neighbour(written: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"no such file or folder: .*{written}; {hint}"):
        texts(source(CALIBRATION.parent / written))


@pytest.mark.parametrize(
    "written", ["./nothing", "~/no-such-folder-here/nothing", "a/b/c", "book.txt", "no/book.jsonl"]
)
def test_what_looks_like_a_path_is_not_looked_up_on_the_hub(written: str) -> None:
    with pytest.raises(InputError, match=f"no such file or folder: {written}"):
        texts(source(written))


def test_text_too_short_says_how_much_there_is(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One day.")
    with pytest.raises(InputError, match=r"holds 4 tokens, 2 whole sequences of 2, .* asks for 8; .* at most 4"):
        sequences(source(tmp_path / "a.txt", tokens=8, length=2), tokenizer)


def test_an_empty_file_holds_no_tokens(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(InputError, match="holds 0 tokens"):
        sequences(source(tmp_path / "a.txt"), tokenizer)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"text": ', "line 2: not JSON, Expecting value"),
        (b'{"body": "x", "id": 1}', "line 2: field 'text' is missing, .*fields present: body, id"),
        (b'{"text": 7}', "line 2: field 'text' holds int"),
        (b'{"text": null}', "line 2: field 'text' holds NoneType"),
        (b'["x"]', "line 2: must be an object with a field 'text', got list"),
        (b'{"text": "\xff"}', "line 2: byte 0xff is not UTF-8"),
        (b'{"text": "\\ud800"}', "line 2: field 'text' holds half of a surrogate pair"),
        (b"[" * 100_000, "line 2: not JSON"),
    ],
)
def test_a_bad_line_of_json_is_named(tmp_path: Path, line: bytes, problem: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "fine"}\n' + line + b"\n")
    with pytest.raises(InputError, match=problem):
        texts(source(tmp_path / "a.jsonl"))


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Café".encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.txt is not UTF-8 text: byte 0xe9"):
        texts(source(tmp_path / "a.txt"))


@pytest.mark.parametrize("name", ["a.txt.gz", "a.jsonl.gz"])
@pytest.mark.parametrize(
    "content", [b"not gzip", gzip.compress(b'{"text": "x"}', mtime=0)[:-6]], ids=["not gzip", "cut off"]
)
def test_a_damaged_archive_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"cannot read .*{name}"):
        texts(source(tmp_path / name))


@pytest.mark.parametrize(
    ("path", "tokens", "length", "problem"),
    [
        ("a.txt", 64, 1, "sequence_length must be at least 2.* got 1"),
        ("a.txt", 64, -8, "sequence_length must be at least 2.* got -8"),
        ("a.txt", 7, 8, "tokens must be at least sequence_length, 8, got 7"),
        (" ", 64, 8, "source must name .* got ' '"),
    ],
)
def test_refuses_sizes_that_make_no_sequence(path: str, tokens: int, length: int, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        source(path, tokens=tokens, length=length)
