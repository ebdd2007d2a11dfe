"""Streams: nested prefixes, keys by content, and batches that do not depend on where one starts."""

from __future__ import annotations

import hashlib
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from evaluators.stream import Stream
from spaces.errors import InputError


def numbered(num_sequences: int, length: int) -> Tensor:
    return torch.arange(num_sequences * length).reshape(num_sequences, length)


def test_counts_sequences_and_tokens() -> None:
    stream = Stream(numbered(6, 8))
    assert (stream.num_sequences, stream.length, stream.num_tokens) == (6, 8, 48)


@pytest.mark.parametrize(("num_tokens", "expected"), [(0, 1), (1, 1), (8, 1), (9, 2), (48, 6), (10**9, 6)])
def test_fidelity_rounds_up_to_whole_sequences_within_the_stream(num_tokens: int, expected: int) -> None:
    assert Stream(numbered(6, 8)).sequences_for(num_tokens) == expected


def test_key_is_the_hash_of_the_length_and_the_little_endian_ids() -> None:
    content = b"tokens of length 3:" + struct.pack("<6i", 0, 1, 2, 3, 4, 5)
    assert Stream(numbered(4, 3)).key(2) == hashlib.sha256(content).hexdigest()


def test_keys_do_not_depend_on_the_order_they_are_asked_in() -> None:
    asked_backwards, asked_once = Stream(numbered(5, 4)), Stream(numbered(5, 4))
    keys = {number: asked_backwards.key(number) for number in (5, 2, 4, 1, 3)}
    assert asked_once.key(3) == keys[3]
    assert len(set(keys.values())) == 5


def test_prefixes_of_a_longer_stream_have_the_same_keys() -> None:
    assert Stream(numbered(3, 4)).key(2) == Stream(numbered(9, 4)).key(2)


def test_one_changed_token_changes_every_key_from_there_on() -> None:
    tokens = numbered(3, 4)
    changed = tokens.clone()
    changed[1, 2] += 1
    before, after = Stream(tokens), Stream(changed)
    assert [before.key(n) == after.key(n) for n in (1, 2, 3)] == [True, False, False]


def test_the_same_ids_cut_otherwise_have_another_key() -> None:
    assert Stream(numbered(2, 6)).key(2) != Stream(numbered(3, 4)).key(3)


def test_a_window_has_the_key_of_a_stream_that_begins_there() -> None:
    tokens = numbered(7, 4)
    assert Stream(tokens).key(3, first=2) == Stream(tokens[2:]).key(3)
    assert Stream(tokens).key(3, first=0) == Stream(tokens).key(3)
    keys = {Stream(tokens).key(count, first) for first in range(7) for count in range(1, 8 - first)}
    assert len(keys) == 7 * 8 // 2


@pytest.mark.parametrize(("first", "count", "message"), [(5, 3, "5 to 8"), (-1, 2, "-1 to 1"), (2, 0, "1 to 0")])
def test_refuses_a_window_that_is_not_all_inside(first: int, count: int, message: str) -> None:
    with pytest.raises(InputError, match=f"sequences {message} are not a range of this stream, which has 7"):
        Stream(numbered(7, 4)).key(count, first)


@given(start=st.integers(0, 40), count=st.integers(0, 40), batch=st.integers(1, 12), extra=st.integers(0, 5))
def test_batches_cover_the_range_once_and_end_at_multiples(start: int, count: int, batch: int, extra: int) -> None:
    stop = start + count
    stream = Stream(numbered(stop + extra + 1, 2))
    batches = list(stream.batches(start, stop, batch))
    covered = [first + row for first, tokens in batches for row in range(len(tokens))]
    assert covered == list(range(start, stop))
    assert all((first + len(tokens)) % batch == 0 for first, tokens in batches[:-1])
    assert all(torch.equal(tokens, stream.tokens[first : first + len(tokens)]) for first, tokens in batches)


def test_an_extended_evaluation_runs_the_batches_of_a_fresh_one() -> None:
    stream = Stream(numbered(32, 2))
    extended = [*stream.batches(0, 4, 4), *stream.batches(4, 32, 4)]
    fresh = list(stream.batches(0, 32, 4))
    assert [(first, tokens.tolist()) for first, tokens in extended] == [
        (first, tokens.tolist()) for first, tokens in fresh
    ]


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (4,), (1, 2, 3)])
def test_refuses_what_is_not_a_table_of_sequences(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"got shape \(" + str(shape[0])):
        Stream(torch.zeros(shape, dtype=torch.int64))


def test_refuses_a_range_beyond_its_end() -> None:
    stream = Stream(numbered(3, 2))
    with pytest.raises(InputError, match="sequences 1 to 4 are not a range of this stream, which has 3"):
        stream.key(4)
    with pytest.raises(InputError, match="sequences 2 to 1"):
        list(stream.batches(2, 1, 1))


def test_refuses_empty_batches() -> None:
    with pytest.raises(InputError, match="batch_sequences must be at least 1, got 0"):
        list(Stream(numbered(3, 2)).batches(0, 2, 0))
