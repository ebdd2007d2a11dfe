"""Fresh text for every question: windows of the calibration stream, one after the other, around its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.strategy import Asking, Losses, Problem, measured
from spaces.space import Levels


@dataclass(kw_only=True)
class Windows:
    """Hands out windows of consecutive sequences: no two questions in a row share text that is left for both.

    What is learned from one window is then independent of what was chosen for its luck on another, and answers to many
    small questions add up to knowledge of the whole stream. Once all of it was read, it is read again: the sequences
    lie in a circle, and a window across the end is asked for in two parts.
    """

    problem: Problem
    position: int = 0  # the sequence where the next window begins
    tokens: int = 0  # read so far, by all candidates
    most: int | None = None  # that may be read; whoever asks heeds it

    @property
    def total(self) -> int:
        """Sequences of the stream."""
        return self.problem.sequences(self.problem.max_tokens)

    def exceeds(self, more: int) -> bool:
        """Whether so many tokens more are too many."""
        return self.most is not None and self.tokens + more > self.most

    def ask(self, candidates: Sequence[Levels], tokens: int, label: str, incumbent: Levels) -> Asking[Losses]:
        """The losses of all candidates on the next window, of ``tokens`` tokens rounded up to whole sequences."""
        wanted = self.problem.sequences(tokens)
        before = min(wanted, self.total - self.position)
        losses = yield from self._part(candidates, before, label, incumbent)
        if before == wanted:
            return losses
        rest = yield from self._part(candidates, wanted - before, label, incumbent)
        return [np.concatenate(both) for both in zip(losses, rest, strict=True)]

    def ask_beginning(self, candidate: Levels, tokens: int, label: str) -> Asking[Losses]:
        """Its losses on the beginning of the stream, as answers are measured; the next window stays where it is."""
        self.tokens += tokens
        return (yield from measured((candidate,), tokens, label, incumbent=candidate))

    def _part(self, candidates: Sequence[Levels], count: int, label: str, incumbent: Levels) -> Asking[Losses]:
        first, tokens = self.position, self.problem.tokens(count * self.problem.sequence_length)
        self.position = (first + count) % self.total
        self.tokens += len(candidates) * tokens
        return (yield from measured(tuple(candidates), tokens, label, first=first, incumbent=incumbent))


def differences(losses: Losses) -> list[np.ndarray]:
    """Each candidate's losses less those of the first, sequence by sequence.

    Infinite where it broke, minus infinity where the first broke and it did not, and NaN where both did.
    """
    first, *others = (np.where(np.isnan(each), np.inf, each) for each in losses)
    with np.errstate(invalid="ignore"):
        return [each - first for each in others]
