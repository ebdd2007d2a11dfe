"""What a BPE tokenizer merges, in which order, and whether an order of tokens says it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import Any


def pairs(bpe: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is merged with what, in order, of the ``model`` in a ``tokenizer.json``."""
    found = []
    for merge in bpe["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        found.append((left, right))
    return found


def is_by_token(bpe: Mapping[str, Any]) -> bool:
    """Whether any two neighbours are merged that make a token, and always into the earliest token.

    So SentencePiece and llama.cpp merge, who know a score for each token and no pairs. Other BPE leaves some pairs
    alone, or merges two pairs into one token at different times.
    """
    made = [left + right for left, right in pairs(bpe)]
    counts = Counter(made)
    num_runs = sum(1 for _ in groupby(made))  # as many as tokens: those of one token stand side by side
    return num_runs == len(counts) and all(counts[token] == _num_ways(token, bpe["vocab"]) for token in bpe["vocab"])


def _num_ways(token: str, vocabulary: Mapping[str, int]) -> int:
    """In how many ways two tokens make this one."""
    return sum(token[:cut] in vocabulary and token[cut:] in vocabulary for cut in range(1, len(token)))
