"""What was asked for, in tokens read and computed: the same count whatever was cached and whoever shared the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from evaluators.statistic import Shared, Statistic
from evaluators.trie import route, shares
from search.digests import Digests
from spaces.configuration import Configuration
from spaces.discovery import Anatomy


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Tokens that candidates read, and those computed for them: blocks that several share count once."""

    read: int = 0
    computed: float = 0.0  # fractions: a token counts by the share of the model's multiplications done for it

    def __add__(self, other: Asked) -> Asked:
        return Asked(read=self.read + other.read, computed=self.computed + other.computed)

    def __sub__(self, other: Asked) -> Asked:
        return Asked(read=self.read - other.read, computed=self.computed - other.computed)


def computed_share(configurations: Sequence[Configuration], anatomy: Anatomy) -> float:
    """How many whole forward passes one fresh worker computes for all of ``configurations``, on the same text.

    Each distinct prefix of blocks once, and the head for each: a walk through the trie of the blocks' contents.
    """
    left = shares(anatomy)
    distinct = {
        node: depth
        for configuration in dict.fromkeys(configurations)
        for depth, node in enumerate(route(configuration, anatomy))
    }
    blocks = sum(left[depth] - left[depth + 1] for depth in distinct.values())
    return blocks + len(set(configurations)) * left[-1]


class Ledger:
    """Counts evaluations as they are asked for: a longer one of the same candidate counts what it adds."""

    def __init__(self, anatomy: Anatomy) -> None:
        self.total = Asked()
        self._anatomy = anatomy
        self._read: dict[str, Digests] = {}  # by text: sequences from the first on that a configuration read

    def evaluations(
        self, configurations: Sequence[Configuration], num_sequences: int, length: int, text: str, first: int = 0
    ) -> Asked:
        """Candidates on ``num_sequences`` sequences of ``length`` tokens; what begins elsewhere is read anew."""
        read_before = self._read.setdefault(text, Digests())
        starts = {
            configuration: 0 if first else read_before.get(configuration.hash) or 0
            for configuration in dict.fromkeys(configurations)
        }
        starts = {configuration: start for configuration, start in starts.items() if start < num_sequences}
        if not first:
            for configuration in starts:
                read_before.put(configuration.hash, num_sequences)
        edges = sorted({*starts.values(), num_sequences})
        computed = 0.0
        for start, stop in pairwise(edges):
            reading = [configuration for configuration, begun in starts.items() if begun <= start]
            computed += computed_share(reading, self._anatomy) * (stop - start) * length
        read = sum(num_sequences - start for start in starts.values()) * length
        return self._added(Asked(read=read, computed=computed))

    def samples(self, statistic: Statistic, count: int, length: int) -> Asked:
        """Samples of a statistic: forward and backward passes, and of the former what is shared once."""
        return self._added(sampled(statistic, count, length, self._anatomy))

    def _added(self, asked: Asked) -> Asked:
        self.total += asked
        return asked


def sampled(statistic: Statistic, count: int, length: int, anatomy: Anatomy) -> Asked:
    """What ``count`` samples of a statistic cost with sequences of ``length`` tokens."""
    passes = statistic.passes(length) * count
    forward = float(passes.forward_tokens)
    if isinstance(statistic, Shared):
        forwards = statistic.forwards()
        forward *= computed_share(forwards, anatomy) / len(forwards)
    return Asked(read=passes.total_tokens, computed=forward + passes.backward_tokens)
